#include "hub/network_rules.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <nlohmann/json.hpp>

namespace fieldwatch::hub {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kFilterRulesMax = 10;  // spec/hub-signals.md section 5
constexpr std::size_t kRuleSetMax = 100;

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return text;
}

std::string text(const Json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool covers(const IpPrefix& prefix, const IpAddress& address) {
    if (prefix.address.is_v4 != address.is_v4) return false;
    for (unsigned bit = 0; bit < prefix.length; ++bit) {
        const auto mask = static_cast<std::uint8_t>(0x80u >> (bit % 8));
        if ((prefix.address.bytes[bit / 8] & mask) != (address.bytes[bit / 8] & mask)) return false;
    }
    return true;
}

/// Addresses that no public network routes: RFC 1918, RFC 4193, link-local, loopback.
bool is_private(const IpAddress& address) {
    if (address.is_loopback()) return true;
    for (const auto* prefix :
         {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10"}) {
        if (covers(*parse_prefix(prefix), address)) return true;
    }
    return false;
}

/// The rules of both shapes, in order.
template <class Each>
void for_each_rule(const Json& json, Each each) {
    const auto list = [&](const Json& rules) {
        if (!rules.is_array()) return;
        for (const auto& rule : rules) {
            if (rule.is_object())
                each(text(rule, "filterName"), lower(text(rule, "action")), text(rule, "ipMask"));
        }
    };
    if (json.contains("ipFilterRules")) list(json["ipFilterRules"]);
    const auto sets = json.find("networkRuleSets");
    if (sets != json.end() && sets->is_object() && sets->contains("ipRules")) list((*sets)["ipRules"]);
}

/// A name that means one of ours and is none would leave the hub open without a word.
Result<void> check_spelling(const Json& json) {
    static constexpr std::array<std::string_view, 4> kNames = {"ipFilterRules", "networkRuleSets",
                                                               "publicNetworkAccess", "minTlsVersion"};
    static constexpr std::array<std::string_view, 4> kStarts = {"ipfilter", "networkrule", "publicnetwork",
                                                                "mintls"};
    for (const auto& [name, value] : json.items()) {
        const auto start = std::ranges::find_if(
            kStarts, [&, low = lower(name)](std::string_view one) { return low.starts_with(one); });
        if (start == kStarts.end()) continue;
        const auto& meant = kNames[static_cast<std::size_t>(start - kStarts.begin())];
        if (name != meant)
            return fail(Errc::InvalidArgument, "there is no setting \"" + name.substr(0, 64) +
                                                   "\"; did you mean " + std::string(meant) + "?");
    }
    return {};
}

/// A member that is one of some words, however its letters are, or not there.
Result<void> check_word(const Json& object, const char* name, std::initializer_list<std::string_view> words,
                        std::string_view allowed) {
    const auto found = object.find(name);
    if (found == object.end() || found->is_null()) return {};
    if (found->is_string() && std::ranges::find(words, lower(found->get<std::string>())) != words.end())
        return {};
    return fail(Errc::InvalidArgument,
                std::string(name) + " is " + std::string(allowed) + ", not " +
                    found->dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 64));
}

Result<void> check_list(const Json& object, const char* name, std::size_t rules_max) {
    const auto found = object.find(name);
    if (found == object.end() || found->is_null()) return {};
    if (!found->is_array() || found->size() > rules_max)
        return fail(Errc::InvalidArgument, std::string(name) + " is a list of at most " +
                                               std::to_string(rules_max) +
                                               " rules {\"filterName\",\"action\",\"ipMask\"}");
    for (const auto& rule : *found) {
        const auto action = rule.is_object() ? lower(text(rule, "action")) : std::string();
        const bool known = action == "accept" || action == "reject" || action == "allow";
        if (!known || !parse_prefix(text(rule, "ipMask")))
            return fail(Errc::InvalidArgument,
                        "the IP filter rule \"" +
                            (rule.is_object() ? text(rule, "filterName").substr(0, 64) : std::string()) +
                            "\" needs an action (Accept, Reject, Allow) and an ipMask like "
                            "203.0.113.0/24");
    }
    return {};
}

}  // namespace

Result<void> NetworkRules::check(std::string_view configuration_json) {
    const auto json = Json::parse(configuration_json, nullptr, false);
    if (!json.is_object()) return fail(Errc::Malformed, "a hub's configuration is a JSON object");
    FIELDWATCH_TRY(check_spelling(json));
    FIELDWATCH_TRY(check_word(json, "publicNetworkAccess", {"enabled", "disabled"}, "Enabled or Disabled"));
    FIELDWATCH_TRY(check_word(json, "minTlsVersion", {"1.0", "1.1", "1.2", "1.3"},
                              "the text 1.2 or 1.3; older versions are never spoken"));
    FIELDWATCH_TRY(check_list(json, "ipFilterRules", kFilterRulesMax));
    const auto sets = json.find("networkRuleSets");
    if (sets == json.end() || sets->is_null()) return {};
    if (!sets->is_object())
        return fail(Errc::InvalidArgument, "networkRuleSets is an object {\"defaultAction\",\"ipRules\"}");
    FIELDWATCH_TRY(check_word(*sets, "defaultAction", {"allow", "deny"}, "Allow or Deny"));
    return check_list(*sets, "ipRules", kRuleSetMax);
}

NetworkRules NetworkRules::parse(std::string_view configuration_json) {
    NetworkRules out;
    const auto json = Json::parse(configuration_json, nullptr, false);
    if (!json.is_object()) return out;
    for_each_rule(json, [&](const std::string& name, const std::string& action, const std::string& mask) {
        if (const auto prefix = parse_prefix(mask)) out.rules_.push_back({name, action != "reject", *prefix});
    });
    if (const auto sets = json.find("networkRuleSets"); sets != json.end() && sets->is_object())
        out.others_accepted_ = lower(text(*sets, "defaultAction")) != "deny";
    out.public_access_ = lower(text(json, "publicNetworkAccess")) != "disabled";
    out.tls13_only_ = text(json, "minTlsVersion") == "1.3";
    return out;
}

NetworkRules::Verdict NetworkRules::judge(std::string_view address_text) const {
    const auto address = parse_ip(address_text);
    if (!address) return {.accepted = rules_.empty() && others_accepted_ && public_access_, .rule = {}};
    if (!public_access_ && !is_private(*address)) return {.accepted = false, .rule = "publicNetworkAccess"};
    for (const auto& rule : rules_) {
        if (covers(rule.prefix, *address)) return {.accepted = rule.accepts, .rule = rule.name};
    }
    return {.accepted = others_accepted_, .rule = {}};
}

bool NetworkRules::accepts_tls(std::string_view version) const {
    return !tls13_only_ || version == "TLSv1.3";
}

}  // namespace fieldwatch::hub
