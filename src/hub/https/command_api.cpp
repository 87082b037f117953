// Messages to devices, from the services' side, as far as REST has them. Source: spec/iot-hub-protocols.md
// section 4.
#include "hub/https/api.hpp"

namespace fieldwatch::hub {

Answer Api::purge(Call& call, const model::Identity& identity) {
    static_cast<void>(FIELDWATCH_TRY(shared_.parts.registry.get(identity)));
    auto speaker = call.speaker;
    speaker.identity = identity;
    const auto count = FIELDWATCH_TRY(shared_.commands.purge(identity, speaker));
    return json_response(
        200, {{"totalMessagesPurged", count},
              {"deviceId", identity.device.value},
              {"moduleId", identity.module.empty() ? Json(nullptr) : Json(identity.module.value)}});
}

/// `iothub-to` names the device as the AMQP form does: /devices/{id}/messages/devicebound.
Answer Api::send_command(Call& call) {
    static constexpr std::string_view kPrefix = "/devices/", kSuffix = "/messages/devicebound";
    const auto to = std::string(call.request.header("iothub-to"));
    if (!to.starts_with(kPrefix) || !to.ends_with(kSuffix) || to.size() <= kPrefix.size() + kSuffix.size())
        return fail(Errc::InvalidArgument, "iothub-to must be /devices/{id}/messages/devicebound");
    const auto device = percent_decode(
        std::string_view(to).substr(kPrefix.size(), to.size() - kPrefix.size() - kSuffix.size()));
    registry::Command command{.identity = call.identity(device), .body = call.request.body};
    static constexpr std::pair<std::string_view, std::string_view> kHeaders[] = {
        {"iothub-messageid", "message-id"},
        {"iothub-correlationid", "correlation-id"},
        {"iothub-userid", "user-id"},
        {"iothub-expiry", "absolute-expiry-time"},
        {"iothub-contenttype", "content-type"},
        {"iothub-contentencoding", "content-encoding"},
        {"iothub-ack", "iothub-ack"}};
    for (const auto& [name, value] : call.request.headers) {
        for (const auto& [header, property] : kHeaders) {
            if (name == header) command.properties.emplace_back(property, value);
        }
        if (name.starts_with("iothub-app-")) command.properties.emplace_back(name.substr(11), value);
    }
    const auto sent = shared_.commands.send(std::move(command), call.speaker);
    if (!sent) return api_error(command_error_code(sent.error()), sent.error().message);
    return empty_response();
}

/// GET takes a batch and locks it; DELETE …/{lock} settles it, POST …/{lock}/abandon gives it back.
Answer Api::receive_notices(Call& call, registry::NoticeKind kind) {
    auto& commands = shared_.commands;
    if (call.path.size() == 3 && call.is("GET")) {
        auto batch = FIELDWATCH_TRY(commands.take_notices(call.hub, kind, /*locks=*/true));
        if (!batch) return empty_response();
        // The lock names what it holds, so that no table of ours need remember it.
        const auto lock = base64(as_bytes(Json(batch->sequences).dump()));
        auto response = net::HttpResponse{.status = 200, .headers = {}, .body = std::move(batch->body)};
        response.headers.emplace_back("content-type", kind == registry::NoticeKind::Feedback
                                                          ? "application/vnd.microsoft.iothub.feedback.json"
                                                          : "application/json; charset=utf-8");
        response.headers.emplace_back("etag", "\"" + lock + "\"");
        return response;
    }
    const bool settles = call.path.size() == 4 && call.is("DELETE");
    const bool returns = call.path.size() == 5 && call.is("POST") && call.at(4, "abandon");
    if (!settles && !returns) return api_error(404002, "there is nothing at this address");
    const auto bytes = from_base64(call.path[3]);
    const auto json = bytes ? Json::parse(as_text(*bytes), nullptr, false) : Json();
    Commands::NoticeBatch batch{.hub = call.hub, .body = {}, .sequences = {}};
    if (json.is_array()) {
        for (const auto& sequence : json) {
            if (sequence.is_number_unsigned()) batch.sequences.push_back(sequence.get<std::uint64_t>());
        }
    }
    if (batch.sequences.empty()) return api_error(412002, "the lock is none that this hub gave");
    if (returns)
        commands.abandon_notices(batch);
    else
        FIELDWATCH_TRY(commands.complete_notices(batch));
    return empty_response();
}

}  // namespace fieldwatch::hub
