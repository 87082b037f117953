#include "hub/throttles.hpp"

#include <algorithm>

#include "hub/identity_key.hpp"

namespace fieldwatch::hub {

namespace {

/// How the log and the metrics name what was asked.
struct Name {
    std::string_view category, operation, metric;
    int result = 429001;
    std::string_view why = "Over the rate of this kind of operation.";
};
constexpr std::array<Name, kThrottles> kNames{
    {{"Connections", "deviceConnect", "fieldwatch_hub_throttled_connects_total"},
     {kTelemetry, "ingress", "fieldwatch_hub_throttled_messages_total"},
     {"DeviceIdentityOperations", "throttled", "fieldwatch_hub_throttled_registry_total"},
     {"C2DCommands", "send", "fieldwatch_hub_throttled_command_sends_total"},
     {"C2DCommands", "deliver", "fieldwatch_hub_throttled_command_receives_total"},
     {"D2CTwinOperations", "read", "fieldwatch_hub_throttled_twin_reads_total"},
     {"D2CTwinOperations", "update", "fieldwatch_hub_throttled_twin_updates_total"},
     {"TwinQueries", "query", "fieldwatch_hub_throttled_queries_total"},
     {"DirectMethods", "send", "fieldwatch_hub_throttled_methods_total"},
     {kTelemetry, "ingress", "fieldwatch_hub_throttled_reports_total", 429001,
      "A metrics report came before its time."},
     {kTelemetry, "ingress", "fieldwatch_hub_broken_reports_total", 400004, "Malformed metrics report."},
     {kTelemetry, "metrics", "fieldwatch_hub_metric_values_refused_total", 400004,
      "What the hub's metrics name in telemetry is no number."}}};

std::size_t index_of(Throttle what) {
    return static_cast<std::size_t>(what);
}

}  // namespace

HubRates rates_of_units(std::uint32_t units) {
    const double count = units;
    const auto a_minute = [&](double operations) {
        return Rate{operations * count / 60, operations * count};
    };
    const auto at_least = [&](double least, double a_unit) {
        const auto rate = std::max(least, a_unit * count);
        return Rate{rate, 10 * rate};  // a fleet that comes back after a restart
    };
    HubRates rates;
    rates[index_of(Throttle::Connects)] = at_least(100, 12);
    rates[index_of(Throttle::Messages)] = {};
    rates[index_of(Throttle::Registry)] = a_minute(100);
    rates[index_of(Throttle::CommandSends)] = a_minute(100);
    rates[index_of(Throttle::CommandReceives)] = a_minute(1'000);
    rates[index_of(Throttle::TwinReads)] = at_least(100, 10);
    rates[index_of(Throttle::TwinUpdates)] = at_least(50, 5);
    rates[index_of(Throttle::Queries)] = a_minute(20);
    rates[index_of(Throttle::MethodBytes)] = {160.0 * 1'024 * count, 1'600.0 * 1'024 * count};
    return rates;
}

Throttles::Throttles(HubRates rates, Rate message_rate, const OperationLog& log, Metrics& metrics)
    : rates_(rates), message_rate_(message_rate), log_(log) {
    for (std::size_t i = 0; i < kThrottles; ++i)
        counters_[i] = &metrics.counter(std::string(kNames[i].metric), "Refused or delayed: over a rate");
}

bool Throttles::take(Throttle what, const Speaker& by, std::chrono::nanoseconds now, double amount) {
    const auto& rate = rates_[index_of(what)];
    if (rate.per_second <= 0) return true;
    const bool taken = state_.with([&](State& state) {
        const auto bucket =
            state.buckets.try_emplace({by.identity.hub.value, what}, TokenBucket(rate.per_second, rate.burst))
                .first;
        return bucket->second.take(now, amount);
    });
    if (!taken) over(what, by);
    return taken;
}

bool Throttles::take_message(const Speaker& by, std::chrono::nanoseconds now) {
    const bool taken = state_.with([&](State& state) {
        auto& bucket = state.identities.get(key_of(by.identity));
        if (!bucket) bucket.emplace(message_rate_.per_second, message_rate_.burst);
        return bucket->take(now);
    });
    if (!taken) over(Throttle::Messages, by);
    return taken && take(Throttle::Messages, by, now);
}

void Throttles::over(Throttle what, const Speaker& by, std::string_view why) {
    counters_[index_of(what)]->add();
    if (by.identity.hub.empty()) return;  // nobody's log
    const bool is_first = state_.with([&](State& state) {
        Key key{by.identity, what};
        const bool is_full = state.rows.size() >= kRowsMax && !state.rows.contains(key);
        if (is_full) key.identity = {by.identity.hub, {}, {}};
        const auto [row, is_new] = state.rows.try_emplace(key, Row{.by = by});
        if (is_full) row->second.by = Speaker{.identity = key.identity};
        if (!is_new || is_full) ++row->second.count;
        return is_new && !is_full;
    });
    if (is_first) write(what, by, 1, why);
}

void Throttles::flush() {
    const auto rows = state_.with([](State& state) { return std::exchange(state.rows, {}); });
    for (const auto& [key, row] : rows) {
        if (row.count > 0) write(key.what, row.by, row.count, {});
    }
}

void Throttles::write(Throttle what, const Speaker& by, std::int64_t count, std::string_view why) const {
    const auto& name = kNames[index_of(what)];
    const bool is_service = !by.policy.empty() && name.category == "D2CTwinOperations";
    Operation operation{.category = is_service ? "C2DTwinOperations" : name.category,
                        .name = name.operation,
                        .result = name.result,
                        .description = why.empty() ? name.why : why};
    operation.counts.emplace_back("messageCount", count);
    log_.append(operation, by);
}

}  // namespace fieldwatch::hub
