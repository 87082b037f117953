#include "detect/profile/accepted_profile.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/ip_address.hpp"
#include "base/kql_text.hpp"
#include "detect/profile/mud.hpp"

namespace fieldwatch::detect {
namespace {

using PlainJson = nlohmann::json;

constexpr std::size_t kProfileNameMax = 56;  ///< "profile-" before it is a scheduled rule's id
constexpr std::size_t kDeviceBytesMax = 128;
constexpr std::size_t kDriftQueryBytesMax = 60u << 10;  ///< a scheduled rule's query has 64 KiB

std::string listed(const std::set<std::string>& texts) {
    std::string out;
    for (const auto& text : texts)
        out += (out.empty() ? "" : ", ") + kql_string(text);
    return out;
}

/// A line taken apart: `out tcp/443 203.0.113.0/24`.
struct Allowed {
    std::string_view way, service, whom;
};
std::optional<Allowed> taken_apart(std::string_view line) {
    const auto first = line.find(' ');
    const auto second = first == std::string_view::npos ? first : line.find(' ', first + 1);
    if (second == std::string_view::npos) return std::nullopt;
    Allowed out{line.substr(0, first), line.substr(first + 1, second - first - 1), line.substr(second + 1)};
    if ((out.way != "in" && out.way != "out") || out.service.empty() || out.whom.empty()) return std::nullopt;
    return out;
}

/// With whom one service is allowed.
struct AllowedPeers {
    bool anybody = false, local = false;
    std::set<std::string> addresses, networks4, networks6;

    void add(std::string_view whom) {
        const auto slash = whom.find('/');
        const auto address = parse_ip(whom.substr(0, slash));
        if (whom == "local") {
            local = true;
        } else if (!address) {
            anybody = true;  // anybody, or a name: rows have addresses
        } else if (slash == std::string_view::npos ||
                   whom.substr(slash + 1) == (address->is_v4 ? "32" : "128")) {
            addresses.insert(address->text());
        } else {
            (address->is_v4 ? networks4 : networks6).emplace(whom);
        }
    }

    /// Whether the row's Remote is one of them.
    std::string condition() const {
        if (anybody) return "true";
        std::string out;
        const auto either = [&](const std::string& text) { out += (out.empty() ? "" : " or ") + text; };
        if (local) either("Local");
        if (!addresses.empty()) either(fmt::format("Remote in ({})", listed(addresses)));
        if (!networks4.empty())
            either(fmt::format("coalesce(ipv4_is_in_any_range(Remote, {}), false)", listed(networks4)));
        if (!networks6.empty())
            either(fmt::format("coalesce(ipv6_is_in_any_range(Remote, {}), false)", listed(networks6)));
        return out;
    }
};

Result<std::uint32_t> number_of(const PlainJson& object, const char* name, std::uint32_t fallback) {
    const auto found = object.find(name);
    if (found == object.end()) return fallback;
    if (!found->is_number_unsigned() || found->get<std::uint64_t>() > 1'000'000)
        return fail(Errc::InvalidArgument, fmt::format("\"{}\" must be a number", name));
    return found->get<std::uint32_t>();
}

Result<std::vector<std::string>> texts_of(const PlainJson& object, const char* name, std::size_t count_max) {
    const auto found = object.find(name);
    const bool fits = found != object.end() && found->is_array() && found->size() <= count_max;
    if (!fits || !std::ranges::all_of(*found, [](const PlainJson& one) { return one.is_string(); }))
        return fail(Errc::InvalidArgument,
                    fmt::format("\"{}\" must be a list of at most {} texts", name, count_max));
    return found->get<std::vector<std::string>>();
}

}  // namespace

bool is_profile_name(std::string_view name) {
    return !name.empty() && name.size() <= kProfileNameMax && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '_';
    });
}

std::string drift_rule_id(std::string_view profile_name) {
    return "profile-" + std::string(profile_name);
}

