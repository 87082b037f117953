// Hubs: list, one, create, change. Keys leave only for administrators who ask for them.
#include <charconv>

#include <fmt/format.h>

#include "portal/context.hpp"
#include "portal/reply.hpp"

namespace fieldwatch::portal {
namespace {

Json hub_json(const registry::Hub& hub) {
    return {{"name", hub.name.value},
            {"workspace", hub.workspace},
            {"securityEnabled", hub.security_enabled},
            {"storeRawEvents", hub.store_raw_events},
            {"maskAddresses", hub.mask_addresses},
            {"twinData", hub.twin_data},
            {"hostNames", hub.host_names},
            {"created", to_iso8601(hub.created)},
            {"etag", std::to_string(hub.etag)}};
}

/// Optimistic concurrency: RFC 9110 section 13.1.1; `*` is any.
Result<std::optional<std::uint64_t>> if_match(const net::HttpRequest& request) {
    auto text = request.header("if-match");
    if (text.empty() || text == "*") return std::nullopt;
    if (text.size() > 1 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
    std::uint64_t etag = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), etag);
    if (error != std::errc{} || end != text.data() + text.size()) {
        return fail(Errc::InvalidArgument,
                    fmt::format("If-Match must be an etag this API gave; it is {}", text));
    }
    return etag;
}

Result<void> read_switches(const Json& body, registry::Hub& hub) {
    FIELDWATCH_TRY(read_member(body, "securityEnabled", hub.security_enabled));
    FIELDWATCH_TRY(read_member(body, "storeRawEvents", hub.store_raw_events));
    FIELDWATCH_TRY(read_member(body, "maskAddresses", hub.mask_addresses));
    FIELDWATCH_TRY(read_member(body, "twinData", hub.twin_data));
    FIELDWATCH_TRY(read_member(body, "hostNames", hub.host_names));
    return {};
}

Answer list_hubs(const Context& context, const Call&) {
    Json hubs = Json::array();
    for (const auto& hub : FIELDWATCH_TRY(context.parts.registry.hubs()))
        hubs.push_back(hub_json(hub));
    return json_reply(200, {{"value", std::move(hubs)}});
}

Answer get_hub(const Context& context, const Call& call) {
    const auto name = FIELDWATCH_TRY(model::parse_hub_name(call.names[0]));
    const auto hub = FIELDWATCH_TRY(context.parts.registry.hub(name));
    auto reply = hub_json(hub);
    const auto keys = call.request.parameter("keys");
    if (keys && *keys != "false") {
        if (call.who.role < Role::Administrator) {
            return fail(Errc::Forbidden,
                        fmt::format("keys are shown to administrators only; this token is a {}'s",
                                    to_string(call.who.role)));
        }
        auto& policies = reply["policies"] = Json::object();
        for (const auto& policy : hub.policies)
            policies[policy.name] = policy.keys.primary;
    }
    return json_reply(200, reply);
}

Answer put_hub(const Context& context, const Call& call) {
    const auto body =
        FIELDWATCH_TRY(body_object(call.request, {"name", "workspace", "securityEnabled", "storeRawEvents",
                                                  "maskAddresses", "twinData", "hostNames"}));
    registry::Hub hub;
    hub.name = FIELDWATCH_TRY(model::parse_hub_name(call.names[0]));
    std::string name = call.names[0];
    FIELDWATCH_TRY(read_member(body, "name", name));
    if (name != call.names[0]) {
        return fail(Errc::InvalidArgument,
                    fmt::format("\"name\" must be the hub of the address, \"{}\"; it is \"{}\"",
                                call.names[0], name));
    }
    FIELDWATCH_TRY(read_member(body, "workspace", hub.workspace));
    FIELDWATCH_TRY(read_switches(body, hub));
    return json_reply(201, hub_json(FIELDWATCH_TRY(context.parts.registry.create_hub(std::move(hub)))));
}

Answer patch_hub(const Context& context, const Call& call) {
    const auto body = FIELDWATCH_TRY(body_object(
        call.request, {"securityEnabled", "storeRawEvents", "maskAddresses", "twinData", "hostNames"}));
    const auto name = FIELDWATCH_TRY(model::parse_hub_name(call.names[0]));
    auto hub = FIELDWATCH_TRY(context.parts.registry.hub(name));
    const auto match = FIELDWATCH_TRY(if_match(call.request));
    FIELDWATCH_TRY(read_switches(body, hub));
    return json_reply(200, hub_json(FIELDWATCH_TRY(context.parts.registry.update_hub(hub, match))));
}

}  // namespace

std::vector<Route> hub_routes() {
    return {{"GET", "/api/v1/hubs", Role::Reader, list_hubs},
            {"GET", "/api/v1/hubs/{hub}", Role::Reader, get_hub},
            {"PUT", "/api/v1/hubs/{hub}", Role::Administrator, put_hub},
            {"PATCH", "/api/v1/hubs/{hub}", Role::Administrator, patch_hub}};
}

}  // namespace fieldwatch::portal
