#include "detect/custom/security_group.hpp"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/json_text.hpp"

namespace fieldwatch::detect {

namespace {

using Json = nlohmann::json;
using Problem = std::unexpected<GroupProblem>;

constexpr Ticks kWindowMin = std::chrono::minutes(1), kWindowMax = std::chrono::hours(24);

Problem bad(std::string code, std::string message) {
    return Problem(GroupProblem{std::move(code), std::move(message)});
}

/// Years and months have no fixed length, so that no window can be one; `M` before the `T` is a month.
bool names_calendar_units(std::string_view duration) {
    return duration.substr(0, duration.find('T')).find_first_of("YM") != duration.npos;
}

std::optional<GroupProblem> read_thresholds(const Json& object, std::string_view name, GroupRule& rule) {
    const auto read = [&](const char* key, std::int64_t& out) {
        const auto found = object.find(key);
        if (found == object.end() || !found->is_number_integer()) return false;
        if (*found < 0 || *found > std::numeric_limits<std::int32_t>::max()) return false;
        out = found->get<std::int64_t>();
        return true;
    };
    if (!read("minThreshold", rule.min) || !read("maxThreshold", rule.max) || rule.min > rule.max)
        return GroupProblem{
            "InvalidThresholds",
            std::string(name) +
                ": minThreshold and maxThreshold must be whole numbers from 0 to 2147483647, the "
                "first not above the second"};
    return std::nullopt;
}

std::optional<GroupProblem> read_window(const Json& object, std::string_view name, GroupRule& rule) {
    const auto found = object.find("timeWindowSize");
    const auto text = found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
    const auto size = parse_iso8601_duration(text);
    if (!size || names_calendar_units(text) || *size < kWindowMin || *size > kWindowMax)
        return GroupProblem{
            "InvalidTimeWindowSize",
            std::string(name) +
                ": timeWindowSize must be an ISO 8601 duration from PT1M to P1D without years and "
                "months, like \"PT15M\""};
    rule.window_text = text;
    rule.window = *size;
    return std::nullopt;
}

std::optional<GroupProblem> read_values(const Json& object, const RuleInfo& type, GroupRule& rule) {
    const auto found = object.find(std::string(values_of(type.list)));
    const auto name = std::string(type.name);
    if (found == object.end() || !found->is_array() || found->size() > ValueList::kValuesMax)
        return GroupProblem{"InvalidAllowlistValue", name + ": " + std::string(values_of(type.list)) +
                                                         " must be a list of at most " +
                                                         std::to_string(ValueList::kValuesMax) + " texts"};
    for (const auto& value : *found) {
        if (!value.is_string() || value.get_ref<const std::string&>().empty() ||
            value.get_ref<const std::string&>().size() > ValueList::kValueBytesMax)
            return GroupProblem{"InvalidAllowlistValue",
                                name + ": " + value.dump(-1, ' ', false, Json::error_handler_t::replace) +
                                    " is not a text of 1 to " + std::to_string(ValueList::kValueBytesMax) +
                                    " bytes"};
        rule.values.push_back(value.get<std::string>());
    }
    if (type.value_type != "IpCidr") {
        rule.list = ValueList::texts(rule.values);
        return std::nullopt;
    }
    auto ranges = ValueList::ranges(rule.values);
    if (!ranges) return GroupProblem{"InvalidAllowlistValue", name + ": " + ranges.error().message};
    rule.list = std::move(*ranges);
    return std::nullopt;
}

std::optional<GroupProblem> read_rule(const Json& object, const RuleInfo& type, GroupRule& rule) {
    const auto enabled = object.find("isEnabled");
    if (enabled == object.end() || !enabled->is_boolean())
        return GroupProblem{"InvalidRequest", std::string(type.name) + ": isEnabled must be true or false"};
    rule.enabled = enabled->get<bool>();
    if (!type.is_counted()) return read_values(object, type, rule);
    if (auto problem = read_thresholds(object, type.name, rule)) return problem;
    return type.list == RuleList::TimeWindow ? read_window(object, type.name, rule) : std::nullopt;
}

std::optional<GroupProblem> read_list(const Json& document, RuleList list, bool extensions,
                                      std::set<RuleType>& seen, SecurityGroup& group) {
    const auto member = std::string(member_of(list));
    const auto found = document.find(member);
    if (found == document.end() || found->is_null()) return std::nullopt;
    if (!found->is_array()) return GroupProblem{"InvalidRequest", member + " must be a list of rules"};
    for (const auto& object : *found) {
        const auto named = object.is_object() ? object.find("ruleType") : object.end();
        if (!object.is_object() || named == object.end() || !named->is_string())
            return GroupProblem{"InvalidRequest", member + ": each rule is an object with a ruleType"};
        const auto& name = named->get_ref<const std::string&>();
        const auto type = rule_type_from(name);
        if (!type || info(*type).list != list || (info(*type).is_extension() && !extensions))
            return GroupProblem{"UnknownRuleType", member + ": there is no rule type \"" + name + "\" here"};
        if (!seen.insert(*type).second)
            return GroupProblem{"DuplicateRuleType", member + ": " + name + " is given twice"};
        auto& rule = group.rules[static_cast<std::size_t>(*type)];
        if (auto problem = read_rule(object, info(*type), rule)) return problem;
    }
    return std::nullopt;
}

void write_rule(JsonWriter& json, const RuleInfo& type, const GroupRule& rule) {
    json.begin_object()
        .member("ruleType", type.name)
        .member("displayName", type.display_name)
        .member("description", type.description)
        .key("isEnabled")
        .boolean(rule.enabled);
    if (type.is_counted()) {
        json.member("minThreshold", rule.min).member("maxThreshold", rule.max);
        if (type.list == RuleList::TimeWindow) json.member("timeWindowSize", rule.window_text);
    } else {
        json.member("valueType", type.value_type).key(values_of(type.list)).begin_array();
        for (const auto& value : rule.values)
            json.string(value);
        json.end_array();
    }
    json.end_object();
}

Result<void> add_from(const Json& entry, const std::string& named, bool extensions, GroupSet& out) {
    const auto text = [&](const char* key) {
        const auto found = entry.is_object() ? entry.find(key) : entry.end();
        return entry.is_object() && found != entry.end() && found->is_string() ? found->get<std::string>()
                                                                               : std::string();
    };
    const auto name = named.empty() ? text("name") : named;
    auto group =
        parse_security_group(name, entry.dump(-1, ' ', false, Json::error_handler_t::replace), extensions);
    if (!group)
        return fail(Errc::InvalidArgument, "settings: securityGroups: " + (name.empty() ? "" : name + ": ") +
                                               group.error().message + " (" + group.error().code + ")");
    group->hub = text("hub");
    return out.add(std::move(*group));
}

}  // namespace

bool is_group_name(std::string_view name) {
    return !name.empty() && name.size() <= 128 && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '_' || c == '.';
    });
}

