// The kernel's audit records as text: `audit(SECONDS.MILLIS:SERIAL): name=value name="value" …`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

/// Both: the text of ` name=`; "" if it is not there.
std::string audit_text(std::string_view record, std::string_view name);

/// Puts the records of one execve together: SYSCALL, EXECVE (one or more), CWD, then the end. Those of
/// several may come interleaved: at most kOpenMax are under way, then the oldest is taken for complete; the
/// arguments of each are bounded by FW_ARGS_MAX.
class AuditExecs {
  public:
    static constexpr std::size_t kOpenMax = 8;

    /// `type` as in linux/audit.h. Gives the process of an exec that is complete and was successful.
    std::optional<ProcessFacts> take(std::uint16_t type, std::string_view record);

  private:
    struct Exec {
        std::string serial;
        ProcessFacts facts;
        bool has_arguments = false;  // else it is another system call
        std::size_t argument = 0;    // the number of the one that is being read
    };
    static void append_arguments(Exec& exec, std::string_view record);
    std::optional<ProcessFacts> close(std::vector<Exec>::iterator exec);

    std::vector<Exec> open_;  // successful system calls, the oldest first
};

}  // namespace fieldwatch::agent
