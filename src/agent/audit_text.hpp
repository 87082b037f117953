// The kernel's audit records as text: `audit(SECONDS.MILLIS:SERIAL): name=value name="value" …`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/collectors/proc.hpp"

namespace fieldwatch::agent {

/// Types of records that programs write (libaudit.h).
inline constexpr std::uint16_t kAuditUserAuth = 1100;
inline constexpr std::uint16_t kAuditUserLogin = 1112;

/// The value of ` name=`, without quotes; "" if it is not there. What the kernel wrote as hexadecimal digits
/// stays so.
std::string_view audit_field(std::string_view record, std::string_view name);

/// The text of a value as it stands in the record: quoted, or, where it holds blanks, quotes or control
/// characters, as an even number of capital hexadecimal digits.
std::string audit_value(std::string_view value);

/// Puts the records of one execve together: SYSCALL, EXECVE (one or more), CWD, then the end. At most one is
/// under way, and its arguments are bounded by FW_ARGS_MAX.
class AuditExecs {
  public:
    /// `type` as in linux/audit.h. Gives the process of an exec that is complete and was successful.
    std::optional<ProcessFacts> take(std::uint16_t type, std::string_view record);

  private:
    void append_arguments(std::string_view record);

    std::string serial_;
    ProcessFacts facts_;
    bool succeeded_ = false;
    bool is_exec_ = false;
    std::string_view::size_type argument_ = 0;  // the number of the argument that is being read
};

}  // namespace fieldwatch::agent
