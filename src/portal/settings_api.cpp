// Settings, tokens, and what watches the server itself: health, readiness, metrics.
#include <array>

#include <fmt/format.h>

#include "base/bytes.hpp"
#include "base/hash.hpp"
#include "detect/settings.hpp"
#include "portal/context.hpp"
#include "portal/reply.hpp"

namespace fieldwatch::portal {
namespace {

constexpr std::size_t kTokenNameMax = 64;

Answer get_health(const Context&, const Call&) {
    return json_reply(200, {{"status", "ok"}});
}

Answer get_ready(const Context& context, const Call&) {
    const bool ready = context.parts.progress().ready;
    return json_reply(ready ? 200 : 503, {{"status", ready ? "ready" : "catching up"}});
}

Answer get_metrics(const Context& context, const Call&) {
    return net::HttpResponse{.headers = {{"content-type", "text/plain; version=0.0.4; charset=utf-8"}},
                             .body = context.parts.metrics.prometheus_text()};
}

Answer get_who(const Context& context, const Call& call) {
    return json_reply(
        200,
        {{"name", call.who.name}, {"role", to_string(call.who.role)}, {"version", context.parts.version}});
}

Answer get_setting(const Context& context, const Call& call) {
    const auto value = FIELDWATCH_TRY(context.parts.registry.setting(call.names[0]));
    if (!value)
        return fail(Errc::NotFound, fmt::format("the setting \"{}\" has no value here", call.names[0]));
    return json_reply(200, {{"key", call.names[0]}, {"value", *value}});
}

Answer put_setting(const Context& context, const Call& call) {
    const auto body = FIELDWATCH_TRY(body_object(call.request, {"value"}));
    if (!body.contains("value")) return fail(Errc::InvalidArgument, "\"value\" is required: a text");
    std::string value;
    FIELDWATCH_TRY(read_member(body, "value", value));
    const bool is_tuning = call.names[0] == kDetectionSettings;
    if (is_tuning) static_cast<void>(FIELDWATCH_TRY(detect::parse_settings(value)));
    FIELDWATCH_TRY(context.parts.registry.set_setting(call.names[0], value));
    if (is_tuning) context.parts.content_changed();
    return json_reply(200, {{"key", call.names[0]}, {"value", value}});
}

Json token_json(const registry::ApiToken& token) {
    return {{"name", token.name},
            {"role", token.role},
            {"expires", token.expires ? Json(to_iso8601(*token.expires)) : Json(nullptr)}};
}

Answer list_tokens(const Context& context, const Call&) {
    Json tokens = Json::array();
    for (const auto& token : FIELDWATCH_TRY(context.parts.registry.tokens()))
        tokens.push_back(token_json(token));
    return json_reply(200, {{"value", std::move(tokens)}});
}

/// The token itself is shown in this answer and never again: the registry keeps its hash only.
Answer put_token(const Context& context, const Call& call) {
    const auto body = FIELDWATCH_TRY(body_object(call.request, {"role", "expires"}));
    registry::ApiToken token;
    token.name = call.names[0];
    if (token.name.size() > kTokenNameMax) {
        return fail(Errc::InvalidArgument, fmt::format("a token's name has at most {} bytes", kTokenNameMax));
    }
    FIELDWATCH_TRY(read_member(body, "role", token.role));
    if (!role_from(token.role)) {
        return not_among("role", token.role, {"reader", "analyst", "operator", "administrator"});
    }
    std::string expires;
    FIELDWATCH_TRY(read_member(body, "expires", expires));
    if (!expires.empty()) {
        const auto time = parse_iso8601(expires);
        if (!time)
            return fail(Errc::InvalidArgument,
                        "\"expires\" must be an ISO 8601 time; it is \"" + expires + "\"");
        token.expires = time->time;
    }
    std::array<std::byte, 32> bytes;
    context.parts.random.fill(bytes);
    const auto secret = hex(bytes);
    token.hash_hex = hex(sha256(as_bytes(secret)));
    FIELDWATCH_TRY(context.parts.registry.add_token(token));
    auto reply = token_json(token);
    reply["token"] = secret;
    return json_reply(201, reply);
}

}  // namespace

std::vector<Route> settings_routes() {
    return {{"GET", "/healthz", Role::Public, get_health},
            {"GET", "/readyz", Role::Public, get_ready},
            {"GET", "/metrics", Role::Reader, get_metrics},
            {"GET", "/api/v1/who", Role::Reader, get_who},
            {"GET", "/api/v1/settings/{key}", Role::Reader, get_setting},
            {"PUT", "/api/v1/settings/{key}", Role::Administrator, put_setting},
            {"GET", "/api/v1/tokens", Role::Administrator, list_tokens},
            {"PUT", "/api/v1/tokens/{name}", Role::Administrator, put_token}};
}

}  // namespace fieldwatch::portal
