// Tokens of programs: made once, shown once, taken back. Administrators only.
#include <array>

#include <fmt/format.h>

#include "base/bytes.hpp"
#include "base/hash.hpp"
#include "portal/context.hpp"
#include "portal/reply.hpp"

namespace fieldwatch::portal {
namespace {

constexpr std::size_t kTokenNameMax = 64;
constexpr std::size_t kHubsMax = 64;

Json token_json(const registry::Token& token) {
    return {{"name", token.name},
            {"role", token.role},
            {"hubs", token.hubs},
            {"expires", token.expires ? Json(to_iso8601(*token.expires)) : Json(nullptr)}};
}

Answer list_tokens(const Context& context, const Call&) {
    Json tokens = Json::array();
    for (const auto& token : FIELDWATCH_TRY(context.parts.accounts.tokens()))
        tokens.push_back(token_json(token));
    return json_reply(200, {{"value", std::move(tokens)}});
}

/// What a token is for; every name must be that of a hub.
Result<std::vector<std::string>> hubs_of(const Context& context, const Json& body) {
    std::vector<std::string> out;
    const auto found = body.find("hubs");
    if (found == body.end()) return out;
    if (!found->is_array() || found->empty() || found->size() > kHubsMax)
        return fail(Errc::InvalidArgument,
                    fmt::format("\"hubs\" must be an array of 1 to {} names of hubs", kHubsMax));
    for (const auto& name : *found) {
        if (!name.is_string()) return fail(Errc::InvalidArgument, "\"hubs\" must hold names");
        const auto hub = FIELDWATCH_TRY(model::parse_hub_name(name.get<std::string>()));
        out.push_back(FIELDWATCH_TRY(context.parts.registry.hub(hub)).name.value);
    }
    return out;
}

/// The token itself is shown in this answer and never again: the registry keeps its hash only.
Answer put_token(const Context& context, const Call& call) {
    const auto body = FIELDWATCH_TRY(body_object(call.request, {"role", "expires", "hubs"}));
    registry::Token token;
    token.name = call.names[0];
    if (token.name.size() > kTokenNameMax) {
        return fail(Errc::InvalidArgument, fmt::format("a token's name has at most {} bytes", kTokenNameMax));
    }
    FIELDWATCH_TRY(read_member(body, "role", token.role));
    if (!token_role_from(token.role)) {
        return not_among("role", token.role, {"forwarder", "reader", "analyst", "operator", "administrator"});
    }
    std::string expires;
    FIELDWATCH_TRY(read_member(body, "expires", expires));
    if (!expires.empty()) {
        const auto time = parse_iso8601(expires);
        if (!time)
            return fail(Errc::InvalidArgument,
                        "\"expires\" must be an ISO 8601 time; it is \"" + expires + "\"");
        token.expires = time->time;
        if (*token.expires <= context.parts.clock.now())
            return fail(Errc::InvalidArgument, "\"expires\" is over already: " + expires);
    }
    token.hubs = FIELDWATCH_TRY(hubs_of(context, body));
    std::array<std::byte, 32> bytes;
    context.parts.random.fill(bytes);
    const auto secret = hex(bytes);
    token.hash_hex = hex(sha256(as_bytes(secret)));
    FIELDWATCH_TRY(context.parts.accounts.add(token));
    auto reply = token_json(token);
    reply["token"] = secret;
    return json_reply(201, reply);
}

Answer delete_token(const Context& context, const Call& call) {
    FIELDWATCH_TRY(context.parts.accounts.remove_token(call.names[0]));
    return net::HttpResponse{.status = 204};
}

}  // namespace

std::vector<Route> token_routes() {
    return {{"GET", "/api/v1/tokens", Role::Administrator, list_tokens},
            {"PUT", "/api/v1/tokens/{name}", Role::Administrator, put_token},
            {"DELETE", "/api/v1/tokens/{name}", Role::Administrator, delete_token}};
}

}  // namespace fieldwatch::portal
