// People who may sign in: add, change, remove. Administrators only; passwords come in and never go out.
#include <fmt/format.h>

#include "portal/context.hpp"
#include "portal/password.hpp"
#include "portal/reply.hpp"

namespace fieldwatch::portal {
namespace {

Json user_json(const registry::User& user) {
    return {{"name", user.name},
            {"role", user.role},
            {"enabled", user.enabled},
            {"created", to_iso8601(user.created)},
            {"passwordChanged", to_iso8601(user.password_changed)}};
}

/// Members that are there. A password is hashed, which takes a moment.
Result<void> read_user(const Context& context, const Json& body, registry::User& user) {
    FIELDWATCH_TRY(read_member(body, "role", user.role));
    if (!role_from(user.role))
        return not_among("role", user.role, {"reader", "analyst", "operator", "administrator"});
    FIELDWATCH_TRY(read_member(body, "enabled", user.enabled));
    if (!body.contains("password")) return {};
    std::string password;
    FIELDWATCH_TRY(read_member(body, "password", password));
    user.password_hash = FIELDWATCH_TRY(hash_password(password, context.parts.random));
    user.password_changed = context.parts.clock.now();
    return {};
}

Answer list_users(const Context& context, const Call&) {
    Json users = Json::array();
    for (const auto& user : FIELDWATCH_TRY(context.parts.accounts.users()))
        users.push_back(user_json(user));
    return json_reply(200, {{"value", std::move(users)}});
}

Answer put_user(const Context& context, const Call& call) {
    const auto body = FIELDWATCH_TRY(body_object(call.request, {"role", "password", "enabled"}));
    if (!body.contains("password")) return fail(Errc::InvalidArgument, "\"password\" is required");
    registry::User user{.name = call.names[0],
                        .password_hash = {},
                        .role = {},
                        .created = context.parts.clock.now(),
                        .password_changed = {}};
    FIELDWATCH_TRY(read_user(context, body, user));
    FIELDWATCH_TRY(context.parts.accounts.add(user));
    return json_reply(201, user_json(user));
}

Answer patch_user(const Context& context, const Call& call) {
    const auto body = FIELDWATCH_TRY(body_object(call.request, {"role", "password", "enabled"}));
    auto user = FIELDWATCH_TRY(context.parts.accounts.user(call.names[0]));
    FIELDWATCH_TRY(read_user(context, body, user));
    FIELDWATCH_TRY(context.parts.accounts.update(user));
    return json_reply(200, user_json(user));
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
