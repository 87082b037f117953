// fieldwatch-send: a file or pipe of events to the hub, as the security module of a device. What the hub has
// not confirmed stays in the spool, and goes with the next run.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "agent/agent_log.hpp"
#include "agent/config.hpp"
#include "agent/hub_link.hpp"
#include "agent/send/event_input.hpp"
#include "agent/spool/outbox.hpp"
#include "agent/spool/spool.hpp"
#include "base/file_system.hpp"
#include "base/printable.hpp"
#include "base/uuid.hpp"

namespace {

using namespace fieldwatch;

constexpr std::string_view kVersion = "0.1.0";
constexpr std::string_view kHelp =
    R"(fieldwatch-send: sends security events of an application to the hub.

  fieldwatch-send --connection-string-file FILE --ca-file FILE [OPTION…] [EVENTS]
  fieldwatch-send --check [EVENTS]        only say whether the events follow the schema

EVENTS is a file of JSON objects, one a line; - or nothing is standard input. A line is an event, for example
  {"Name":"Custom","Payload":{"Name":"door-opened","ExtraDetails":{"door":"3"}}}
or a whole message with "Events". Id and timestamps are made where they are missing.

  --config FILE          take identity and CA from the agent's configuration instead
  --port N               port of the hub, 8883 unless the connection string says otherwise
  --connect-host HOST    where to connect, when it is not the connection string's host
  --spool DIR            keep what is not confirmed there, and send it first next time
  --agent-id GUID        this installation's identity; kept in the spool directory when there is one
  --timeout SECONDS      how long to wait for the hub's confirmation, 30

Exit status: 0 all confirmed, 1 not confirmed (kept if there is a spool), 2 used wrongly or an event does not follow the schema.
)";

struct Options {
    agent::AgentConfig config;
    std::string config_file, spool, input = "-";
    int timeout_seconds = 30;
    bool check = false, help = false;
};

bool parse(int argc, char** argv, Options& out) {
    bool has_input = false;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--help" || word == "-h") {
            out.help = true;
        } else if (word == "--check") {
            out.check = true;
        } else if (!word.starts_with("--")) {
            if (has_input) return false;
            has_input = true;
            out.input = word;
        } else if (i + 1 >= argc) {
            return false;
        } else {
            const std::string value = argv[++i];
            if (word == "--connection-string-file") {
                out.config.connection_string_file = value;
            } else if (word == "--ca-file") {
                out.config.ca_file = value;
            } else if (word == "--connect-host") {
                out.config.connect_host = value;
            } else if (word == "--port") {
                const int port = std::atoi(value.c_str());
                if (port < 1 || port > 65'535) return false;
                out.config.port = static_cast<std::uint16_t>(port);
            } else if (word == "--config") {
                out.config_file = value;
            } else if (word == "--spool") {
                out.spool = value;
            } else if (word == "--agent-id") {
                if (!Uuid::parse(value)) return false;
                out.config.agent_id = value;
            } else if (word == "--timeout") {
                out.timeout_seconds = std::atoi(value.c_str());
                if (out.timeout_seconds < 1) return false;
            } else {
                return false;
            }
        }
    }
    return true;
}

int complain(const Error& error, int status = 1) {
    std::fprintf(stderr, "fieldwatch-send: %s\n", printable(error.message).c_str());
    return status;
}

/// Lines of a descriptor, as far as they have come.
class Lines {
  public:
    explicit Lines(int file) : file_(file) {}
    int fd() const { return ended_ ? -1 : file_; }
    bool is_done() const { return ended_ && waiting_.empty(); }
    void read() {
        char buffer[16'384];
        const auto got = ::read(file_, buffer, sizeof buffer);
        if (got > 0) waiting_.append(buffer, static_cast<std::size_t>(got));
        ended_ = got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN);
        // A line over the bound is handed on as it is, and refused.
        if (ended_ && !waiting_.empty() && waiting_.back() != '\n') waiting_ += '\n';
    }
    bool next(std::string& line) {
        auto end = waiting_.find('\n');
        if (end == std::string::npos && waiting_.size() > agent::kInputLineBytesMax) end = waiting_.size();
        if (end == std::string::npos) return false;
        line = waiting_.substr(0, end);
        waiting_.erase(0, end + 1);
        ++number_;
        return true;
    }
    std::size_t number() const { return number_; }

