#include "detect/behaviour/device_detector.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "base/json_text.hpp"
#include "detect/behaviour/evidence_query.hpp"

namespace fieldwatch::detect {
namespace {

// Tail probabilities of a window: 8,766 windows a month, so about 0.9 and 0.09 such windows by chance.
constexpr double kMediumConfidence = 1e-4, kHighConfidence = 1e-5;
constexpr double kLearningBits = 60;  ///< two kinds of things that nobody ever did: told even while learning
constexpr std::uint32_t kFirstWindows = 36;  ///< three hours in which all is new: nothing is told
constexpr std::uint32_t kPeersLeast = 5;
constexpr double kFleetShare = 0.3;
constexpr Ticks kFleetMerge = std::chrono::hours(24);  ///< an update takes its time

const AlertType kRareProcess{"fieldwatch-x-rare-process",
                             "IoT_X_RareProcess",
                             "A program that is not standard for the device",
                             "",
                             "Execution",
                             model::Severity::Low,
                             "T1059",
                             "Find out who started it; mark it as expected if it is"};
const AlertType kRareService{"fieldwatch-x-rare-destination",
                             "IoT_X_RareDestination",
                             "A destination that is not standard for the device",
                             "",
                             "CommandAndControl",
                             model::Severity::Low,
                             "T1071",
                             "Find out what the destination is; mark it as expected if it is"};
const AlertType kRareLogin{"fieldwatch-x-rare-login",
                           "IoT_X_RareLogin",
                           "A login that is not standard for the device",
                           "",
                           "InitialAccess",
                           model::Severity::Low,
                           "T1078",
                           "Ask the user; change the password if it was somebody else"};
const AlertType kVolume{"fieldwatch-x-volume-anomaly",
                        "IoT_X_VolumeAnomaly",
                        "Much more activity than is standard for the device at this time",
                        "",
                        "Impact",
                        model::Severity::Low,
                        "",
                        "Look at what the device did in the interval"};
const AlertType kFleet{"fieldwatch-x-fleet-change",
                       "IoT_X_FleetChange",
                       "Many devices changed their behaviour at once",
                       "",
                       "",
                       model::Severity::Informational,
                       "",
                       "Nothing, if this is an update that you rolled out"};

const AlertType& type_of(const Contribution& top) {
    if (!top.is_token) return kVolume;
    if (top.kind == TokenKind::Destination || top.kind == TokenKind::HubOperation) return kRareService;
    return top.kind == TokenKind::UserSource ? kRareLogin : kRareProcess;
}

const AlertType& type_named(std::string_view name) {
    for (const auto* const type : {&kRareProcess, &kRareService, &kRareLogin})
        if (type->type == name) return *type;
    return kVolume;
}

std::string_view confidence_word(double probability) {
    return probability < kHighConfidence ? "high" : probability < kMediumConfidence ? "medium" : "low";
}

/// Whether a cause is among what weighed most: a token by its name, a count by its feature.
std::string_view cause_of(const Contribution& one) {
    return one.is_token ? one.observed : one.feature;
}

std::string told(const Contribution& top) {
    if (!top.is_token)
        return fmt::format("{}: {:.0f}, where up to {:.0f} is usual for the device at this time of day.",
                           top.feature, top.amount, top.expected_most);
    return fmt::format("The device never or hardly ever showed this {}: {}. {} of {} devices of its hub did.",
                       top.feature, top.observed, top.peers, top.peers_of);
}

void write_contributions(JsonWriter& json, const std::vector<Contribution>& contributions) {
    json.key("Contributions").begin_array();
    for (const auto& one : contributions) {
        json.begin_object().member("feature", one.feature);
        if (one.is_token) {
            json.member("observed", one.observed);
            json.key("bits").real(one.amount);
            json.member("last_seen", "never or rarely");
            json.key("peers").begin_object().member("k", one.peers).member("n", one.peers_of).end_object();
        } else {
            json.key("observed").real(one.amount);
            json.key("expected").begin_array().real(0).real(one.expected_most).end_array();
        }
        json.end_object();
    }
    json.end_array();
}

model::Event at_end(std::string_view hub, std::string_view device, Timestamp end,
                    const model::LogPosition& at) {
    model::Event event;
    event.hub = hub;
    event.device = device;
    event.time = event.received = end;
    event.position = at;
    return event;
}

}  // namespace

void DeviceDetector::observe(const model::Event& event, const model::Item& item, Context& context) {
    if (!context.settings.behaviour || event.device.empty()) return;
    if (window_ < 0) window_ = context.now.ticks / kWindow.count();
    auto& device = devices_.get(device_key(event.hub, event.device));
    if (device.name.empty()) {
        device.hub = event.hub;
        device.name = event.device;
    }
    counts_.clear();
    tokens_.clear();
    features_of(event, item, counts_, tokens_);
    device.model.observe(counts_, tokens_, item.position);
}

void DeviceDetector::advance(Context& context) {
    if (window_ < 0) return;
    const auto now = context.now.ticks / kWindow.count();
    if (now - window_ > kGapWindowsMax) {
        close_windows(window_, context);  // what was running
        window_ = now;
        return;
    }
    for (; window_ < now; ++window_)
        close_windows(window_, context);
}

bool DeviceDetector::is_frozen(const Device& device, const Context& context) const {
    return device.raised.freezes(context.now) &&
           context.book.open_id(device.hub, device.raised_type, device.name, device.raised_discriminator);
}

void DeviceDetector::close_windows(std::int64_t window, Context& context) {
    constexpr std::int64_t kWindowsOfDay = 288;
    const auto of_day = ((window % kWindowsOfDay) + kWindowsOfDay) % kWindowsOfDay;
    const auto slot = static_cast<std::size_t>(of_day) * FeatureLevels::kSlots / kWindowsOfDay;
    const bool hour_ends = of_day % 12 == 11;
    const Timestamp end{(window + 1) * kWindow.count()};
    for (auto& [hub, group] : groups_)
        group.devices = 0;
    for (auto& [key, device] : devices_)
        ++groups_.get(device.hub).devices;
    // Everybody is judged by what was standard before this window; then all learn.
    std::vector<Judged> judged;
    judged.reserve(devices_.size());
    for (auto& [key, device] : devices_) {
        judged.push_back({&device, device.model.judge(slot, hour_ends, groups_.get(device.hub)), {}, {}});
        decide(judged.back(), end, context);
    }
    raise_fleet(judged, end, context);
    for (auto& one : judged) {
        if (!one.type.empty()) raise(one, end, context);
        one.device->model.close(slot, hour_ends, one.score, is_frozen(*one.device, context),
                                groups_.get(one.device->hub));
    }
}

void DeviceDetector::decide(Judged& judged, Timestamp end, const Context& context) {
    auto& device = *judged.device;
    const auto& score = judged.score;
    if (device.model.is_idle() || score.contributions.empty()) return;
    if (device.model.windows() < kFirstWindows) return;
    const bool learning = device.model.windows() < DeviceModel::kDayWindows;
    const auto is_below = [&](double factor) {
        return learning ? score.novelty_bits < factor * kLearningBits
                        : score.probability >= std::pow(kMediumConfidence, factor);
    };
    if (is_below(kLowestFactor)) return;
    const auto& top = score.contributions.front();
    judged.verdict = verdict_on({.hub = device.hub,
                                 .device = device.name,
                                 .type = type_of(top).type,
                                 .cause = cause_of(top),
                                 .now = end},
                                context.settings.expectations);
    if (is_below(threshold_factor(judged.verdict))) return;
    judged.type = type_of(top).type;
    judged.discriminator = cause_of(top);
}

/// How many devices of a hub show each cause for which one of them is told. Whoever did the same counts, told
/// or not: what is unusual for a busy device may be less so for a quiet one.
DeviceDetector::CauseCounts DeviceDetector::devices_by_cause(const std::vector<Judged>& judged) {
    CauseCounts out;
    for (const auto& one : judged)
        if (!one.type.empty()) out[{one.device->hub, one.discriminator}] = 0;
    if (out.empty()) return out;
    std::vector<std::uint32_t*> shown;  // of one device, each once
    for (const auto& one : judged) {
        shown.clear();
        for (const auto& contribution : one.score.contributions) {
            const auto found = out.find(std::pair{one.device->hub, std::string(cause_of(contribution))});
            if (found == out.end() || std::ranges::find(shown, &found->second) != shown.end()) continue;
            shown.push_back(&found->second);
            ++found->second;
        }
    }
    return out;
}

/// One change of many devices, a firmware update say, is one event of their hub; the devices then learn it.
void DeviceDetector::raise_fleet(std::vector<Judged>& judged, Timestamp end, Context& context) {
    std::map<std::pair<std::string, std::string>, std::vector<Judged*>> alike;  // by hub and cause
    for (auto& one : judged)
        if (!one.type.empty()) alike[{one.device->hub, one.type + "/" + one.discriminator}].push_back(&one);
    const auto counts = devices_by_cause(judged);
    for (auto& [key, members] : alike) {
        const auto& hub = key.first;
        const auto count = counts.at({hub, members.front()->discriminator});
        if (count < kPeersLeast || static_cast<double>(count) < kFleetShare * groups_.get(hub).devices)
            continue;
        const auto& top = members.front()->score.contributions.front();
        auto alert = device_alert(kFleet, at_end(hub, hub, end, top.evidence), top.evidence);
        alert.component = "IoT Hub";
        alert.discriminator = key.second;
        alert.description =
            fmt::format("{} devices of the hub, all at once: {} {}", count, top.feature, top.observed);
        JsonWriter extended(alert.extended_json);
        extended.begin_object().member("Devices", static_cast<std::int64_t>(count));
        write_contributions(extended, members.front()->score.contributions);
        extended.end_object();
        JsonWriter entities(alert.entities_json);
        entities.begin_array()
            .begin_object()
            .member("$id", "1")
            .member("Type", "iothub")
            .member("HubName", hub);
        entities.end_object().end_array();
        context.book.raise(std::move(alert), kFleetMerge, context.now, context.out);
        for (auto* const member : members)
            member->type.clear();
    }
}

void DeviceDetector::raise(Judged& judged, Timestamp end, Context& context) {
    auto& device = *judged.device;
    const auto& score = judged.score;
    if (device.raised.spends_budget(end, score.score)) return;
    const auto& top = score.contributions.front();
    const auto& type = type_named(judged.type);
    auto alert = device_alert(type, at_end(device.hub, device.name, end, top.evidence), top.evidence);
    alert.start = Timestamp{end.ticks - kWindow.count()};
    alert.discriminator = judged.discriminator;
    alert.description = told(top);
    const bool learning = device.model.windows() < DeviceModel::kDayWindows;
    // A model alone says at most "medium", and that only where two independent aspects agree.
    if (!learning && score.probability < kHighConfidence && score.unusual_aspects() >= 2)
        alert.severity = model::Severity::Medium;
    JsonWriter extended(alert.extended_json);
    extended.begin_object()
        .member("DeviceId", device.name)
        .member("Confidence", learning ? "learning" : confidence_word(score.probability))
        .member("Cause", judged.discriminator);
    if (judged.verdict != Verdict::Usual) extended.member("Feedback", to_string(judged.verdict));
    extended.key("Probability").real(score.probability);
    extended.key("Score").real(score.score);
    extended.key("Aspects").begin_object();
    for (std::size_t i = 0; i < kAspects; ++i)
        extended.key(to_string(static_cast<Aspect>(i))).real(score.probabilities[i]);
    extended.end_object();
    write_contributions(extended, score.contributions);
    extended.member(kEvidenceQueryKey, evidence_query(device.name, end, score.contributions));
    extended.end_object();
    EntityWriter(alert.entities_json, alert.hub.value, device.name).end();
    device.raised = {end, score.score};
    device.raised_type = alert.type;
    device.raised_discriminator = alert.discriminator;
    context.book.raise(std::move(alert), kAlertMerge, context.now, context.out);
}

void DeviceDetector::save(ByteWriter& out) const {
    out.i64(window_);
    out.u32(static_cast<std::uint32_t>(groups_.size()));
    for (const auto& [hub, group] : groups_) {
        out.text(hub);
        group.levels.save(out);
        group.devices_by_token.save(out);
        group.scores.save(out);
    }
    out.u32(static_cast<std::uint32_t>(devices_.size()));
    out.u64(devices_.evictions());
    for (const auto& [key, device] : devices_) {
        out.text(device.hub);
        out.text(device.name);
        device.model.save(out);
        out.i64(device.raised.at.ticks);
        out.f64(device.raised.score);
        out.text(device.raised_type);
        out.text(device.raised_discriminator);
    }
}

Result<void> DeviceDetector::restore(ByteReader& in) {
    devices_.clear();
    groups_.clear();
    window_ = FIELDWATCH_TRY(read_amount(in));
    const auto groups = FIELDWATCH_TRY(read_count(in, kHubsMax));
    for (std::uint32_t i = 0; i < groups; ++i) {
        auto& group = groups_.get(FIELDWATCH_TRY(in.text()));
        FIELDWATCH_TRY(group.levels.restore(in));
        FIELDWATCH_TRY(group.devices_by_token.restore(in));
        FIELDWATCH_TRY(group.scores.restore(in));
    }
    const auto devices = FIELDWATCH_TRY(read_count(in, kDevicesMax));
    const auto evictions = FIELDWATCH_TRY(in.u64());
    for (std::uint32_t i = 0; i < devices; ++i) {
        const auto hub = FIELDWATCH_TRY(read_text(in));
        const auto name = FIELDWATCH_TRY(read_text(in));
        auto& device = devices_.get(device_key(hub, name));
        device.hub = hub;
        device.name = name;
        FIELDWATCH_TRY(device.model.restore(in));
        device.raised.at = FIELDWATCH_TRY(read_time(in));
        device.raised.score = FIELDWATCH_TRY(in.f64());
        device.raised_type = FIELDWATCH_TRY(read_text(in));
        device.raised_discriminator = FIELDWATCH_TRY(read_text(in));
    }
    devices_.set_evictions(evictions);
    return {};
}

}  // namespace fieldwatch::detect
