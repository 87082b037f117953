#include "agent/firewall/nftables.hpp"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <algorithm>

#include <cstring>
#include <functional>
#include <map>
#include <string>

namespace fieldwatch::agent {

namespace {

constexpr std::size_t kMetaL4Protocol = 16;  // NFT_META_L4PROTO

/// Calls each(type, value) for the netlink attributes in `bytes`; stops at the first that is broken.
void attributes(ByteView bytes, const std::function<void(std::uint16_t, ByteView)>& each) {
    while (bytes.size() >= sizeof(nlattr)) {
        nlattr head;
        std::memcpy(&head, bytes.data(), sizeof head);
        if (head.nla_len < sizeof head || head.nla_len > bytes.size()) return;
        each(static_cast<std::uint16_t>(head.nla_type & NLA_TYPE_MASK),
             bytes.subspan(sizeof head, head.nla_len - sizeof head));
        bytes = bytes.subspan(std::min<std::size_t>((head.nla_len + 3U) & ~3U, bytes.size()));
    }
}

ByteView find(ByteView bytes, std::uint16_t wanted) {
    ByteView out;
    attributes(bytes, [&](std::uint16_t type, ByteView value) {
        if (type == wanted) out = value;
    });
    return out;
}

std::uint32_t number(ByteView value) {  // big endian, 4 bytes
    if (value.size() != 4) return 0;
    std::uint32_t out = 0;
    for (const auto byte : value)
        out = out << 8 | std::to_integer<std::uint32_t>(byte);
    return out;
}

std::string text(ByteView value) {
    const auto whole = as_text(value);
    return std::string(whole.substr(0, std::min<std::size_t>(whole.find('\0'), 256)));
}

const char* family_name(std::uint8_t family) {
    switch (family) {
        case NFPROTO_INET:
            return "inet";
        case NFPROTO_IPV4:
            return "ip";
        case NFPROTO_ARP:
            return "arp";
        case NFPROTO_NETDEV:
            return "netdev";
        case NFPROTO_BRIDGE:
            return "bridge";
        case NFPROTO_IPV6:
            return "ip6";
        default:
            return "other";
    }
}

std::string protocol_name(unsigned number) {
    static constexpr std::pair<unsigned, const char*> kNames[] = {
        {1, "icmp"}, {6, "tcp"}, {17, "udp"},    {33, "dccp"},  {47, "gre"},
        {50, "esp"}, {51, "ah"}, {58, "icmpv6"}, {132, "sctp"}, {136, "udplite"}};
    for (const auto& [known, name] : kNames) {
        if (known == number) return name;
    }
    return std::to_string(number);
}

struct Chain {
    std::uint8_t family = 0;
    std::string table, name;
    bool is_base = false;
    std::uint32_t hook = 0;
    std::uint32_t policy = NF_ACCEPT;
    std::uint32_t rules = 0;
};

/// What a register holds while a rule's expressions are followed.
enum class Loaded : std::uint8_t {
    Nothing,
    Source,
    Destination,
    SourcePort,
    DestinationPort,
    Protocol,
    Other
};
struct Register {
    Loaded loaded = Loaded::Nothing;
    std::string name;  // of Other
    int prefix = -1;
    bool is_v6 = false;
};

struct Rule {
    std::string source, destination, source_port, destination_port, protocol;
    std::string action = "Other", target = "none";
    std::map<std::string, std::string> details;
};

std::string address(ByteView value, int prefix, bool is_v6) {
    char out[INET6_ADDRSTRLEN] = {};
    std::uint8_t bytes[16] = {};  // a prefix is compared with as many bytes as it covers
    std::memcpy(bytes, value.data(), std::min<std::size_t>(value.size(), 16));
    ::inet_ntop(is_v6 ? AF_INET6 : AF_INET, bytes, out, sizeof out);
    const int whole = is_v6 ? 128 : 32;
    return std::string(out) + (prefix >= 0 && prefix < whole ? "/" + std::to_string(prefix) : "");
}

unsigned port_at(ByteView value, std::size_t at) {
    return std::to_integer<unsigned>(value[at]) << 8 | std::to_integer<unsigned>(value[at + 1]);
}

class RuleReader {
  public:
    Rule read(ByteView expressions) {
        attributes(expressions, [this](std::uint16_t type, ByteView element) {
            if (type == NFTA_LIST_ELEM)
                expression(text(find(element, NFTA_EXPR_NAME)), find(element, NFTA_EXPR_DATA));
        });
        return std::move(rule_);
    }