  private:
    int file_;
    bool ended_ = false;
    std::string waiting_;
    std::size_t number_ = 0;
};

class Sending {
  public:
    Sending(Options options, agent::AgentIdentity identity)
        : options_(std::move(options)),
          hub_({.identity = std::move(identity.names),
                .connect_host = options_.config.connect_host,
                .port = options_.config.port,
                .ca_file = options_.config.ca_file,
                .certificate = std::move(identity.certificate),
                .private_key = std::move(identity.private_key),
                .agent_version = std::string(kVersion)},
               {.ready = [] {},
                .twin = [](std::string_view) {},
                .desired = [](std::string_view) {},
                .reported = [](int) {},
                .acknowledged = [this](std::uint64_t batch) { outbox_.acknowledged(batch); },
                .lost =
                    [this](const Error& error, std::int64_t) {
                        last_error_ = error;
                        outbox_.lose_all();
                    }},
               system_clock(), system_random()) {}

    Result<void> open() {
        auto& id = options_.config.agent_id;
        if (options_.spool.empty()) {
            if (id.empty()) id = Uuid::random(system_random()).text();
            return {};
        }
        auto& files = posix_file_system();
        agent::Spool::Recovered recovered;
        spool_ = FIELDWATCH_TRY(agent::Spool::open(files, options_.spool, recovered));
        const auto id_file = options_.spool + "/agent-id";
        if (id.empty()) {
            if (const auto kept = read_file(files, id_file, 64)) id = as_text(*kept);
        }
        if (!Uuid::parse(id)) id = Uuid::random(system_random()).text();
        FIELDWATCH_TRY(replace_file(files, id_file, as_bytes(id)));
        outbox_.on_gone = [this](const agent::WaitingEvent& event) {
            if (event.spooled) spool_->forget(event.number);
        };
        for (auto& event : recovered.events)
            outbox_.restore(std::move(event));
        return {};
    }

