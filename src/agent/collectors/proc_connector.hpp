// The fallback for execs and exits where the kernel takes no BPF program: the proc connector
// (CONFIG_PROC_EVENTS) tells pids, /proc the rest. Short-lived processes may be gone before they are read (28
// % at 400 execs/s, measured): such events keep their pid and are counted as dropped. Where even the
// connector is missing, /proc is polled.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>

#include "agent/bpf/records.h"
#include "agent/collectors/proc.hpp"
#include "base/result.hpp"

namespace fieldwatch::agent {

class ProcessFallback {
  public:
    struct Handlers {
        std::function<void(const ProcessFacts&)> exec;
        std::function<void(const fw_exit&)> exit;
    };
    virtual ~ProcessFallback() = default;
    virtual int fd() const = 0;  ///< -1: none, just call drain() regularly
    virtual void drain() = 0;
    virtual fw_counters counters(fw_class which) const = 0;

    static Result<std::unique_ptr<ProcessFallback>> connector(Handlers handlers);
    static std::unique_ptr<ProcessFallback> polling(Handlers handlers);
};

}  // namespace fieldwatch::agent
