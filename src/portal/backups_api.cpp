// Backups: stage, read piece by piece, let go. Administrators only: what is read holds every key there is.
#include <fmt/format.h>

#include "portal/backups.hpp"
#include "portal/context.hpp"
#include "portal/reply.hpp"

namespace fieldwatch::portal {
namespace {

constexpr std::uint64_t kPieceBytesMax = 16u << 20;

Result<Backups*> backups_of(const Context& context) {
    if (context.parts.backups == nullptr) return fail(Errc::Unavailable, "this server makes no backups");
    return context.parts.backups;
}

Answer post_backup(const Context& context, const Call& call) {
    auto* const backups = FIELDWATCH_TRY(backups_of(context));
    const auto body = FIELDWATCH_TRY(body_object(call.request, {"replace"}));
    bool replace = false;
    FIELDWATCH_TRY(read_member(body, "replace", replace));
    const auto staged =
        FIELDWATCH_TRY(backups->stage(replace ? Backups::Other::Replace : Backups::Other::Refuse));
    Json files = Json::array();
    std::uint64_t bytes = 0;
    for (const auto& file : staged.files) {
        files.push_back({{"path", file.path}, {"bytes", file.bytes}});
        bytes += file.bytes;
    }
    return json_reply(201, {{"id", staged.id},
                            {"created", to_iso8601(staged.created)},
                            {"version", context.parts.version},
                            {"bytes", bytes},
                            {"files", std::move(files)}});
}

Answer get_content(const Context& context, const Call& call) {
    auto* const backups = FIELDWATCH_TRY(backups_of(context));
    const auto path = call.request.parameter("path");
    if (!path) return fail(Errc::InvalidArgument, "the parameter \"path\" is required: a file of the backup");
    const auto from = FIELDWATCH_TRY(number_parameter(call.request, "from", 0, 0, INT64_MAX));
    const auto count =
        FIELDWATCH_TRY(number_parameter(call.request, "bytes", kPieceBytesMax, 1, kPieceBytesMax));
    return net::HttpResponse{
        .headers = {{"content-type", "application/octet-stream"}},
        .body = FIELDWATCH_TRY(backups->read(call.names[0], std::string(*path), from, count))};
}

Answer delete_backup(const Context& context, const Call& call) {
    auto* const backups = FIELDWATCH_TRY(backups_of(context));
    FIELDWATCH_TRY(backups->finish(call.names[0], std::string(call.request.parameter("place").value_or(""))));
    return net::HttpResponse{.status = 204};
}

Answer list_backups(const Context& context, const Call&) {
    auto* const backups = FIELDWATCH_TRY(backups_of(context));
    Json out = Json::array();
    for (const auto& kept : FIELDWATCH_TRY(backups->kept()))
        out.push_back({{"id", kept.id},
                       {"created", to_iso8601(kept.created)},
                       {"bytes", kept.bytes},
                       {"place", kept.place}});
    return json_reply(200, {{"value", std::move(out)}});
}

}  // namespace

std::vector<Route> backup_routes() {
    return {{"GET", "/api/v1/backups", Role::Administrator, list_backups},
            {"POST", "/api/v1/backups", Role::Administrator, post_backup},
            {"GET", "/api/v1/backups/{id}/content", Role::Administrator, get_content},
            {"DELETE", "/api/v1/backups/{id}", Role::Administrator, delete_backup}};
}

}  // namespace fieldwatch::portal
