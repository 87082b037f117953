// Settings, and what watches the server itself: health, readiness, metrics.
#include <fmt/format.h>

#include "detect/settings.hpp"
#include "portal/context.hpp"
#include "portal/reply.hpp"

namespace fieldwatch::portal {
namespace {

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

/// The settings that are read and written here. Others of the registry are a service's own: some hold keys,
/// and each has its own interface with its own role.
Result<void> check_key(const std::string& key) {
    if (key == kDetectionSettings) return {};
    return fail(Errc::NotFound,
                fmt::format("there is no setting \"{}\" here; there is {}", key, kDetectionSettings));
}

Answer get_setting(const Context& context, const Call& call) {
    FIELDWATCH_TRY(check_key(call.names[0]));
    const auto value = FIELDWATCH_TRY(context.parts.registry.setting(call.names[0]));
    if (!value)
        return fail(Errc::NotFound, fmt::format("the setting \"{}\" has no value here", call.names[0]));
    return json_reply(200, {{"key", call.names[0]}, {"value", *value}});
}

Answer put_setting(const Context& context, const Call& call) {
    FIELDWATCH_TRY(check_key(call.names[0]));
    const auto body = FIELDWATCH_TRY(body_object(call.request, {"value"}));
    if (!body.contains("value")) return fail(Errc::InvalidArgument, "\"value\" is required: a text");
    std::string value;
    FIELDWATCH_TRY(read_member(body, "value", value));
    static_cast<void>(FIELDWATCH_TRY(detect::parse_settings(value)));
    FIELDWATCH_TRY(context.parts.registry.set_setting(call.names[0], value));
    context.parts.content_changed();
    return json_reply(200, {{"key", call.names[0]}, {"value", value}});
}

}  // namespace

std::vector<Route> settings_routes() {
    return {{"GET", "/healthz", Role::Public, get_health},
            {"GET", "/readyz", Role::Public, get_ready},
            {"GET", "/metrics", Role::Reader, get_metrics},
            {"GET", "/api/v1/who", Role::Reader, get_who},
            {"GET", "/api/v1/settings/{key}", Role::Reader, get_setting},
            {"PUT", "/api/v1/settings/{key}", Role::Administrator, put_setting}};
}

}  // namespace fieldwatch::portal
