// Personal data out of workspaces and log, and who asked for it into the activity log. Administrators only.
#include <fmt/format.h>

#include "portal/backups.hpp"
#include "portal/context.hpp"
#include "portal/reply.hpp"

namespace fieldwatch::portal {
namespace {

constexpr std::size_t kPurgedBytesMax = 256;

Answer post_purge(const Context& context, const Call& call) {
    if (context.parts.purge == nullptr) return fail(Errc::Unavailable, "this server purges nothing");
    const auto body = FIELDWATCH_TRY(body_object(call.request, {"hub", "device", "userName", "dryRun"}));
    workspace::Purge what;
    FIELDWATCH_TRY(read_member(body, "hub", what.hub));
    FIELDWATCH_TRY(read_member(body, "device", what.device));
    FIELDWATCH_TRY(read_member(body, "userName", what.user_name));
    FIELDWATCH_TRY(read_member(body, "dryRun", what.only_count));
    if (what.device.empty() == what.user_name.empty())
        return fail(Errc::InvalidArgument, "either \"device\" or \"userName\" is required");
    if (what.device.size() > kPurgedBytesMax || what.user_name.size() > kPurgedBytesMax)
        return fail(Errc::InvalidArgument, fmt::format("a name has at most {} bytes", kPurgedBytesMax));
    if (!what.device.empty() && what.hub.empty())
        return fail(Errc::InvalidArgument,
                    "\"hub\" is required: the same id on another hub is another device");
    if (!what.hub.empty()) {
        const auto hub = FIELDWATCH_TRY(model::parse_hub_name(what.hub));
        static_cast<void>(FIELDWATCH_TRY(context.parts.registry.hub(hub)));
    }
    call.detail = what.only_count       ? "counted"
                  : what.device.empty() ? "a user's name"
                                        : "device " + what.device + " of hub " + what.hub;
    const auto report = FIELDWATCH_TRY(context.parts.purge(what));
    Json backups = Json::array();
    if (context.parts.backups != nullptr) {
        for (const auto& kept : FIELDWATCH_TRY(context.parts.backups->kept()))
            backups.push_back({{"place", kept.place}, {"created", to_iso8601(kept.created)}});
    }
    Json rows = Json::object();
    for (const auto& [table, count] : report.rows)
        rows[table] = count;
    return json_reply(200, {{"dryRun", what.only_count},
                            {"rows", std::move(rows)},
                            {"sealedFiles", report.sealed_files},
                            {"logRecords", report.log_records},
                            {"backups", std::move(backups)}});
}

}  // namespace

std::vector<Route> purge_routes() {
    return {{"POST", "/api/v1/purge", Role::Administrator, post_purge}};
}

}  // namespace fieldwatch::portal
