#include "hub/network_rules.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace fieldwatch::hub {

namespace {

using Json = nlohmann::json;

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

/// The rules of both shapes, in order, with what is wrong of each.
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

}  // namespace

Result<void> NetworkRules::check(std::string_view configuration_json) {
    const auto json = Json::parse(configuration_json, nullptr, false);
    if (!json.is_object()) return fail(Errc::Malformed, "a hub's configuration is a JSON object");
    Result<void> out;
    for_each_rule(json, [&](const std::string& name, const std::string& action, const std::string& mask) {
        const bool known = action == "accept" || action == "reject" || action == "allow";
        if (out && (!known || !parse_prefix(mask)))
            out = fail(Errc::InvalidArgument,
                       "the IP filter rule \"" + name +
                           "\" needs an action (Accept, Reject, Allow) and an ipMask like "
                           "203.0.113.0/24");
    });
    FIELDWATCH_TRY(std::move(out));
    const auto tls = text(json, "minTlsVersion");
    if (!tls.empty() && tls != "1.0" && tls != "1.1" && tls != "1.2" && tls != "1.3")
        return fail(Errc::InvalidArgument, "minTlsVersion is 1.2 or 1.3; older versions are never spoken");
    return {};
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
