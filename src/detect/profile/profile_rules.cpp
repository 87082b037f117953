#include "detect/profile/profile_rules.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/ip_address.hpp"

namespace fieldwatch::detect {
namespace {

constexpr std::string_view kLocal4 =
    "10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10, 169.254.0.0/16";
constexpr std::string_view kLocal6 = "fc00::/7, fe80::/10";

std::string joined(const std::set<std::string>& texts) {
    std::string out;
    for (const auto& text : texts)
        out += (out.empty() ? "" : ", ") + text;
    return out;
}

/// What stands between quotes in the filter's language: printable ASCII without quotes, 100 at most.
std::string comment_of(const Talk& talk) {
    std::string out;
    const auto text = talk.programs.empty() ? talk.line() : talk.line() + " by " + joined(talk.programs);
    for (const char c : text.substr(0, 100))
        out.push_back(c >= ' ' && c <= '~' && c != '"' && c != '\\' ? c : '?');
    return out;
}

/// Empty for a protocol that the filter has no word for: a rule without it would let everything through.
std::string service_of(const Talk& talk) {
    const auto& protocol = talk.protocol;
    if ((protocol == "tcp" || protocol == "udp") && talk.port != 0)
        return fmt::format("{} dport {}", protocol, talk.port);
    const bool named = protocol == "tcp" || protocol == "udp" || protocol == "icmp" || protocol == "icmpv6" ||
                       protocol == "sctp";
    unsigned number = 256;
    const auto* const end = protocol.data() + protocol.size();
    const auto read = std::from_chars(protocol.data(), end, number);
    const bool numbered = read.ec == std::errc{} && read.ptr == end && number <= 255;
    return named || numbered ? fmt::format("meta l4proto {}", protocol) : std::string();
}

/// The rules of one talk: one for each address family that it has.
void add_rules(std::string& out, const Talk& talk) {
    const auto* const end = talk.outgoing ? "daddr" : "saddr";
    const auto service = service_of(talk);
    if (service.empty()) {
        out += fmt::format("        # left out, for its protocol is not known: {}\n", comment_of(talk));
        return;
    }
    const auto add = [&](const std::string& match) {
        out += fmt::format("        {}{}{} accept comment \"{}\"\n", match, match.empty() ? "" : " ", service,
                           comment_of(talk));
    };
    switch (talk.kind) {
        case PeerKind::Anybody:
            return add("");
        case PeerKind::Local:
            add(fmt::format("ip {} {{ {} }}", end, kLocal4));
            return add(fmt::format("ip6 {} {{ {} }}", end, kLocal6));
        case PeerKind::Network:
            return add(fmt::format("{} {} {}", talk.peer.find(':') == std::string::npos ? "ip" : "ip6", end,
                                   talk.peer));
        case PeerKind::Name:
            break;
    }
    std::set<std::string> four, six;
    for (const auto& text : talk.addresses)
        if (const auto address = parse_ip(text)) (address->is_v4 ? four : six).insert(address->text());
    if (!four.empty()) add(fmt::format("ip {} {{ {} }}", end, joined(four)));
    if (!six.empty()) add(fmt::format("ip6 {} {{ {} }}", end, joined(six)));
}

void add_chain(std::string& out, const Profile& profile, bool outgoing, bool enforce) {
    const auto* const hook = outgoing ? "output" : "input";
    out += fmt::format("    chain {} {{\n        type filter hook {} priority filter; policy accept;\n", hook,
                       hook);
    out += fmt::format("        {} \"lo\" accept\n        ct state established,related accept\n",
                       outgoing ? "oifname" : "iifname");
    // Neighbours are found, and addresses got, by whoever has a network at all.
    out += "        meta l4proto icmpv6 accept\n        udp dport { 67, 68, 546, 547 } accept\n";
    for (const auto& talk : profile.talks)
        if (talk.outgoing == outgoing) add_rules(out, talk);
    out += fmt::format("        counter log prefix \"fieldwatch-profile {} \"{}\n    }}\n", hook,
                       enforce ? " drop" : "");
}

}  // namespace

std::string nftables_file(const Profile& profile, const FilterOptions& options) {
    std::string out = "#!/usr/sbin/nft -f\n";
    out += fmt::format("# {} connections of {} devices, as of {}.\n", profile.talks.size(),
                       profile.devices.size(), to_iso8601(profile.last, 0));
    if (!options.enforce) out += "# It logs what is not in the profile, and lets it pass.\n";
    out += "table inet fieldwatch_profile\ndelete table inet fieldwatch_profile\n";
    out += "table inet fieldwatch_profile {\n";
    add_chain(out, profile, true, options.enforce);
    add_chain(out, profile, false, options.enforce);
    return out + "}\n";
}

Result<std::string> allow_list_file(const Profile& profile) {
    using Json = nlohmann::ordered_json;
    std::set<std::string> networks;
    for (const auto& talk : profile.talks) {
        if (!talk.outgoing) continue;
        if (talk.kind == PeerKind::Anybody)
            return fail(Errc::Unsupported,
                        fmt::format("the class talks to anybody ({}): a list of allowed networks would allow "
                                    "everything; raise --peers-max to name them",
                                    talk.line()));
        if (talk.kind == PeerKind::Network) networks.insert(talk.peer);
        if (talk.kind == PeerKind::Name) networks.insert(talk.addresses.begin(), talk.addresses.end());
        if (talk.kind == PeerKind::Local)
            networks.insert({"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"});
    }
    std::set<std::string> programs;
    for (const auto& program : profile.programs)
        programs.insert(program.path);
    Json rules = Json::array();
    rules.push_back(
        {{"ruleType", "ConnectionToIpNotAllowed"}, {"isEnabled", true}, {"allowlistValues", networks}});
    if (!programs.empty())
        rules.push_back(
            {{"ruleType", "ProcessNotAllowed"}, {"isEnabled", true}, {"allowlistValues", programs}});
    const Json group{{"properties", {{"allowlistRules", rules}}}};
    return group.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace fieldwatch::detect
