#include "detect/lifecycle/recommendation_book.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"
#include "base/json_text.hpp"

namespace fieldwatch::detect {

namespace {

constexpr Uuid kRecommendationNames{
    {0x9b, 0x60, 0x1c, 0x5e, 0x11, 0x0c, 0x4d, 0x5a, 0x8f, 0x02, 0x3c, 0x71, 0x0e, 0xd4, 0x66, 0x25}};
constexpr std::int64_t kTicksPerDay = 864'000'000'000;
constexpr Ticks kLookEvery = std::chrono::minutes(10);

std::string key_of(std::string_view type, std::string_view hub, std::string_view device,
                   std::string_view component = {}) {
    std::string out(hub);
    out.append(1, '\0').append(type).append(1, '\0').append(device);
    if (!component.empty()) out.append(1, '\0').append(component);
    return out;
}

/// In saved state an active one's severity stands above the lowest bit, plus one; 0: the catalogue's.
std::uint8_t flags_of(bool active, std::optional<model::Severity> severity) {
    const auto above = severity ? std::to_underlying(*severity) + 1 : 0;
    return static_cast<std::uint8_t>((active ? 1 : 0) | above << 1);
}

}  // namespace

std::string_view to_string(Health health) {
    switch (health) {
        case Health::Healthy:
            return "Healthy";
        case Health::Unhealthy:
            return "Unhealthy";
        case Health::NotApplicable:
            return "NotApplicable";
        case Health::Unknown:
            return "Unknown";
    }
    return {};
}

bool RecommendationBook::is_off(const RecommendationType& type, const Settings& settings) {
    if (type.extension && !settings.extensions) return true;
    return std::ranges::find(settings.disabled_recommendations, type.type) !=
           settings.disabled_recommendations.end();
}

bool RecommendationBook::is_active(std::string_view type, std::string_view hub,
                                   std::string_view device) const {
    const auto* const state = states_.peek(key_of(type, hub, device));
    return state != nullptr && state->active;
}

void RecommendationBook::assess(Assessment assessment, const Settings& settings, Timestamp now,
                                std::vector<model::Finding>& out) {
    const auto& type = recommendation_type(assessment.type);
    const auto key = key_of(assessment.type, assessment.hub, assessment.device, assessment.component);
    auto* known = states_.find(key);
    if (assessment.health == Health::Unknown) return;
    const bool unhealthy = assessment.health == Health::Unhealthy;
    if (!unhealthy && (known == nullptr || !known->active)) return;
    if (unhealthy && is_off(type, settings)) return;
    if (known == nullptr) {
        known = &states_.get(key);
        known->type = assessment.type;
        known->hub = assessment.hub;
        known->device = assessment.device;
        known->component = assessment.component;
        known->first_evaluated = assessment.time;
    }
    known->seen = now;
    if (unhealthy && known->active && known->additional_json == assessment.additional_json) return;
    if (unhealthy != known->active) known->changed = assessment.time;
    if (unhealthy && !known->active) known->discovered = assessment.time;
    known->active = unhealthy;
    // A resolved row still says what it was about.
    if (unhealthy) {
        known->additional_json = std::move(assessment.additional_json);
        known->severity = assessment.severity;
    }
    known->evidence = std::move(assessment.evidence);
    if (known->evidence.size() > 32) known->evidence.resize(32);
    out.emplace_back(make(*known, now));
}

void RecommendationBook::retire(
    const std::function<bool(const RecommendationType&, std::string_view)>& is_off_here, Timestamp now,
    std::vector<model::Finding>& out) {
    for (auto& [key, state] : states_) {
        if (!state.active || !is_off_here(recommendation_type(state.type), state.hub)) continue;
        out.emplace_back(close(state, "OffByPolicy", now));
    }
}

model::Recommendation RecommendationBook::close(State& state, std::string_view reason, Timestamp now) {
    state.active = false;
    state.changed = now;
    auto row = make(state, now);
    auto& json = row.additional_json;
    json.pop_back();
    if (json.size() > 1) json += ',';
    JsonWriter(json).member("ResolvedReason", reason);
    json += '}';
    return row;
}

void RecommendationBook::expire(const Settings& settings, const Outages& outages, Timestamp now,
                                std::vector<model::Finding>& out) {
    if (now < looked_ + kLookEvery) return;
    looked_ = now;
    for (auto& [key, state] : states_) {
        if (!state.active || !recommendation_type(state.type).from_snapshot ||
            now - state.seen - outages.within(state.seen, now) < settings.snapshot_freshness)
            continue;
        out.emplace_back(close(state, to_string(Health::Unknown), now));
    }
}

void RecommendationBook::repeat(std::string_view hub, Timestamp now, std::vector<model::Finding>& out) {
    for (const auto& [key, state] : states_) {
        if (state.active && state.hub == hub) out.emplace_back(make(state, now));
    }
}

void RecommendationBook::advance(const Settings& settings, Timestamp now, std::vector<model::Finding>& out) {
    const auto day = now.ticks / kTicksPerDay;
    if (day_ >= 0 && day > day_) {
        for (const auto& [key, state] : states_) {
            if (!state.active || is_off(recommendation_type(state.type), settings)) continue;
            auto row = make(state, now);
            row.is_snapshot = true;
            out.emplace_back(std::move(row));
        }
    }
    day_ = std::max(day_, day);
}

model::Recommendation RecommendationBook::make(const State& state, Timestamp now) {
    const auto& type = recommendation_type(state.type);
    model::Recommendation out;
    out.id = Uuid::named(kRecommendationNames, state.hub + "|" + state.type + "|" + state.device +
                                                   (state.component.empty() ? "" : "|" + state.component));
    out.type = state.type;
    out.display_name = type.display_name;
    out.description = type.description;
    out.component = type.component;
    out.control = type.control;
    out.severity = state.severity.value_or(type.severity);
    out.state = state.active ? model::RecommendationState::Active : model::RecommendationState::Resolved;
    out.hub.value = state.hub;
    out.device = state.device;
    out.discovered = state.discovered;
    out.first_evaluated = state.first_evaluated;
    out.changed = state.changed;
    if (!state.active) out.resolved = state.changed;
    for (auto rest = type.remediation; !rest.empty();) {
        const auto end = rest.find('\n');
        out.remediation.emplace_back(rest.substr(0, end));
        rest = end == rest.npos ? std::string_view{} : rest.substr(end + 1);
    }
    out.additional_json = state.additional_json.empty() ? "{}" : state.additional_json;
    out.evidence = state.evidence;
    out.processed = now;
    return out;
}

void RecommendationBook::save(ByteWriter& out) const {
    out.i64(day_);
    out.u64(states_.evictions());
    out.u32(static_cast<std::uint32_t>(states_.size()));
    for (const auto& [key, state] : states_) {
        out.text(state.type);
        out.text(state.hub);
        // Names of devices hold no NUL: a component stands behind one.
        out.text(state.component.empty() ? state.device : state.device + '\0' + state.component);
        out.u8(flags_of(state.active, state.severity));
        for (const auto time : {state.first_evaluated, state.discovered, state.changed})
            out.i64(time.ticks);
        out.text(state.additional_json);
        write(out, state.evidence);
    }
    out.i64(looked_.ticks);
    for (const auto& [key, state] : states_)
        out.i64(state.seen.ticks);
}

Result<void> RecommendationBook::restore(ByteReader& in) {
    states_.clear();
    day_ = FIELDWATCH_TRY(read_amount(in));
    states_.set_evictions(FIELDWATCH_TRY(in.u64()));
    const auto count = FIELDWATCH_TRY(read_count(in, kStatesMax));
    for (std::uint32_t i = 0; i < count; ++i) {
        State state;
        state.type = FIELDWATCH_TRY(read_text(in));
        state.hub = FIELDWATCH_TRY(read_text(in));
        state.device = FIELDWATCH_TRY(read_text(in));
        if (const auto end = state.device.find('\0'); end != std::string::npos) {
            state.component = state.device.substr(end + 1);
            state.device.resize(end);
        }
        if (std::ranges::find(recommendation_types(), state.type, &RecommendationType::type) ==
            recommendation_types().end())
            return fail(Errc::Corrupt, "saved recommendation of a type that does not exist");
        const auto flags = FIELDWATCH_TRY(in.u8());
        state.active = (flags & 1) != 0;
        if (flags >> 1 > std::to_underlying(model::Severity::High) + 1)
            return fail(Errc::Corrupt, "saved recommendation of a severity that does not exist");
        if (flags >> 1 != 0) state.severity = static_cast<model::Severity>((flags >> 1) - 1);
        for (auto* time : {&state.first_evaluated, &state.discovered, &state.changed})
            *time = FIELDWATCH_TRY(read_time(in));
        state.additional_json = FIELDWATCH_TRY(read_text(in));
        state.evidence = FIELDWATCH_TRY(read_positions(in));
        // Earlier states end without it: what they held then was seen by the day of their last rows.
        state.seen = Timestamp{std::max<std::int64_t>(day_, 0) * kTicksPerDay};
        states_.get(key_of(state.type, state.hub, state.device, state.component)) = std::move(state);
    }
    looked_ = {};
    if (in.empty()) return {};
    looked_ = FIELDWATCH_TRY(read_time(in));
    for (auto& [key, state] : states_)
        state.seen = FIELDWATCH_TRY(read_time(in));
    return {};
}

Result<void> RecommendationBook::restore_open_ports(ByteReader& in) {
    day_ = FIELDWATCH_TRY(read_amount(in));
    static_cast<void>(FIELDWATCH_TRY(in.u64()));
    const auto count = FIELDWATCH_TRY(read_count(in, kStatesMax));
    for (std::uint32_t i = 0; i < count; ++i) {
        State state;
        state.type = "IoT_OpenPorts";
        state.hub = FIELDWATCH_TRY(read_text(in));
        state.device = FIELDWATCH_TRY(read_text(in));
        state.active = FIELDWATCH_TRY(in.u8()) != 0;
        static_cast<void>(FIELDWATCH_TRY(read_time(in)));
        for (auto* time : {&state.first_evaluated, &state.discovered, &state.changed})
            *time = FIELDWATCH_TRY(read_time(in));
        std::string list;
        JsonWriter endpoints(list);
        endpoints.begin_array();
        for (const auto& endpoint : FIELDWATCH_TRY(read_texts(in)))
            endpoints.string(endpoint);
        endpoints.end_array();
        JsonWriter(state.additional_json).begin_object().member("Endpoints", list).end_object();
        state.evidence = {FIELDWATCH_TRY(read_position(in))};
        state.seen = state.changed;
        states_.get(key_of(state.type, state.hub, state.device)) = std::move(state);
    }
    return {};
}

}  // namespace fieldwatch::detect
