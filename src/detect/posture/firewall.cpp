#include "detect/posture/firewall.hpp"

#include <algorithm>
#include <charconv>

#include "base/ip_address.hpp"
#include "base/text.hpp"
#include "detect/command/address.hpp"

namespace fieldwatch::detect {

namespace {

constexpr std::int64_t kPortsMax = 1'024;

std::optional<std::int64_t> number(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

bool is_private(const IpAddress& address) {
    const auto parsed = parse_address(address.text());
    if (!parsed) return false;
    const auto kind = classify(*parsed);
    return kind == AddressClass::Private || kind == AddressClass::UniqueLocal ||
           kind == AddressClass::Loopback || kind == AddressClass::LinkLocal;
}

bool is_wide_prefix(const IpPrefix& prefix) {
    const int least = prefix.address.is_v4 ? 16 : 48;
    if (prefix.length >= least) return false;
    return prefix.length < 8 || !is_private(prefix.address);
}

/// Bits that two addresses share at the front.
int common_bits(const IpAddress& left, const IpAddress& right) {
    const int bits = left.is_v4 ? 32 : 128;
    for (int bit = 0; bit < bits; ++bit) {
        const auto mask = static_cast<std::uint8_t>(0x80 >> bit % 8);
        const auto byte = static_cast<std::size_t>(bit / 8);
        if ((left.bytes[byte] & mask) != (right.bytes[byte] & mask)) return bit;
    }
    return bits;
}

bool is_wide_range(std::string_view from, std::string_view to) {
    const auto first = parse_ip(from);
    const auto last = parse_ip(to);
    if (!first || !last || first->is_v4 != last->is_v4) return false;
    if (first->is_v4 && last->v4() >= first->v4() && last->v4() - first->v4() < 65'536) return false;
    const auto length = common_bits(*first, *last);
    return is_wide_prefix({*first, static_cast<std::uint8_t>(length)});
}

std::optional<int> mask_length(std::string_view mask) {
    const auto address = parse_ip(mask);
    if (!address || !address->is_v4) return std::nullopt;
    int length = 0;
    while (length < 32 && (address->v4() >> (31 - length) & 1) != 0)
        ++length;
    return length;
}

/// One rule with its item's unparsed match options.
struct Rule {
    const model::FirewallRule& rule;
    model::StringMap extra;
    std::string chain;       ///< upper case; from the direction where no chain is named
    bool is_policy = false;  ///< the last of its chain, without any match field

    bool matches_all() const {
        const bool any = rule.source_address.empty() && rule.source_port.empty() &&
                         rule.destination_address.empty() && rule.destination_port.empty() &&
                         rule.protocol.empty();
        return any && std::ranges::all_of(extra, [](const auto& field) {
                   return field.first == "Action" || field.second.empty();
               });
    }
    bool same_match(const Rule& other) const {
        const auto& a = rule;
        const auto& b = other.rule;
        return chain == other.chain && a.source_address == b.source_address &&
               a.source_port == b.source_port && a.destination_address == b.destination_address &&
               a.destination_port == b.destination_port && a.protocol == b.protocol &&
               std::ranges::equal(extra, other.extra);
    }
    /// Loopback interfaces, answers to what the device began, and echo: spec "Not flagged".
    bool is_harmless() const {
        const auto protocol = lower_case(rule.protocol);
        const bool icmp = protocol.find("icmp") != protocol.npos;
        for (const auto& [name, value] : extra) {
            if (value == "lo" || value == "lo0") return true;
            const auto text = lower_case(value);
            const bool answers = text.find("related") != text.npos || text.find("established") != text.npos;
            if (answers && text.find("new") == text.npos) return true;
            if (icmp && (text.find("echo") != text.npos || text == "8" || text == "0" || text == "128"))
                return true;
        }
        return false;
    }
};

std::string chain_of(const model::FirewallRule& rule) {
    std::string chain(rule.chain);
    for (auto& c : chain)
        c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    if (chain.empty() && rule.direction == "In") chain = "INPUT";
    if (chain.empty() && rule.direction == "Out") chain = "OUTPUT";
    return chain;
}

std::vector<Rule> rules_of(const model::Event& event) {
    std::vector<Rule> out;
    for (const auto& item : event.items) {
        const auto* const rule = std::get_if<model::FirewallRule>(&item.payload);
        if (rule != nullptr && rule->enabled) out.push_back({*rule, item.extra_details, chain_of(*rule)});
    }
    // List order is evaluation order; the policy is the last rule of its chain.
    std::vector<std::string_view> chains;
    for (auto rule = out.rbegin(); rule != out.rend(); ++rule) {
        if (std::ranges::find(chains, rule->chain) != chains.end()) continue;
        chains.push_back(rule->chain);
        rule->is_policy = rule->matches_all();
    }
    return out;
}

void assess_policies(const std::vector<Rule>& rules, RecommendationBook::Assessment found, Context& context) {
    std::vector<std::string> open;
    bool known = false;
    for (const std::string_view chain : {"INPUT", "OUTPUT"}) {
        const auto policy = std::ranges::find_if(
            rules, [&](const Rule& rule) { return rule.is_policy && rule.chain == chain; });
        if (policy == rules.end()) continue;
        known = true;
        if (policy->rule.action == "Allow") open.emplace_back(chain);
    }
    found.type = "IoT_PermissiveFirewallPolicy";
    found.health = !open.empty() ? Health::Unhealthy : known ? Health::Healthy : Health::Unknown;
    JsonWriter(found.additional_json).begin_object().member("Chains", json_list(open)).end_object();
    context.posture.assess(std::move(found), context.settings, context.now, context.out);
}

void assess_rules(const std::vector<Rule>& rules, std::string_view direction,
                  RecommendationBook::Assessment found, Context& context) {
    const bool in = direction == "In";
    const std::string_view chain = in ? "INPUT" : "OUTPUT";
    std::string list;
    JsonWriter json(list);
    json.begin_array();
    std::size_t count = 0;
    for (std::size_t i = 0; i < rules.size(); ++i) {
        const auto& rule = rules[i];
        const bool here =
            rule.rule.direction.empty() ? rule.chain == chain : rule.rule.direction == direction;
        if (!here || rule.is_policy || rule.rule.action != "Allow" || rule.is_harmless()) continue;
        const auto peer = in ? rule.rule.source_address : rule.rule.destination_address;
        if (!is_wide_address(peer) && !is_wide_ports(rule.rule.destination_port)) continue;
        const bool shadowed = std::any_of(
            rules.begin(), rules.begin() + static_cast<std::ptrdiff_t>(i),
            [&](const Rule& earlier) { return earlier.rule.action == "Deny" && earlier.same_match(rule); });
        if (shadowed || ++count > Firewall::kRulesMax) continue;
        json.begin_object()
            .member("SourceAddress", rule.rule.source_address)
            .member("SourcePort", rule.rule.source_port)
            .member("DestinationAddress", rule.rule.destination_address)
            .member("DestinationPort", rule.rule.destination_port)
            .end_object();
    }
    json.end_array();
    found.type = in ? "IoT_PermissiveInputFirewallRules" : "IoT_PermissiveOutputFirewallRules";
    found.health = count > 0 ? Health::Unhealthy : Health::Healthy;
    JsonWriter(found.additional_json).begin_object().member("Rules", list).end_object();
    context.posture.assess(std::move(found), context.settings, context.now, context.out);
}

}  // namespace

bool is_wide_address(std::string_view tag) {
    tag = trimmed(tag);
    if (tag.empty() || tag == "*" || tag.starts_with('!')) return true;
    if (lower_case(tag) == "any") return true;
    if (const auto dash = tag.find('-'); dash != tag.npos)
        return is_wide_range(trimmed(tag.substr(0, dash)), trimmed(tag.substr(dash + 1)));
    const auto slash = tag.find('/');
    const auto address = parse_ip(tag.substr(0, slash));
    if (!address) return false;  // a name, such as `Local subnet`
    // The unspecified address alone is how some agents write "any".
    if (slash == tag.npos) return address->is_unspecified();
    if (const auto length = mask_length(tag.substr(slash + 1)))
        return is_wide_prefix({*address, static_cast<std::uint8_t>(*length)});
    const auto prefix = fieldwatch::parse_prefix(tag);
    return prefix && is_wide_prefix(*prefix);
}

bool is_wide_ports(std::string_view tag) {
    tag = trimmed(tag);
    if (tag.empty() || tag == "*" || tag.starts_with('!')) return true;
    if (lower_case(tag) == "any") return true;
    std::int64_t ports = 0;
    while (!tag.empty()) {
        const auto comma = tag.find(',');
        const auto one = trimmed(tag.substr(0, comma));
        tag = comma == tag.npos ? std::string_view{} : tag.substr(comma + 1);
        const auto dash = one.find_first_of("-:");
        const auto from = number(trimmed(one.substr(0, dash)));
        const auto to = dash == one.npos ? from : number(trimmed(one.substr(dash + 1)));
        if (from && to && *to >= *from) ports += *to - *from + 1;
    }
    return ports > kPortsMax;
}

void Firewall::observe(const model::Event& event, Context& context) {
    if (event.kind != model::EventKind::FirewallConfiguration) return;
    const RecommendationBook::Assessment found{.type = {},
                                               .hub = event.hub,
                                               .device = event.device,
                                               .health = Health::Unknown,
                                               .time = event.time,
                                               .additional_json = {},
                                               .evidence = {event.position}};
    const auto rules = rules_of(event);
    if (rules.empty()) return;  // a device that reports none: nothing is known
    assess_policies(rules, found, context);
    assess_rules(rules, "In", found, context);
    assess_rules(rules, "Out", found, context);
}

}  // namespace fieldwatch::detect
