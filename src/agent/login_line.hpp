// Reads what logs say of log-ins: the authentication log's lines of sshd, su, sudo and login(1), and the
// records that their PAM stacks send to the kernel's audit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fieldwatch::agent {

struct LoginLine {
    std::uint32_t pid = 0;  ///< 0: the line does not say
    std::string user;
    std::optional<std::uint32_t> uid;  ///< in place of the name, where the line tells only this
    std::string_view by;  ///< view into the line, as all views here: who became that user; "" where nobody
                          ///< was logged in before
    std::string_view address;  ///< perhaps a host name
    std::string_view port;
    std::string_view terminal;
    std::string operation;
    std::string executable;
    bool success = false;
};

/// Nothing when the line tells of no log-in. `line` is one of syslog's, with its header.
std::optional<LoginLine> parse_login_line(std::string_view line);

/// The same of an audit record: its type's number, a blank, and its text (`1100 audit(…): pid=… msg='op=…'`).
/// Of authentications only those of programs that tell no log-in besides (su, sudo and the like).
std::optional<LoginLine> parse_audit_login(std::string_view record);

}  // namespace fieldwatch::agent