std::string group_key(std::string_view name) {
    std::string out(name);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return out;
}

std::expected<SecurityGroup, GroupProblem> parse_security_group(std::string_view name, std::string_view json,
                                                                bool extensions) {
    if (!is_group_name(name))
        return bad("InvalidGroupName", "a group's name has 1 to 128 letters, digits, - _ and .");
    auto document = Json::parse(json, nullptr, /*allow_exceptions=*/false);
    if (!document.is_object()) return bad("InvalidRequest", "a group is a JSON object");
    if (const auto properties = document.find("properties"); properties != document.end()) {
        if (!properties->is_object()) return bad("InvalidRequest", "properties must be an object");
        document = Json(*properties);
    }
    SecurityGroup out;
    out.name = name;
    std::set<RuleType> seen;
    for (const auto list : kRuleLists) {
        if (auto problem = read_list(document, list, extensions, seen, out))
            return Problem(std::move(*problem));
    }
    return out;
}

std::string properties_json(const SecurityGroup& group, bool extensions) {
    std::string out;
    JsonWriter json(out);
    json.begin_object();
    for (const auto list : kRuleLists) {
        json.key(member_of(list)).begin_array();
        for (std::size_t i = 0; i < kRuleTypes; ++i) {
            const auto& type = info(static_cast<RuleType>(i));
            if (type.list == list && (extensions || !type.is_extension()))
                write_rule(json, type, group.rules[i]);
        }
        json.end_array();
    }
    json.end_object();
    return out;
}

Result<void> GroupSet::add(SecurityGroup group) {
    for (std::size_t i = 0; i < kRuleTypes; ++i) {
        any_enabled_ = any_enabled_ || group.rules[i].enabled;
        any_minimum_ = any_minimum_ || (group.rules[i].enabled && group.rules[i].min > 0 &&
                                        info(static_cast<RuleType>(i)).list == RuleList::TimeWindow);
    }
    if (groups_.size() >= kGroupsMax)
        return fail(Errc::TooLarge,
                    "settings: securityGroups: at most " + std::to_string(kGroupsMax) + " are allowed");
    const auto name = group.name;
    auto key = std::pair(group.hub, group_key(group.name));
    if (!groups_.emplace(std::move(key), std::move(group)).second)
        return fail(Errc::AlreadyExists, "settings: securityGroups: " + name + " is given twice");
    return {};
}

const SecurityGroup* GroupSet::named(std::string_view hub, const std::string& key) const {
    auto found = groups_.find({std::string(hub), key});
    if (found == groups_.end()) found = groups_.find({std::string(), key});
    return found == groups_.end() ? nullptr : &found->second;
}

const SecurityGroup* GroupSet::find(std::string_view hub, std::string_view name) const {
    if (const auto* const group = named(hub, group_key(name))) return group;
    return named(hub, "default");
}

Result<GroupSet> parse_group_set(std::string_view text, bool extensions) {
    auto groups = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (groups.is_object() && groups.contains("value"))
        groups = Json(groups["value"]);  // what REST's list answers
    GroupSet out;
    if (groups.is_array()) {
        for (const auto& entry : groups)
            FIELDWATCH_TRY(add_from(entry, "", extensions, out));
    } else if (groups.is_object()) {
        for (const auto& [name, entry] : groups.items())
            FIELDWATCH_TRY(add_from(entry, name, extensions, out));
    } else {
        return fail(Errc::InvalidArgument,
                    "settings: securityGroups must be a list of groups, or an object by name");
    }
    return out;
}

}  // namespace fieldwatch::detect
