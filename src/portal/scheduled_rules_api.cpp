// Queries that run by themselves: written, tried, looked at. docs/formats/scheduled-rules.md.
#include <fmt/format.h>

#include "portal/context.hpp"
#include "portal/reply.hpp"
#include "portal/scheduled_rules.hpp"
#include "portal/scheduled_store.hpp"

namespace fieldwatch::portal {
namespace {

constexpr std::string_view kVersionKind = "scheduled-rule-version";
constexpr std::uint64_t kVersionsKept = 50;
constexpr std::size_t kScheduledMax = 1'000;  ///< of one hub

Result<registry::Hub> hub_of_call(const Context& context, const Call& call) {
    const auto name = FIELDWATCH_TRY(model::parse_hub_name(call.names[0]));
    return context.parts.registry.hub(name);
}

registry::DocumentKey version_key(const model::HubName& hub, std::string_view rule, std::uint64_t version) {
    return {hub, std::string(kVersionKind), fmt::format("{}@{:010}", rule, version)};
}

Json window_time(const std::optional<Timestamp>& time) {
    return time ? Json(to_iso8601(*time)) : Json(nullptr);
}

Json health_json(const ScheduledHealth& health) {
    return {{"healthy", health.problem.empty()},
            {"problem", health.problem},
            {"lastRun", window_time(health.last_run)},
            {"lastWindowEnd", window_time(health.last_window)},
            {"runs", health.runs},
            {"findings", health.findings},
            {"failures", health.failures},
            {"lastRows", health.last_rows},
            {"lastMs", health.last_ms}};
}

/// The document, its version and how it fares.
Json scheduled_json(const Context& context, const model::HubName& hub, const registry::Document& document) {
    auto out = Json::parse(document.json, nullptr, /*allow_exceptions=*/false);
    if (!out.is_object()) out = Json{{"id", document.id}};
    out["version"] = document.etag;
    out["updated"] = to_iso8601(document.updated);
    if (context.parts.scheduled != nullptr)
        out["health"] = health_json(context.parts.scheduled->health(hub.value, document.id));
    return out;
}

Json trial_json(const ScheduledTrial& trial) {
    Json findings = Json::array();
    for (const auto& finding : trial.findings) {
        Json entities = Json::object();
        for (const auto& [kind, value] : finding.entities)
            entities[kind] = value;
        findings.push_back(
            {{"rows", finding.rows},
             {"entities", std::move(entities)},
             {"sample", Json::parse(finding.sample_json, nullptr, /*allow_exceptions=*/false)}});
    }
    return {
        {"from", to_iso8601(trial.from)}, {"to", to_iso8601(trial.to)}, {"rows", trial.rows},
        {"truncated", trial.truncated},   {"leftOut", trial.left_out},  {"findings", std::move(findings)}};
}

Result<registry::Document> stored_rule(const Context& context, const Call& call) {
    const auto hub = FIELDWATCH_TRY(hub_of_call(context, call));
    return context.parts.registry.document({hub.name, std::string(kScheduledRuleKind), call.names[1]});
}

Answer list_scheduled(const Context& context, const Call& call) {
    const auto hub = FIELDWATCH_TRY(hub_of_call(context, call));
    Json value = Json::array();
    for (const auto& document : FIELDWATCH_TRY(
             context.parts.registry.documents(hub.name, kScheduledRuleKind, {.count_max = kScheduledMax})))
        value.push_back(scheduled_json(context, hub.name, document));
    return json_reply(200, {{"value", std::move(value)}});
}

Answer get_scheduled(const Context& context, const Call& call) {
    const auto document = FIELDWATCH_TRY(stored_rule(context, call));
    return json_reply(200, scheduled_json(context, {call.names[0]}, document));
}

/// A rule whose query does not run is refused: it is asked once for its newest window, and raises nothing.
Answer put_scheduled(const Context& context, const Call& call) {
    static_cast<void>(FIELDWATCH_TRY(scheduler_of(context)));
    const auto hub = FIELDWATCH_TRY(hub_of_call(context, call));
    auto rule = FIELDWATCH_TRY(detect::parse_scheduled_rule(call.names[1], call.request.body));
    rule.author = call.who.name;
    const auto match = FIELDWATCH_TRY(if_match(call.request));
    const auto stored = FIELDWATCH_TRY(store_scheduled_rule(context, hub, rule, match));
    auto body = scheduled_json(context, hub.name, stored.document);
    body["trial"] = trial_json(stored.trial);
    return json_reply(stored.document.etag == 1 ? 201 : 200, body);
}

Answer delete_scheduled(const Context& context, const Call& call) {
    const auto hub = FIELDWATCH_TRY(hub_of_call(context, call));
    FIELDWATCH_TRY(drop_scheduled_rule(context, hub.name, call.names[1]));
    return net::HttpResponse{.status = 204};
}

Answer run_scheduled(const Context& context, const Call& call) {
    auto* const scheduler = FIELDWATCH_TRY(scheduler_of(context));
    const auto hub = FIELDWATCH_TRY(hub_of_call(context, call));
    const auto document = FIELDWATCH_TRY(stored_rule(context, call));
    const auto rule = FIELDWATCH_TRY(detect::parse_scheduled_rule(document.id, document.json));
    const auto trial = FIELDWATCH_TRY(scheduler->trial(hub, rule));
    return json_reply(200, trial_json(trial));
}

/// What a rule that is not written yet would have raised in its newest window.
Answer check_scheduled(const Context& context, const Call& call) {
    auto* const scheduler = FIELDWATCH_TRY(scheduler_of(context));
    const auto hub = FIELDWATCH_TRY(hub_of_call(context, call));
    const auto rule = FIELDWATCH_TRY(detect::parse_scheduled_rule(call.names[1], call.request.body));
    const auto trial = FIELDWATCH_TRY(scheduler->trial(hub, rule));
    return json_reply(200, trial_json(trial));
}

Answer list_scheduled_runs(const Context& context, const Call& call) {
    auto* const scheduler = FIELDWATCH_TRY(scheduler_of(context));
    const auto document = FIELDWATCH_TRY(stored_rule(context, call));
    Json value = Json::array();
    for (const auto& run : scheduler->runs(call.names[0], document.id))
        value.push_back({{"ran", to_iso8601(run.ran)},
                         {"windowEnd", to_iso8601(run.window_end)},
                         {"rows", run.rows},
                         {"findings", run.findings},
                         {"ms", run.ms},
                         {"problem", run.problem}});
    return json_reply(200, {{"value", std::move(value)}});
}

Answer list_scheduled_versions(const Context& context, const Call& call) {
    const auto hub = FIELDWATCH_TRY(hub_of_call(context, call));
    const auto& rule = call.names[1];
    static_cast<void>(FIELDWATCH_TRY(stored_rule(context, call)));
    Json value = Json::array();
    for (const auto& document : FIELDWATCH_TRY(context.parts.registry.documents(
             hub.name, kVersionKind, {.after = rule + "@", .count_max = kVersionsKept}))) {
        if (!document.id.starts_with(rule + "@")) break;
        auto version = Json::parse(document.json, nullptr, /*allow_exceptions=*/false);
        version["version"] = std::stoull(document.id.substr(rule.size() + 1));
        version["updated"] = to_iso8601(document.updated);
        value.push_back(std::move(version));
    }
    return json_reply(200, {{"value", std::move(value)}});
}

}  // namespace

Result<ScheduledRules*> scheduler_of(const Context& context) {
    if (context.parts.scheduled == nullptr) return fail(Errc::Unavailable, "no query runs by itself here");
    return context.parts.scheduled;
}

Result<StoredRule> store_scheduled_rule(const Context& context, const registry::Hub& hub,
                                        const detect::ScheduledRule& rule,
                                        std::optional<std::uint64_t> match) {
    auto* const scheduler = FIELDWATCH_TRY(scheduler_of(context));
    StoredRule out{.document = {}, .trial = FIELDWATCH_TRY(scheduler->trial(hub, rule))};
    auto& registry = context.parts.registry;
    const registry::DocumentKey key{hub.name, std::string(kScheduledRuleKind), rule.id};
    if (!registry.document(key)) {
        const auto others =
            FIELDWATCH_TRY(registry.documents(hub.name, kScheduledRuleKind, {.count_max = kScheduledMax}));
        if (others.size() >= kScheduledMax)
            return fail(Errc::Exhausted, fmt::format("a hub has at most {} scheduled rules", kScheduledMax));
    }
    const auto text = detect::scheduled_rule_json(rule);
    out.document = FIELDWATCH_TRY(registry.put_document(key, text, {.if_match = match}));
    const auto version = out.document.etag;
    static_cast<void>(
        FIELDWATCH_TRY(registry.put_document(version_key(hub.name, rule.id, version), text, {})));
    if (version > kVersionsKept) {
        const auto old =
            registry.remove_document(version_key(hub.name, rule.id, version - kVersionsKept), std::nullopt);
        if (!old && old.error().code != Errc::NotFound) return std::unexpected(old.error());
    }
    scheduler->changed();
    return out;
}

Result<void> drop_scheduled_rule(const Context& context, const model::HubName& hub, std::string_view id) {
    auto* const scheduler = FIELDWATCH_TRY(scheduler_of(context));
    FIELDWATCH_TRY(context.parts.registry.remove_document(
        {hub, std::string(kScheduledRuleKind), std::string(id)}, std::nullopt));
    scheduler->changed();
    return {};
}

std::vector<Route> scheduled_rule_routes() {
    constexpr std::string_view kAll = "/api/v1/hubs/{hub}/scheduled-rules";
    constexpr std::string_view kOne = "/api/v1/hubs/{hub}/scheduled-rules/{rule}";
    return {
        {"GET", kAll, Role::Reader, list_scheduled},
        {"GET", kOne, Role::Reader, get_scheduled},
        {"PUT", kOne, Role::Administrator, put_scheduled},
        {"DELETE", kOne, Role::Administrator, delete_scheduled},
        {"POST", "/api/v1/hubs/{hub}/scheduled-rules/{rule}/run", Role::Analyst, run_scheduled},
        {"POST", "/api/v1/hubs/{hub}/scheduled-rules/{rule}/check", Role::Analyst, check_scheduled},
        {"GET", "/api/v1/hubs/{hub}/scheduled-rules/{rule}/runs", Role::Reader, list_scheduled_runs},
        {"GET", "/api/v1/hubs/{hub}/scheduled-rules/{rule}/versions", Role::Reader, list_scheduled_versions}};
}

}  // namespace fieldwatch::portal
