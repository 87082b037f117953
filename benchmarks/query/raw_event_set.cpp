#include "benchmarks/query/raw_event_set.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "workspace/workspace.hpp"

namespace fieldwatch::bench {
namespace {

constexpr std::uint64_t kBatch = 5'000;
constexpr std::array<std::string_view, 12> kExecutables = {
    "/bin/sh",   "/usr/bin/python3", "/usr/bin/curl", "/bin/ls",          "/usr/sbin/cron", "/usr/bin/ssh",
    "/bin/grep", "/usr/bin/sensord", "/usr/bin/tail", "/usr/bin/gpioset", "/bin/cat",       "/usr/sbin/ntpd"};
constexpr std::array<std::string_view, 6> kUsers = {"root",     "operator", "sensor",
                                                    "www-data", "pi",       "(invalid user)"};

struct Item {
    std::string_view name, category;
    std::string details;
};

std::string address(Random& random) {
    return fmt::format("198.51.{}.{}", random.below(4), random.below(256));
}

Item process(Random& random) {
    const auto executable = kExecutables[random.below(kExecutables.size())];
    // One command in 5,000 is a stranger: what "rare commands" looks for.
    if (random.below(5'000) == 0) {
        return {
            "ProcessCreate", "Triggered",
            fmt::format(
                R"({{"Executable":"/tmp/.x{0}","CommandLine":"/tmp/.x{0} -d","UserName":"root","ProcessId":{1}}})",
                random.below(100'000), 1 + random.below(32'000))};
    }
    return {"ProcessCreate", "Triggered",
            fmt::format(
                R"({{"Executable":"{0}","CommandLine":"{0} --job {1}","UserName":"{2}","ProcessId":{3}}})",
                executable, random.below(400), kUsers[random.below(5)], 1 + random.below(32'000))};
}
Item connection(Random& random) {
    return {
        "ConnectionCreate", "Triggered",
        fmt::format(
            R"({{"RemoteAddress":"{}","RemotePort":"{}","Protocol":"tcp","Direction":"Out","Executable":"{}"}})",
            address(random), random.below(2) == 0 ? 443 : 8883,
            kExecutables[random.below(kExecutables.size())])};
}
Item login(Random& random) {
    return {
        "Login", "Triggered",
        fmt::format(R"({{"Executable":"/usr/sbin/sshd","RemoteAddress":"{}","UserName":"{}","Result":"{}"}})",
                    address(random), kUsers[random.below(kUsers.size())],
                    random.below(4) == 0 ? "Fail" : "Success")};
}
Item port(Random& random) {
    constexpr std::array<int, 6> kPorts = {22, 80, 443, 502, 1883, 8080};
    return {
        "ListeningPorts", "Periodic",
        fmt::format(
            R"({{"Protocol":"tcp","LocalAddress":"0.0.0.0","LocalPort":"{}","RemoteAddress":"0.0.0.0","RemotePort":"*"}})",
            kPorts[random.below(kPorts.size())])};
}
Item user(Random& random) {
    return {"LocalUsers", "Periodic",
            fmt::format(R"({{"UserName":"{}","UserId":"{}","GroupNames":"users;adm","GroupIds":"100;4"}})",
                        kUsers[random.below(5)], random.below(1'000))};
}
Item baseline(Random& random) {
    return {
        "Baseline", "Periodic",
        fmt::format(
            R"({{"BaselineCheckId":"CIS-debian-12-{}.{}","BaselineCheckResult":"FAIL","Severity":"Warning"}})",
            1 + random.below(6), 1 + random.below(20))};
}

/// The mix of a quiet fleet: mostly processes, some connections, few snapshots.
Item draw(Random& random) {
    const auto part = random.below(100);
    if (part < 60) return process(random);
    if (part < 80) return connection(random);
    if (part < 88) return login(random);
    if (part < 94) return port(random);
    if (part < 97) return user(random);
    return baseline(random);
}

/// What the decoder puts behind an item's own fields: identifiers that no compression shortens, and two
/// times.
void add_envelope(std::string& details, std::string_view event_id, Timestamp time) {
    details.pop_back();
    const auto text = to_iso8601(time, 3);
    details +=
        fmt::format(R"(,"EventId":"{}","TimestampLocal":"{}","TimestampUTC":"{}"}})", event_id, text, text);
}

workspace::RawEventRow row_of(const RawEventSet& set, std::uint64_t offset, Timestamp time, Random& random,
                              workspace::Texts& texts) {
    auto item = draw(random);
    const model::LogPosition position{0, offset, 0};
    const auto event_id = fmt::format("{:08x}-{:04x}-4000-8000-{:012x}", random.below(UINT64_C(1) << 32),
                                      random.below(1 << 16), random.below(UINT64_C(1) << 48));
    add_envelope(item.details, event_id, time);
    return {.row_id = model::row_id("bench", position),
            .position = position,
            .time_generated = time,
            .time_stamp = time - Ticks(static_cast<std::int64_t>(random.below(20'000'000))),
            .hub = "bench-hub",
            .device = texts.keep(fmt::format("device-{:05}", random.below(set.devices))),
            .agent_version = "0.1.0",
            .event_id = texts.keep(event_id),
            .category = item.category,
            .name = item.name,
            .type = "Security",
            .details_json = texts.keep(item.details)};
}

/// Alerts of a quarter of the fleet, in a partition of their own.
Result<void> add_alerts(workspace::Workspace& workspace, const RawEventSet& set, Timestamp start) {
    constexpr std::array<std::string_view, 3> kTypes = {"IoT_CryptoMiner", "IoT_PortScan", "BruteForceFail"};
    constexpr std::array kSeverities = {model::Severity::High, model::Severity::Medium, model::Severity::Low};
    workspace::Commit commit{.partition = 1, .next_offset = set.devices / 4};
    if (FIELDWATCH_TRY(workspace.committed_offset(1)) >= commit.next_offset) return {};
    SeededRandom random(set.seed + 1);
    for (std::uint64_t offset = 0; offset < commit.next_offset; ++offset) {
        const model::LogPosition position{1, offset, 0};
        const auto time = start + Ticks(static_cast<std::int64_t>(
                                      random.below(static_cast<std::uint64_t>((set.end - start).count()))));
        const auto device = fmt::format("device-{:05}", random.below(set.devices));
        workspace::AlertRow row{
            .row_id = model::row_id("bench", position), .position = position, .time_generated = time};
        row.alert.id = Uuid::named(Uuid{}, "alert " + std::to_string(offset));
        row.alert.type = kTypes[random.below(kTypes.size())];
        row.alert.display_name = row.alert.type;
        row.alert.severity = kSeverities[random.below(kSeverities.size())];
        row.alert.hub = model::HubName{"bench-hub"};
        row.alert.compromised_entity = device;
        row.alert.extended_json = fmt::format(R"({{"DeviceId":"{}"}})", device);
        row.alert.start = row.alert.end = row.alert.processed = time;
        commit.alerts.push_back(std::move(row));
    }
    return workspace.commit(std::move(commit));
}

}  // namespace

Result<void> write_raw_event_set(const RawEventSet& set) {
    const Ticks span = std::chrono::duration_cast<Ticks>(std::chrono::hours(24 * set.days));
    const Timestamp start = set.end - span;
    ManualClock clock(start);
    Metrics metrics;
    workspace::Options options;
    options.directory = set.directory;
    options.id = "bench";
    const auto workspace = FIELDWATCH_TRY(workspace::open(options, clock, metrics));
    if (FIELDWATCH_TRY(workspace->committed_offset(0)) >= set.rows) {
        clock.set(set.end);
        return add_alerts(*workspace, set, start);
    }
    SeededRandom random(set.seed);
    std::int64_t sealed_hour = 0;
    for (std::uint64_t first = 0; first < set.rows; first += kBatch) {
        workspace::Commit commit{.partition = 0, .next_offset = std::min(first + kBatch, set.rows)};
        for (auto offset = first; offset < commit.next_offset; ++offset) {
            const auto share = static_cast<double>(offset) / static_cast<double>(set.rows);
            const Ticks after(static_cast<std::int64_t>(share * static_cast<double>(span.count())));
            clock.set(start + after);
            commit.raw_events.push_back(row_of(set, offset, start + after, random, commit.texts));
        }
        if (commit.next_offset <= FIELDWATCH_TRY(workspace->committed_offset(0))) continue;  // begun earlier
        FIELDWATCH_TRY(workspace->commit(std::move(commit)));
        const auto hour = clock.now().unix_seconds() / 3600;
        if (hour != sealed_hour) FIELDWATCH_TRY(workspace->maintain());
        sealed_hour = hour;
    }
    FIELDWATCH_TRY(workspace->maintain());
    return add_alerts(*workspace, set, start);
}

}  // namespace fieldwatch::bench
