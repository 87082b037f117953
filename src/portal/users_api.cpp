// People who may sign in: add, change, remove. Administrators only; passwords come in and never go out.
#include <fmt/format.h>

#include "portal/context.hpp"
#include "portal/password.hpp"
#include "portal/reply.hpp"

namespace fieldwatch::portal {
namespace {

Result<Json> user_json(const Context& context, const registry::User& user) {
    const auto factor = FIELDWATCH_TRY(context.parts.accounts.second_factor(user.name));
    return Json{{"name", user.name},
                {"secondFactor", factor && factor->confirmed},
                {"external", user.is_external()},
                {"role", user.role},
                {"enabled", user.enabled},
                {"created", to_iso8601(user.created)},
                {"passwordChanged", to_iso8601(user.password_changed)}};
}

/// Members that are there. A password is hashed, which takes a moment.
Result<registry::UserChange> read_change(const Context& context, const Json& body) {
    registry::UserChange out;
    if (body.contains("role")) {
        FIELDWATCH_TRY(read_member(body, "role", out.role.emplace()));
        if (!role_from(*out.role))
            return not_among("role", *out.role, {"reader", "analyst", "operator", "administrator"});
    }
    if (body.contains("enabled")) FIELDWATCH_TRY(read_member(body, "enabled", out.enabled.emplace()));
    if (!body.contains("password")) return out;
    std::string password;
    FIELDWATCH_TRY(read_member(body, "password", password));
    out.password_hash = FIELDWATCH_TRY(hash_password(password, context.parts.random));
    out.password_changed = context.parts.clock.now();
    return out;
}

Answer list_users(const Context& context, const Call&) {
    Json users = Json::array();
    for (const auto& user : FIELDWATCH_TRY(context.parts.accounts.users()))
        users.push_back(FIELDWATCH_TRY(user_json(context, user)));
    return json_reply(200, {{"value", std::move(users)}});
}

Answer put_user(const Context& context, const Call& call) {
    const auto body = FIELDWATCH_TRY(body_object(call.request, {"role", "password", "enabled"}));
    for (const auto* const member : {"role", "password"}) {
        if (!body.contains(member))
            return fail(Errc::InvalidArgument, fmt::format("\"{}\" is required", member));
    }
    const auto given = FIELDWATCH_TRY(read_change(context, body));
    const registry::User user{.name = call.names[0],
                              .password_hash = *given.password_hash,
                              .role = *given.role,
                              .enabled = given.enabled.value_or(true),
                              .created = context.parts.clock.now(),
                              .password_changed = given.password_changed};
    FIELDWATCH_TRY(context.parts.accounts.add(user));
    return json_reply(201, FIELDWATCH_TRY(user_json(context, user)));
}

Answer patch_user(const Context& context, const Call& call) {
    const auto body = FIELDWATCH_TRY(body_object(call.request, {"role", "password", "enabled"}));
    const auto change = FIELDWATCH_TRY(read_change(context, body));
    const auto user = FIELDWATCH_TRY(context.parts.accounts.change(call.names[0], change));
    return json_reply(200, FIELDWATCH_TRY(user_json(context, user)));
}

Answer delete_user(const Context& context, const Call& call) {
    FIELDWATCH_TRY(context.parts.accounts.remove_user(call.names[0]));
    return net::HttpResponse{.status = 204};
}

}  // namespace

std::vector<Route> user_routes() {
    return {{"GET", "/api/v1/users", Role::Administrator, list_users},
            {"PUT", "/api/v1/users/{name}", Role::Administrator, put_user},
            {"PATCH", "/api/v1/users/{name}", Role::Administrator, patch_user},
            {"DELETE", "/api/v1/users/{name}", Role::Administrator, delete_user}};
}

}  // namespace fieldwatch::portal
