#include "detect/profile/mud.hpp"

#include <array>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.hpp"

namespace fieldwatch::detect {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kDepthMax = 24;

constexpr std::array<std::pair<std::string_view, int>, 5> kProtocols{
    {{"tcp", 6}, {"udp", 17}, {"icmp", 1}, {"icmpv6", 58}, {"sctp", 132}}};

std::optional<int> number_of(std::string_view protocol) {
    for (const auto& [name, number] : kProtocols)
        if (name == protocol) return number;
    return std::nullopt;
}

std::string name_of(int number) {
    for (const auto& [name, known] : kProtocols)
        if (known == number) return std::string(name);
    return fmt::format("protocol-{}", number);
}

/// Names of lists are part of URLs and of other tools' files: letters, digits and `-`.
std::string identifier(std::string_view name) {
    std::string out;
    for (const char c : name.substr(0, 48)) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        out.push_back(plain ? c : '-');
    }
    return out.empty() ? "device" : out;
}

enum class Way : std::uint8_t { FromDevice, ToDevice };

bool is_v6(const Talk& talk) {
    return talk.peer.find(':') != std::string::npos;
}

/// One entry of the list for packets that go this way.
Json entry(const Talk& talk, Way way, bool v6, std::size_t number) {
    const bool from_device = way == Way::FromDevice;
    Json ip = Json::object();
    Json mud = Json::object();
    if (talk.kind == PeerKind::Name)
        ip[from_device ? "ietf-acldns:dst-dnsname" : "ietf-acldns:src-dnsname"] = talk.peer;
    if (talk.kind == PeerKind::Network)
        ip[fmt::format("{}-ipv{}-network", from_device ? "destination" : "source", v6 ? 6 : 4)] = talk.peer;
    if (talk.kind == PeerKind::Local) mud["local-networks"] = Json::array({nullptr});
    if (const auto protocol = number_of(talk.protocol)) ip["protocol"] = *protocol;
    Json matches = Json::object();
    if (!mud.empty()) matches["ietf-mud:mud"] = mud;
    matches[v6 ? "ipv6" : "ipv4"] = ip;
    if ((talk.protocol == "tcp" || talk.protocol == "udp") && talk.port != 0) {
        Json ports = Json::object();
        if (talk.protocol == "tcp")
            ports["ietf-mud:direction-initiated"] = talk.outgoing ? "from-device" : "to-device";
        // The service's port stands where the packet goes to it, or comes from it.
        ports[from_device == talk.outgoing ? "destination-port" : "source-port"] = {{"operator", "eq"},
                                                                                    {"port", talk.port}};
        matches[talk.protocol] = ports;
    }
    return {{"name",
             fmt::format("{}{}-{}", talk.outgoing ? "cl" : "sv", number, from_device ? "frdev" : "todev")},
            {"matches", matches},
            {"actions", {{"forwarding", "accept"}}}};
}

std::optional<std::string> text_at(const Json& object, const char* key) {
    const auto at = object.find(key);
    if (at == object.end() || !at->is_string() || at->get_ref<const std::string&>().size() > 255)
        return std::nullopt;
    return at->get<std::string>();
}

std::optional<std::uint16_t> port_at(const Json& object, const char* key) {
    const auto at = object.find(key);
    if (at == object.end() || !at->is_object() || at->value("operator", "eq") != "eq") return std::nullopt;
    const auto port = at->find("port");
    if (port == at->end() || !port->is_number_integer()) return std::nullopt;
    const auto number = port->get<std::int64_t>();
    if (number < 0 || number > 65'535) return std::nullopt;
    return static_cast<std::uint16_t>(number);
}

/// What an entry allows, as a talk; none when it is not one that a profile can say.
std::optional<Talk> talk_of(const Json& matches) {
    if (!matches.is_object()) return std::nullopt;
    Talk out{.kind = PeerKind::Anybody, .peer = {}, .programs = {}, .devices = {}, .addresses = {}};
    for (const auto* const family : {"ipv4", "ipv6"}) {
        const auto ip = matches.find(family);
        if (ip == matches.end() || !ip->is_object()) continue;
        if (const auto number = ip->find("protocol"); number != ip->end() && number->is_number_unsigned())
            out.protocol =
                name_of(static_cast<int>(std::min<std::uint64_t>(number->get<std::uint64_t>(), 255)));
        for (const auto* const key : {"ietf-acldns:dst-dnsname", "ietf-acldns:src-dnsname"})
            if (const auto name = text_at(*ip, key))
                std::tie(out.kind, out.peer) = std::pair(PeerKind::Name, *name);
        for (const auto* const key : {"destination-ipv4-network", "source-ipv4-network",
                                      "destination-ipv6-network", "source-ipv6-network"})
            if (const auto net = text_at(*ip, key))
                std::tie(out.kind, out.peer) = std::pair(PeerKind::Network, *net);
    }
    if (const auto mud = matches.find("ietf-mud:mud"); mud != matches.end() && mud->is_object()) {
        if (mud->contains("local-networks")) out.kind = PeerKind::Local;
    }
    return out;
}

/// `from_device`: the list that the entry stands in is for packets from the device.
std::optional<std::string> line_of(const Json& matches, bool from_device) {
    auto talk = talk_of(matches);
    if (!talk) return std::nullopt;
    talk->outgoing = from_device;
    for (const auto* const transport : {"tcp", "udp"}) {
        const auto ports = matches.find(transport);
        if (ports == matches.end() || !ports->is_object()) continue;
        talk->protocol = transport;
        const auto to = port_at(*ports, "destination-port"), from = port_at(*ports, "source-port");
        if (to) talk->outgoing = from_device;
        if (from) talk->outgoing = !from_device;
        talk->port = to ? *to : from.value_or(0);
    }
    if (talk->protocol.empty()) talk->protocol = "any";
    return talk->line();
}

}  // namespace

