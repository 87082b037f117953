// The kernel's audit, read along: the read-only multicast group (since 3.16, CAP_AUDIT_READ). It takes
// nothing from auditd and sets no rule: log-ins arrive on every device whose PAM is built with audit, execs
// only where the device's own rules ask for them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "agent/audit_text.hpp"
#include "agent/bpf/records.h"
#include "base/result.hpp"

namespace fieldwatch::agent {

/// One thread.
class AuditReader {
  public:
    struct Handlers {
        std::function<void(const ProcessFacts&)> exec;
        std::function<void(const fw_log_line&)> line;  ///< a log-in's record, unparsed
        std::function<bool()> has_room;  ///< while it says no, the rest waits in the kernel's buffer
        std::function<void()> lost;      ///< that overflowed: at least one record
    };
    /// Errors: Unsupported where the kernel has no audit or we may not read it.
    static Result<std::unique_ptr<AuditReader>> open(Handlers handlers);
    explicit AuditReader(Handlers handlers) : handlers_(std::move(handlers)) {}
    AuditReader(const AuditReader&) = delete;
    ~AuditReader();

    /// Takes what waits. `now_ns` is CLOCK_REALTIME.
    void drain(std::uint64_t now_ns);
    /// Of execs. An overflow loses an unknown number; at least one is counted.
    fw_counters counters() const { return counters_; }

  private:
    void take(std::uint16_t type, std::string_view text, std::uint64_t now_ns);

    Handlers handlers_;
    int socket_ = -1;
    AuditExecs execs_;
    fw_counters counters_{};
};

}  // namespace fieldwatch::agent
