#include "hub/https/identity_json.hpp"

#include <algorithm>

namespace fieldwatch::hub {

namespace {

constexpr std::string_view kNever = "0001-01-01T00:00:00Z";

std::string time_text(Timestamp time) {
    return time.ticks == 0 ? std::string(kNever) : to_iso8601(time);
}

Json or_null(const std::string& text) {
    return text.empty() ? Json(nullptr) : Json(text);
}

Json thumbprints(const registry::Entry& entry) {
    return {{"primaryThumbprint", or_null(entry.primary_thumbprint)},
            {"secondaryThumbprint", or_null(entry.secondary_thumbprint)}};
}

Json section(const std::string& document, const std::string& metadata, std::uint64_t version,
             const registry::Entry& entry) {
    auto out = Json::parse(document, nullptr, false);
    if (!out.is_object()) out = Json::object();
    auto marks = Json::parse(metadata, nullptr, false);
    if (!marks.is_object()) marks = Json::object();
    if (!marks.contains("$lastUpdated")) marks["$lastUpdated"] = to_iso8601(entry.created);
    out["$metadata"] = std::move(marks);
    out["$version"] = version;
    return out;
}

Result<std::string> text_member(const Json& object, const char* name) {
    const auto found = object.find(name);
    if (found == object.end() || found->is_null()) return std::string();
    if (!found->is_string()) return fail(Errc::InvalidArgument, std::string(name) + " must be text");
    return found->get<std::string>();
}

Result<void> read_authentication(const Json& authentication, registry::Entry& entry) {
    if (!authentication.is_object()) return fail(Errc::InvalidArgument, "authentication must be an object");
    auto type = FIELDWATCH_TRY(text_member(authentication, "type"));
    const auto prints = authentication.value("x509Thumbprint", Json::object());
    std::string primary, secondary;
    if (prints.is_object()) {
        primary = FIELDWATCH_TRY(text_member(prints, "primaryThumbprint"));
        secondary = FIELDWATCH_TRY(text_member(prints, "secondaryThumbprint"));
    }
    if (type.empty()) type = primary.empty() && secondary.empty() ? "sas" : "selfSigned";
    if (type == "sas") {
        entry.auth = registry::AuthType::Sas;
        entry.keys = {};
        const auto keys = authentication.value("symmetricKey", Json::object());
        if (keys.is_object()) {
            entry.keys.primary = FIELDWATCH_TRY(text_member(keys, "primaryKey"));
            entry.keys.secondary = FIELDWATCH_TRY(text_member(keys, "secondaryKey"));
        }
    } else if (type == "selfSigned") {
        entry.auth = registry::AuthType::X509Thumbprint;
        entry.primary_thumbprint = primary.empty() ? secondary : primary;
        entry.secondary_thumbprint = secondary;
    } else if (type == "certificateAuthority") {
        // Of a device that stays one, the authority that provisioning recorded stays too.
        if (entry.auth != registry::AuthType::X509Ca) entry.primary_thumbprint.clear();
        entry.auth = registry::AuthType::X509Ca;
    } else {
        return fail(Errc::InvalidArgument, "authentication.type is sas, selfSigned or certificateAuthority");
    }
    return {};
}

}  // namespace

std::string_view auth_type_name(registry::AuthType type) {
    switch (type) {
        case registry::AuthType::Sas:
            return "sas";
        case registry::AuthType::X509Thumbprint:
            return "selfSigned";
        case registry::AuthType::X509Ca:
            return "certificateAuthority";
    }
    return "none";
}

Liveness liveness_of(Shared& shared, const registry::Entry& entry) {
    const auto presence = shared.table.presence(entry.identity);
    return {.connected = presence.connected,
            .connection_changed = std::max(presence.changed, entry.connection_changed),
            .last_activity = std::max(presence.active, entry.last_activity),
            .commands = shared.commands.count(entry.identity).value_or(0)};
}

Json identity_json(const registry::Entry& entry, const Liveness& live) {
    Json out{
        {"deviceId", entry.identity.device.value},
        {"generationId", entry.generation_id},
        {"etag", identity_etag(entry.etag)},
        {"connectionState", live.connected ? "Connected" : "Disconnected"},
        {"connectionStateUpdatedTime", time_text(live.connection_changed)},
        {"lastActivityTime", time_text(live.last_activity)},
        {"cloudToDeviceMessageCount", live.commands},
        {"authentication",
         {{"symmetricKey",
           {{"primaryKey", or_null(entry.keys.primary)}, {"secondaryKey", or_null(entry.keys.secondary)}}},
          {"x509Thumbprint", thumbprints(entry)},
          {"type", auth_type_name(entry.auth)}}},
    };
    if (!entry.identity.module.empty()) {
        out["moduleId"] = entry.identity.module.value;
        out["managedBy"] = nullptr;
        return out;
    }
    out["status"] = entry.enabled ? "enabled" : "disabled";
    out["statusReason"] = or_null(entry.status_reason);
    out["statusUpdatedTime"] =
        entry.status_updated == entry.created ? std::string(kNever) : to_iso8601(entry.status_updated);
    out["capabilities"] = {{"iotEdge", entry.iot_edge}};
    out["deviceScope"] = nullptr;
    out["parentScopes"] = Json::array();
    return out;
}

Json twin_json(const registry::Entry& entry, const registry::Twin& twin, const Liveness& live) {
    Json out{
        {"deviceId", entry.identity.device.value},
        {"etag", twin_etag(twin.etag)},
        {"deviceEtag", identity_etag(entry.etag)},
        {"status", entry.enabled ? "enabled" : "disabled"},
        {"statusReason", or_null(entry.status_reason)},
        {"statusUpdateTime",
         entry.status_updated == entry.created ? std::string(kNever) : to_iso8601(entry.status_updated)},
        {"connectionState", live.connected ? "Connected" : "Disconnected"},
        {"lastActivityTime", time_text(live.last_activity)},
        {"cloudToDeviceMessageCount", live.commands},
        {"authenticationType", auth_type_name(entry.auth)},
        {"x509Thumbprint", thumbprints(entry)},
        {"modelId", twin.model_id},
        {"version", twin.version},
        {"properties",
         {{"desired", section(twin.desired_json, twin.desired_metadata_json, twin.desired_version, entry)},
          {"reported",
           section(twin.reported_json, twin.reported_metadata_json, twin.reported_version, entry)}}},
    };
    auto tags = Json::parse(twin.tags_json, nullptr, false);
    out["tags"] = tags.is_object() ? std::move(tags) : Json::object();
    if (!entry.identity.module.empty())
        out["moduleId"] = entry.identity.module.value;
    else
        out["capabilities"] = {{"iotEdge", entry.iot_edge}};
    return out;
}

Result<void> read_identity(const Json& body, registry::Entry& entry) {
    if (const auto status = FIELDWATCH_TRY(text_member(body, "status")); !status.empty()) {
        if (status != "enabled" && status != "disabled")
            return fail(Errc::InvalidArgument, "status is enabled or disabled");
        entry.enabled = status == "enabled";
    }
    if (body.contains("statusReason"))
        entry.status_reason = FIELDWATCH_TRY(text_member(body, "statusReason"));
    if (body.contains("authentication") && !body["authentication"].is_null())
        FIELDWATCH_TRY(read_authentication(body["authentication"], entry));
    const auto capabilities = body.find("capabilities");
    if (capabilities != body.end() && capabilities->is_object()) {
        const auto edge = capabilities->find("iotEdge");
        if (edge != capabilities->end() && edge->is_boolean()) entry.iot_edge = edge->get<bool>();
    }
    return {};
}

}  // namespace fieldwatch::hub
