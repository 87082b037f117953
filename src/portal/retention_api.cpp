// How long a hub's workspace keeps the rows of each table, what they take, and a change of it. What a change
// would delete is said before, and nothing is deleted that was not agreed to. docs/decisions/0245.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "portal/context.hpp"
#include "portal/reply.hpp"
#include "workspace/retention.hpp"

namespace fieldwatch::portal {
namespace {

/// The workspace of the hub that the path names, and whether who asks may have its say about it: a workspace
/// that several hubs write into is kept for all of them.
struct KeptWorkspace {
    std::string id;
    std::vector<std::string> hubs;
    workspace::Upkeep* upkeep = nullptr;
};

Result<KeptWorkspace> kept_workspace(const Context& context, const Call& call) {
    const auto scope = FIELDWATCH_TRY(scope_of_hub(context, call.names[0]));
    KeptWorkspace out{.id = scope.hub.workspace, .hubs = {}};
    for (const auto& hub : FIELDWATCH_TRY(context.parts.registry.hubs()))
        if (hub.workspace == out.id) out.hubs.push_back(hub.name.value);
    FIELDWATCH_TRY(check_workspace(context, call, out.id));
    if (scope.workspace == nullptr) return fail(Errc::Unavailable, "the hub's workspace cannot be opened");
    out.upkeep = FIELDWATCH_TRY(workspace::upkeep_of(*scope.workspace));
    return out;
}

Result<workspace::RetentionDays> stored_days(const Context& context, const KeptWorkspace& of) {
    const auto text = FIELDWATCH_TRY(context.parts.registry.setting(workspace::retention_setting(of.id)));
    return workspace::parse_retention(text.value_or("{}"));
}

/// The days as they would be: `{"TABLE":DAYS}` over what is set, null for what the server was started with.
Result<workspace::RetentionDays> wanted_days(const Context& context, const KeptWorkspace& of,
                                             const Json& body) {
    auto days = FIELDWATCH_TRY(stored_days(context, of));
    const auto found = body.find("days");
    if (found == body.end() || !found->is_object() || found->empty())
        return fail(Errc::InvalidArgument, "\"days\" is required: an object of tables and numbers of days");
    for (const auto& [table, value] : found->items()) {
        const bool unset = value.is_null();
        const auto count = unset ? 1 : value.is_number_unsigned() ? value.get<unsigned long long>() : 0;
        FIELDWATCH_TRY(workspace::check_retention(table, count));
        if (unset)
            days.erase(table);
        else
            days[table] = static_cast<unsigned>(count);
    }
    return days;
}

Json expiring_json(const std::vector<workspace::Expiring>& all, const Json& asked) {
    Json out = Json::array();
    for (const auto& one : all) {
        if (!asked.contains(one.table)) continue;
        out.push_back({{"table", one.table},
                       {"days", one.days},
                       {"before", to_iso8601(one.before)},
                       {"rows", one.rows},
                       {"bytes", one.bytes}});
    }
    return out;
}

Result<Json> retention_json(const Context& context, const KeptWorkspace& of) {
    Json tables = Json::array();
    for (const auto& one : FIELDWATCH_TRY(of.upkeep->use())) {
        tables.push_back({{"table", one.table},
                          {"days", one.days},
                          {"usualDays", one.usual_days},
                          {"rows", one.rows},
                          {"bytes", one.bytes},
                          {"oldest", one.oldest ? Json(to_iso8601(*one.oldest)) : Json(nullptr)}});
    }
    return Json{{"workspace", of.id},
                {"hubs", of.hubs},
                {"bytes", context.parts.workspace_bytes(of.id)},
                {"daysMax", workspace::kRetentionDaysMax},
                {"tables", std::move(tables)}};
}

Answer get_retention(const Context& context, const Call& call) {
    const auto of = FIELDWATCH_TRY(kept_workspace(context, call));
    return json_reply(200, FIELDWATCH_TRY(retention_json(context, of)));
}

Answer preview_retention(const Context& context, const Call& call) {
    const auto body = FIELDWATCH_TRY(body_object(call.request, {"days"}));
    const auto of = FIELDWATCH_TRY(kept_workspace(context, call));
    const auto days = FIELDWATCH_TRY(wanted_days(context, of, body));
    const auto expiring = FIELDWATCH_TRY(of.upkeep->expiring(days));
    return json_reply(200, {{"tables", expiring_json(expiring, body["days"])}});
}

Answer put_retention(const Context& context, const Call& call) {
    const auto body = FIELDWATCH_TRY(body_object(call.request, {"days", "delete"}));
    bool agreed = false;
    FIELDWATCH_TRY(read_member(body, "delete", agreed));
    const auto of = FIELDWATCH_TRY(kept_workspace(context, call));
    const auto days = FIELDWATCH_TRY(wanted_days(context, of, body));
    std::vector<std::string> changes, losses;
    const auto before = FIELDWATCH_TRY(of.upkeep->use());
    for (const auto& one : FIELDWATCH_TRY(of.upkeep->expiring(days))) {
        for (const auto& now : before) {
            if (now.table == one.table && now.days != one.days)
                changes.push_back(fmt::format("{} {} to {} days", one.table, now.days, one.days));
        }
        if (one.rows > 0)
            losses.push_back(
                fmt::format("{} rows of {} from before {}", one.rows, one.table, to_iso8601(one.before)));
    }
    if (!losses.empty() && !agreed)
        return json_reply(409, {{"error",
                                 {{"code", "WouldDelete"},
                                  {"message", fmt::format("this deletes for good: {}; nothing was changed. "
                                                          "\"delete\": true (--yes) does it",
                                                          fmt::join(losses, "; "))}}}});
    FIELDWATCH_TRY(
        context.parts.registry.set_setting(workspace::retention_setting(of.id), workspace::to_json(days)));
    of.upkeep->keep(days);
    call.detail = fmt::format("{}", fmt::join(changes, "; "));
    if (!losses.empty()) call.detail += fmt::format(" (deletes {})", fmt::join(losses, "; "));
    return json_reply(200, FIELDWATCH_TRY(retention_json(context, of)));
}

}  // namespace

std::vector<Route> retention_routes() {
    return {{"GET", "/api/v1/hubs/{hub}/retention", Role::Reader, get_retention},
            {"PUT", "/api/v1/hubs/{hub}/retention", Role::Administrator, put_retention},
            {"POST", "/api/v1/hubs/{hub}/retention/preview", Role::Administrator, preview_retention}};
}

}  // namespace fieldwatch::portal
