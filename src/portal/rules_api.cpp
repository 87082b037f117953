// Rules: the running set, what a set would be, applying it, its versions.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "detect/rules/correlation.hpp"
#include "detect/rules/explain.hpp"
#include "portal/rules_json.hpp"

namespace fieldwatch::portal {
namespace {

constexpr std::size_t kNoteBytesMax = 1'024;

Json count_json(const pipeline::RuleCounts& counts, const std::string& id) {
    const auto found = counts.rules.find(id);
    const auto count = found == counts.rules.end() ? pipeline::RuleCount{} : found->second;
    return {{"hits", count.hits},
            {"alerts", count.alerts},
            {"repeats", count.repeats},
            {"absorbed", count.absorbed},
            {"held", count.held},
            {"lastHit", time_json(count.last_hit)},
            {"costNs", counts.measured == 0 ? Json(nullptr) : Json(count.cost_ns / counts.measured)}};
}

/// What of the running set was applied, by file.
std::set<std::string> applied_files(const RunningRules& running) {
    std::set<std::string> out;
    for (const auto& file : running.set.pack.rules)
        out.insert(file.name);
    return out;
}

Json rule_json(const RunningRules& running, std::size_t place, const std::set<std::string>& applied,
               const pipeline::RuleCounts& counts) {
    const auto& rule = running.content->rules->rules()[place];
    return {
        {"id", rule.origin.id},
        {"title", rule.origin.title},
        {"alertType", rule.alert_type},
        {"displayName", rule.display_name},
        {"severity", model::to_string(rule.severity)},
        {"status", rule.status},
        {"author", rule.origin.author},
        {"license", rule.origin.license},
        {"product", rule.product},
        {"category", rule.category},
        {"service", rule.service},
        {"techniques", rule.techniques},
        {"file", rule.file},
        {"line", rule.line},
        {"correlation", detect::is_correlation(*running.content->rules, static_cast<std::uint32_t>(place))},
        {"from", applied.contains(rule.file) ? "applied" : "pack"},
        {"counts", count_json(counts, rule.origin.id)}};
}

Answer list_rules(const Context& context, const Call&) {
    auto* const rules = FIELDWATCH_TRY(rules_of(context));
    const auto running = FIELDWATCH_TRY(rules->running());
    const auto counts = rules->counts();
    const auto applied = applied_files(running);
    Json list = Json::array();
    for (std::size_t i = 0; i < running.content->rules->rules().size(); ++i)
        list.push_back(rule_json(running, i, applied, counts));
    return json_reply(200, {{"version", running.version},
                            {"content", running.content_hash},
                            {"countedSince", time_json(rules->counted_since())},
                            {"value", std::move(list)},
                            {"errors", failures_json(failures_of(running.content->rule_errors))}});
}

Answer get_rule(const Context& context, const Call& call) {
    auto* const rules = FIELDWATCH_TRY(rules_of(context));
    const auto running = FIELDWATCH_TRY(rules->running());
    const auto all = running.content->rules->rules();
    const auto found = std::ranges::find(all, call.names[0], [](const auto& rule) { return rule.origin.id; });
    if (found == all.end())
        return fail(Errc::NotFound, fmt::format("no rule in force has the id \"{}\"", call.names[0]));
    auto out = rule_json(running, static_cast<std::size_t>(found - all.begin()), applied_files(running),
                         rules->counts());
    out["description"] = found->description;
    out["references"] = found->origin.references;
    out["remediation"] = found->remediation;
    out["fields"] = found->fields;
    out["absorbs"] = found->absorbs;
    out["suppressionSeconds"] = found->suppression_s;
    const auto file = std::ranges::find(running.pack.rules, found->file, &detect::SourceFile::name);
    out["source"] = file == running.pack.rules.end() ? "" : detect::rule_text(file->text, found->line);
    Json samples = Json::array();
    const auto object_of = [](const auto& fields) {
        Json object = Json::object();
        for (const auto& [name, value] : fields)
            object[name] = value;
        return object;
    };
    for (const auto& sample : found->samples) {
        Json one{{"fires", sample.positive}, {"fields", object_of(sample.fields)}};
        for (const auto& step : sample.steps)
            one["steps"].push_back({{"at", step.at_s},
                                    {"times", step.times},
                                    {"every", step.every_s},
                                    {"device", step.device},
                                    {"rule", step.rule},
                                    {"fields", object_of(step.fields)}});
        samples.push_back(std::move(one));
    }
    out["samples"] = std::move(samples);
    return json_reply(200, out);
}

std::string_view name_of(detect::Feed feed) {
    return feed == detect::Feed::Agent ? "agent" : feed == detect::Feed::Auditd ? "auditd" : "logs";
}

Answer check_rules(const Context& context, const Call& call) {
    auto* const rules = FIELDWATCH_TRY(rules_of(context));
    const auto body = FIELDWATCH_TRY(body_object(call.request, {"files", "words", "only"}));
    const auto set = FIELDWATCH_TRY(read_rule_set(body));
    std::set<std::string> own;
    for (const auto& file : set.pack.rules)
        own.insert(file.name);
    const auto report = detect::check_rules(FIELDWATCH_TRY(rules->composed(set)),
                                            [&](const std::string& file) { return own.contains(file); });
    auto failures = failures_of(report.errors);
    failures.insert(failures.end(), report.failures.begin(), report.failures.end());
    Json list = Json::array();
    for (const auto& rule : report.rules)
        list.push_back(
            {{"id", rule.id},
             {"title", rule.title},
             {"alertType", rule.alert_type},
             {"severity", model::to_string(rule.severity)},
             {"file", rule.file},
             {"line", rule.line},
             {"fedBy", rule.feed ? Json(name_of(*rule.feed)) : Json(nullptr)},
             {"samples", {{"fires", rule.fires}, {"silent", rule.silent}, {"failing", rule.failing}}}});
    return json_reply(
        200, {{"total", report.total},
              {"compiles", report.compiles},
              {"feedable", report.feedable},
              {"feedableFrom",
               {{"agent", report.from_agent}, {"auditd", report.with_auditd}, {"logs", report.feedable}}},
              {"tested", report.tested},
              {"failures", failures_json(failures)},
              {"value", std::move(list)}});
}

/// The rules that a version would be today, over the pack of today.
Result<std::vector<detect::RuleText>> texts_of(Rules& rules, std::uint64_t version) {
    const auto set = FIELDWATCH_TRY(rules.version(version));
    return detect::rule_texts(FIELDWATCH_TRY(rules.composed(set)));
}

Answer diff_set(const Context& context, const Call& call) {
    auto* const rules = FIELDWATCH_TRY(rules_of(context));
    const auto body = FIELDWATCH_TRY(body_object(call.request, {"files", "words", "only", "against"}));
    const auto set = FIELDWATCH_TRY(read_rule_set(body));
    const auto against = FIELDWATCH_TRY(read_number(body, "against"));
    const auto before = against ? FIELDWATCH_TRY(texts_of(*rules, *against))
                                : detect::rule_texts(FIELDWATCH_TRY(rules->running()).pack);
    const auto after = detect::rule_texts(FIELDWATCH_TRY(rules->composed(set)));
    return json_reply(200, diff_json(detect::diff_rules(before, after)));
}

Answer applied_reply(const Applied& applied) {
    if (!applied.refused.empty()) return rules_refused(applied.refused);
    auto out = diff_json(applied.diff);
    out["version"] = applied.version;
    out["content"] = applied.content_hash;
    out["rules"] = applied.rules;
    if (applied.unchanged) out["unchanged"] = true;
    return json_reply(200, out);
}

Answer apply_set(const Context& context, const Call& call) {
    auto* const rules = FIELDWATCH_TRY(rules_of(context));
    const auto body = FIELDWATCH_TRY(body_object(call.request, {"files", "words", "only", "note", "force"}));
    ApplyRequest request{.set = FIELDWATCH_TRY(read_rule_set(body)),
                         .by = call.who.name,
                         .note = {},
                         .rolled_back_to = std::nullopt};
    request.from = FIELDWATCH_TRY(if_match(call.request));
    FIELDWATCH_TRY(read_member(body, "note", request.note));
    FIELDWATCH_TRY(read_member(body, "force", request.force));
    if (request.note.size() > kNoteBytesMax)
        return fail(Errc::InvalidArgument, "\"note\" has at most 1,024 bytes");
    if (request.set.pack.rules.empty() && request.set.pack.words.empty())
        return fail(Errc::InvalidArgument,
                    "\"files\" is empty: to go back to the pack, roll back to version 0");
    return applied_reply(FIELDWATCH_TRY(rules->apply(std::move(request))));
}

Json version_json(const RuleVersion& version, std::uint64_t running) {
    Json out{{"version", version.version}, {"applied", time_json(version.applied)},
             {"by", version.by},           {"note", version.note},
             {"only", version.only},       {"files", version.files},
             {"hash", version.hash},       {"running", version.version == running}};
    if (version.rolled_back_to) out["rolledBackTo"] = *version.rolled_back_to;
    return out;
}

Answer list_versions(const Context& context, const Call&) {
    auto* const rules = FIELDWATCH_TRY(rules_of(context));
    const auto versions = rules->versions();
    Json list = Json::array();
    for (const auto& version : versions)
        list.push_back(version_json(version, versions.front().version));
    return json_reply(200, {{"value", std::move(list)}});
}

Result<std::uint64_t> version_of(const Call& call) {
    std::uint64_t out = 0;
    for (const char c : call.names[0]) {
        if (c < '0' || c > '9' || out > UINT32_MAX)
            return fail(Errc::InvalidArgument,
                        fmt::format("a version of rules is a number; \"{}\" is none", call.names[0]));
        out = out * 10 + static_cast<std::uint64_t>(c - '0');
    }
    return out;
}

Json files_json(const std::vector<detect::SourceFile>& files) {
    Json out = Json::array();
    for (const auto& file : files)
        out.push_back({{"name", file.name}, {"text", file.text}});
    return out;
}

Answer get_version(const Context& context, const Call& call) {
    auto* const rules = FIELDWATCH_TRY(rules_of(context));
    const auto number = FIELDWATCH_TRY(version_of(call));
    const auto set = FIELDWATCH_TRY(rules->version(number));
    const auto versions = rules->versions();
    const auto found = std::ranges::find(versions, number, &RuleVersion::version);
    if (found == versions.end()) return fail(Errc::NotFound, fmt::format("there is no version {}", number));
    auto out = version_json(*found, versions.front().version);
    out["only"] = set.only;
    out["files"] = files_json(set.pack.rules);
    out["words"] = files_json(set.pack.words);
    return json_reply(200, out);
}

Answer diff_versions(const Context& context, const Call& call) {
    auto* const rules = FIELDWATCH_TRY(rules_of(context));
    const auto number = FIELDWATCH_TRY(version_of(call));
    const auto against = FIELDWATCH_TRY(
        number_parameter(call.request, "against", number == 0 ? 0 : number - 1, 0, UINT32_MAX));
    const auto before = FIELDWATCH_TRY(texts_of(*rules, against));
    const auto after = FIELDWATCH_TRY(texts_of(*rules, number));
    return json_reply(200, diff_json(detect::diff_rules(before, after)));
}

Answer roll_back(const Context& context, const Call& call) {
    auto* const rules = FIELDWATCH_TRY(rules_of(context));
    const auto number = FIELDWATCH_TRY(version_of(call));
    // What ran once runs again, though its samples may have been forced.
    ApplyRequest request{.set = FIELDWATCH_TRY(rules->version(number)),
                         .by = call.who.name,
                         .note = {},
                         .force = true,
                         .rolled_back_to = number};
    return applied_reply(FIELDWATCH_TRY(rules->apply(std::move(request))));
}

}  // namespace

std::vector<Route> rule_routes() {
    return {{"GET", "/api/v1/rules", Role::Reader, list_rules},
            {"POST", "/api/v1/rules/check", Role::Reader, check_rules},
            {"POST", "/api/v1/rules/diff", Role::Reader, diff_set},
            {"POST", "/api/v1/rules/apply", Role::Administrator, apply_set},
            {"GET", "/api/v1/rules/versions", Role::Reader, list_versions},
            {"GET", "/api/v1/rules/versions/{n}", Role::Reader, get_version},
            {"GET", "/api/v1/rules/versions/{n}/diff", Role::Reader, diff_versions},
            {"POST", "/api/v1/rules/versions/{n}/rollback", Role::Administrator, roll_back},
            {"GET", "/api/v1/rules/{id}", Role::Reader, get_rule}};
}

}  // namespace fieldwatch::portal
