// The registry over HTTPS: devices, modules, bulk, statistics. Source: spec/iot-hub-protocols.md
// sections 7.2, 7.3.
#include <algorithm>
#include <charconv>

#include "hub/https/api.hpp"
#include "hub/https/identity_json.hpp"

namespace fieldwatch::hub {

namespace {

constexpr std::string_view kIdentities = "DeviceIdentityOperations";
constexpr std::size_t kDevicesMax = 1'000;
constexpr std::size_t kBulkMax = 100;

net::HttpResponse identity_response(const registry::Entry& entry, const Liveness& live) {
    auto response = json_response(200, identity_json(entry, live));
    response.headers.emplace_back("etag", "\"" + identity_etag(entry.etag) + "\"");
    return response;
}

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return text;
}

std::string text_of(const Json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

void Api::drop_if_changed(const registry::Entry& before, const registry::Entry& after) {
    // A rotated key leaves who is connected alone, so that there is no gap; both at once is a lock-out.
    // So it is with certificates: one of the old has to stay.
    const auto stays = [&](const std::string& thumbprint) {
        return !thumbprint.empty() &&
               (thumbprint == after.primary_thumbprint || thumbprint == after.secondary_thumbprint);
    };
    const bool no_key =
        before.keys.primary != after.keys.primary && before.keys.secondary != after.keys.secondary;
    const bool no_certificate = before.auth == registry::AuthType::X509Thumbprint &&
                                !stays(before.primary_thumbprint) && !stays(before.secondary_thumbprint);
    const bool locked_out = before.auth != after.auth || no_key || no_certificate;
    if (!after.enabled || locked_out) devices_.disconnect(after.identity);
}

Answer Api::list_devices(Call& call) {
    std::size_t top = kDevicesMax;
    if (const auto text = call.request.parameter("top")) {
        const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), top);
        if (error != std::errc{} || end != text->data() + text->size() || top == 0)
            return fail(Errc::InvalidArgument, "top is a number from 1 to 1000");
    }
    const auto entries = FIELDWATCH_TRY(
        shared_.parts.registry.devices(call.hub, {.after = "", .count_max = std::min(top, kDevicesMax)}));
    Json out = Json::array();
    for (const auto& entry : entries)
        out.push_back(identity_json(entry, liveness_of(shared_, entry)));
    log(call, kIdentities, "getDevices", call.identity(""));
    return json_response(200, out);
}

Answer Api::get_identity(Call& call, const model::Identity& identity) {
    const auto entry = shared_.parts.registry.get(identity);
    if (!entry) {
        const auto code = error_code(entry.error(), !identity.module.empty());
        log(call, kIdentities, "get", identity, code, entry.error().message);
        return api_error(code, entry.error().message);
    }
    log(call, kIdentities, "get", identity);
    return identity_response(*entry, liveness_of(shared_, *entry));
}

Answer Api::put_identity(Call& call, const model::Identity& identity) {
    auto& registry = shared_.parts.registry;
    const bool module = !identity.module.empty();
    const bool updates = !call.request.header("if-match").empty();
    const auto refuse = [&](const Error& error) {
        const auto code = error_code(error, module);
        log(call, kIdentities, updates ? "update" : "create", identity, code, error.message);
        return api_error(code, error.message);
    };
    const auto body = parse_body(call);
    if (!body) return refuse(body.error());
    if (!body->is_object() || text_of(*body, "deviceId") != identity.device.value ||
        (module && text_of(*body, "moduleId") != identity.module.value))
        return refuse({Errc::InvalidArgument, "deviceId (and moduleId) must be those of the address"});
    registry::Entry before;
    if (updates) {
        auto known = registry.get(identity);
        if (!known) return refuse(known.error());
        before = std::move(*known);
    }
    auto entry = before;
    entry.identity = identity;
    if (const auto read = read_identity(*body, entry); !read) return refuse(read.error());
    const auto done = updates ? registry.update(entry, parse_identity_etag(call.request.header("if-match")))
                              : registry.create(entry);
    if (!done) {
        // A module of a device that is not there: it is the device that is not found.
        if (module && done.error().code == Errc::NotFound) return api_error(404001, done.error().message);
        return refuse(done.error());
    }
    if (updates) drop_if_changed(before, *done);
    log(call, kIdentities, updates ? "update" : "create", identity);
    return identity_response(*done, liveness_of(shared_, *done));
}

Answer Api::delete_identity(Call& call, const model::Identity& identity) {
    const auto header = call.request.header("if-match");
    const bool module = !identity.module.empty();
    const auto done = header.empty() ? Result<void>(fail(Errc::InvalidArgument, "a delete needs If-Match"))
                                     : shared_.parts.registry.remove(identity, parse_identity_etag(header));
    const auto code = done ? 0 : error_code(done.error(), module);
    log(call, kIdentities, "delete", identity, code, done ? std::string_view() : done.error().message);
    if (!done) return api_error(code, done.error().message);
    devices_.disconnect(identity);
    return empty_response();
}

Answer Api::list_modules(Call& call, const model::Identity& device) {
    static_cast<void>(FIELDWATCH_TRY(shared_.parts.registry.get(device)));
    Json out = Json::array();
    for (const auto& entry : FIELDWATCH_TRY(shared_.parts.registry.modules(device.hub, device.device)))
        out.push_back(identity_json(entry, liveness_of(shared_, entry)));
    log(call, kIdentities, "getModules", device);
    return json_response(200, out);
}

