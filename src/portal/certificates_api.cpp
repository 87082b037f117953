// Authorities whose certificates let devices in: upload, proof of possession, removal.
// Source: spec/iot-hub-protocols.md section 1.2, spec/hub-signals.md sections 3 and 5.
#include <fmt/format.h>

#include "base/hash.hpp"
#include "net/certificate_chain.hpp"
#include "portal/context.hpp"
#include "portal/control_plane.hpp"
#include "portal/reply.hpp"

namespace fieldwatch::portal {
namespace {

constexpr std::size_t kNameBytesMax = 64;

struct Place {
    model::HubName hub;
    registry::DocumentKey key;
};

Result<Place> place_of(const Context& context, const Call& call) {
    Place place;
    place.hub = FIELDWATCH_TRY(model::parse_hub_name(call.names[0]));
    static_cast<void>(FIELDWATCH_TRY(context.parts.registry.hub(place.hub)));
    if (call.names.size() > 1) {
        if (call.names[1].empty() || call.names[1].size() > kNameBytesMax)
            return fail(Errc::InvalidArgument, "a certificate's name has 1 to 64 characters");
        place.key = {place.hub, "certificate", call.names[1]};
    }
    return place;
}

Json certificate_json(const registry::Document& document) {
    auto json = Json::parse(document.json, nullptr, false);
    json["name"] = document.id;
    json["etag"] = std::to_string(document.etag);
    json["created"] = to_iso8601(document.created);
    json["updated"] = to_iso8601(document.updated);
    return json;
}

Result<void> tell(const Context& context, const Call& call, const Place& place, std::string_view verb,
                  int status, bool failed) {
    return tell_control_plane(context, call,
                              {.hub = place.hub,
                               .operation = fmt::format("Microsoft.Devices/iotHubs/certificates/{}", verb),
                               .resource = "/certificates/" + place.key.id,
                               .status = status,
                               .failed = failed});
}

Answer list_certificates(const Context& context, const Call& call) {
    const auto place = FIELDWATCH_TRY(place_of(context, call));
    Json value = Json::array();
    for (const auto& document :
         FIELDWATCH_TRY(context.parts.registry.documents(place.hub, "certificate", {})))
        value.push_back(certificate_json(document));
    return json_reply(200, {{"value", std::move(value)}});
}

Result<registry::Document> store(const Context& context, const Call& call, const Place& place) {
    const auto body = FIELDWATCH_TRY(body_object(call.request, {"certificate"}));
    std::string pem;
    FIELDWATCH_TRY(read_member(body, "certificate", pem));
    const auto facts = FIELDWATCH_TRY(net::read_certificate(pem));
    if (!facts.is_authority)
        return fail(Errc::InvalidArgument, "the certificate is no authority's: it may not sign others");
    const Json json{{"certificate", pem},
                    {"subject", facts.subject},
                    {"expiry", to_iso8601(facts.not_after)},
                    {"thumbprint", hex(sha1(facts.der))},
                    {"isVerified", false},
                    {"verificationCode", nullptr}};
    return context.parts.registry.put_document(place.key, json.dump(), {});
}

Answer put_certificate(const Context& context, const Call& call) {
    const auto place = FIELDWATCH_TRY(place_of(context, call));
    const auto stored = store(context, call, place);
    const int status = stored ? (stored->etag == 1 ? 201 : 200) : 400;
    FIELDWATCH_TRY(tell(context, call, place, "Write", status, !stored));
    if (!stored) return std::unexpected(stored.error());
    return json_reply(status, certificate_json(*stored));
}

Answer delete_certificate(const Context& context, const Call& call) {
    const auto place = FIELDWATCH_TRY(place_of(context, call));
    const auto done = context.parts.registry.remove_document(place.key, std::nullopt);
    // What was not there is gone: no change, nothing to tell (spec/hub-signals.md section 3).
    if (!done && done.error().code == Errc::NotFound) return net::HttpResponse{.status = 204};
    FIELDWATCH_TRY(tell(context, call, place, "Delete", done ? 200 : 409, !done));
    if (!done) return std::unexpected(done.error());
    return net::HttpResponse{.status = 204};
}

/// A code that only who holds the authority's key can get signed: the common name of a certificate it issues.
Answer generate_code(const Context& context, const Call& call) {
    const auto place = FIELDWATCH_TRY(place_of(context, call));
    const auto document = FIELDWATCH_TRY(context.parts.registry.document(place.key));
    auto json = Json::parse(document.json, nullptr, false);
    std::array<std::byte, 24> code;
    context.parts.random.fill(code);
    json["verificationCode"] = hex(code);
    const auto stored = FIELDWATCH_TRY(
        context.parts.registry.put_document(place.key, json.dump(), {.if_match = document.etag}));
    return json_reply(200, certificate_json(stored));
}

Answer verify_certificate(const Context& context, const Call& call) {
    const auto place = FIELDWATCH_TRY(place_of(context, call));
    const auto body = FIELDWATCH_TRY(body_object(call.request, {"certificate"}));
    std::string pem;
    FIELDWATCH_TRY(read_member(body, "certificate", pem));
    const auto document = FIELDWATCH_TRY(context.parts.registry.document(place.key));
    auto json = Json::parse(document.json, nullptr, false);
    const auto code = json["verificationCode"].is_string() ? json["verificationCode"].get<std::string>() : "";
    if (code.empty()) return fail(Errc::Conflict, "ask for a verification code first");
    const auto issued = net::verify_issued(pem, json.value("certificate", ""), context.parts.clock.now());
    if (!issued)
        return fail(Errc::InvalidArgument, "the authority did not sign this: " + issued.error().message);
    if (!equal_constant_time(issued->common_name, code))
        return fail(Errc::InvalidArgument, "the certificate's common name is not the verification code");
    json["isVerified"] = true;
    json["verificationCode"] = nullptr;
    const auto stored = FIELDWATCH_TRY(
        context.parts.registry.put_document(place.key, json.dump(), {.if_match = document.etag}));
    FIELDWATCH_TRY(tell(context, call, place, "verify", 200, false));
    return json_reply(200, certificate_json(stored));
}

}  // namespace

std::vector<Route> certificate_routes() {
    constexpr std::string_view kOne = "/api/v1/hubs/{hub}/certificates/{name}";
    return {
        {"GET", "/api/v1/hubs/{hub}/certificates", Role::Reader, list_certificates},
        {"PUT", kOne, Role::Administrator, put_certificate},
        {"DELETE", kOne, Role::Administrator, delete_certificate},
        {"POST", "/api/v1/hubs/{hub}/certificates/{name}/generateVerificationCode", Role::Administrator,
         generate_code},
        {"POST", "/api/v1/hubs/{hub}/certificates/{name}/verify", Role::Administrator, verify_certificate}};
}

}  // namespace fieldwatch::portal
