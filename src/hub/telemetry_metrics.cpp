#include "hub/telemetry_metrics.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/json_text.hpp"
#include "base/log.hpp"
#include "base/uuid.hpp"
#include "hub/core.hpp"
#include "model/telemetry_metrics.hpp"

namespace fieldwatch::hub {
namespace {

constexpr Ticks kLookEvery = std::chrono::seconds(1);
const mqtt::Property kMark{"$.ifid", std::string(model::kSecurityInterface)};

bool is_metric_name(std::string_view name) {
    return !name.empty() && name.size() <= TelemetryMetrics::kNameBytesMax &&
           std::ranges::all_of(name, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      std::string_view("-_.:").find(c) != std::string_view::npos;
           });
}

/// One event that holds the numbers, in its envelope.
std::string envelope(const TelemetryMetrics::Origin& origin, const std::string& details_json) {
    const auto& [device, received, number] = origin;
    const auto agent =
        Uuid::named(Uuid{}, fmt::format("telemetry/{}/{}", device.hub.value, device.device.value));
    const auto time = to_iso8601(received, 3);
    std::string text;
    JsonWriter json(text);
    json.begin_object()
        .member("AgentVersion", model::kTelemetryMetricsAgent)
        .member("AgentId", agent.text())
        .member("MessageSchemaVersion", "1.0");
    json.key("Events").begin_array().begin_object();
    json.member("Id", Uuid::named(agent, fmt::format("{}/{}", received.ticks, number)).text())
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

}  // namespace

Result<TelemetryMetrics> TelemetryMetrics::parse(std::string_view configuration_json) {
    const auto json = nlohmann::json::parse(configuration_json, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object()) return fail(Errc::Malformed, "a hub's configuration is a JSON object");
    TelemetryMetrics out;
    const auto list = json.find("telemetryMetrics");
    if (list == json.end()) return out;
    if (!list->is_array() || list->size() > kMetricsMax)
        return fail(Errc::InvalidArgument,
                    fmt::format("\"telemetryMetrics\" must be a list of at most {} metrics", kMetricsMax));
    for (const auto& one : *list) {
        const auto text = [&](const char* key) {
            const auto found = one.is_object() ? one.find(key) : one.end();
            return found != one.end() && found->is_string() ? found->get<std::string>() : std::string();
        };
        const auto name = text("name");
        if (!is_metric_name(name))
            return fail(
                Errc::InvalidArgument,
                fmt::format("a metric's \"name\" is 1 to {} letters, digits, -, _, . and :", kNameBytesMax));
        if (std::ranges::find(out.metrics_, name, &Metric::name) != out.metrics_.end())
            return fail(Errc::InvalidArgument, fmt::format("the metric {} is there twice", name));
        auto path = MetricPath::parse(text("path"));
        if (!path) return in_context("the metric " + name, path.error());
        out.metrics_.push_back({name, std::move(*path)});
    }
    return out;
}

std::string TelemetryMetrics::message_of(std::string_view body, const Origin& origin) const {
    if (metrics_.empty() || body.size() > kBodyBytesMax) return {};
    json::Reader reader;
    const auto value = reader.parse(body);
    if (!value) return {};
    std::string details;
    JsonWriter writer(details);
    writer.begin_object();
    bool any = false;
    for (const auto& metric : metrics_) {
        const auto number = metric.path.number_in(**value);
        if (!number) continue;
        writer.member(metric.name, fmt::format("{}", *number));  // ExtraDetails are texts
        any = true;
    }
    writer.end_object();
    return any ? envelope(origin, details) : std::string();
}

std::shared_ptr<const TelemetryMetrics> ChosenMetrics::of(Shared& shared, const model::HubName& hub,
                                                          Timestamp now) {
    const auto look = [&](const State& state) -> std::shared_ptr<const TelemetryMetrics> {
        const auto found = state.by_hub.find(hub.value);
        return found == state.by_hub.end() ? nullptr : found->second;
    };
    const bool stale = state_.with([&](State& state) {
        if (state.looking || (state.looked.ticks != 0 && now - state.looked < kLookEvery)) return false;
        state.looked = now;
        return state.looking = true;
    });
    if (stale) {
        ByHub fresh;
        for (const auto& known : shared.hubs.all()) {
            auto metrics = TelemetryMetrics::parse(known->configuration_json);
            if (!metrics)
                log::error("hub", known->name.value + ": " + metrics.error().message);
            else if (!metrics->empty())
                fresh[known->name.value] = std::make_shared<const TelemetryMetrics>(std::move(*metrics));
        }
        state_.with([&](State& state) {
            state.by_hub = std::move(fresh);
            state.looking = false;
        });
    }
    return state_.with(look);
}

void ChosenMetrics::tell(Shared& shared, const Speaker& speaker, std::string_view body, Timestamp received) {
    const auto& device = speaker.identity;
    const auto metrics = of(shared, device.hub, received);
    if (metrics == nullptr) return;
    const auto message =
        metrics->message_of(body, {.device = device, .received = received, .number = shared.next_id()});
    if (message.empty()) return;
    model::Record record;
    const Stamps stamps{{"iothub-connection-device-id", device.device.value},
                        {"iothub-message-source", "Telemetry"}};
    const auto filled = fill_record(
        record, {.properties = std::span(&kMark, 1), .body = message, .received = received}, stamps);
    record.sender = device;
    const auto partition = model::partition_of(device.hub, device.device, shared.parts.partition_count);
    const bool taken =
        filled && shared.parts.journal.append(journal::Stream::Security, partition, model::encode(record),
                                              [](const Result<void>&) {});
    (taken ? shared.counters.metric_messages : shared.counters.metric_messages_dropped).add();
}

}  // namespace fieldwatch::hub
