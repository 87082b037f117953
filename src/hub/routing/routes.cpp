#include "hub/routing/routes.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "hub/routing/bus_sink.hpp"
#include "protocol/json/json.hpp"

namespace fieldwatch::hub {

namespace {

constexpr std::chrono::milliseconds kRoutesTurn{500};  // how late a change of configuration is seen
constexpr unsigned kOpenAgainTurns = 20;               // an endpoint that could not be opened
constexpr std::string_view kConsumerPrefix = "route/";
constexpr std::size_t kLetGoRecords = 1'024, kLetGoBytes = 4u << 20;  // of one read

}  // namespace

Routes::Routes(RouteParts parts)
    : parts_(std::move(parts)),
      log_(parts_.journal.writer(), parts_.journal.partition_count(), parts_.clock, parts_.metrics),
      counters_{
          .delivered = parts_.metrics.counter("fieldwatch_routes_delivered_total",
                                              "Messages that endpoints of routes took"),
          .refused = parts_.metrics.counter("fieldwatch_routes_refused_total",
                                            "Messages that an endpoint said it will never take"),
          .dropped = parts_.metrics.counter("fieldwatch_routes_dropped_total",
                                            "Messages that waited too long for an endpoint"),
          .failures = parts_.metrics.counter("fieldwatch_routes_failures_total",
                                             "Deliveries to endpoints that failed, and are tried again")},
      twins_(parts_.registry, parts_.clock) {}

Routes::~Routes() {
    stop();
}

void Routes::start() {
    looking_.start(Ticks{0}, kRoutesTurn, [this] { look(); });
}

void Routes::stop() {
    looking_.stop();
    const std::lock_guard lock(mutex_);
    running_.clear();
}

std::vector<EndpointStatus> Routes::status(const model::HubName& hub) const {
    const std::lock_guard lock(mutex_);
    std::vector<EndpointStatus> out;
    for (const auto& [key, one] : running_) {
        if (one.hub == hub) out.push_back(one.runner ? one.runner->status() : one.instead);
    }
    return out;
}

void Routes::look() {
    const auto changes = parts_.registry.change_count();
    const bool again = incomplete_ && ++turns_ >= kOpenAgainTurns;
    if (seen_ == changes && !again) return;
    turns_ = 0;
    if (refresh()) seen_ = changes;
}

bool Routes::add_wanted(const registry::Hub& hub, std::map<Key, Wanted>& out) const {
    auto parsed = Routing::parse(hub.configuration_json);
    if (!parsed) {  // it was checked when it was stored: of another release, perhaps
        log::error("routes", hub.name.value + ": " + parsed.error().message);
        return false;
    }
    const auto routing = std::make_shared<const Routing>(std::move(*parsed));
    std::string signing_key;
    for (const auto& policy : hub.policies) {
        if (policy.name == "service") signing_key = policy.keys.primary;
    }
    for (const auto& endpoint : routing->endpoints()) {
        Wanted wanted{.hub = hub.name,
                      .endpoint = endpoint,
                      .routing = routing,
                      .signing_key = signing_key,
                      .user = {},
                      .password = {},
                      .as_text = routing->text() + signing_key};
        if (const auto done = add_secret(wanted); !done) {
            log::error("routes", hub.name.value + "/" + endpoint.name + ": " + done.error().message);
            return false;
        }
        out.emplace(EndpointRunner::consumer_of(hub.name, endpoint.name), std::move(wanted));
    }
    return true;
}

Result<void> Routes::add_secret(Wanted& wanted) const {
    const auto document = parts_.registry.document(
        {.hub = wanted.hub, .kind = std::string(kEndpointSecret), .id = wanted.endpoint.name});
    if (!document && document.error().code == Errc::NotFound) return {};
    if (!document) return std::unexpected(document.error());
    json::Reader reader;
    const auto* const secret = FIELDWATCH_TRY(reader.parse(document->json));
    wanted.user = secret->text_of("user");
    wanted.password = secret->text_of("password");
    wanted.as_text += '\n' + document->json;
    return {};
}

bool Routes::refresh() {
    const auto hubs = parts_.registry.hubs();
    if (!hubs) {
        log::error("routes", "reading hubs: " + hubs.error().message);
        return false;
    }
    std::map<Key, Wanted> wanted;
    bool all_read = true;
    for (const auto& hub : *hubs)
        all_read = add_wanted(hub, wanted) && all_read;
    // Ended outside the lock: a runner may take a moment, and status() must not wait for it.
    std::vector<std::unique_ptr<EndpointRunner>> ended;
    {
        const std::lock_guard lock(mutex_);
        for (auto& [key, one] : running_) {
            const auto found = wanted.find(key);
            if (found == wanted.end() || found->second.as_text != one.as_text)
                ended.push_back(std::move(one.runner));
        }
        std::erase_if(running_, [](const auto& entry) { return entry.second.runner == nullptr; });
    }
    for (const auto& runner : ended) {
        if (runner) runner->stop();
    }
    if (all_read) forget_strangers(wanted);  // else somebody's place would go with what cannot be read
    incomplete_ = false;
    for (const auto& [key, one] : wanted)
        start_one(key, one);
    return true;
}

void Routes::start_one(const Key& key, const Wanted& wanted) {
    const std::lock_guard lock(mutex_);
    auto& one = running_[key];
    if (one.runner) return;
    one.hub = wanted.hub;
    one.as_text = wanted.as_text;
    one.instead = {.name = wanted.endpoint.name, .kind = wanted.endpoint.kind, .healthy = false};
    const auto runners =
        std::ranges::count_if(running_, [](const auto& entry) { return entry.second.runner != nullptr; });
    auto sink =
        static_cast<std::size_t>(runners) < kRunnersMax
            ? sink_of(wanted)
            : Result<std::unique_ptr<RouteSink>>(
                  fail(Errc::Exhausted, fmt::format("the server serves {} endpoints at most", kRunnersMax)));
    if (!sink) {
        incomplete_ = true;
        one.instead.last_error = sink.error().message;
        let_go(key, wanted);
        return log::error("routes", key + ": " + sink.error().message);
    }
    one.runner =
        std::make_unique<EndpointRunner>(RunnerParts{.journal = parts_.journal,
                                                     .clock = parts_.clock,
                                                     .log = log_,
                                                     .counters = counters_,
                                                     .twins = twins_,
                                                     .times = parts_.times},
                                         wanted.hub, wanted.endpoint, wanted.routing, std::move(*sink));
}

Result<std::unique_ptr<RouteSink>> Routes::sink_of(const Wanted& wanted) const {
    if (wanted.endpoint.kind == RouteEndpoint::Kind::File) {
        return open_file_sink(
            parts_.files, fmt::format("{}/{}/{}", parts_.directory, wanted.hub.value, wanted.endpoint.name),
            wanted.endpoint);
    }
    if (wanted.endpoint.kind == RouteEndpoint::Kind::Webhook)
        return open_webhook_sink(wanted.endpoint,
                                 {.hub = wanted.hub.value, .signing_key = wanted.signing_key}, parts_.clock);
    return open_bus_sink(wanted.endpoint,
                         {.hub = wanted.hub.value, .user = wanted.user, .password = wanted.password});
}

void Routes::let_go(const Key& key, const Wanted& wanted) {
    const auto oldest = parts_.clock.now() - std::chrono::duration_cast<Ticks>(wanted.endpoint.keep);
    auto& reader = parts_.journal.reader();
    for (const auto stream : {journal::Stream::Telemetry, journal::Stream::Security}) {
        for (std::uint32_t partition = 0; partition < parts_.journal.partition_count(); ++partition) {
            const auto kept = parts_.journal.kept_from(key, stream, partition);
            if (!kept) continue;
            auto next = *kept;
            for (bool old = true; old && next < reader.end_offset(stream, partition);) {
                const auto batch =
                    reader.read({stream, partition, std::max(next, reader.first_offset(stream, partition))},
                                kLetGoRecords, kLetGoBytes);
                if (!batch || batch->records.empty()) break;
                for (const auto& one : batch->records) {
                    const auto record = model::decode_record(one.bytes);
                    old = !record || record->received < oldest;
                    if (!old) break;
                    next = one.offset + 1;
                }
            }
            if (next == *kept) continue;
            log::warning("routes",
                         fmt::format("{} cannot be opened: {} records of the log that waited longer than "
                                     "keepHours are let go",
                                     key, next - *kept));
            if (const auto done = parts_.journal.keep_from(key, {stream, partition, next}); !done)
                log::error("routes", key + ": " + done.error().message);
        }
    }
}

void Routes::forget_strangers(const std::map<Key, Wanted>& wanted) {
    for (const auto& consumer : parts_.journal.consumers()) {
        if (!consumer.starts_with(kConsumerPrefix) || wanted.contains(consumer)) continue;
        if (const auto done = parts_.journal.forget(consumer); !done)
            log::error("routes", consumer + ": " + done.error().message);
    }
}

}  // namespace fieldwatch::hub