Result<void> check_profile_class(const ProfileClass& of) {
    if (!is_profile_name(of.name))
        return fail(Errc::InvalidArgument, "the name of a profile is 1 to 56 letters, digits, - and _");
    if (of.devices.empty() || of.devices.size() > kProfileDevicesMax)
        return fail(Errc::InvalidArgument,
                    fmt::format("\"devices\" names 1 to {} devices", kProfileDevicesMax));
    for (const auto& device : of.devices)
        if (device.empty() || device.size() > kDeviceBytesMax ||
            std::ranges::any_of(device, [](unsigned char c) { return c < ' ' || c == 0x7F; }) ||
            device.substr(0, device.size() - 1).find('*') != std::string::npos)
            return fail(Errc::InvalidArgument,
                        "\"devices\" are ids of at most 128 bytes; a * stands at the end only, for all that "
                        "begin so");
    if (of.days < 1 || of.days > kProfileDaysMax)
        return fail(Errc::InvalidArgument, fmt::format("\"days\" must be from 1 to {}", kProfileDaysMax));
    if (of.devices_min < 1 || of.devices_min > 100'000)
        return fail(Errc::InvalidArgument, "\"devicesMin\" must be from 1 to 100000");
    if (of.peers_max < 1 || of.peers_max > 1'000)
        return fail(Errc::InvalidArgument, "\"peersMax\" must be from 1 to 1000");
    return {};
}

std::string accepted_profile_json(const AcceptedProfile& profile) {
    const auto& of = profile.of;
    const PlainJson out{{"devices", of.devices},    {"days", of.days},        {"devicesMin", of.devices_min},
                        {"peersMax", of.peers_max}, {"lines", profile.lines}, {"author", profile.author}};
    return out.dump(-1, ' ', false, PlainJson::error_handler_t::replace);
}

Result<AcceptedProfile> parse_accepted_profile(std::string_view name, std::string_view json) {
    const auto document = PlainJson::parse(json, nullptr, /*allow_exceptions=*/false);
    if (!document.is_object()) return fail(Errc::Malformed, "an accepted profile is a JSON object");
    AcceptedProfile out;
    out.of.name = name;
    out.of.devices = FIELDWATCH_TRY(texts_of(document, "devices", kProfileDevicesMax));
    out.of.days = FIELDWATCH_TRY(number_of(document, "days", out.of.days));
    out.of.devices_min = FIELDWATCH_TRY(number_of(document, "devicesMin", out.of.devices_min));
    out.of.peers_max = FIELDWATCH_TRY(number_of(document, "peersMax", out.of.peers_max));
    out.lines = FIELDWATCH_TRY(texts_of(document, "lines", kMudEntriesMax));
    if (const auto author = document.find("author"); author != document.end() && author->is_string())
        out.author = author->get<std::string>();
    FIELDWATCH_TRY(check_profile_class(out.of));
    return out;
}

std::string kql_devices(const ProfileClass& of) {
    std::set<std::string> whole;
    std::string out;
    for (const auto& device : of.devices) {
        if (device.back() != '*') {
            whole.insert(device);
            continue;
        }
        out += fmt::format("{}DeviceId startswith_cs {}", out.empty() ? "" : " or ",
                           kql_string(std::string_view(device).substr(0, device.size() - 1)));
    }
    if (!whole.empty()) out += fmt::format("{}DeviceId in ({})", out.empty() ? "" : " or ", listed(whole));
    return "(" + out + ")";
}

std::string_view kql_connections() {
    return R"(| where RawEventName == "ConnectionCreate"
| extend D = parse_json(EventDetails)
| extend Remote = replace_regex(tolower(tostring(D.RemoteAddress)), @"^::ffff:([0-9.]+)$", @"\1"), Way = tolower(tostring(D.Direction)), Protocol = tolower(tostring(D.Protocol)), Program = tostring(D.Executable)
| extend Port = coalesce(iff(Way == "in", tolong(tostring(D.LocalPort)), tolong(tostring(D.RemotePort))), 0)
| where isnotempty(Remote) and Way in ("in", "out") and Remote !in ("::", "::1", "0.0.0.0")
    and not(Remote startswith "fe8" or Remote startswith "fe9" or Remote startswith "fea" or Remote startswith "feb" or Remote startswith "ff")
    and not(coalesce(ipv4_is_in_any_range(Remote, "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"), false))
)";
}

Result<std::string> drift_query(const AcceptedProfile& profile, std::string_view hub) {
    std::map<std::string, AllowedPeers> by_service;
    for (const auto& line : profile.lines)
        if (const auto allowed = taken_apart(line))
            by_service[fmt::format("{} {}", allowed->way, allowed->service)].add(allowed->whom);
    std::string allowed;
    for (const auto& [service, peers] : by_service) {
        const bool any = service.ends_with(" any");
        const auto which = any ? fmt::format("Way == {}", kql_string(service.substr(0, service.size() - 4)))
                               : fmt::format("Service == {}", kql_string(service));
        allowed +=
            fmt::format("{}({} and ({}))", allowed.empty() ? "" : "\n    or ", which, peers.condition());
    }
    auto out = fmt::format(
        "SecurityIoTRawEvent\n| where AssociatedResourceId endswith {} and {}\n{}"
        "| extend Service = strcat(Way, \" \", Protocol, iff(Port == 0, \"\", strcat(\"/\", "
        "tostring(Port))))\n"
        "| extend Local = coalesce(ipv4_is_in_any_range(Remote, \"0.0.0.0/8\", \"10.0.0.0/8\", "
        "\"172.16.0.0/12\", "
        "\"192.168.0.0/16\", \"100.64.0.0/10\"), false) or Remote startswith \"fc\" or Remote startswith "
        "\"fd\"\n",
        kql_string("/iothubs/" + std::string(hub)), kql_devices(profile.of), kql_connections());
    if (!allowed.empty()) out += "| where not(" + allowed + ")\n";
    out +=
        "| summarize Connections = count() by DeviceId, Connection = strcat(Service, \" \", Remote), "
        "Program\n"
        "| order by DeviceId asc, Connections desc, Connection asc";
    if (out.size() > kDriftQueryBytesMax)
        return fail(
            Errc::TooLarge,
            "the profile has more connections than a query holds: lower peersMax, or raise devicesMin");
    return out;
}

}  // namespace fieldwatch::detect
