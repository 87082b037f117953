// Rules tried on events: given ones, the past, and one device's past.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "detect/rules/explain.hpp"
#include "detect/rules/recorded.hpp"
#include "portal/rules_json.hpp"

namespace fieldwatch::portal {
namespace {

constexpr std::size_t kEventsMax = 100;
constexpr std::size_t kExplainedRulesMax = 100;

Answer explain_set(const Context& context, const Call& call) {
    auto* const rules = FIELDWATCH_TRY(rules_of(context));
    const auto body = FIELDWATCH_TRY(body_object(call.request, {"files", "words", "only", "events"}));
    const auto set = FIELDWATCH_TRY(read_rule_set(body));
    const auto events = body.find("events");
    if (events == body.end() || !events->is_array() || events->size() > kEventsMax)
        return fail(Errc::InvalidArgument, "\"events\" must be a list of at most 100 events");
    std::vector<detect::RecordedEvent> recorded;
    for (const auto& event : *events)
        recorded.push_back(FIELDWATCH_TRY(detect::RecordedEvent::parse(event.dump())));
    const auto pack = FIELDWATCH_TRY(rules->composed(set));
    std::vector<detect::RuleError> errors;
    const auto documents = detect::parse_sigma_files(pack.rules, pack.words, errors);
    Json list = Json::array();
    std::size_t count = 0;
    for (const auto& rule : detect::rule_texts({.rules = set.pack.rules, .words = pack.words})) {
        auto explainer = detect::RuleExplainer::create(documents, rule.id, detect::sample_options());
        if (!explainer && explainer.error().code == Errc::NotFound) continue;  // a correlation
        if (!explainer) return std::unexpected(explainer.error());
        if (++count > kExplainedRulesMax)
            return fail(Errc::TooLarge, "more than 100 rules to explain at once");
        for (std::size_t i = 0; i < recorded.size(); ++i) {
            const auto explanation = explainer->explain(recorded[i].event(), recorded[i].item());
            list.push_back({{"event", i},
                            {"rule", rule.id},
                            {"title", rule.title},
                            {"fires", explanation.fires},
                            {"sentence", explanation.sentence},
                            {"clauses", clauses_json(explanation)}});
        }
    }
    return json_reply(200, {{"value", std::move(list)}});
}

std::string_view state_name_of(BacktestJob::State state) {
    constexpr std::string_view kNames[] = {"running", "done", "failed", "stopped"};
    return kNames[static_cast<std::size_t>(state)];
}

/// Minutes of history say nothing of a day: less than one counts as one.
double per_day(std::uint64_t alerts, double days) {
    return static_cast<double>(alerts) / std::max(days, 1.0);
}

Json alerts_json(const std::vector<pipeline::BacktestAlert>& alerts) {
    Json out = Json::array();
    for (const auto& alert : alerts)
        out.push_back({{"hub", alert.hub},
                       {"device", alert.device},
                       {"time", to_iso8601(alert.time)},
                       {"what", alert.what}});
    return out;
}

Json trial_count_json(const std::optional<pipeline::BacktestCount>& count, double days) {
    if (!count) return nullptr;
    return {{"alerts", count->alerts},
            {"alertsPerDay", per_day(count->alerts, days)},
            {"hits", count->hits},
            {"devices", count->devices}};
}

Json trial_rule_json(const pipeline::BacktestRule& rule, const std::set<std::string>& changed, double days) {
    const auto change = !rule.before                ? "added"
                        : !rule.now                 ? "removed"
                        : changed.contains(rule.id) ? "changed"
                                                    : "same";
    auto out = trial_count_json(rule.now.value_or(pipeline::BacktestCount{}), days);
    out["id"] = rule.id;
    out["title"] = rule.title;
    out["change"] = change;
    out["before"] = trial_count_json(rule.before, days);
    out["costNs"] = rule.cost_ns ? Json(*rule.cost_ns) : Json(nullptr);
    Json devices = Json::array();
    for (const auto& device : rule.top_devices)
        devices.push_back({{"hub", device.hub}, {"device", device.device}, {"alerts", device.alerts}});
    out["topDevices"] = std::move(devices);
    out["gained"] = alerts_json(rule.gained);
    out["lost"] = alerts_json(rule.lost);
    return out;
}

Json report_json(const pipeline::BacktestReport& report, const detect::RuleDiff& diff) {
    std::set<std::string> changed;
    for (const auto& change : diff.changed)
        changed.insert(change.id);
    const auto days = report.days();
    Json list = Json::array();
    for (const auto& rule : report.rules)
        list.push_back(trial_rule_json(rule, changed, days));
    return {
        {"covered", {{"from", to_iso8601(report.from)}, {"to", to_iso8601(report.to)}, {"days", days}}},
        {"records", report.records},
        {"events", report.events},
        {"seconds", report.seconds},
        {"eventsPerSecond", report.seconds > 0 ? static_cast<double>(report.events) / report.seconds : 0.0},
        {"cut", report.is_cut},
        {"value", std::move(list)}};
}

Json job_json(const BacktestJob& job, bool with_report) {
    Json out{{"id", job.id},
             {"state", state_name_of(job.state)},
             {"from", to_iso8601(job.from)},
             {"to", to_iso8601(job.to)},
             {"against", job.against},
             {"started", to_iso8601(job.started)},
             {"progress", {{"records", job.records}, {"of", job.of}}}};
    if (!job.error.empty()) out["error"] = job.error;
    if (with_report && job.report) out["report"] = report_json(*job.report, job.diff);
    return out;
}

Answer start_backtest(const Context& context, const Call& call) {
    auto* const rules = FIELDWATCH_TRY(rules_of(context));
    const auto body =
        FIELDWATCH_TRY(body_object(call.request, {"files", "words", "only", "from", "to", "against", "hub"}));
    BacktestStart start{
        .set = FIELDWATCH_TRY(read_rule_set(body)), .from = {}, .to = {}, .against = std::nullopt, .hub = {}};
    std::string from;
    std::string to;
    FIELDWATCH_TRY(read_member(body, "from", from));
    FIELDWATCH_TRY(read_member(body, "to", to));
    FIELDWATCH_TRY(read_member(body, "hub", start.hub));
    start.from = FIELDWATCH_TRY(read_time("from", from));
    start.to = FIELDWATCH_TRY(read_time("to", to));
    start.against = FIELDWATCH_TRY(read_number(body, "against"));
    if (start.from >= start.to) return fail(Errc::InvalidArgument, "\"from\" must lie before \"to\"");
    if (!start.hub.empty()) FIELDWATCH_TRY(model::parse_hub_name(start.hub));
    const auto report =
        detect::check_rules(FIELDWATCH_TRY(rules->composed(start.set)), [&](const auto& file) {
            return std::ranges::find(start.set.pack.rules, file, &detect::SourceFile::name) !=
                   start.set.pack.rules.end();
        });
    if (!report.errors.empty()) return rules_refused(failures_of(report.errors));
    return json_reply(202, job_json(FIELDWATCH_TRY(rules->start_backtest(std::move(start))), false));
}

Answer list_backtests(const Context& context, const Call&) {
    auto* const rules = FIELDWATCH_TRY(rules_of(context));
    Json list = Json::array();
    for (const auto& job : rules->backtests())
        list.push_back(job_json(job, false));
    return json_reply(200, {{"value", std::move(list)}});
}

Answer get_backtest(const Context& context, const Call& call) {
    auto* const rules = FIELDWATCH_TRY(rules_of(context));
    return json_reply(200, job_json(FIELDWATCH_TRY(rules->backtest(call.names[0])), true));
}

Answer stop_backtest(const Context& context, const Call& call) {
    auto* const rules = FIELDWATCH_TRY(rules_of(context));
    FIELDWATCH_TRY(rules->stop_backtest(call.names[0]));
    return net::HttpResponse{.status = 204};
}

Answer get_why(const Context& context, const Call& call) {
    auto* const rules = FIELDWATCH_TRY(rules_of(context));
    const auto name = FIELDWATCH_TRY(model::parse_hub_name(call.names[0]));
    const auto hub = FIELDWATCH_TRY(context.parts.registry.hub(name));
    pipeline::WhyRequest request{
        .hub = hub.name.value, .device = call.names[1], .rule = {}, .at = {}, .content_in_force = {}};
    static_cast<void>(FIELDWATCH_TRY(model::parse_device_id(request.device)));
    request.rule = call.request.parameter("rule").value_or("");
    if (request.rule.empty())
        return fail(Errc::InvalidArgument,
                    "the parameter \"rule\" is required: id, name, title or alert type");
    request.at = FIELDWATCH_TRY(read_time("at", call.request.parameter("at").value_or("")));
    if (const auto within = call.request.parameter("within"))
        request.within = FIELDWATCH_TRY(parse_iso8601_duration(*within));
    const auto device = request.device;
    const auto at = request.at;
    const auto why = FIELDWATCH_TRY(rules->why(std::move(request)));
    Json events = Json::array();
    for (const auto& event : why.events) {
        Json entry{{"time", to_iso8601(event.time)},
                   {"name", event.name},
                   {"stage", pipeline::to_string(event.stage)},
                   {"sentence", event.sentence},
                   {"clauses", clauses_json(event.explanation)}};
        if (event.alert) entry["alert"] = event.alert->text();
        events.push_back(std::move(entry));
    }
    auto sentence = why.sentence;
    if (!hub.security_enabled)
        sentence = "Security is off for this hub: nothing is stored of it; " + sentence;
    return json_reply(200, {{"device", device},
                            {"rule", {{"id", why.rule_id}, {"title", why.rule_title}}},
                            {"at", to_iso8601(at)},
                            {"stage", pipeline::to_string(why.stage)},
                            {"sentence", sentence},
                            {"content", why.content},
                            {"events", std::move(events)}});
}

}  // namespace

std::vector<Route> rule_trial_routes() {
    return {{"POST", "/api/v1/rules/explain", Role::Reader, explain_set},
            {"POST", "/api/v1/rules/backtest", Role::Analyst, start_backtest},
            {"GET", "/api/v1/rules/backtests", Role::Analyst, list_backtests},
            {"GET", "/api/v1/rules/backtests/{id}", Role::Analyst, get_backtest},
            {"DELETE", "/api/v1/rules/backtests/{id}", Role::Analyst, stop_backtest},
            {"GET", "/api/v1/hubs/{hub}/devices/{device}/why", Role::Analyst, get_why}};
}

}  // namespace fieldwatch::portal
