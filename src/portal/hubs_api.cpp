// Hubs: list, one, create, change. Keys leave only for administrators who ask for them.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "hub/network_rules.hpp"
#include "hub/routing/routes.hpp"
#include "hub/telemetry_metrics.hpp"
#include "portal/context.hpp"
#include "portal/control_plane.hpp"
#include "portal/reply.hpp"

namespace fieldwatch::portal {
namespace {

/// Who may sign for the hub, without what they sign with.
Json policies_json(const registry::Hub& hub) {
    Json out = Json::array();
    for (const auto& policy : hub.policies) {
        Json rights = Json::array();
        for (const auto& [name, has] : {std::pair{"RegistryRead", policy.registry_read},
                                        std::pair{"RegistryWrite", policy.registry_write},
                                        std::pair{"ServiceConnect", policy.service_connect},
                                        std::pair{"DeviceConnect", policy.device_connect}}) {
            if (has) rights.push_back(name);
        }
        out.push_back({{"name", policy.name}, {"rights", std::move(rights)}});
    }
    return out;
}

Json hub_json(const registry::Hub& hub) {
    return {{"name", hub.name.value},
            {"workspace", hub.workspace},
            {"securityEnabled", hub.security_enabled},
            {"storeRawEvents", hub.store_raw_events},
            {"maskAddresses", hub.mask_addresses},
            {"twinData", hub.twin_data},
            {"hostNames", hub.host_names},
            {"configuration", Json::parse(hub.configuration_json, nullptr, false)},
            {"sharedPolicies", policies_json(hub)},
            {"created", to_iso8601(hub.created)},
            {"etag", std::to_string(hub.etag)}};
}

Result<void> read_switches(const Json& body, registry::Hub& hub) {
    FIELDWATCH_TRY(read_member(body, "securityEnabled", hub.security_enabled));
    FIELDWATCH_TRY(read_member(body, "storeRawEvents", hub.store_raw_events));
    FIELDWATCH_TRY(read_member(body, "maskAddresses", hub.mask_addresses));
    FIELDWATCH_TRY(read_member(body, "twinData", hub.twin_data));
    FIELDWATCH_TRY(read_member(body, "hostNames", hub.host_names));
    return {};
}

/// `configuration`: an RFC 7396 merge patch of what spec/hub-signals.md section 5 lists.
Result<void> read_configuration(const Json& body, registry::Hub& hub) {
    const auto found = body.find("configuration");
    if (found == body.end()) return {};
    if (!found->is_object()) return fail(Errc::InvalidArgument, "\"configuration\" must be an object");
    auto json = Json::parse(hub.configuration_json, nullptr, false);
    if (!json.is_object()) json = Json::object();
    json.merge_patch(*found);
    auto text = json.dump();
    FIELDWATCH_TRY(hub::NetworkRules::check(text));
    FIELDWATCH_TRY(hub::Routing::parse(text));
    FIELDWATCH_TRY(hub::TelemetryMetrics::parse(text));
    hub.configuration_json = std::move(text);
    return {};
}

/// What an activity log would say of the difference.
Result<void> tell_change(const Context& context, const Call& call, const registry::Hub& before,
                         const registry::Hub& after, int status) {
    FIELDWATCH_TRY(tell_control_plane(
        context, call,
        {.hub = after.name, .operation = "Microsoft.Devices/iotHubs/Write", .status = status}));
    const auto diagnostics = [](const registry::Hub& hub) {
        const auto json = Json::parse(hub.configuration_json, nullptr, false);
        return json.is_object() ? json.value("diagnosticSettings", Json()) : Json();
    };
    const auto now = diagnostics(after);
    if (now == diagnostics(before)) return {};
    const bool gone = now.is_null() || now.empty();
    return tell_control_plane(context, call,
                              {.hub = after.name,
                               .operation = gone ? "Microsoft.Insights/diagnosticSettings/Delete"
                                                 : "Microsoft.Insights/diagnosticSettings/Write",
                               .resource = "/providers/microsoft.insights/diagnosticSettings/fieldwatch",
                               .status = status});
}

Answer list_hubs(const Context& context, const Call& call) {
    Json hubs = Json::array();
    const auto& own = call.who.hubs;
    for (const auto& hub : FIELDWATCH_TRY(context.parts.registry.hubs())) {
        if (own.empty() || std::ranges::find(own, hub.name.value) != own.end()) hubs.push_back(hub_json(hub));
    }
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
    const auto body = FIELDWATCH_TRY(
        body_object(call.request, {"name", "workspace", "securityEnabled", "storeRawEvents", "maskAddresses",
                                   "twinData", "hostNames", "configuration"}));
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
    hub.configuration_json = "{}";
    FIELDWATCH_TRY(read_configuration(body, hub));
    const auto created = FIELDWATCH_TRY(context.parts.registry.create_hub(std::move(hub)));
    registry::Hub nothing;
    nothing.configuration_json = "{}";
    FIELDWATCH_TRY(tell_change(context, call, nothing, created, 201));
    return json_reply(201, hub_json(created));
}

struct HubChange {
    registry::Hub before, after;
};

/// One read, change and write of the hub of the path. Errors also: Conflict when it is not the version that
/// was read, or asked for.
template <class Change>
Result<HubChange> changed(const Context& context, const Call& call, std::optional<std::uint64_t> match,
                          const Change& change) {
    const auto name = FIELDWATCH_TRY(model::parse_hub_name(call.names[0]));
    HubChange out;
    out.before = FIELDWATCH_TRY(context.parts.registry.hub(name));
    auto hub = out.before;
    FIELDWATCH_TRY(change(hub));
    out.after = FIELDWATCH_TRY(context.parts.registry.update_hub(hub, match.value_or(out.before.etag)));
    return out;
}

Answer patch_hub(const Context& context, const Call& call) {
    const auto body =
        FIELDWATCH_TRY(body_object(call.request, {"securityEnabled", "storeRawEvents", "maskAddresses",
                                                  "twinData", "hostNames", "configuration"}));
    const auto match = FIELDWATCH_TRY(if_match(call.request));
    const auto attempt = [&] {
        return changed(context, call, match, [&](registry::Hub& hub) -> Result<void> {
            FIELDWATCH_TRY(read_switches(body, hub));
            return read_configuration(body, hub);
        });
    };
    const auto done = match ? attempt() : settled(attempt);
    if (!done) return std::unexpected(done.error());
    FIELDWATCH_TRY(tell_change(context, call, done->before, done->after, 200));
    return json_reply(200, hub_json(done->after));
}

/// How the endpoints of a hub's routes are doing.
Answer get_routes(const Context& context, const Call& call) {
    const auto name = FIELDWATCH_TRY(model::parse_hub_name(call.names[0]));
    const auto hub = FIELDWATCH_TRY(context.parts.registry.hub(name));
    Json endpoints = Json::array();
    const auto all = context.parts.routes == nullptr ? std::vector<hub::EndpointStatus>{}
                                                     : context.parts.routes->status(hub.name);
    for (const auto& one : all) {
        endpoints.push_back({{"name", one.name},
                             {"type", hub::to_string(one.kind)},
                             {"healthy", one.healthy},
                             {"lastError", one.last_error},
                             {"delivered", one.delivered},
                             {"refused", one.refused},
                             {"dropped", one.dropped},
                             {"behind", one.behind}});
    }
    return json_reply(200, {{"value", std::move(endpoints)}});
}

registry::DocumentKey endpoint_secret_of(const model::HubName& hub, const std::string& endpoint) {
    return {.hub = hub, .kind = std::string(hub::kEndpointSecret), .id = endpoint};
}

/// The configuration is for readers, and a record of the log: what an endpoint asks of us is kept elsewhere.
Answer put_endpoint_secret(const Context& context, const Call& call) {
    const auto body = FIELDWATCH_TRY(body_object(call.request, {"user", "password"}));
    const auto name = FIELDWATCH_TRY(model::parse_hub_name(call.names[0]));
    const auto hub = FIELDWATCH_TRY(context.parts.registry.hub(name));
    const auto routing = FIELDWATCH_TRY(hub::Routing::parse(hub.configuration_json));
    const auto& endpoints = routing.endpoints();
    const auto endpoint = std::ranges::find(endpoints, call.names[1], &hub::RouteEndpoint::name);
    if (endpoint == endpoints.end())
        return fail(Errc::NotFound,
                    fmt::format("the hub {} has no endpoint {}", hub.name.value, call.names[1]));
    if (endpoint->kind != hub::RouteEndpoint::Kind::Kafka && endpoint->kind != hub::RouteEndpoint::Kind::Nats)
        return fail(Errc::InvalidArgument, "only endpoints of Kafka and NATS have a user and a password");
    std::string user, password;
    FIELDWATCH_TRY(read_member(body, "user", user));
    FIELDWATCH_TRY(read_member(body, "password", password));
    constexpr std::size_t kSecretMax = 4'096;
    if (user.empty() || user.size() > kSecretMax || password.size() > kSecretMax)
        return fail(Errc::InvalidArgument,
                    "\"user\" is required; it and \"password\" have at most 4096 bytes");
    FIELDWATCH_TRY(context.parts.registry.put_document(endpoint_secret_of(hub.name, call.names[1]),
                                                       Json({{"user", user}, {"password", password}}).dump(),
                                                       {}));
    return net::HttpResponse{.status = 204};
}

Answer delete_endpoint_secret(const Context& context, const Call& call) {
    const auto name = FIELDWATCH_TRY(model::parse_hub_name(call.names[0]));
    FIELDWATCH_TRY(
        context.parts.registry.remove_document(endpoint_secret_of(name, call.names[1]), std::nullopt));
    return net::HttpResponse{.status = 204};
}

/// The primary key becomes the secondary one, so that whoever still signs with it is let in until the next
/// turn.
Answer rotate_key(const Context& context, const Call& call) {
    std::array<std::byte, 32> fresh;
    context.parts.random.fill(fresh);
    const auto key = base64(fresh);
    const auto done = settled([&] {
        return changed(context, call, std::nullopt, [&](registry::Hub& hub) -> Result<void> {
            const auto policy = std::ranges::find(hub.policies, call.names[1], &registry::Policy::name);
            if (policy == hub.policies.end())
                return fail(Errc::NotFound,
                            fmt::format("the hub {} has no policy {}", hub.name.value, call.names[1]));
            policy->keys = {.primary = key, .secondary = policy->keys.primary};
            return {};
        });
    });
    if (!done) return std::unexpected(done.error());
    FIELDWATCH_TRY(tell_change(context, call, done->before, done->after, 200));
    return json_reply(200, {{"policy", call.names[1]}, {"primaryKey", key}});
}

}  // namespace

std::vector<Route> hub_routes() {
    return {{"GET", "/api/v1/hubs", Role::Reader, list_hubs},
            {"GET", "/api/v1/hubs/{hub}", Role::Reader, get_hub},
            {"PUT", "/api/v1/hubs/{hub}", Role::Administrator, put_hub},
            {"PATCH", "/api/v1/hubs/{hub}", Role::Administrator, patch_hub},
            {"GET", "/api/v1/hubs/{hub}/routes", Role::Reader, get_routes},
            {"PUT", "/api/v1/hubs/{hub}/routes/{endpoint}/secret", Role::Administrator, put_endpoint_secret},
            {"DELETE", "/api/v1/hubs/{hub}/routes/{endpoint}/secret", Role::Administrator,
             delete_endpoint_secret},
            {"POST", "/api/v1/hubs/{hub}/policies/{policy}/rotate", Role::Administrator, rotate_key}};
}

}  // namespace fieldwatch::portal