  private:
    void expression(const std::string& name, ByteView data) {
        if (name == "payload") return load_payload(data);
        if (name == "meta") return load_meta(data);
        if (name == "bitwise") return mask(data);
        if (name == "cmp") return compare(data);
        if (name == "range") return compare_range(data);
        if (name == "lookup") return look_up(data);
        if (name == "immediate") return verdict(data);
        if (name == "match") return xt_match(text(find(data, NFTA_MATCH_NAME)), find(data, NFTA_MATCH_INFO));
        if (name == "target") return decide("Other", text(find(data, NFTA_TARGET_NAME)));
        if (name == "reject") return decide("Deny", "reject");
        if (name == "counter" || name == "limit" || name == "quota") return;
        if (name == "masq" || name == "nat" || name == "redir" || name == "queue" || name == "tproxy" ||
            name == "dup" || name == "fwd")
            return decide("Other", name);
        if (name == "log") {
            rule_.details["log"] = text(find(data, NFTA_LOG_PREFIX));
            if (rule_.target == "none") rule_.target = "log";
            return;
        }
        if (name == "ct") return load(number(find(data, NFTA_CT_DREG)), {Loaded::Other, "ct", -1});
        if (!name.empty()) rule_.details[name] = "";
    }

    void decide(const char* action, std::string target) {
        if (target == "REJECT" || target == "DROP") action = "Deny";
        if (target == "ACCEPT") action = "Allow";
        rule_.action = action;
        rule_.target = std::move(target);
    }

    Register& at(std::uint32_t number) { return registers_[number % 32]; }
    void load(std::uint32_t number, Register what) { at(number) = std::move(what); }

    void load_payload(ByteView data) {
        const auto base = number(find(data, NFTA_PAYLOAD_BASE));
        const auto offset = number(find(data, NFTA_PAYLOAD_OFFSET));
        const auto size = number(find(data, NFTA_PAYLOAD_LEN));
        Register what{Loaded::Other, "payload", -1};
        if (base == NFT_PAYLOAD_NETWORK_HEADER) {  // IPv4: 9 protocol, 12 and 16 addresses; IPv6: 6, 8 and 24
            if (offset == 12 && size <= 4) what.loaded = Loaded::Source;
            if (offset == 16 && size <= 4) what.loaded = Loaded::Destination;
            if (offset == 8 && size > 1) what.loaded = Loaded::Source;
            if (offset == 24) what.loaded = Loaded::Destination;
            if ((offset == 9 || offset == 6) && size == 1) what.loaded = Loaded::Protocol;
            if (what.loaded == Loaded::Source || what.loaded == Loaded::Destination)
                what.prefix =
                    static_cast<int>(std::min<decltype(size)>(size, 16)) * 8;  // at most an IPv6 address
            what.is_v6 = offset == 8 || offset == 24;
        } else if (base == NFT_PAYLOAD_TRANSPORT_HEADER) {
            if (offset == 0 && size == 2) what.loaded = Loaded::SourcePort;
            if (offset == 2 && size == 2) what.loaded = Loaded::DestinationPort;
        }
        load(number(find(data, NFTA_PAYLOAD_DREG)), std::move(what));
    }

    void load_meta(ByteView data) {
        static constexpr std::pair<std::uint32_t, const char*> kKeys[] = {
            {NFT_META_IIF, "iif"},         {NFT_META_OIF, "oif"},          {NFT_META_IIFNAME, "iifname"},
            {NFT_META_OIFNAME, "oifname"}, {NFT_META_MARK, "mark"},        {NFT_META_SKUID, "skuid"},
            {NFT_META_NFPROTO, "nfproto"}, {NFT_META_PROTOCOL, "protocol"}};
        const auto key = number(find(data, NFTA_META_KEY));
        Register what{key == kMetaL4Protocol ? Loaded::Protocol : Loaded::Other, "meta", -1};
        for (const auto& [known, name] : kKeys) {
            if (known == key) what.name = name;
        }
        load(number(find(data, NFTA_META_DREG)), std::move(what));
    }

    void mask(ByteView data) {
        const auto value = find(find(data, NFTA_BITWISE_MASK), NFTA_DATA_VALUE);
        auto what = at(number(find(data, NFTA_BITWISE_SREG)));
        if (what.loaded == Loaded::Source || what.loaded == Loaded::Destination) {
            what.prefix = 0;
            for (const auto byte : value)
                what.prefix += __builtin_popcount(std::to_integer<unsigned>(byte));
        }
        load(number(find(data, NFTA_BITWISE_DREG)), std::move(what));
    }

