// Reads what authentication logs say of log-ins: sshd's accepted and failed lines, and failures of login(1).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fieldwatch::agent {

struct LoginLine {
    std::uint32_t pid = 0;
    std::string_view user;     ///< view into the line
    std::string_view address;  ///< perhaps a host name
    std::string_view port;
    std::string operation;
    std::string executable;
    bool success = false;
};

/// Nothing when the line tells of no log-in.
std::optional<LoginLine> parse_login_line(std::string_view line);

}  // namespace fieldwatch::agent
