// The kernel side of collection, one object per class of events: each is loaded alone, so that what one
// kernel refuses costs that class only. Runs in the privileged collector.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "agent/bpf/records.h"
#include "agent/collectors/proc.hpp"
#include "base/result.hpp"

namespace fieldwatch::agent {

class BpfSource {
  public:
    struct Options {
        std::uint32_t own_pids[2] = {0, 0};  ///< never reported
        bool loopback = false;               ///< report loopback connections too
        Namespaces namespaces;               ///< of the device: not told of each process
    };
    /// One record as the kernel wrote it; false = the taker is full, stop for now. The record itself counts
    /// as taken.
    using Take = std::function<bool(std::span<const std::byte> record)>;

    virtual ~BpfSource() = default;

    /// Loads and attaches. Errors: Unsupported with the kernel's reason.
    static Result<std::unique_ptr<BpfSource>> open(fw_class which, const Options& options);

    /// The answers of name servers, beside the classes.
    static Result<std::unique_ptr<BpfSource>> open_names();

    /// Readable when the ring holds enough to be worth a wake-up: much, or, while events are waited for, one.
    virtual int fd() const = 0;
    virtual void wait_for_events(bool is_waiting) = 0;
    virtual bool drain(const Take& take) = 0;  ///< whether there was anything
    virtual fw_counters counters() const = 0;
    virtual void detach() = 0;  ///< nothing more is seen; what the ring holds can still be taken
    virtual std::uint64_t untracked() const = 0;
    virtual void set_loopback(bool loopback) = 0;
    /// Tells the TCP program who listened before it was attached.
    virtual void add_listener(std::uint32_t network_namespace, std::uint16_t port, std::uint32_t pid,
                              std::uint32_t uid) = 0;
};

}  // namespace fieldwatch::agent
