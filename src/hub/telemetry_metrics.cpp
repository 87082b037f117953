#include "hub/telemetry_metrics.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/json_text.hpp"
#include "base/uuid.hpp"
#include "hub/core.hpp"
#include "hub/query/query.hpp"
#include "hub/routing/routed_message.hpp"
#include "model/telemetry_metrics.hpp"

namespace fieldwatch::hub {
namespace {

constexpr Ticks kLookEvery = std::chrono::seconds(1);
constexpr std::size_t kWhereBytesMax = 1'024;
const mqtt::Property kMark{"$.ifid", std::string(model::kSecurityInterface)};

bool is_metric_name(std::string_view name) {
    return !name.empty() && name.size() <= TelemetryMetrics::kNameBytesMax &&
           std::ranges::all_of(name, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      std::string_view("-_.:").find(c) != std::string_view::npos;
           });
}

/// The device's event that holds the numbers, in its envelope.
std::string envelope(const model::Record& telemetry, std::uint64_t number, const std::string& details_json) {
    const auto& device = telemetry.sender;
    const auto agent =
        Uuid::named(Uuid{}, fmt::format("telemetry/{}/{}", device.hub.value, device.device.value));
    const auto time = to_iso8601(telemetry.received, 3);
    std::string text;
    JsonWriter json(text);
    json.begin_object()
        .member("AgentVersion", model::kTelemetryMetricsAgent)
        .member("AgentId", agent.text())
        .member("MessageSchemaVersion", "1.0");
    json.key("Events").begin_array().begin_object();
    json.member("Id", Uuid::named(agent, fmt::format("{}/{}", telemetry.received.ticks, number)).text())
        .member("Name", "Custom")
        .member("Category", "Triggered")
        .member("EventType", "Security")
        .member("PayloadSchemaVersion", "2.0");
    json.key("IsEmpty").boolean(false).member("TimestampLocal", time).member("TimestampUTC", time);
    json.key("Payload").begin_array().begin_object().member("Name", model::kTelemetryMetricsEvent);
    json.key("ExtraDetails").raw(details_json);
    json.end_object().end_array().end_object().end_array().end_object();
    return text;
}

std::string text_in(const query::Json& object, const char* key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::uint64_t bit_of(std::string_view hub) {
    return 1ull << (std::hash<std::string_view>{}(hub) % 64);
}

}  // namespace

Result<TelemetryMetrics::Metric> TelemetryMetrics::parse_metric(const query::Json& json) {
    auto name = text_in(json, "name");
    if (!is_metric_name(name))
        return fail(
            Errc::InvalidArgument,
            fmt::format("a metric's \"name\" is 1 to {} letters, digits, -, _, . and :", kNameBytesMax));
    auto path = MetricPath::parse(text_in(json, "path"));
    if (!path) return in_context("the metric " + name, path.error());
    Metric out{std::move(name), std::move(*path), std::nullopt};
    if (!json.contains("where")) return out;
    const auto where = text_in(json, "where");
    if (where.empty() || where.size() > kWhereBytesMax)
        return fail(Errc::InvalidArgument, fmt::format("the \"where\" of the metric {} has 1 to {} bytes",
                                                       out.name, kWhereBytesMax));
    auto condition = query::parse_condition(where);
    if (!condition) return in_context("the \"where\" of the metric " + out.name, condition.error());
    out.where = std::move(*condition);
    return out;
}

bool TelemetryMetrics::may_be_named_again(const Metric& metric) const {
    return std::ranges::none_of(
        metrics_, [&](const Metric& one) { return one.name == metric.name && !(one.where && metric.where); });
}

Result<TelemetryMetrics> TelemetryMetrics::parse(std::string_view configuration_json) {
    const auto json = query::Json::parse(configuration_json, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object()) return fail(Errc::Malformed, "a hub's configuration is a JSON object");
    TelemetryMetrics out;
    const auto list = json.find("telemetryMetrics");
    if (list == json.end()) return out;
    if (!list->is_array() || list->size() > kMetricsMax)
        return fail(Errc::InvalidArgument,
                    fmt::format("\"telemetryMetrics\" must be a list of at most {} metrics", kMetricsMax));
    for (const auto& one : *list) {
        auto metric = FIELDWATCH_TRY(parse_metric(one));
        if (!out.may_be_named_again(metric))
            return fail(
                Errc::InvalidArgument,
                fmt::format("the metric {} is there twice, and not each with a \"where\"", metric.name));
        out.asks_who_ = out.asks_who_ || metric.where.has_value();
        out.metrics_.push_back(std::move(metric));
    }
    return out;
}

TelemetryMetrics::Taken TelemetryMetrics::take(const model::Record& telemetry, std::uint64_t number,
                                               RouteTwins* twins) const {
    Taken out;
    json::Reader reader;
    const auto body = telemetry.body.size() > kBodyBytesMax
                          ? Result<const json::Value*>(fail(Errc::TooLarge, "a body"))
                          : reader.parse(telemetry.body);
    if (!body) {
        out.was_read = false;
        return out;
    }
    RoutedMessage asked;
    if (asks_who_) asked = telemetry_message(telemetry, *body, twins);
    std::vector<std::pair<std::string_view, double>> found;
    const auto is_found = [&](std::string_view name) {
        return std::ranges::any_of(found, [&](const auto& one) { return one.first == name; });
    };
    const auto refuse = [&](std::string why) {
        if (out.refused_why.empty()) out.refused_why = std::move(why);
    };
    for (const auto& metric : metrics_) {
        const auto* const value = metric.path.value_in(**body);
        if (value == nullptr || value->is(json::Type::Null)) continue;  // says nothing
        if (is_found(metric.name)) continue;
        if (metric.where &&
            !query::holds(*metric.where, [&](const query::Path& path) { return asked.resolve(path); }))
            continue;
        const auto read = metric.path.number_in(**body);
        if (!read)
            refuse(fmt::format("the metric {} found {} where a number belongs", metric.name,
                               json::to_string(value->type)));
        else if (found.size() == kOfMessageMax)
            refuse(fmt::format("the metric {} is one more than the {} that a message may have", metric.name,
                               kOfMessageMax));
        else
            found.emplace_back(metric.name, *read);
    }
    if (found.empty()) return out;
    std::string details;
    JsonWriter writer(details);
    writer.begin_object();
    for (const auto& [name, value] : found)
        writer.member(name, fmt::format("{}", value));  // ExtraDetails are texts
    writer.end_object();
    out.message = envelope(telemetry, number, details);
    return out;
}

void ChosenMetrics::look(Shared& shared) {
    ByHub fresh;
    std::uint64_t choosers = 0;
    for (const auto& known : shared.hubs.all()) {
        if (known->metrics == nullptr) continue;
        choosers |= bit_of(known->name.value);
        fresh[known->name.value] = known->metrics;
    }
    by_hub_.with([&](ByHub& by_hub) { by_hub = std::move(fresh); });
    choosers_.store(choosers, std::memory_order_release);
}

std::shared_ptr<const TelemetryMetrics> ChosenMetrics::of(Shared& shared, const model::HubName& hub,
                                                          Timestamp now) {
    auto looked = looked_.load(std::memory_order_relaxed);
    const bool stale = looked == 0 || now.ticks < looked || now - Timestamp{looked} >= kLookEvery;
    if (stale && looked_.compare_exchange_strong(looked, now.ticks)) look(shared);  // one of them all
    if ((choosers_.load(std::memory_order_acquire) & bit_of(hub.value)) == 0) return nullptr;
    return by_hub_.with([&](const ByHub& by_hub) -> std::shared_ptr<const TelemetryMetrics> {
        const auto found = by_hub.find(hub.value);
        return found == by_hub.end() ? nullptr : found->second;
    });
}

void ChosenMetrics::tell(Shared& shared, const Speaker& speaker, const model::Record& telemetry) {
    const auto& device = speaker.identity;
    const auto metrics = of(shared, device.hub, telemetry.received);
    if (metrics == nullptr) return;
    const auto taken = metrics->take(telemetry, shared.next_id(), &shared.route_twins);
    if (!taken.was_read) shared.counters.metric_bodies_unread.add();
    if (!taken.refused_why.empty()) shared.throttles.over(Throttle::MetricValues, speaker, taken.refused_why);
    if (taken.message.empty()) return;
    model::Record record;
    const Stamps stamps{{"iothub-connection-device-id", device.device.value},
                        {"iothub-message-source", "Telemetry"}};
    const auto filled = fill_record(
        record, {.properties = std::span(&kMark, 1), .body = taken.message, .received = telemetry.received},
        stamps);
    record.sender = device;
    const auto partition = model::partition_of(device.hub, device.device, shared.parts.partition_count);
    const bool appended =
        filled && shared.parts.journal.append(journal::Stream::Security, partition, model::encode(record),
                                              [](const Result<void>&) {});
    (appended ? shared.counters.metric_messages : shared.counters.metric_messages_dropped).add();
}

}  // namespace fieldwatch::hub
