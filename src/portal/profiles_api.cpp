// Profiles of device classes: what is standard for them, computed from the rows as they are; in forms that
// switches, packet filters and security groups read; and taken by somebody for the standard, which a
// scheduled rule then watches. docs/profiles.md, docs/decisions/0120, 0122.
#include <fmt/format.h>

#include "base/text.hpp"
#include "detect/profile/accepted_profile.hpp"
#include "detect/profile/mud.hpp"
#include "detect/profile/profile_rules.hpp"
#include "portal/context.hpp"
#include "portal/reply.hpp"
#include "portal/scheduled_store.hpp"
#include "portal/table_reader.hpp"

namespace fieldwatch::portal {
namespace {

constexpr std::string_view kProfileKind = "device-profile";  ///< of the registry's documents
constexpr std::size_t kProfilesMax = 500;                    ///< of one hub
constexpr std::size_t kProfileRowsMax = 10'000;  ///< the most frequent; more are said to be missing
constexpr std::size_t kMembersTold = 100;

/// What is standard now.
struct ComputedProfile {
    detect::Profile profile;
    Timestamp from, to;
    bool truncated = false;
};

struct StoredProfile {
    detect::AcceptedProfile profile;
    registry::Document document;
};

Result<std::optional<StoredProfile>> stored_profile(const Context& context, const model::HubName& hub,
                                                    std::string_view name) {
    auto document = context.parts.registry.document({hub, std::string(kProfileKind), std::string(name)});
    if (!document && document.error().code == Errc::NotFound) return std::nullopt;
    if (!document) return std::unexpected(document.error());
    auto profile = FIELDWATCH_TRY(detect::parse_accepted_profile(name, document->json));
    return StoredProfile{std::move(profile), std::move(*document)};
}

/// The hub of the path, with its workspace.
Result<Scope> profile_scope(const Context& context, const Call& call) {
    return scope_of_hub(context, call.names[0]);
}

/// Of whom, and of which rows: as the request says, else as the accepted profile does, else of the device
/// that is called like it.
Result<detect::ProfileClass> class_asked_for(const Call& call, const std::optional<StoredProfile>& stored) {
    detect::ProfileClass out;
    if (stored) out = stored->profile.of;
    out.name = call.names[1];
    if (!stored) out.devices = {out.name};
    if (const auto devices = call.request.parameter("devices")) {
        out.devices.clear();
        for (const auto device : split(*devices, ','))
            if (!device.empty()) out.devices.emplace_back(device);
    }
    const auto number = [&](std::string_view name, std::uint32_t& into, std::uint64_t most) -> Result<void> {
        into =
            static_cast<std::uint32_t>(FIELDWATCH_TRY(number_parameter(call.request, name, into, 1, most)));
        return {};
    };
    FIELDWATCH_TRY(number("days", out.days, detect::kProfileDaysMax));
    FIELDWATCH_TRY(number("devicesMin", out.devices_min, 100'000));
    FIELDWATCH_TRY(number("peersMax", out.peers_max, 1'000));
    FIELDWATCH_TRY(detect::check_profile_class(out));
    return out;
}

std::string rows_of_class(const Scope& scope, const detect::ProfileClass& of, Timestamp from) {
    return fmt::format(
        "SecurityIoTRawEvent\n| where TimeGenerated >= {} and AssociatedResourceId endswith {} and {}\n",
        kql_datetime(from), kql_string("/iothubs/" + scope.hub.name.value), detect::kql_devices(of));
}

Timestamp row_time(const Row& row, std::string_view column) {
    const auto time = parse_iso8601(row.text(column));
    return time ? time->time : Timestamp{};
}

Result<ComputedProfile> compute_profile(const Context& context, const Scope& scope,
                                        const detect::ProfileClass& of) {
    ComputedProfile out{.profile = {}, .from = {}, .to = context.parts.clock.now()};
    out.from = out.to - std::chrono::hours(24) * of.days;
    const auto rows = rows_of_class(scope, of, out.from);
    const auto take = fmt::format("| order by Count desc | take {}", kProfileRowsMax);
    const auto connections = FIELDWATCH_TRY(ask(
        *scope.workspace,
        fmt::format("{}{}| summarize Count = sum(coalesce(tolong(tostring(D.ExtraDetails.HitCount)), 1)), "
                    "First = min(TimeStamp), Last = max(TimeStamp) by DeviceId, Program, Remote, Protocol, "
                    "Port, Way {}",
                    rows, detect::kql_connections(), take),
        kProfileRowsMax));
    const auto programs = FIELDWATCH_TRY(
        ask(*scope.workspace,
            rows +
                "| where RawEventName == \"ProcessCreate\" | extend D = parse_json(EventDetails) "
                "| summarize Count = sum(coalesce(tolong(tostring(D.ExtraDetails.HitCount)), 1)), First = "
                "min(TimeStamp), Last = max(TimeStamp) by DeviceId, Program = tostring(D.Executable), User = "
                "iff(isempty(tostring(D.UserName)), tostring(D.UserId), tostring(D.UserName)) " +
                take,
            kProfileRowsMax));
    const auto hours = FIELDWATCH_TRY(
        ask(*scope.workspace, rows + "| where RawEventName in (\"ProcessCreate\", \"ConnectionCreate\") "
                                     "| summarize Count = count() by Hour = hourofday(TimeStamp)"));
    out.truncated = connections.rows.size() >= kProfileRowsMax || programs.rows.size() >= kProfileRowsMax;
    std::vector<detect::ConnectionRow> talks;
    for (std::size_t i = 0; i < connections.rows.size(); ++i) {
        const Row row(connections, i);
        talks.push_back({.device = row.text("DeviceId"),
                         .program = row.text("Program"),
                         .remote_address = row.text("Remote"),
                         .name = {},
                         .protocol = row.text("Protocol"),
                         .port = static_cast<std::uint16_t>(row.number("Port")),
                         .outgoing = row.text("Way") == "out",
                         .count = static_cast<std::uint64_t>(row.number("Count")),
                         .first = row_time(row, "First"),
                         .last = row_time(row, "Last")});
    }
    std::vector<detect::ProgramRow> ran;
    for (std::size_t i = 0; i < programs.rows.size(); ++i) {
        const Row row(programs, i);
        ran.push_back({.device = row.text("DeviceId"),
                       .program = row.text("Program"),
                       .user = row.text("User"),
                       .count = static_cast<std::uint64_t>(row.number("Count")),
                       .first = row_time(row, "First"),
                       .last = row_time(row, "Last")});
    }
    std::vector<detect::HourRow> by_hour;
    for (std::size_t i = 0; i < hours.rows.size(); ++i) {
        const Row row(hours, i);
        by_hour.push_back(
            {static_cast<std::size_t>(row.number("Hour")), static_cast<std::uint64_t>(row.number("Count"))});
    }
    out.profile = detect::make_profile(talks, ran, by_hour, of.options());
    return out;
}

Json accepted_json(const StoredProfile& stored) {
    const auto& [profile, document] = stored;
    return {{"name", profile.of.name},
            {"devices", profile.of.devices},
            {"days", profile.of.days},
            {"devicesMin", profile.of.devices_min},
            {"peersMax", profile.of.peers_max},
            {"lines", profile.lines},
            {"author", profile.author},
            {"version", document.etag},
            {"accepted", to_iso8601(document.updated)},
            {"rule", detect::drift_rule_id(profile.of.name)}};
}

Json talk_json(const detect::Talk& talk) {
    return {{"line", talk.line()},          {"programs", talk.programs}, {"devices", talk.devices.size()},
            {"addresses", talk.addresses},  {"count", talk.count},       {"first", to_iso8601(talk.first)},
            {"last", to_iso8601(talk.last)}};
}

Json profile_program_json(const detect::Program& program) {
    return {{"path", program.path},
            {"users", program.users},
            {"devices", program.devices.size()},
            {"count", program.count},
            {"first", to_iso8601(program.first)},
            {"last", to_iso8601(program.last)}};
}

Json profile_diff_json(const std::vector<std::string>& reviewed, const detect::Profile& now) {
    const auto diff = detect::diff_lines(reviewed, now.lines());
    return {{"added", diff.added}, {"gone", diff.gone}};
}

/// What every route of one profile begins with.
struct AskedProfile {
    Scope scope;
    std::optional<StoredProfile> stored;
    detect::ProfileClass of;
};
Result<AskedProfile> asked_profile(const Context& context, const Call& call) {
    AskedProfile out{.scope = FIELDWATCH_TRY(profile_scope(context, call)), .stored = {}, .of = {}};
    out.stored = FIELDWATCH_TRY(stored_profile(context, out.scope.hub.name, call.names[1]));
    out.of = FIELDWATCH_TRY(class_asked_for(call, out.stored));
    return out;
}

Answer list_profiles(const Context& context, const Call& call) {
    const auto hub = FIELDWATCH_TRY(model::parse_hub_name(call.names[0]));
    static_cast<void>(FIELDWATCH_TRY(context.parts.registry.hub(hub)));
    Json value = Json::array();
    for (auto& document :
         FIELDWATCH_TRY(context.parts.registry.documents(hub, kProfileKind, {.count_max = kProfilesMax}))) {
        auto profile = FIELDWATCH_TRY(detect::parse_accepted_profile(document.id, document.json));
        value.push_back(accepted_json({std::move(profile), std::move(document)}));
    }
    return json_reply(200, {{"value", std::move(value)}});
}

Answer get_profile(const Context& context, const Call& call) {
    const auto asked = FIELDWATCH_TRY(asked_profile(context, call));
    const auto now = FIELDWATCH_TRY(compute_profile(context, asked.scope, asked.of));
    Json members = Json::array(), connections = Json::array(), programs = Json::array();
    for (const auto& device : now.profile.devices)
        if (members.size() < kMembersTold) members.push_back(device);
    for (const auto& talk : now.profile.talks)
        connections.push_back(talk_json(talk));
    for (const auto& program : now.profile.programs)
        programs.push_back(profile_program_json(program));
    Json body{{"name", asked.of.name},
              {"devices", asked.of.devices},
              {"from", to_iso8601(now.from)},
              {"to", to_iso8601(now.to)},
              {"deviceCount", now.profile.devices.size()},
              {"members", std::move(members)},
              {"connections", std::move(connections)},
              {"programs", std::move(programs)},
              {"hours", now.profile.hours},
              {"truncated", now.truncated},
              {"accepted", nullptr},
              {"drift", nullptr}};
    if (asked.stored) {
        body["accepted"] = accepted_json(*asked.stored);
        body["drift"] = profile_diff_json(asked.stored->profile.lines, now.profile);
    }
    return json_reply(200, body);
}

/// Where the rarest are missing, nothing can be said of what is not there. Errors: Unsupported.
Result<void> check_not_truncated(const ComputedProfile& now) {
    if (!now.truncated) return {};
    return fail(Errc::Unsupported,
                "the class has more connections or programs than are looked at: raise devicesMin, or name "
                "fewer devices");
}

/// What may be enforced, or held to. Errors: Unsupported, InvalidArgument (there is nothing).
Result<detect::Profile> whole_profile(const Context& context, const AskedProfile& asked) {
    auto now = FIELDWATCH_TRY(compute_profile(context, asked.scope, asked.of));
    FIELDWATCH_TRY(check_not_truncated(now));
    if (now.profile.talks.empty())
        return fail(Errc::InvalidArgument,
                    fmt::format("the devices of {} had no connection in {} days: there is nothing to allow",
                                asked.of.name, asked.of.days));
    return std::move(now.profile);
}

net::HttpResponse file_reply(std::string_view type, std::string text) {
    return {.status = 200, .headers = {{"content-type", std::string(type)}}, .body = std::move(text)};
}

Answer get_mud(const Context& context, const Call& call) {
    const auto asked = FIELDWATCH_TRY(asked_profile(context, call));
    auto url = fmt::format("https://{}/mud/{}.json", context.parts.host_name, asked.of.name);
    if (const auto given = call.request.parameter("url")) url = *given;
    const bool plain = std::ranges::all_of(url, [](unsigned char c) { return c > ' ' && c < 0x7F; });
    if (!url.starts_with("https://") || url.size() > 255 || !plain)
        return fail(Errc::InvalidArgument, "\"url\" must begin with https:// and have at most 255 bytes");
    const auto now = FIELDWATCH_TRY(whole_profile(context, asked));
    return file_reply("application/mud+json", detect::mud_file(now, url));
}

Answer get_nftables(const Context& context, const Call& call) {
    const auto asked = FIELDWATCH_TRY(asked_profile(context, call));
    const auto enforce = call.request.parameter("enforce");
    const auto now = FIELDWATCH_TRY(whole_profile(context, asked));
    return file_reply("text/plain; charset=utf-8",
                      detect::nftables_file(now, {.enforce = enforce && *enforce != "false"}));
}

Answer get_allow_list(const Context& context, const Call& call) {
    const auto asked = FIELDWATCH_TRY(asked_profile(context, call));
    const auto now = FIELDWATCH_TRY(whole_profile(context, asked));
    return file_reply("application/json; charset=utf-8", FIELDWATCH_TRY(detect::allow_list_file(now)));
}

Result<std::vector<std::string>> lines_of_mud(const Json& body) {
    const auto mud = body.find("mud");
    if (mud == body.end() || !mud->is_object())
        return fail(Errc::InvalidArgument, "\"mud\" must be a MUD file: an object as RFC 8520 says");
    return detect::mud_lines(mud->dump(-1, ' ', false, Json::error_handler_t::replace));
}

/// A file that somebody reviewed against what is standard now.
Answer diff_mud(const Context& context, const Call& call) {
    const auto body = FIELDWATCH_TRY(body_object(call.request, {"mud"}));
    const auto asked = FIELDWATCH_TRY(asked_profile(context, call));
    const auto reviewed = FIELDWATCH_TRY(lines_of_mud(body));
    const auto now = FIELDWATCH_TRY(compute_profile(context, asked.scope, asked.of));
    FIELDWATCH_TRY(check_not_truncated(now));
    return json_reply(200, profile_diff_json(reviewed, now.profile));
}

Result<void> read_profile_class(const Json& body, detect::ProfileClass& of) {
    if (const auto devices = body.find("devices"); devices != body.end()) {
        const bool texts = devices->is_array() && devices->size() <= detect::kProfileDevicesMax &&
                           std::ranges::all_of(*devices, [](const Json& one) { return one.is_string(); });
        if (!texts)
            return fail(Errc::InvalidArgument, fmt::format("\"devices\" must be a list of at most {} texts",
                                                           detect::kProfileDevicesMax));
        of.devices = devices->get<std::vector<std::string>>();
    }
    for (const auto& [name, into] : {std::pair("days", &of.days), std::pair("devicesMin", &of.devices_min),
                                     std::pair("peersMax", &of.peers_max)}) {
        const auto number = body.find(name);
        if (number == body.end()) continue;
        if (!number->is_number_unsigned() || number->get<std::uint64_t>() > 1'000'000)
            return fail(Errc::InvalidArgument, fmt::format("\"{}\" must be a number", name));
        *into = number->get<std::uint32_t>();
    }
    return detect::check_profile_class(of);
}

/// The rule that makes an alert of what is not in the profile.
Result<detect::ScheduledRule> drift_rule(const detect::AcceptedProfile& profile, const model::HubName& hub) {
    detect::ScheduledRule out{.id = detect::drift_rule_id(profile.of.name)};
    out.name = fmt::format("A device leaves the profile {}", profile.of.name);
    out.description = fmt::format(
        "A device had connections that the accepted profile {} does not allow; the first of them stand in "
        "Sample. If they are right, accept the profile anew: fieldwatch profile diff {}, then accept.",
        profile.of.name, profile.of.name);
    out.query = FIELDWATCH_TRY(detect::drift_query(profile, hub.value));
    out.severity = model::Severity::Medium;
    out.intent = "CommandAndControl";
    out.period = std::chrono::minutes(1);
    out.window = std::chrono::minutes(5);
    out.suppression = std::chrono::hours(24);
    out.lateness = std::chrono::minutes(10);
    out.entities = {{"device", "DeviceId"}};
    out.author = profile.author;
    return out;
}

Answer accept_profile(const Context& context, const Call& call) {
    const auto body =
        FIELDWATCH_TRY(body_object(call.request, {"devices", "days", "devicesMin", "peersMax", "mud"}));
    auto asked = FIELDWATCH_TRY(asked_profile(context, call));
    FIELDWATCH_TRY(read_profile_class(body, asked.of));
    if (!asked.stored) {
        const auto kept = FIELDWATCH_TRY(context.parts.registry.documents(asked.scope.hub.name, kProfileKind,
                                                                          {.count_max = kProfilesMax}));
        if (kept.size() >= kProfilesMax)
            return fail(Errc::Exhausted, fmt::format("a hub has at most {} accepted profiles", kProfilesMax));
    }
    detect::AcceptedProfile profile{.of = asked.of, .lines = {}, .author = call.who.name};
    if (body.contains("mud")) {
        profile.lines = FIELDWATCH_TRY(lines_of_mud(body));
    } else {
        profile.lines = FIELDWATCH_TRY(whole_profile(context, asked)).lines();
    }
    if (profile.lines.empty())
        return fail(Errc::InvalidArgument, "the MUD file allows nothing: there is nothing to accept");
    const auto rule = FIELDWATCH_TRY(drift_rule(profile, asked.scope.hub.name));
    static_cast<void>(FIELDWATCH_TRY(store_scheduled_rule(context, asked.scope.hub, rule, std::nullopt)));
    auto document = FIELDWATCH_TRY(context.parts.registry.put_document(
        {asked.scope.hub.name, std::string(kProfileKind), profile.of.name},
        detect::accepted_profile_json(profile), {}));
    const int status = document.etag == 1 ? 201 : 200;
    return json_reply(status, accepted_json({std::move(profile), std::move(document)}));
}

Answer forget_profile(const Context& context, const Call& call) {
    const auto hub = FIELDWATCH_TRY(model::parse_hub_name(call.names[0]));
    const registry::DocumentKey key{hub, std::string(kProfileKind), call.names[1]};
    static_cast<void>(FIELDWATCH_TRY(context.parts.registry.document(key)));
    // The rule goes first: a profile without its rule can be forgotten again, a rule without its profile not.
    const auto dropped = drop_scheduled_rule(context, hub, detect::drift_rule_id(call.names[1]));
    if (!dropped && dropped.error().code != Errc::NotFound) return std::unexpected(dropped.error());
    FIELDWATCH_TRY(context.parts.registry.remove_document(key, std::nullopt));
    return net::HttpResponse{.status = 204};
}

}  // namespace

std::vector<Route> profile_routes() {
    constexpr std::string_view kOne = "/api/v1/hubs/{hub}/profiles/{profile}";
    return {{"GET", "/api/v1/hubs/{hub}/profiles", Role::Reader, list_profiles},
            {"GET", kOne, Role::Reader, get_profile},
            {"PUT", kOne, Role::Administrator, accept_profile},
            {"DELETE", kOne, Role::Administrator, forget_profile},
            {"GET", "/api/v1/hubs/{hub}/profiles/{profile}/mud", Role::Reader, get_mud},
            {"GET", "/api/v1/hubs/{hub}/profiles/{profile}/nftables", Role::Reader, get_nftables},
            {"GET", "/api/v1/hubs/{hub}/profiles/{profile}/allow-list", Role::Reader, get_allow_list},
            {"POST", "/api/v1/hubs/{hub}/profiles/{profile}/diff", Role::Analyst, diff_mud}};
}

}  // namespace fieldwatch::portal
