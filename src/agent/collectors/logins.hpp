// Follows the files that record log-ins: wtmp and btmp (binary, utmp(5)) and the authentication log (text,
// handed on unparsed). Each is optional: many devices have none. Starts at the end of what is there.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "agent/bpf/records.h"

namespace fieldwatch::agent {

class LoginFollower {
  public:
    struct Paths {
        std::string wtmp = "/var/log/wtmp";
        std::string btmp = "/var/log/btmp";
        std::vector<std::string> logs = {"/var/log/auth.log", "/var/log/secure"};
    };
    /// Whether the record was taken; what was not is read again with the next poll.
    struct Handlers {
        std::function<bool(const fw_login&)> login;
        std::function<bool(const fw_log_line&)> line;
        std::function<void()> lost;  ///< a file is gone before its rest was taken: at least one record
    };
    LoginFollower(Paths paths, Handlers handlers);

    /// Reads what was appended since the last call, at most 64 KiB a file; a file that shrank or was replaced
    /// (log rotation) is read from its start.
    void poll(std::uint64_t now_ns);
    /// Whether there is more, which was not read or not taken.
    bool is_behind() const;
    /// Whether this device keeps an authentication log as a file.
    bool has_log() const;

  private:
    struct Followed {
        std::string path;
        std::uint64_t inode = 0;
        std::uint64_t offset = 0;  // what was taken ends here
        bool behind = false;
        enum class Kind { Wtmp, Btmp, Log } kind = Kind::Log;
    };
    void read_records(Followed& file, const std::string& bytes);
    void read_lines(Followed& file, const std::string& bytes, std::uint64_t now_ns);

    Handlers handlers_;
    std::vector<Followed> files_;
};

}  // namespace fieldwatch::agent
