// fieldwatch hub import-snapshot: what a hub elsewhere is configured as, and who may connect to it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/cli/hub_connectors.hpp"
#include "base/file_system.hpp"
#include "base/text.hpp"
#include "base/time.hpp"

namespace fieldwatch::app {

namespace {

using SnapshotJson = nlohmann::json;

constexpr std::uint64_t kSnapshotFileMax = 32u << 20;  // the server takes no more

struct SnapshotOptions {
    std::string configuration, identities, time;
};

/// When a file was written: when the snapshot was taken, unless somebody says otherwise.
Result<std::string> written_at(const std::string& path) {
    std::error_code problem;
    const auto time = std::filesystem::last_write_time(path, problem);
    if (problem) return fail(Errc::NotFound, fmt::format("cannot read {}", path));
    const auto since = std::chrono::file_clock::to_sys(time).time_since_epoch();
    return to_iso8601(
        Timestamp::from_unix_millis(std::chrono::duration_cast<std::chrono::milliseconds>(since).count()));
}

/// What the server says; null where it has nothing to say.
Result<SnapshotJson> push(const Session& session, std::string_view what, const std::string& path,
                          const std::string& time) {
    const auto bytes = FIELDWATCH_TRY(read_file(posix_file_system(), path, kSnapshotFileMax));
    net::HttpClient client({.url = FIELDWATCH_TRY(net::parse_url(session.server)),
                            .bearer_token = session.token,
                            .ca_file = {},
                            .ca_pem = {},
                            .headers = {},
                            .total = std::chrono::minutes(5)});
    const auto target =
        fmt::format("/api/v1/hubs/{}/snapshots/{}?snapshotTime={}", percent_encode(session.hub), what,
                    percent_encode(time.empty() ? FIELDWATCH_TRY(written_at(path)) : time));
    const auto reply = FIELDWATCH_TRY(client.request("PUT", target, std::string(as_text(bytes))));
    auto body = SnapshotJson::parse(reply.body, nullptr, false);
    if (reply.status == 204) return SnapshotJson();
    if (body.is_object() && body.contains("accepted")) return body;
    const auto error =
        body.is_object() ? body.value("error", SnapshotJson::object()) : SnapshotJson::object();
    return fail(reply.status == 409 ? Errc::AlreadyExists : Errc::Unavailable,
                fmt::format("{}: the server answers {}: {}", path, reply.status,
                            printable(text_of(error, "message"))));
}

Result<void> push_identities(const Session& session, const SnapshotOptions& options) {
    const auto said = FIELDWATCH_TRY(push(session, "identities", options.identities, options.time));
    for (const auto& one : said.value("refusals", SnapshotJson::array()))
        std::fprintf(stderr, "%s: %s: %s\n", printable(options.identities).c_str(),
                     printable(text_of(one, "where")).c_str(), printable(text_of(one, "why")).c_str());
    const auto count = [&](const char* name) {
        return static_cast<unsigned long long>(said.value(name, std::uint64_t{0}));
    };
    if (session.format == "json")
        std::puts(said.dump(2).c_str());
    else
        std::printf("%llu identities taken, %llu refused, %llu removed\n", count("accepted"),
                    count("refused"), count("removed"));
    if (count("accepted") == 0) return fail(Errc::InvalidArgument, "nothing in it could be used");
    return {};
}

Result<void> import_snapshot(const Session& session, const SnapshotOptions& options) {
    if (options.configuration.empty() && options.identities.empty())
        return fail(Errc::InvalidArgument, "a snapshot is --configuration FILE, --identities FILE or both");
    if (!options.configuration.empty()) {
        FIELDWATCH_TRY(push(session, "configuration", options.configuration, options.time));
        if (session.format != "json") std::puts("configuration taken");
    }
    return options.identities.empty() ? Result<void>() : push_identities(session, options);
}

}  // namespace

void add_hub_snapshots(CLI::App& hub, Session& session) {
    const auto options = std::make_shared<SnapshotOptions>();
    auto* const command = hub.add_subcommand(
        "import-snapshot",
        "The configuration and the identities of a hub elsewhere, for this hub that is attached to it");
    command->add_option("--configuration", options->configuration,
                        "hub.json: the hub's resource, as `az iot hub show` prints it");
    command->add_option(
        "--identities", options->identities,
        "identities.jsonl: a device a line, as an export job writes it; whole, who is missing was removed");
    command->add_option("--time", options->time,
                        "When it was taken, in UTC and ISO 8601; without it when the file was written");
    add_session_options(*command, session);
    add_hub_option(*command, session);
    command->footer(
        "Keys become fingerprints and are kept nowhere. A snapshot older than the last one is refused.");
    command->callback(
        [options, &session] { run(session, [&] { return import_snapshot(session, *options); }); });
}

}  // namespace fieldwatch::app
