#include "registry/outbox.hpp"

#include <nlohmann/json.hpp>

namespace fieldwatch::registry {

namespace {

using Json = nlohmann::json;

std::string text_of(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json fingerprint(std::string_view secret_text, const Bytes& secret) {
    if (secret_text.empty()) return nullptr;
    return hex(hmac_sha256(secret, as_bytes(secret_text)));
}

std::string_view change_name(IdentityChange change) {
    switch (change) {
        case IdentityChange::Create:
            return "create";
        case IdentityChange::Update:
            return "update";
        case IdentityChange::Delete:
            return "delete";
    }
    return "update";
}

std::string_view auth_name(AuthType type) {
    switch (type) {
        case AuthType::Sas:
            return "sas";
        case AuthType::X509Thumbprint:
            return "selfSigned";
        case AuthType::X509Ca:
            return "certificateAuthority";
    }
    return "none";
}

std::string rights_text(const Policy& policy) {
    std::string out;
    const auto add = [&](bool has, std::string_view name) {
        if (has) out += (out.empty() ? "" : ", ") + std::string(name);
    };
    add(policy.registry_read, "RegistryRead");
    add(policy.registry_write, "RegistryWrite");
    add(policy.service_connect, "ServiceConnect");
    add(policy.device_connect, "DeviceConnect");
    return out;
}

/// What this server does with the hub is nobody else's to say, whatever the configuration's own words are.
model::Record record_of(const Hub& hub, Json configuration, Timestamp now) {
    configuration["fieldwatch"] = {{"workspace", hub.workspace},
                                   {"securityEnabled", hub.security_enabled},
                                   {"storeRawEvents", hub.store_raw_events},
                                   {"maskAddresses", hub.mask_addresses},
                                   {"twinData", hub.twin_data},
                                   {"etag", hub.etag}};
    return {.kind = model::RecordKind::HubConfiguration,
            .received = now,
            .sender = {hub.name, {}, {}},
            .properties = {},
            .body = text_of(configuration)};
}

}  // namespace

Result<void> add_to_outbox(Connection& database, const model::Record& record) {
    const auto bytes = model::encode(record);
    static_cast<void>(
        FIELDWATCH_TRY(database.change("INSERT INTO outbox(record) VALUES(?)", ByteView(bytes))));
    return {};
}

Result<std::vector<OutboxRow>> read_outbox(Connection& database, std::size_t count_max) {
    auto rows = FIELDWATCH_TRY(
        database.query("SELECT sequence, record FROM outbox ORDER BY sequence LIMIT ?", count_max));
    std::vector<OutboxRow> out;
    while (FIELDWATCH_TRY(rows.step())) {
        const auto view = FIELDWATCH_TRY(model::decode_record(rows.blob(1)));
        OutboxRow row{.sequence = rows.count(0),
                      .record = {.kind = view.kind,
                                 .received = view.received,
                                 .sender = {model::HubName{std::string(view.hub)},
                                            model::DeviceId{std::string(view.device)},
                                            model::ModuleId{std::string(view.module)}},
                                 .properties = {},
                                 .body = std::string(view.body)}};
        for (const auto& [name, value] : view.properties)
            row.record.properties.emplace_back(name, value);
        out.push_back(std::move(row));
    }
    return out;
}

Result<void> clear_outbox(Connection& database, std::uint64_t up_to_sequence) {
    static_cast<void>(
        FIELDWATCH_TRY(database.change("DELETE FROM outbox WHERE sequence <= ?", up_to_sequence)));
    return {};
}

model::Record identity_record(IdentityChange change, const Entry& entry, const Telling& telling) {
    Json identity = {
        {"deviceId", entry.identity.device.value},
        {"generationId", entry.generation_id},
        {"etag", std::to_string(entry.etag)},
        {"status", entry.enabled ? "enabled" : "disabled"},
        {"statusReason", entry.status_reason},
        {"statusUpdateTime", to_iso8601(entry.status_updated)},
        {"authenticationType", auth_name(entry.auth)},
        {"authentication",
         {{"type", auth_name(entry.auth)},
          {"symmetricKey",
           {{"primaryFingerprint", fingerprint(entry.keys.primary, telling.secret)},
            {"secondaryFingerprint", fingerprint(entry.keys.secondary, telling.secret)}}},
          {"x509Thumbprint",
           {{"primaryFingerprint", fingerprint(entry.primary_thumbprint, telling.secret)},
            {"secondaryFingerprint", fingerprint(entry.secondary_thumbprint, telling.secret)}}}}},
        {"capabilities", {{"iotEdge", entry.iot_edge}}},
    };
    if (!entry.identity.module.empty()) identity["moduleId"] = entry.identity.module.value;
    return {.kind = model::RecordKind::IdentityChange,
            .received = telling.now,
            .sender = entry.identity,
            .properties = {},
            .body = text_of({{"change", change_name(change)}, {"identity", std::move(identity)}})};
}

model::Record twin_record(const model::Identity& identity, std::string_view section,
                          const std::string& document_json, std::uint64_t version, Timestamp now) {
    const auto document = Json::parse(document_json, nullptr, false);
    return {.kind = model::RecordKind::Twin,
            .received = now,
            .sender = identity,
            .properties = {},
            .body = text_of({{"section", section}, {"document", document}, {"version", version}})};
}

model::Record hub_record(const Hub& hub, Timestamp now) {
    auto body = Json::parse(hub.configuration_json, nullptr, false);  // checked when it was stored
    // Our listeners speak nothing older (src/net), so a hub that says nothing says this.
    if (!body.contains("minTlsVersion")) body["minTlsVersion"] = "1.2";
    auto policies = Json::array();
    for (const auto& policy : hub.policies)
        policies.push_back({{"keyName", policy.name}, {"rights", rights_text(policy)}});
    body["authorizationPolicies"] = std::move(policies);
    return record_of(hub, std::move(body), now);
}

Result<model::Record> configuration_record(const Hub& hub, std::string_view configuration_json,
                                           Timestamp now) {
    auto body = Json::parse(configuration_json, nullptr, false);
    if (!body.is_object()) return fail(Errc::Malformed, "a hub's configuration is a JSON object");
    return record_of(hub, std::move(body), now);
}

}  // namespace fieldwatch::registry