std::string mud_file(const Profile& profile, std::string_view url) {
    const auto name = identifier(profile.name);
    Json acls = Json::array();
    std::array<Json, 2> policies{Json::array(), Json::array()};
    for (const bool v6 : {false, true}) {
        for (const auto way : {Way::FromDevice, Way::ToDevice}) {
            Json entries = Json::array();
            for (std::size_t i = 0; i < profile.talks.size(); ++i) {
                const auto& talk = profile.talks[i];
                if (talk.kind == PeerKind::Network && is_v6(talk) != v6) continue;
                if (talk.protocol == (v6 ? "icmp" : "icmpv6")) continue;
                entries.push_back(entry(talk, way, v6, i));
            }
            if (entries.empty()) continue;
            const auto list = fmt::format("{}-v{}{}", name, v6 ? 6 : 4, way == Way::FromDevice ? "fr" : "to");
            policies[static_cast<std::size_t>(way)].push_back({{"name", list}});
            acls.push_back({{"name", list},
                            {"type", v6 ? "ipv6-acl-type" : "ipv4-acl-type"},
                            {"aces", {{"ace", entries}}}});
        }
    }
    const Json file{{"ietf-mud:mud",
                     {{"mud-version", 1},
                      {"mud-url", std::string(url)},
                      {"last-update", to_iso8601(profile.last, 0)},
                      {"cache-validity", 48},
                      {"is-supported", true},
                      {"systeminfo", profile.name.substr(0, 60)},
                      {"from-device-policy", {{"access-lists", {{"access-list", policies[0]}}}}},
                      {"to-device-policy", {{"access-lists", {{"access-list", policies[1]}}}}}}},
                    {"ietf-access-control-list:acls", {{"acl", acls}}}};
    return file.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<std::vector<std::string>> mud_lines(std::string_view json) {
    if (json.size() > kMudBytesMax) return fail(Errc::TooLarge, "a MUD file has at most 1 MiB");
    if (nests_deeper_than(kDepthMax, json)) return fail(Errc::Malformed, "the MUD file nests too deep");
    const auto file = Json::parse(json, nullptr, false);
    if (!file.is_object()) return fail(Errc::Malformed, "a MUD file is a JSON object");
    const auto mud = file.find("ietf-mud:mud");
    const auto lists = file.find("ietf-access-control-list:acls");
    if (mud == file.end() || !mud->is_object()) return fail(Errc::Malformed, "/ietf-mud:mud is missing");
    if (lists == file.end() || !lists->is_object() || !lists->contains("acl") || !(*lists)["acl"].is_array())
        return fail(Errc::Malformed, "/ietf-access-control-list:acls/acl is missing");
    std::set<std::string> from_device;
    if (const auto policy = mud->find("from-device-policy"); policy != mud->end()) {
        const auto at = nlohmann::ordered_json::json_pointer("/access-lists/access-list");
        if (policy->is_object() && policy->contains(at) && policy->at(at).is_array())
            for (const auto& one : policy->at(at))
                if (one.is_object())
                    if (const auto name = text_at(one, "name")) from_device.insert(*name);
    }
    std::set<std::string> out;
    std::size_t entries = 0;
    for (const auto& list : (*lists)["acl"]) {
        if (!list.is_object() || !list.contains("aces") || !list["aces"].is_object()) continue;
        const bool from = from_device.contains(text_at(list, "name").value_or(""));
        const auto aces = list["aces"].find("ace");
        if (aces == list["aces"].end() || !aces->is_array()) continue;
        for (const auto& ace : *aces) {
            if (++entries > kMudEntriesMax)
                return fail(Errc::TooLarge, "a MUD file has at most 4096 entries here");
            if (!ace.is_object() || !ace.contains("matches")) continue;
            if (auto line = line_of(ace["matches"], from)) out.insert(std::move(*line));
        }
    }
    return std::vector<std::string>(out.begin(), out.end());
}

}  // namespace fieldwatch::detect
