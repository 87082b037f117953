#include "detect/scheduled/scheduled_rule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace fieldwatch::detect {

namespace {

using RuleDocument = nlohmann::json;

constexpr std::size_t kRuleNameBytesMax = 200, kRuleTextBytesMax = 4'000, kRuleQueryBytesMax = 64u << 10;
constexpr std::int64_t kRuleThresholdMax = 1'000'000;
constexpr Ticks kSchedulePeriodMin = std::chrono::minutes(1), kScheduleDay = std::chrono::hours(24),
                kScheduleFortnight = 14 * kScheduleDay;

Result<std::string> text_up_to(const RuleDocument& object, const char* name, std::size_t bytes_max) {
    const auto found = object.find(name);
    if (found == object.end()) return std::string();
    if (!found->is_string() || found->get_ref<const std::string&>().size() > bytes_max)
        return fail(Errc::InvalidArgument,
                    fmt::format("\"{}\" must be a text of at most {} bytes", name, bytes_max));
    return found->get<std::string>();
}

/// Years and months have no fixed length.
Result<Ticks> duration_member(const RuleDocument& object, const char* name, Ticks fallback, Ticks low,
                              Ticks high) {
    const auto text = FIELDWATCH_TRY(text_up_to(object, name, 40));
    if (text.empty() && !object.contains(name)) return fallback;
    const auto size = parse_iso8601_duration(text);
    const bool calendar = text.substr(0, text.find('T')).find_first_of("YM") != std::string::npos;
    if (!size || calendar || *size < low || *size > high)
        return fail(Errc::InvalidArgument,
                    fmt::format("\"{}\" must be an ISO 8601 duration from {} to {}, like \"PT15M\"", name,
                                to_iso8601_duration(low), to_iso8601_duration(high)));
    return *size;
}

Result<void> read_rule_entities(const RuleDocument& document, ScheduledRule& rule) {
    const auto found = document.find("entities");
    if (found == document.end()) return {};
    if (!found->is_object())
        return fail(Errc::InvalidArgument, "\"entities\" must be an object of kind and column");
    for (const auto& [kind, column] : found->items()) {
        if (std::ranges::find(kQueryEntities, kind) == kQueryEntities.end())
            return fail(Errc::InvalidArgument, fmt::format("\"entities\": \"{}\" is not one of {}", kind,
                                                           fmt::join(kQueryEntities, ", ")));
        if (!column.is_string() || column.get_ref<const std::string&>().empty() ||
            column.get_ref<const std::string&>().size() > kRuleNameBytesMax)
            return fail(Errc::InvalidArgument, fmt::format("\"entities\": \"{}\" must name a column", kind));
    }
    for (const auto kind : kQueryEntities) {
        if (const auto column = found->find(kind); column != found->end())
            rule.entities.emplace_back(kind, column->get<std::string>());
    }
    return {};
}

Result<void> read_rule_times(const RuleDocument& document, ScheduledRule& rule) {
    rule.period = FIELDWATCH_TRY(
        duration_member(document, "period", std::chrono::minutes(5), kSchedulePeriodMin, kScheduleDay));
    rule.window =
        FIELDWATCH_TRY(duration_member(document, "window", rule.period, rule.period, kScheduleFortnight));
    rule.suppression =
        FIELDWATCH_TRY(duration_member(document, "suppression", Ticks{0}, Ticks{0}, kScheduleFortnight));
    rule.lateness =
        FIELDWATCH_TRY(duration_member(document, "lateness", rule.period, Ticks{0}, kScheduleDay));
    return {};
}

Result<void> read_rule_numbers(const RuleDocument& document, ScheduledRule& rule) {
    if (const auto found = document.find("threshold"); found != document.end()) {
        if (!found->is_number_integer() || *found < 0 || *found > kRuleThresholdMax)
            return fail(Errc::InvalidArgument,
                        fmt::format("\"threshold\" must be a whole number from 0 to {}", kRuleThresholdMax));
        rule.threshold = found->get<std::int64_t>();
    }
    if (const auto found = document.find("enabled"); found != document.end()) {
        if (!found->is_boolean()) return fail(Errc::InvalidArgument, "\"enabled\" must be true or false");
        rule.enabled = found->get<bool>();
    }
    const auto severity = FIELDWATCH_TRY(text_up_to(document, "severity", 20));
    if (!severity.empty()) {
        const auto known = model::severity_from(severity);
        if (!known)
            return fail(Errc::InvalidArgument, "\"severity\" must be Informational, Low, Medium or High");
        rule.severity = *known;
    }
    return {};
}

}  // namespace

