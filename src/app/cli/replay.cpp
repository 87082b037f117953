// fieldwatch replay: recorded messages sent to a running hub again, by each device as itself.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "app/cli/command.hpp"
#include "app/cli/replay_record.hpp"
#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/line_reader.hpp"
#include "model/ids.hpp"
#include "pipeline/input/text_source.hpp"
#include "protocol/sas/connection_string.hpp"
#include "protocol/sas/token.hpp"

namespace fieldwatch::app {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kLineBytesMax = 2u << 20;  ///< as `fieldwatch detect`
constexpr std::size_t kDevicesMax = 100'000;
constexpr std::size_t kBadShown = 20;
constexpr int kTriesMax = 10;  ///< of one message that a hub has no room for now

struct ReplayOptions {
    std::vector<std::string> files;
    std::string hub_url, ca_file;
    double speed = 0;
    bool as_of_now = false, dry_run = false, create = false;
};

/// What the files hold, counted before anything is sent.
struct ReplayPlan {
    std::uint64_t records = 0, bad = 0;
    std::map<std::string, std::uint64_t> sent, not_sent;                   ///< by kind
    std::map<std::pair<std::string, std::string>, std::uint64_t> devices;  ///< by device and module
    std::optional<Timestamp> first, last;

    std::uint64_t to_send() const {
        std::uint64_t sum = 0;
        for (const auto& [kind, count] : sent)
            sum += count;
        return sum;
    }
};

template <class Take>
Result<void> for_each_line(const std::vector<std::string>& files, Take&& take) {
    std::string line;
    for (const auto& path : files) {
        std::ifstream file(path, std::ios::binary);
        if (!file) return fail(Errc::NotFound, fmt::format("cannot read {}", path));
        pipeline::TextSource source(file);
        std::istream text(&source);
        for (std::uint64_t number = 1; read_line(text, line, kLineBytesMax); ++number) {
            if (line.empty() || line == "\r") continue;
            const auto record = line.size() > kLineBytesMax
                                    ? Result<ReplayRecord>(fail(Errc::TooLarge, "more than 2 MiB"))
                                    : read_replay_record(line);
            FIELDWATCH_TRY(take(path, number, record));
        }
        if (const auto& problem = source.problem())
            return fail(problem->code, fmt::format("{}: {}", path, problem->message));
    }
    return {};
}

Result<ReplayPlan> plan_of(const ReplayOptions& options) {
    ReplayPlan plan;
    const auto take = [&](const std::string& path, std::uint64_t number,
                          const Result<ReplayRecord>& record) -> Result<void> {
        ++plan.records;
        if (!record) {
            if (++plan.bad <= kBadShown)
                std::fprintf(stderr, "%s:%llu: %s; left out\n", path.c_str(),
                             static_cast<unsigned long long>(number), record.error().message.c_str());
            return {};
        }
        if (!record->can_be_sent()) {
            ++plan.not_sent[record->kind];
            return {};
        }
        ++plan.sent[record->kind];
        ++plan.devices[{record->device, record->module}];
        if (plan.devices.size() > kDevicesMax) return fail(Errc::TooLarge, "more than 100,000 devices");
        if (plan.last && record->time < *plan.last)
            return fail(Errc::InvalidArgument,
                        fmt::format("{}:{}: its time is before that of the record before "
                                    "it; recorded input is in the order of its hub",
                                    path, number));
        if (!plan.first) plan.first = record->time;
        plan.last = record->time;
        return {};
    };
    FIELDWATCH_TRY(for_each_line(options.files, take));
    return plan;
}

Json plan_json(const ReplayPlan& plan, Ticks shift) {
    return {{"records", plan.records},
            {"toSend", plan.sent},
            {"notSent", plan.not_sent},
            {"bad", plan.bad},
            {"devices", plan.devices.size()},
            {"first", plan.first ? Json(to_iso8601(*plan.first)) : Json()},
            {"last", plan.last ? Json(to_iso8601(*plan.last)) : Json()},
            {"shiftSeconds", static_cast<double>(shift.count()) / 10'000'000}};
}

void print_plan(const Session& session, const ReplayPlan& plan, Ticks shift) {
    if (session.format == "json") {
        std::puts(plan_json(plan, shift).dump(2).c_str());
        return;
    }
    TextTable table({"WHAT", "RECORDS"});
    for (const auto& [kind, count] : plan.sent)
        table.add({printable(kind) + ", sent", std::to_string(count)});
    for (const auto& [kind, count] : plan.not_sent)
        table.add({printable(kind) + ", not sent", std::to_string(count)});
    if (plan.bad > 0) table.add({"no records", std::to_string(plan.bad)});
    session.format == "csv" ? table.print_csv() : table.print();
    if (session.format == "table" && plan.first)
        std::printf("\n%zu devices and modules, %s to %s\n", plan.devices.size(),
                    to_iso8601(*plan.first).c_str(), to_iso8601(*plan.last).c_str());
}

/// Sends as devices do.
class ReplaySender {
  public:
    ReplaySender(const Session& session, const ReplayOptions& options)
        : session_(session), options_(options) {}

