// Twins: both sections as they are, and changes to desired properties and tags.
#include "portal/context.hpp"
#include "portal/reply.hpp"

namespace fieldwatch::portal {
namespace {

Result<model::Identity> identity_of(const Call& call) {
    model::Identity identity;
    identity.hub = FIELDWATCH_TRY(model::parse_hub_name(call.names[0]));
    identity.device = FIELDWATCH_TRY(model::parse_device_id(call.names[1]));
    if (call.names.size() > 2) identity.module = FIELDWATCH_TRY(model::parse_module_id(call.names[2]));
    return identity;
}

Json section(const std::string& text, std::uint64_t version) {
    auto json = Json::parse(text, nullptr, false);
    if (!json.is_object()) json = Json::object();
    json["$version"] = version;
    return json;
}

Result<Json> twin_json(const Context& context, const model::Identity& identity) {
    const auto twin = FIELDWATCH_TRY(context.parts.registry.twin(identity));
    Json json{{"deviceId", identity.device.value}};
    if (!identity.module.empty()) json["moduleId"] = identity.module.value;
    json["etag"] = std::to_string(twin.etag);
    auto tags = Json::parse(twin.tags_json, nullptr, false);
    json["tags"] = tags.is_object() ? std::move(tags) : Json::object();
    json["properties"] = {{"desired", section(twin.desired_json, twin.desired_version)},
                          {"reported", section(twin.reported_json, twin.reported_version)}};
    return json;
}

Answer get_twin(const Context& context, const Call& call) {
    const auto identity = FIELDWATCH_TRY(identity_of(call));
    return json_reply(200, FIELDWATCH_TRY(twin_json(context, identity)));
}

/// {"properties":{"desired":{merge patch}}, "tags":{merge patch}}: the shape of the hub's own service API.
Answer patch_twin(const Context& context, const Call& call) {
    const auto identity = FIELDWATCH_TRY(identity_of(call));
    const auto body = FIELDWATCH_TRY(body_object(call.request, {"properties", "tags"}));
    const auto properties = body.value("properties", Json::object());
    if (!properties.is_object() ||
        (properties.size() > 0 && (properties.size() > 1 || !properties.contains("desired")))) {
        return fail(Errc::InvalidArgument,
                    "\"properties\" may hold \"desired\" only; the device reports the rest");
    }
    if (body.contains("tags")) {
        FIELDWATCH_TRY(context.parts.registry.patch_tags(identity, body["tags"].dump()));
    }
    if (properties.contains("desired")) {
        auto patch = properties["desired"];
        if (patch.is_object()) patch.erase("$version");
        const auto change = FIELDWATCH_TRY(context.parts.registry.patch_desired(identity, patch.dump()));
        context.parts.devices.desired_changed(identity, change);
    }
    return json_reply(200, FIELDWATCH_TRY(twin_json(context, identity)));
}

}  // namespace

std::vector<Route> twin_routes() {
    return {{"GET", "/api/v1/hubs/{hub}/devices/{device}/twin", Role::Reader, get_twin},
            {"PATCH", "/api/v1/hubs/{hub}/devices/{device}/twin", Role::Administrator, patch_twin},
            {"GET", "/api/v1/hubs/{hub}/devices/{device}/modules/{module}/twin", Role::Reader, get_twin},
            {"PATCH", "/api/v1/hubs/{hub}/devices/{device}/modules/{module}/twin", Role::Administrator,
             patch_twin}};
}

}  // namespace fieldwatch::portal
