#include "detect/posture/agent_presence.hpp"

#include <algorithm>

#include "detect/hub_switches.hpp"
#include "detect/outages.hpp"
#include "model/telemetry_metrics.hpp"

namespace fieldwatch::detect {

namespace {

constexpr AlertType kOnboarded{"fieldwatch-a49",
                               "IoT_DeviceOnboarded",
                               "DeviceOnboarded",
                               "The first security message ever came from the device's security module.",
                               "Unknown",
                               model::Severity::Informational,
                               "",
                               ""};
constexpr AlertType kSilent{
    "fieldwatch-a35", "IoT_DeviceSilent",
    "Device silent",  "Nothing was received from the device's security module for a long time.",
    "DefenseEvasion", model::Severity::Low,
    "T1562",          "See that the device is online and sending and that the agent runs"};

constexpr Ticks kGrace = std::chrono::seconds(10);  ///< a device and its module are made one after the other
constexpr Ticks kFirstMessageWithin = std::chrono::hours(24);
constexpr Ticks kLookEvery = std::chrono::minutes(10);  ///< the spec asks for an hour at most

/// Records that follow one another within it show that somebody was listening between them.
constexpr Ticks kHeardWithin = std::chrono::hours(24);

constexpr std::string_view kSecurityModules[] = {"azureiotsecurity", "Microsoft.Security",
                                                 "defender-iot-micro-agent"};

bool is_security_module(std::string_view name, const Settings& settings) {
    return std::ranges::find(kSecurityModules, name) != std::end(kSecurityModules) ||
           std::ranges::find(settings.security_modules, name) != settings.security_modules.end();
}

bool is_message(const model::Event& event) {
    using enum model::EventKind;
    return event.kind != Operation && event.kind != ControlPlane && event.kind != SigmaEvent;
}

void remember(std::vector<std::string>& names, std::string_view name) {
    if (names.size() < AgentPresence::kModulesMax && std::ranges::find(names, name) == names.end())
        names.emplace_back(name);
}

}  // namespace

AgentPresence::Device& AgentPresence::device_of(std::string_view hub, std::string_view name) {
    auto& device = devices_.get(device_key(hub, name),
                                [&](auto& gone) { due_.erase({gone.second.due.ticks, gone.first}); });
    if (device.name.empty()) {
        device.hub = hub;
        device.name = name;
    }
    return device;
}

void AgentPresence::owe(Device& device, Timestamp due) {
    const auto key = device_key(device.hub, device.name);
    due_.erase({device.due.ticks, key});
    device.due = due;
    if (due.ticks != 0) due_.emplace(due.ticks, key);
}

void AgentPresence::receive(const model::Event& event, Context& context) {
    listen(context);
    // Numbers out of telemetry are the hub's to tell: no agent needs to be there for it.
    if (!is_message(event) || event.device.empty() || event.agent_version == model::kTelemetryMetricsAgent)
        return;
    auto& device = device_of(event.hub, event.device);
    const bool first_of_device = device.first_message.ticks == 0;
    if (first_of_device) device.first_message = event.received;
    device.last_message = std::max(device.last_message, event.received);
    device.last_position = event.position;
    if (!event.module.empty() &&
        std::ranges::find(device.reporting, event.module) == device.reporting.end()) {
        remember(device.reporting, event.module);
        // Records without a module are logs of other origin; a full list means modules come and go.
        if (device.reporting.back() == event.module) raise_onboarded(event, context);
    }
    if (device.silent_since.ticks != 0) {
        context.book.resolve(device.hub, kSilent.type, device.name, to_iso8601(device.silent_since),
                             context.now, context.out);
        device.silent_since = {};
    }
    if (first_of_device && device.known) judge(device, context);
}

void AgentPresence::identity(const IdentityDocument& identity, const model::RegistryChange& change,
                             Context& context) {
    if (!change.role.owner) return;
    auto& device = device_of(change.hub, identity.device);
    device.evidence = change.position;
    device.evidence_time = change.time;
    if (!identity.module.empty()) {
        if (!is_security_module(identity.module, context.settings)) return;
        if (identity.removed) {
            std::erase(device.modules, identity.module);
            std::erase(device.reporting, identity.module);
            if (device.reporting.empty()) device.first_message = {};  // nothing reports any more
        } else {
            remember(device.modules, identity.module);
        }
    } else if (identity.removed) {
        if (device.silent_since.ticks != 0)
            context.book.resolve(device.hub, kSilent.type, device.name, to_iso8601(device.silent_since),
                                 context.now, context.out);
        context.posture.assess({.type = "IoT_InstallAgent",
                                .hub = device.hub,
                                .device = device.name,
                                .health = Health::NotApplicable,
                                .time = change.time,
                                .additional_json = {},
                                .evidence = {change.position}},
                               context.settings, context.now, context.out);
        owe(device, {});
        devices_.erase(device_key(change.hub, identity.device));
        return;
    } else {
        if (!device.known) device.created = identity.created.value_or(change.time);
        device.known = true;
        device.enabled = identity.enabled;
    }
    owe(device, change.time + kGrace);
}

void AgentPresence::judge(Device& device, Context& context) {
    if (!device.known || !context.hubs.twin_data(device.hub)) return owe(device, {});
    RecommendationBook::Assessment found{.type = "IoT_InstallAgent",
                                         .hub = device.hub,
                                         .device = device.name,
                                         .health = Health::Healthy,
                                         .time = device.evidence_time,
                                         .additional_json = {},
                                         .evidence = {device.evidence}};
    Timestamp next{0};
    std::string_view reason;
    if (!device.enabled) {
        found.health = Health::NotApplicable;
    } else if (device.first_message.ticks != 0) {
        found.evidence = {device.last_position};
        found.time = device.last_message;
    } else if (device.modules.empty()) {
        reason = "NoModule";
    } else if (context.now - device.created >= kFirstMessageWithin) {
        reason = "NoMessages";
        found.time = device.created + kFirstMessageWithin;
    } else {
        next = device.created + kFirstMessageWithin;
    }
    owe(device, next);
    if (!reason.empty()) found.health = Health::Unhealthy;
    JsonWriter(found.additional_json).begin_object().member("Reason", reason).end_object();
    context.posture.assess(std::move(found), context.settings, context.now, context.out);
}

void AgentPresence::advance(Context& context) {
    while (!due_.empty() && due_.begin()->first <= context.now.ticks) {
        const auto key = due_.begin()->second;
        if (auto* const device = devices_.find(key)) {
            judge(*device, context);
        } else {
            due_.erase(due_.begin());
        }
    }
}

void AgentPresence::tick(Context& context) {
    if (context.now < looked_ + kLookEvery) return;
    looked_ = context.now;
    find_silent({}, [](const Device& device) { return device.first_message.ticks != 0; }, context);
}

/// Recorded input has no ticks. There a device is silent while others are heard, and nobody is where nothing
/// came at all. Logs of other origin, which have no module, are excerpts too often.
void AgentPresence::listen(Context& context) {
    if (context.now > heard_ + kHeardWithin) listening_since_ = context.now;
    heard_ = context.now;
    if (context.now < listened_ + kLookEvery) return;
    listened_ = context.now;
    find_silent(listening_since_, [](const Device& device) { return !device.reporting.empty(); }, context);
}

/// Silence counts from `since` on at the earliest, and only while the server ran.
template <class Concerns>
void AgentPresence::find_silent(Timestamp since, Concerns concerns, Context& context) {
    for (auto& [key, device] : devices_) {
        if (!concerns(device) || !device.enabled || device.silent_since.ticks != 0) continue;
        const auto from = std::max(device.last_message, since);
        const auto silent = context.now - from - context.outages.within(from, context.now);
        if (silent >= context.settings.silent_after) raise_silent(device, context);
    }
}

void AgentPresence::raise_onboarded(const model::Event& event, Context& context) const {
    auto alert = device_alert(kOnboarded, event, event.position);
    alert.start = alert.end = event.time;
    alert.hit_count = 1;
    alert.remediation.clear();
    alert.discriminator = event.module;
    JsonWriter(alert.extended_json)
        .begin_object()
        .member("DeviceId", event.device)
        .member("ModuleId", event.module)
        .member("AgentVersion", event.agent_version)
        .end_object();
    EntityWriter(alert.entities_json, event.hub, event.device).end();
    context.book.raise(std::move(alert), context.settings.dedup_window, context.now, context.out);
}

void AgentPresence::raise_silent(Device& device, Context& context) const {
    model::Event event;
    event.hub = device.hub;
    event.device = device.name;
    auto alert = device_alert(kSilent, event, device.last_position);
    alert.start = device.last_message;
    alert.end = context.now;
    device.silent_since = device.last_message;
    alert.discriminator = to_iso8601(device.silent_since);
    JsonWriter(alert.extended_json)
        .begin_object()
        .member("DeviceId", device.name)
        .member("Last Message", to_iso8601(device.last_message))
        .member("Silent After", to_iso8601_duration(context.settings.silent_after))
        .end_object();
    EntityWriter(alert.entities_json, device.hub, device.name).end();
    context.book.raise(std::move(alert), context.settings.dedup_window, context.now, context.out);
}

void AgentPresence::save(ByteWriter& out) const {
    out.i64(looked_.ticks);
    out.u32(static_cast<std::uint32_t>(devices_.size()));
    for (const auto& [key, device] : devices_) {
        out.text(device.hub);
        out.text(device.name);
        out.u8(static_cast<std::uint8_t>((device.known ? 1 : 0) | (device.enabled ? 2 : 0)));
        for (const auto time : {device.created, device.first_message, device.last_message, device.due,
                                device.silent_since, device.evidence_time})
            out.i64(time.ticks);
        write(out, device.modules);
        write(out, device.reporting);
        write(out, device.evidence);
        write(out, device.last_position);
    }
    for (const auto time : {heard_, listening_since_, listened_})
        out.i64(time.ticks);
}

Result<void> AgentPresence::restore(ByteReader& in) {
    devices_.clear();
    due_.clear();
    looked_ = FIELDWATCH_TRY(read_time(in));
    const auto count = FIELDWATCH_TRY(read_count(in, kDevicesMax));
    for (std::uint32_t i = 0; i < count; ++i) {
        const auto hub = FIELDWATCH_TRY(read_text(in));
        const auto name = FIELDWATCH_TRY(read_text(in));
        auto& device = device_of(hub, name);
        const auto bits = FIELDWATCH_TRY(in.u8());
        device.known = (bits & 1) != 0;
        device.enabled = (bits & 2) != 0;
        Timestamp due;
        for (auto* time : {&device.created, &device.first_message, &device.last_message, &due,
                           &device.silent_since, &device.evidence_time})
            *time = FIELDWATCH_TRY(read_time(in));
        device.modules = FIELDWATCH_TRY(read_texts(in));
        device.reporting = FIELDWATCH_TRY(read_texts(in));
        device.evidence = FIELDWATCH_TRY(read_position(in));
        device.last_position = FIELDWATCH_TRY(read_position(in));
        owe(device, due);
    }
    heard_ = listening_since_ = listened_ = {};
    if (in.empty()) return {};  // an older state
    for (auto* time : {&heard_, &listening_since_, &listened_})
        *time = FIELDWATCH_TRY(read_time(in));
    return {};
}

}  // namespace fieldwatch::detect