    Result<void> open() {
        auto url = options_.hub_url;
        auto ca = options_.ca_file;
        if (url.empty() || ca.empty()) {
            const auto profile = FIELDWATCH_TRY(profile_of(session_));
            if (ca.empty()) ca = profile.value("caFile", "");
            const auto port = profile.value("hubHttpsPort", 0);
            if (url.empty() && port == 0)
                return fail(Errc::NotFound,
                            "the profile names no HTTPS port of the hub: give --hub-url "
                            "https://HOST:PORT");
            if (url.empty())
                url =
                    fmt::format("https://{}:{}", FIELDWATCH_TRY(net::parse_url(session_.server)).host, port);
        }
        url_ = FIELDWATCH_TRY(net::parse_url(url));
        ca_ = ca;
        return {};
    }

    /// Errors: NotFound for an identity that the hub has not; what the hub says of the message.
    Result<void> send(const ReplayRecord& record) {
        const auto& own = *FIELDWATCH_TRY(identity_of(record));
        std::vector<std::pair<std::string, std::string>> headers{{"authorization", own.token},
                                                                 {"content-type", "application/json"}};
        if (record.kind == "security-message")
            headers.emplace_back("iothub-interface-id", std::string(model::kSecurityInterface));
        net::HttpClient client(
            {.url = url_, .bearer_token = {}, .ca_file = ca_, .headers = std::move(headers)});
        const auto body = record.body.is_string()
                              ? record.body.get<std::string>()
                              : record.body.dump(-1, ' ', false, Json::error_handler_t::replace);
        for (int tries = 1;; ++tries) {
            const auto reply = FIELDWATCH_TRY(client.request("POST", own.target, body));
            if (reply.status / 100 == 2) return {};
            const bool later = reply.status == 429 || reply.status == 503;
            if (!later || tries == kTriesMax)
                return fail(Errc::Unavailable,
                            fmt::format("the hub answers {} to a message of {}: {}", reply.status,
                                        record.device, printable(reply.body.substr(0, 300))));
            std::this_thread::sleep_for(std::chrono::milliseconds(200 * tries));
        }
    }

  private:
    struct Identity {
        std::string token, target;
    };

    Result<const Identity*> identity_of(const ReplayRecord& record) {
        const std::pair key(record.device, record.module);
        if (const auto known = identities_.find(key); known != identities_.end()) return &known->second;
        auto below = fmt::format("/api/v1/hubs/{}/devices/{}", percent_encode(session_.hub),
                                 percent_encode(record.device));
        if (options_.create) FIELDWATCH_TRY(make(below));
        if (!record.module.empty()) {
            below += "/modules/" + percent_encode(record.module);
            if (options_.create) FIELDWATCH_TRY(make(below));
        }
        const auto answer = call(session_, "GET", below + "/connection-string");
        if (!answer)
            return fail(
                answer.error().code,
                answer.error().message + (options_.create ? "" : " (--create makes what is missing)"));
        const auto parts =
            FIELDWATCH_TRY(sas::parse_connection_string(answer->value("connectionString", "")));
        if (parts.x509)
            return fail(Errc::Unsupported, record.device +
                                               " authenticates by certificate, which only the "
                                               "device has; play it as another: --create with a "
                                               "fresh hub");
        auto path = "/devices/" + percent_encode(record.device);
        if (!record.module.empty()) path += "/modules/" + percent_encode(record.module);
        Identity made{.token = FIELDWATCH_TRY(
                          sas::make_token({.resource = std::string(sas::without_port(parts.host_name)) + path,
                                           .key_base64 = parts.shared_access_key,
                                           .expiry = system_clock().now() + std::chrono::hours(24 * 30),
                                           .policy = {}})),
                      .target = path + "/messages/events?api-version=2021-04-12"};
        return &identities_.emplace(key, std::move(made)).first->second;
    }

    Result<void> make(const std::string& place) {
        const auto body = Json::object();
        const auto made = call(session_, "PUT", place, &body);
        if (made || made.error().code == Errc::AlreadyExists || made.error().code == Errc::Conflict)
            return {};
        return std::unexpected(made.error());
    }