    int run(int file) {
        Lines lines(file);
        int invalid = 0;
        std::int64_t deadline = INT64_MAX;
        while (!lines.is_done() || outbox_.waiting() > 0) {
            // No more is read than may wait; the writer of the pipe waits instead.
            const bool may_read = lines.fd() >= 0 && outbox_.bytes() < kWaitingBytes;
            pollfd fds[] = {{may_read ? lines.fd() : -1, POLLIN, 0}, {hub_.fd(), hub_.wanted_events(), 0}};
            ::poll(fds, 2, 200);
            if (fds[0].revents != 0) {
                lines.read();
                invalid += take(lines);
            }
            if (lines.fd() < 0 && deadline == INT64_MAX)
                deadline = now() + options_.timeout_seconds * std::int64_t{1'000'000'000};
            hub_.advance();
            send();
            hub_.advance();
            if (now() >= deadline || (last_error_ && last_error_->code == Errc::Unauthorized)) break;
        }
        hub_.disconnect();
        if (spool_) (void)spool_->sync();
        if (outbox_.waiting() > 0) {
            const auto why = last_error_ ? last_error_->message : std::string("no confirmation in time");
            return complain({Errc::Timeout, std::to_string(outbox_.waiting()) + " events are not confirmed" +
                                                (spool_ ? " and wait in the spool: " : ": ") + why});
        }
        if (const auto large = outbox_.counters(agent::Queue::High).dropped_large; large > 0)
            return complain(
                {Errc::TooLarge, std::to_string(large) + " events are larger than a message may be (" +
                                     std::to_string(outbox_.message_bytes() - kEnvelopeBytes) +
                                     " bytes) and were not sent"},
                2);
        return invalid > 0 ? 2 : 0;
    }

  private:
    static constexpr std::size_t kEnvelopeBytes = 1'024;  ///< what Outbox::add keeps for it
    static constexpr std::size_t kWaitingBytes = 1u << 20;

    static std::int64_t now() { return system_clock().monotonic().count(); }

    int take(Lines& lines) {
        int invalid = 0;
        std::string line;
        while (lines.next(line)) {
            if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
            auto events = agent::read_events(line, system_clock(), system_random());
            if (!events) {
                ++invalid;
                std::fprintf(stderr, "fieldwatch-send: line %zu: %s\n", lines.number(),
                             printable(events.error().message).c_str());
                continue;
            }
            for (auto& event : *events)
                outbox_.add(agent::Queue::High, std::move(event), now());
        }
        if (spool_) {
            outbox_.spool_unwritten(
                INT64_MAX, [this](const agent::WaitingEvent& event) { return spool_->append(event); });
            if (const auto synced = spool_->sync(); !synced) complain(synced.error());
        }
        return invalid;
    }

    void send() {
        const char* name = nullptr;
        const char* value = nullptr;
        fieldwatch_mark_property(FIELDWATCH_PROTOCOL_MQTT_TOPIC, &name, &value);
        const auto bag = std::string(name) + "=" + value + "&%24.ct=application%2Fjson&%24.ce=utf-8";
        const auto& id = options_.config.agent_id;
        while (hub_.is_ready() && hub_.in_flight() < 4) {
            const auto batch = outbox_.take(agent::Queue::High, agent::envelope_bytes(kVersion, id));
            if (batch.events.empty()) return;
            const auto body = agent::build_message(kVersion, id, batch.events);
            if (!body) return outbox_.acknowledged(batch.id);
            hub_.publish(bag, *body, batch.id);
        }
    }

    Options options_;
    agent::Outbox outbox_{{.cache_bytes = 64u << 20, .message_bytes = 204'800}};
    std::unique_ptr<agent::Spool> spool_;
    std::optional<Error> last_error_;
    agent::HubLink hub_;
};

int check(int file) {
    Lines lines(file);
    int invalid = 0;
    std::size_t valid = 0;
    std::string line;
    while (!lines.is_done()) {
        if (lines.fd() >= 0) lines.read();
        while (lines.next(line)) {
            if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
            const auto events = agent::read_events(line, system_clock(), system_random());
            if (events) {
                valid += events->size();
                continue;
            }
            ++invalid;
            std::fprintf(stderr, "fieldwatch-send: line %zu: %s\n", lines.number(),
                         printable(events.error().message).c_str());
        }
    }
    std::printf("%zu events follow the schema, %d lines do not\n", valid, invalid);
    return invalid > 0 ? 2 : 0;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    if (!parse(argc, argv, options)) {
        std::fwrite(kHelp.data(), 1, kHelp.size(), stderr);
        return 2;
    }
    if (options.help) {
        std::fwrite(kHelp.data(), 1, kHelp.size(), stdout);
        return 0;
    }
    ::signal(SIGPIPE, SIG_IGN);
    const int file =
        options.input == "-" ? STDIN_FILENO : ::open(options.input.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return complain({Errc::NotFound, options.input + ": " + std::strerror(errno)}, 2);
    if (options.check) return check(file);
    if (!options.config_file.empty()) {
        auto config = agent::load_config(options.config_file);
        if (!config) return complain(config.error());
        options.config = std::move(*config);
    }
    if (options.config.connection_string_file.empty() && options.config.key_file.empty()) {
        std::fputs("fieldwatch-send: --connection-string-file or --config is needed; see --help\n", stderr);
        return 2;
    }
    auto identity = agent::load_identity(options.config);
    if (!identity) return complain(identity.error());
    Sending sending(std::move(options), std::move(*identity));
    if (const auto opened = sending.open(); !opened) return complain(opened.error());
    return sending.run(file);
}
