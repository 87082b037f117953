// Makes log records of what a reader understood: security messages in the published schema, so that recorded
// events take the way that an agent's take, and sigma-events. Internal to input.
#pragma once

#include <span>
#include <string>
#include <utility>

#include "base/json_text.hpp"
#include "pipeline/input/input.hpp"

namespace fieldwatch::pipeline {

/// A line as a stranger wrote it, as UTF-8: each byte that is none becomes U+FFFD.
std::string clean_text(std::string_view text);

struct Origin {
    std::string_view device;
    Timestamp time;
    std::uint64_t line = 0;
};

using TextFields = std::vector<std::pair<std::string, std::string>>;

struct RecordedProcess {
    std::string executable, command_line, user_id, user_name, working_directory;
    std::string parent_executable, parent_command_line;
    std::int64_t process_id = 0, parent_process_id = 0;
};
struct RecordedLogin {
    std::string user, operation, executable, address, port;
    std::int64_t process_id = 0;  ///< 0 when each line is an attempt of its own
    bool success = false;
};
struct RecordedConnection {
    std::string remote_address, remote_port, local_address, local_port, protocol = "tcp";
    std::string executable, command_line, user_id, dns_name;
    /// What a network sensor counted; amounts as it wrote them, seen from the device.
    std::string state, service, seconds, packets_out, packets_in, bytes_out, bytes_in;
    std::int64_t process_id = 0;
    bool in = false;
};

class RecordMaker {
  public:
    explicit RecordMaker(std::string hub) : hub_(std::move(hub)) {}

    void process(const Origin& origin, const RecordedProcess& process, const RecordSink& sink);
    void login(const Origin& origin, const RecordedLogin& login, const RecordSink& sink);
    void connection(const Origin& origin, const RecordedConnection& connection, const RecordSink& sink);
    /// `service` as Sigma names it; the product is linux.
    void sigma(const Origin& origin, std::string_view service, const TextFields& fields,
               const RecordSink& sink);

  private:
    void event(const Origin& origin, std::string_view name, std::string_view payload, const RecordSink& sink);

    std::string hub_;
    std::uint64_t events_ = 0;
};

}  // namespace fieldwatch::pipeline