Answer Api::statistics(Call& call) {
    const bool devices = call.at(1, "devices");
    if (!devices && !call.at(1, "service")) return api_error(404002, "there is nothing at this address");
    if (auto refusal = refuse_service(call, devices ? Right::RegistryRead : Right::ServiceConnect))
        return *refusal;
    if (!devices) return json_response(200, {{"connectedDeviceCount", shared_.table.devices(call.hub)}});
    const auto counts = FIELDWATCH_TRY(shared_.parts.registry.count_devices(call.hub));
    return json_response(200, {{"totalDeviceCount", counts.total},
                               {"enabledDeviceCount", counts.enabled},
                               {"disabledDeviceCount", counts.total - counts.enabled}});
}

Answer Api::bulk(Call& call) {
    const auto body = FIELDWATCH_TRY(parse_body(call));
    if (!body.is_array() || body.size() > kBulkMax)
        return fail(Errc::InvalidArgument, "a bulk request is an array of at most 100 entries");
    Json errors = Json::array();
    for (const auto& entry : body)
        static_cast<void>(bulk_one(call, entry, errors));
    const bool fine = errors.empty();
    log(call, kIdentities, "bulk", call.identity(""), fine ? 0 : 400013);
    return json_response(fine ? 200 : 400,
                         {{"isSuccessful", fine}, {"errors", errors}, {"warnings", Json::array()}});
}

namespace {

struct BulkEntry {
    model::Identity identity;
    std::string mode, etag, twin_etag;
};

/// Tags and desired properties of an entry, whole (create) or as patches.
Result<void> write_bulk_twin(registry::Registry& registry, Devices& devices, const BulkEntry& entry,
                             const Json& body, std::optional<std::uint64_t> if_match) {
    const auto tags = body.value("tags", Json());
    auto desired = Json();
    if (const auto properties = body.find("properties"); properties != body.end() && properties->is_object())
        desired = properties->value("desired", Json());
    const auto tags_text = tags.dump();
    const auto desired_text = desired.dump();
    registry::TwinUpdate update{.if_match = if_match};
    if (tags.is_object() && (!tags.empty() || if_match)) update.tags_json = tags_text;
    if (desired.is_object() && !desired.empty()) update.desired_json = desired_text;
    if (!update.tags_json && !update.desired_json) return {};
    const auto done = FIELDWATCH_TRY(registry.update_twin(entry.identity, update));
    if (done.desired) devices.desired_changed(entry.identity, *done.desired);
    return {};
}

}  // namespace

std::optional<int> Api::bulk_one(Call& call, const Json& body, Json& errors) {
    auto& registry = shared_.parts.registry;
    BulkEntry entry;
    if (body.is_object()) {
        entry.identity = call.identity(text_of(body, "id"), text_of(body, "moduleId"));
        entry.mode = lower(text_of(body, "importMode"));
        entry.etag = text_of(body, "etag").empty() ? text_of(body, "eTag") : text_of(body, "etag");
        entry.twin_etag = text_of(body, "twinETag");
    }
    const auto& identity = entry.identity;
    std::string operation = "update";
    const bool of_twin = entry.mode.starts_with("updatetwin");
    const std::string_view category = of_twin ? "C2DTwinOperations" : kIdentities;
    const auto apply = [&]() -> Result<void> {
        const auto& mode = entry.mode;
        const bool matches = mode.ends_with("ifmatchetag");
        const auto etag = matches ? parse_identity_etag(entry.etag) : std::nullopt;
        if (mode == "delete" || mode == "deleteifmatchetag") {
            operation = "delete";
            FIELDWATCH_TRY(registry.remove(identity, etag));
            devices_.disconnect(identity);
            return {};
        }
        if (of_twin) {
            const auto twin_match = matches ? parse_twin_etag(entry.twin_etag) : std::nullopt;
            return write_bulk_twin(registry, devices_, entry, body, twin_match);
        }
        const auto known = registry.get(identity);
        const bool creates =
            mode == "create" || mode.empty() || (mode.starts_with("createorupdate") && !known);
        if (!creates && !mode.starts_with("update") && !mode.starts_with("createorupdate"))
            return fail(Errc::InvalidArgument, "importMode is no mode that there is");
        operation = creates ? "create" : "update";
        if (!creates && !known) return std::unexpected(known.error());
        auto changed = creates ? registry::Entry{} : *known;
        changed.identity = identity;
        FIELDWATCH_TRY(read_identity(body, changed));
        const auto done = FIELDWATCH_TRY(creates ? registry.create(changed) : registry.update(changed, etag));
        if (!creates) drop_if_changed(*known, done);
        return creates ? write_bulk_twin(registry, devices_, entry, body, std::nullopt) : Result<void>();
    };
    const auto done = apply();
    if (done) {
        log(call, category, operation, identity);
        return std::nullopt;
    }
    const auto code = error_code(done.error(), !identity.module.empty());
    log(call, category, operation, identity, code, done.error().message);
    errors.push_back({{"deviceId", identity.device.value},
                      {"moduleId", identity.module.empty() ? Json(nullptr) : Json(identity.module.value)},
                      {"errorCode", api_error(code, "").headers.back().second},
                      {"errorStatus", done.error().message},
                      {"operation", operation}});
    return code;
}

}  // namespace fieldwatch::hub
