#include "detect/posture/agent_traffic.hpp"

#include <algorithm>
#include <charconv>

#include "model/telemetry_metrics.hpp"

namespace fieldwatch::detect {

namespace {

constexpr std::int64_t kSmallMessage = 4'096;
constexpr Ticks kHour = std::chrono::hours(1);

RecommendationBook::Assessment assessment_of(std::string_view type, const model::Event& event) {
    return {.type = type,
            .hub = event.hub,
            .device = event.device,
            .health = Health::Healthy,
            .time = event.time,
            .additional_json = {},
            .evidence = {event.position}};
}

}  // namespace

void DailyCounts::add(Timestamp time, Sum sum, Ticks grain) {
    if (!entries_.empty() && grain.count() > 0 && time >= entries_.back().time &&
        time < entries_.back().time + grain) {
        entries_.back().sum.total += sum.total;
        entries_.back().sum.part += sum.part;
        return;
    }
    const auto at = std::ranges::upper_bound(entries_, time, {}, &Entry::time);
    entries_.insert(at, {time, sum});
    if (entries_.size() > kEntriesMax) entries_.erase(entries_.begin());
}

DailyCounts::Sum DailyCounts::last_day(Timestamp now) const {
    Sum out;
    for (const auto& entry : entries_) {
        if (entry.time + kWindow <= now || entry.time > now) continue;
        out.total += entry.sum.total;
        out.part += entry.sum.part;
    }
    return out;
}

void DailyCounts::save(ByteWriter& out) const {
    out.u32(static_cast<std::uint32_t>(entries_.size()));
    for (const auto& entry : entries_) {
        out.i64(entry.time.ticks);
        out.i64(entry.sum.total);
        out.i64(entry.sum.part);
    }
}

Result<void> DailyCounts::restore(ByteReader& in) {
    entries_.resize(FIELDWATCH_TRY(read_count(in, kEntriesMax)));
    for (auto& entry : entries_) {
        entry.time = FIELDWATCH_TRY(read_time(in));
        entry.sum.total = FIELDWATCH_TRY(read_amount(in));
        entry.sum.part = FIELDWATCH_TRY(read_amount(in));
    }
    return {};
}

void AgentTraffic::receive(const model::Event& event, Context& context) {
    if (event.agent_version == model::kTelemetryMetricsAgent) return;  // the hub's to tell, no agent's
    if (event.message_bytes == 0) return;
    auto& device = devices_.get(device_key(event.hub, event.device));
    if (device.first_message.ticks == 0) device.first_message = event.received;
    device.measured.add(event.received, {1, event.message_bytes < kSmallMessage ? 1 : 0}, kHour);
    // A day must have gone by before sizes say anything: a device's first message is small.
    if (event.received - device.first_message < DailyCounts::kWindow) return;
    if (device.reported.last_day(event.received).total > 0) return;
    assess_messages(event, device.measured.last_day(event.received), context);
}

void AgentTraffic::observe(const model::Event& event, Context& context) {
    if (event.agent_version == model::kTelemetryMetricsAgent) return;
    if (event.message_bytes > 0) assess_version(event, context);
    if (event.kind == model::EventKind::MessageStatistics) {
        auto& device = devices_.get(device_key(event.hub, event.device));
        for (const auto& item : event.items) {
            const auto* const sent = std::get_if<model::MessageStatistics>(&item.payload);
            if (sent != nullptr && sent->sent >= 0 && sent->under_4kb >= 0 && sent->sent < (1ll << 40))
                device.reported.add(event.time, {sent->sent, std::min(sent->under_4kb, sent->sent)});
        }
        assess_messages(event, device.reported.last_day(event.time), context);
    } else if (event.kind == model::EventKind::DroppedEventsStatistics) {
        auto& device = devices_.get(device_key(event.hub, event.device));
        for (const auto& item : event.items) {
            const auto* const dropped = std::get_if<model::DroppedEvents>(&item.payload);
            if (dropped == nullptr || dropped->collected < 0 || dropped->dropped < 0 ||
                dropped->collected >= (1ll << 40) || dropped->dropped >= (1ll << 40))
                continue;
            auto queue = std::ranges::find(device.queues, dropped->queue, &Queue::name);
            if (queue == device.queues.end()) {
                if (device.queues.size() == kQueuesMax) continue;
                queue = device.queues.insert(queue, {std::string(dropped->queue), {}});
            }
            queue->events.add(event.time, {dropped->collected, dropped->dropped});
        }
        assess_queues(device, event, context);
    }
}

void AgentTraffic::assess_messages(const model::Event& event, DailyCounts::Sum sum, Context& context) {
    if (sum.total == 0) return;
    auto found = assessment_of("IoT_AgentSendsUnutilizedMessages", event);
    if (sum.part * 10 >= sum.total) found.health = Health::Unhealthy;
    JsonWriter(found.additional_json)
        .begin_object()
        .member("TotalMessages", std::to_string(sum.total))
        .member("SmallMessages", std::to_string(sum.part))
        .member("Percentage", std::to_string(sum.part * 100 / sum.total))
        .end_object();
    context.posture.assess(std::move(found), context.settings, context.now, context.out);
}

void AgentTraffic::assess_queues(const Device& device, const model::Event& event, Context& context) {
    auto found = assessment_of("IoT_X_DroppedEvents", event);
    std::string list;
    JsonWriter json(list);
    json.begin_array();
    for (const auto& queue : device.queues) {
        const auto sum = queue.events.last_day(event.time);
        if (sum.part == 0 || sum.part * 20 < sum.total) continue;
        found.health = Health::Unhealthy;
        json.begin_object()
            .member("Queue", queue.name)
            .member("CollectedEvents", sum.total)
            .member("DroppedEvents", sum.part)
            .end_object();
    }
    json.end_array();
    JsonWriter(found.additional_json).begin_object().member("Queues", list).end_object();
    context.posture.assess(std::move(found), context.settings, context.now, context.out);
}

void AgentTraffic::assess_version(const model::Event& event, Context& context) {
    const bool classic = event.module == model::kSecurityModule;
    const auto& minimum = classic ? context.settings.agent_minimum : context.settings.micro_agent_minimum;
    if (minimum.empty() || event.agent_version.empty()) return;
    auto found = assessment_of("IoT_X_OutdatedAgent", event);
    if (is_older_version(event.agent_version, minimum)) found.health = Health::Unhealthy;
    JsonWriter(found.additional_json)
        .begin_object()
        .member("AgentVersion", event.agent_version)
        .member("MinimumVersion", minimum)
        .end_object();
    context.posture.assess(std::move(found), context.settings, context.now, context.out);
}

void AgentTraffic::save(ByteWriter& out) const {
    out.u32(static_cast<std::uint32_t>(devices_.size()));
    for (const auto& [key, device] : devices_) {
        out.text(key);
        out.i64(device.first_message.ticks);
        device.reported.save(out);
        device.measured.save(out);
        out.u32(static_cast<std::uint32_t>(device.queues.size()));
        for (const auto& queue : device.queues) {
            out.text(queue.name);
            queue.events.save(out);
        }
    }
}

Result<void> AgentTraffic::restore(ByteReader& in) {
    devices_.clear();
    const auto count = FIELDWATCH_TRY(read_count(in, kDevicesMax));
    for (std::uint32_t i = 0; i < count; ++i) {
        auto& device = devices_.get(FIELDWATCH_TRY(in.text()));
        device.first_message = FIELDWATCH_TRY(read_time(in));
        FIELDWATCH_TRY(device.reported.restore(in));
        FIELDWATCH_TRY(device.measured.restore(in));
        device.queues.resize(FIELDWATCH_TRY(read_count(in, kQueuesMax)));
        for (auto& queue : device.queues) {
            queue.name = FIELDWATCH_TRY(read_text(in));
            FIELDWATCH_TRY(queue.events.restore(in));
        }
    }
    return {};
}

bool is_older_version(std::string_view left, std::string_view right) {
    for (auto* text : {&left, &right}) {
        if (text->starts_with('v') || text->starts_with('V')) text->remove_prefix(1);
    }
    // 1.0.0-rc1 comes before 1.0.0; 1.0.0-1 is a package of it.
    const auto is_preview = [](std::string_view text) {
        const auto dash = text.find('-');
        return dash != text.npos && dash + 1 < text.size() && (text[dash + 1] | 0x20) >= 'a' &&
               (text[dash + 1] | 0x20) <= 'z';
    };
    const bool preview = is_preview(left) && !is_preview(right);
    const auto next = [](std::string_view& rest) {
        std::int64_t value = 0;
        const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
        const auto dot = rest.find('.');
        rest = dot == rest.npos ? std::string_view{} : rest.substr(dot + 1);
        return error == std::errc{} ? value : 0;
    };
    for (int part = 0; part < 8 && !(left.empty() && right.empty()); ++part) {
        const auto a = next(left);
        const auto b = next(right);
        if (a != b) return a < b;
    }
    return preview;
}

}  // namespace fieldwatch::detect