    void note(const Register& what, std::string value, bool negated) {
        if (negated) value.insert(0, "!");
        switch (what.loaded) {
            case Loaded::Source:
                rule_.source = std::move(value);
                return;
            case Loaded::Destination:
                rule_.destination = std::move(value);
                return;
            case Loaded::SourcePort:
                rule_.source_port = std::move(value);
                return;
            case Loaded::DestinationPort:
                rule_.destination_port = std::move(value);
                return;
            case Loaded::Protocol:
                rule_.protocol = std::move(value);
                return;
            default:
                rule_.details[what.name.empty() ? "match" : what.name] = std::move(value);
        }
    }

    static std::string render(const Register& what, ByteView value) {
        if (value.empty()) return {};
        switch (what.loaded) {
            case Loaded::Source:
            case Loaded::Destination:
                return address(value, what.prefix, what.is_v6);
            case Loaded::SourcePort:
            case Loaded::DestinationPort:
                return value.size() >= 2 ? std::to_string(port_at(value, 0)) : std::string();
            case Loaded::Protocol:
                return protocol_name(std::to_integer<unsigned>(value[0]));
            default:
                break;
        }
        if (what.name == "iifname" || what.name == "oifname") return text(value);
        static constexpr char kDigits[] = "0123456789abcdef";
        std::string out = "0x";
        for (const auto byte : value.first(std::min<std::size_t>(value.size(), 16))) {
            out += kDigits[std::to_integer<unsigned>(byte) >> 4];
            out += kDigits[std::to_integer<unsigned>(byte) & 15];
        }
        return out;
    }

    void compare(ByteView data) {
        const auto& what = at(number(find(data, NFTA_CMP_SREG)));
        const auto operation = number(find(data, NFTA_CMP_OP));
        const auto value = find(find(data, NFTA_CMP_DATA), NFTA_DATA_VALUE);
        auto shown = render(what, value);
        const bool is_port = what.loaded == Loaded::SourcePort || what.loaded == Loaded::DestinationPort;
        if (is_port && (operation == NFT_CMP_GTE || operation == NFT_CMP_LTE)) {
            // An interval in two comparisons, the lower bound first.
            auto& port = what.loaded == Loaded::SourcePort ? rule_.source_port : rule_.destination_port;
            if (operation == NFT_CMP_GTE)
                port = shown + "-65535";
            else
                port = (port.empty() ? std::string("0") : port.substr(0, port.find('-'))) + "-" + shown;
            return;
        }
        note(what, std::move(shown), operation == NFT_CMP_NEQ);
    }

    void compare_range(ByteView data) {
        const auto& what = at(number(find(data, NFTA_RANGE_SREG)));
        const auto from = render(what, find(find(data, NFTA_RANGE_FROM_DATA), NFTA_DATA_VALUE));
        const auto to = render(what, find(find(data, NFTA_RANGE_TO_DATA), NFTA_DATA_VALUE));
        const bool negated = number(find(data, NFTA_RANGE_OP)) == NFT_RANGE_NEQ;
        note(what, negated ? "(" + from + "-" + to + ")" : from + "-" + to, negated);
    }

    void look_up(ByteView data) {
        const bool negated = number(find(data, NFTA_LOOKUP_FLAGS)) & NFT_LOOKUP_F_INV;
        note(at(number(find(data, NFTA_LOOKUP_SREG))), "@" + text(find(data, NFTA_LOOKUP_SET)), negated);
    }

    void verdict(ByteView data) {
        const auto value = find(find(data, NFTA_IMMEDIATE_DATA), NFTA_DATA_VERDICT);
        if (value.empty()) return;
        const auto code = static_cast<std::int32_t>(number(find(value, NFTA_VERDICT_CODE)));
        const auto chain = text(find(value, NFTA_VERDICT_CHAIN));
        if (code == NF_ACCEPT) return decide("Allow", "accept");
        if (code == NF_DROP) return decide("Deny", "drop");
        decide("Other", code == NFT_JUMP     ? "jump " + chain
                        : code == NFT_GOTO   ? "goto " + chain
                        : code == NFT_RETURN ? "return"
                                             : "verdict " + std::to_string(code));
    }

