// Twins: both sections as they are, and changes to desired properties and tags.
#include "portal/context.hpp"
#include "portal/reply.hpp"

namespace fieldwatch::portal {
namespace {

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
    const auto tags = body.value("tags", Json()).dump();
    auto patch = properties.value("desired", Json());
    if (patch.is_object()) patch.erase("$version");
    const auto desired = patch.dump();
    registry::TwinUpdate update;
    if (body.contains("tags")) update.tags_json = tags;
    if (properties.contains("desired")) update.desired_json = desired;
    const auto done = FIELDWATCH_TRY(context.parts.registry.update_twin(identity, update));
    if (done.desired) context.parts.devices.desired_changed(identity, *done.desired);
    return json_reply(200, FIELDWATCH_TRY(twin_json(context, identity)));
}

constexpr std::string_view kTwinOperations = "C2DTwinOperations";

Answer read(const Context& context, const Call& call) {
    return told(context, call, kTwinOperations, "read", get_twin);
}

Answer change(const Context& context, const Call& call) {
    return told(context, call, kTwinOperations, "update", patch_twin);
}

}  // namespace

std::vector<Route> twin_routes() {
    return {
        {"GET", "/api/v1/hubs/{hub}/devices/{device}/twin", Role::Reader, read},
        {"PATCH", "/api/v1/hubs/{hub}/devices/{device}/twin", Role::Administrator, change},
        {"GET", "/api/v1/hubs/{hub}/devices/{device}/modules/{module}/twin", Role::Reader, read},
        {"PATCH", "/api/v1/hubs/{hub}/devices/{device}/modules/{module}/twin", Role::Administrator, change}};
}

}  // namespace fieldwatch::portal