    const Session& session_;
    const ReplayOptions& options_;
    net::Url url_;
    std::string ca_;
    std::map<std::pair<std::string, std::string>, Identity> identities_;
};

void show_progress(std::uint64_t done, std::uint64_t all) {
    if (on_terminal())
        std::fprintf(stderr, "\r%llu of %llu messages", static_cast<unsigned long long>(done),
                     static_cast<unsigned long long>(all));
}

Result<void> play(const Session& session, const ReplayOptions& options, const ReplayPlan& plan, Ticks shift) {
    using std::chrono::steady_clock;
    ReplaySender sender(session, options);
    FIELDWATCH_TRY(sender.open());
    const auto begun = steady_clock::now();
    auto shown = begun;
    std::uint64_t done = 0;
    const auto take = [&](const std::string& path, std::uint64_t number,
                          const Result<ReplayRecord>& read) -> Result<void> {
        if (!read || !read->can_be_sent()) return {};
        auto record = *read;
        if (options.speed > 0) {
            const std::chrono::duration<double> since(
                static_cast<double>((record.time - *plan.first).count()) / 1e7 / options.speed);
            std::this_thread::sleep_until(begun + std::chrono::duration_cast<steady_clock::duration>(since));
        }
        if (options.as_of_now && record.kind == "security-message") shift_events(record.body, shift);
        if (auto sent = sender.send(record); !sent)
            return in_context(fmt::format("{}:{}", path, number), sent.error());
        ++done;
        if (const auto now = steady_clock::now(); now - shown > std::chrono::milliseconds(500)) {
            shown = now;
            show_progress(done, plan.to_send());
        }
        return {};
    };
    const auto played = for_each_line(options.files, take);
    if (on_terminal()) std::fputc('\n', stderr);
    if (!played)
        return fail(played.error().code, fmt::format("{} ({} of {} messages were sent before)",
                                                     played.error().message, done, plan.to_send()));
    if (session.format == "json") {
        auto out = plan_json(plan, shift);
        out["sent"] = done;
        std::puts(out.dump(2).c_str());
    } else {
        std::printf("%llu messages of %zu devices and modules\n", static_cast<unsigned long long>(done),
                    plan.devices.size());
    }
    return {};
}

Result<void> replay_command(const Session& session, const ReplayOptions& options) {
    const auto plan = FIELDWATCH_TRY(plan_of(options));
    Ticks shift{0};
    if (options.as_of_now && plan.first) {
        // The last record comes to lie where the replay ends: no event is later than its sending.
        const auto lasts = options.speed > 0
                               ? Ticks(static_cast<std::int64_t>(
                                     static_cast<double>((*plan.last - *plan.first).count()) / options.speed))
                               : Ticks{0};
        shift = system_clock().now() + lasts - *plan.last;
    }
    if (options.dry_run) {
        print_plan(session, plan, shift);
        return {};
    }
    if (plan.to_send() == 0) return fail(Errc::InvalidArgument, "there is nothing in it that a device sends");
    return play(session, options, plan, shift);
}

}  // namespace

void add_replay(CLI::App& app, Session& session) {
    const auto options = std::make_shared<ReplayOptions>();
    auto* const command =
        app.add_subcommand("replay", "Send recorded messages to a running hub again, each device as itself");
    command->add_option("FILE", options->files, "Recorded input (JSON Lines), in the order given")
        ->required();
    command
        ->add_option("--speed", options->speed,
                     "1: as it was recorded; 60: an hour in a minute; 0: as fast as the hub takes it")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    command->add_flag(
        "--as-of-now", options->as_of_now,
        "Move the times of events so that the last one happens at the end of the replay, and give "
        "events new ids");
    command->add_flag("--create", options->create, "Make devices and modules that the hub has not");
    command->add_flag("--dry-run", options->dry_run, "Only say what would be sent; no server needed");
    command->add_option("--hub-url", options->hub_url,
                        "The hub's HTTPS address as devices see it; default: the server's host and the "
                        "profile's port");
    command->add_option("--ca", options->ca_file, "Whom to trust there (PEM); default: the profile's");
    add_hub_option(*command, session);
    add_session_options(*command, session);
    command->footer(
        R"(Messages go over HTTPS with each device's own key, which the API gives an administrator: the hub cannot
tell a replay from the device, and journals, detects, alerts and exports as ever. To look at a file without
all that: fieldwatch detect. Only security messages and telemetry are sent. Operations, twins, identities and
configuration are what a hub writes of itself: they are counted and left out.

Without --as-of-now events keep times and ids. Security messages that the hub has already are dropped as
duplicates, so an interrupted replay may simply be run again (telemetry comes twice). Events older than 72
hours are stored, not judged, and a device whose messages are all equally old has, to the hub, a slow clock.
With --as-of-now everything happens again, now; at a --speed above 1 events keep their distances, so that the
first lie in the past.

  fieldwatch simulate --to fleet.jsonl --attack all --days 2
  fieldwatch replay fleet.jsonl --as-of-now --create)");
    command->callback([options, &session] {
        if (!options->dry_run) return run(session, [&] { return replay_command(session, *options); });
        const auto done = replay_command(session, *options);
        session.exit_status = done ? kDone : report(done.error());
    });
}

}  // namespace fieldwatch::app
