#include "portal/control_plane.hpp"

#include "base/hash.hpp"
#include "portal/reply.hpp"

namespace fieldwatch::portal {

namespace {

std::string_view signature_of(int status) {
    switch (status) {
        case 201:
            return "Succeeded.Created";
        case 204:
            return "Succeeded.NoContent";
        case 400:
            return "Failed.BadRequest";
        case 404:
            return "Failed.NotFound";
        case 409:
            return "Failed.Conflict";
        default:
            return status >= 400 ? "Failed.Refused" : "Succeeded.OK";
    }
}

}  // namespace

Result<void> tell_control_plane(const Context& context, const Call& call, const ControlPlaneChange& change) {
    const auto now = context.parts.clock.now();
    Json properties{{"statusCode", std::to_string(change.status)},
                    {"method", call.request.method},
                    {"path", call.request.path},
                    {"role", to_string(call.who.role)}};
    if (!change.detail.empty()) properties["detail"] = change.detail;
    // What was asked may hold secrets: its digest tells two requests apart, and no more.
    if (change.with_digest) properties["requestbody"] = hex(sha256(as_bytes(call.request.body)));
    model::Record record;
    record.kind = model::RecordKind::ControlPlane;
    record.received = now;
    record.sender.hub = change.hub;
    record.body =
        Json{{"time", to_iso8601(now)},
             {"operationName", change.operation},
             {"category", "Administrative"},
             {"resultType", change.failed ? "Failure" : "Success"},
             {"resultSignature", signature_of(change.status)},
             {"caller", call.who.name},
             {"callerIpAddress", call.request.peer},
             {"correlationId", Uuid::random(context.parts.random).text()},
             {"resourceId", "/providers/Microsoft.Devices/IotHubs/" + change.hub.value + change.resource},
             {"properties", properties.dump(-1, ' ', false, Json::error_handler_t::replace)}}
            .dump(-1, ' ', false, Json::error_handler_t::replace);
    return context.parts.registry.publish(record);
}

}  // namespace fieldwatch::portal