bool is_scheduled_rule_id(std::string_view id) {
    return !id.empty() && id.size() <= 64 && std::ranges::all_of(id, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
               c == '_';
    });
}

Result<ScheduledRule> parse_scheduled_rule(std::string_view id, std::string_view json) {
    constexpr std::array<std::string_view, 13> kRuleMembers{
        "id",     "name",        "description", "query",     "severity", "intent", "period",
        "window", "suppression", "lateness",    "threshold", "entities", "enabled"};
    if (!is_scheduled_rule_id(id))
        return fail(Errc::InvalidArgument, "a scheduled rule's id has 1 to 64 letters, digits, - and _");
    const auto document = RuleDocument::parse(json, nullptr, /*allow_exceptions=*/false);
    if (!document.is_object()) return fail(Errc::InvalidArgument, "a scheduled rule is a JSON object");
    for (const auto& [member, unused] : document.items()) {
        if (std::ranges::find(kRuleMembers, member) == kRuleMembers.end() && member != "author")
            return fail(Errc::InvalidArgument,
                        fmt::format("\"{}\" is not one of {}", member, fmt::join(kRuleMembers, ", ")));
    }
    ScheduledRule rule{.id = std::string(id)};
    rule.name = FIELDWATCH_TRY(text_up_to(document, "name", kRuleNameBytesMax));
    rule.description = FIELDWATCH_TRY(text_up_to(document, "description", kRuleTextBytesMax));
    rule.query = FIELDWATCH_TRY(text_up_to(document, "query", kRuleQueryBytesMax));
    rule.intent = FIELDWATCH_TRY(text_up_to(document, "intent", kRuleNameBytesMax));
    rule.author = FIELDWATCH_TRY(text_up_to(document, "author", kRuleNameBytesMax));
    if (rule.query.find_first_not_of(" \t\r\n") == std::string::npos)
        return fail(Errc::InvalidArgument, "\"query\" is required");
    if (rule.name.empty()) rule.name = rule.id;
    FIELDWATCH_TRY(read_rule_times(document, rule));
    FIELDWATCH_TRY(read_rule_numbers(document, rule));
    FIELDWATCH_TRY(read_rule_entities(document, rule));
    return rule;
}

std::string scheduled_rule_json(const ScheduledRule& rule) {
    RuleDocument entities = RuleDocument::object();
    for (const auto& [kind, column] : rule.entities)
        entities[kind] = column;
    const RuleDocument document{{"id", rule.id},
                                {"name", rule.name},
                                {"description", rule.description},
                                {"query", rule.query},
                                {"severity", model::to_string(rule.severity)},
                                {"intent", rule.intent},
                                {"period", to_iso8601_duration(rule.period)},
                                {"window", to_iso8601_duration(rule.window)},
                                {"suppression", to_iso8601_duration(rule.suppression)},
                                {"lateness", to_iso8601_duration(rule.lateness)},
                                {"threshold", rule.threshold},
                                {"entities", std::move(entities)},
                                {"enabled", rule.enabled},
                                {"author", rule.author}};
    return document.dump(-1, ' ', false, RuleDocument::error_handler_t::replace);
}

}  // namespace fieldwatch::detect