    /// iptables-nft keeps these as x_tables matches: `struct xt_tcp` and `xt_udp` begin with source and
    /// destination port ranges in the machine's order.
    void xt_match(const std::string& name, ByteView info) {
        if ((name != "tcp" && name != "udp") || info.size() < 8) {
            if (!name.empty()) rule_.details["match " + name] = "";
            return;
        }
        if (rule_.protocol.empty()) rule_.protocol = name;
        std::uint16_t ports[4];
        std::memcpy(ports, info.data(), sizeof ports);
        const auto range = [](std::uint16_t low, std::uint16_t high) {
            if (low == 0 && high == 65'535) return std::string();
            return low == high ? std::to_string(low) : std::to_string(low) + "-" + std::to_string(high);
        };
        rule_.source_port = range(ports[0], ports[1]);
        rule_.destination_port = range(ports[2], ports[3]);
    }

    Rule rule_;
    Register registers_[32];
};

Observation describe(const Chain& chain, const Rule& rule, std::uint32_t priority) {
    Observation out{.kind = FIELDWATCH_FIREWALL_CONFIGURATION};
    out.boolean("Enabled", true);
    out.text("Action", rule.action);
    out.integer("Priority", priority);
    if (chain.is_base && (chain.hook == NF_INET_LOCAL_IN || chain.hook == NF_INET_LOCAL_OUT) &&
        chain.family != NFPROTO_NETDEV)
        out.text("Direction", chain.hook == NF_INET_LOCAL_IN ? "In" : "Out");
    out.text("ChainName", chain.name);
    const auto set = [&](const char* field, const std::string& value) {
        if (!value.empty()) out.text(field, value);
    };
    set("SourceAddress", rule.source);
    set("DestinationAddress", rule.destination);
    set("SourcePort", rule.source_port);
    set("DestinationPort", rule.destination_port);
    set("Protocol", rule.protocol);
    out.extra("Family", family_name(chain.family));
    out.extra("Table", chain.table);
    if (rule.action == "Other") out.extra("Action", rule.target);
    std::string matches;
    for (const auto& [name, value] : rule.details)
        matches += (matches.empty() ? "" : "; ") + name + (value.empty() ? "" : " " + value);
    out.extra("Matches", matches.substr(0, 512));
    return out;
}

}  // namespace

std::vector<Observation> read_nftables(ByteView messages) {
    std::vector<Chain> chains;
    std::vector<std::vector<Observation>> rules;
    const auto chain_of = [&](std::uint8_t family, const std::string& table, const std::string& name) {
        for (std::size_t i = 0; i < chains.size(); ++i) {
            if (chains[i].family == family && chains[i].table == table && chains[i].name == name) return i;
        }
        return chains.size();
    };
    std::size_t count = 0;
    while (messages.size() >= sizeof(nlmsghdr) + sizeof(nfgenmsg)) {
        nlmsghdr head;
        nfgenmsg body;
        std::memcpy(&head, messages.data(), sizeof head);
        std::memcpy(&body, messages.data() + sizeof head, sizeof body);
        if (head.nlmsg_len < sizeof head + sizeof body || head.nlmsg_len > messages.size()) break;
        const auto data = messages.first(head.nlmsg_len).subspan(sizeof head + sizeof body);
        messages = messages.subspan(std::min<std::size_t>((head.nlmsg_len + 3U) & ~3U, messages.size()));
        const auto type = head.nlmsg_type & 0xff;
        if (type == NFT_MSG_NEWCHAIN && chains.size() < 512) {
            Chain chain{.family = body.nfgen_family,
                        .table = text(find(data, NFTA_CHAIN_TABLE)),
                        .name = text(find(data, NFTA_CHAIN_NAME))};
            const auto hook = find(data, NFTA_CHAIN_HOOK);
            chain.is_base = !hook.empty();
            chain.hook = number(find(hook, NFTA_HOOK_HOOKNUM));
            if (const auto policy = find(data, NFTA_CHAIN_POLICY); !policy.empty())
                chain.policy = number(policy);
            chains.push_back(std::move(chain));
            rules.emplace_back();
        } else if (type == NFT_MSG_NEWRULE && count < kFirewallRulesMax) {
            const auto at = chain_of(body.nfgen_family, text(find(data, NFTA_RULE_TABLE)),
                                     text(find(data, NFTA_RULE_CHAIN)));
            if (at == chains.size()) continue;
            const auto rule = RuleReader().read(find(data, NFTA_RULE_EXPRESSIONS));
            rules[at].push_back(describe(chains[at], rule, chains[at].rules++));
            ++count;
        }
    }
    std::vector<Observation> out;
    for (std::size_t i = 0; i < chains.size(); ++i) {
        for (auto& rule : rules[i])
            out.push_back(std::move(rule));
        if (!chains[i].is_base) continue;
        Rule policy;
        policy.action = chains[i].policy == NF_DROP ? "Deny" : "Allow";
        out.push_back(describe(chains[i], policy, chains[i].rules));
        out.back().extra("Policy", "true");
    }
    return out;
}

}  // namespace fieldwatch::agent
