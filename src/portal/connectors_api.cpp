// What a hub is attached to: its connectors, and diagnostic records and snapshots that are pushed.
#include "hub/connector/connectors.hpp"
#include "hub/connector/snapshots.hpp"
#include "portal/context.hpp"
#include "portal/reply.hpp"

namespace fieldwatch::portal {
namespace {

Result<hub::Connectors*> connectors_of(const Context& context) {
    if (context.parts.connectors == nullptr)
        return fail(Errc::Unavailable, "this server is attached to nothing");
    return context.parts.connectors;
}

Json connector_json(const hub::Connectors::Shown& shown) {
    auto out = Json::parse(hub::to_json(shown.settings, hub::ConnectorSecrets::Hidden));
    const auto& status = shown.status;
    const auto& counts = status.counts;
    const auto time = [](std::optional<Timestamp> when) {
        return when && *when != Timestamp{} ? Json(to_iso8601(*when)) : Json(nullptr);
    };
    out["name"] = shown.settings.name;
    out["status"] = {{"state", hub::to_string(status.state)},
                     {"since", time(status.since)},
                     {"problem", status.problem},
                     {"nextTry", time(status.next_try)},
                     {"messages", counts.messages},
                     {"securityMessages", counts.security_messages},
                     {"operations", counts.operations},
                     {"passedOver", counts.passed_over},
                     {"refused", counts.refused},
                     {"lastRefusal", counts.last_refusal},
                     {"lastReceived", time(counts.last_received)}};
    return out;
}

Answer list_connectors(const Context& context, const Call& call) {
    auto* const connectors = FIELDWATCH_TRY(connectors_of(context));
    const auto hub = FIELDWATCH_TRY(model::parse_hub_name(call.names[0]));
    Json out = Json::array();
    for (const auto& shown : FIELDWATCH_TRY(connectors->list(hub)))
        out.push_back(connector_json(shown));
    return json_reply(200, {{"value", std::move(out)}});
}

Answer get_connector(const Context& context, const Call& call) {
    auto* const connectors = FIELDWATCH_TRY(connectors_of(context));
    const auto hub = FIELDWATCH_TRY(model::parse_hub_name(call.names[0]));
    return json_reply(200, connector_json(FIELDWATCH_TRY(connectors->get(hub, call.names[1]))));
}

Answer put_connector(const Context& context, const Call& call) {
    auto* const connectors = FIELDWATCH_TRY(connectors_of(context));
    const auto hub = FIELDWATCH_TRY(model::parse_hub_name(call.names[0]));
    const bool is_new = FIELDWATCH_TRY(connectors->put(hub, call.names[1], call.request.body));
    return json_reply(is_new ? 201 : 200,
                      connector_json(FIELDWATCH_TRY(connectors->get(hub, call.names[1]))));
}

Answer delete_connector(const Context& context, const Call& call) {
    auto* const connectors = FIELDWATCH_TRY(connectors_of(context));
    const auto hub = FIELDWATCH_TRY(model::parse_hub_name(call.names[0]));
    FIELDWATCH_TRY(connectors->remove(hub, call.names[1]));
    return net::HttpResponse{.status = 204};
}

Json refusals_json(const std::vector<diagnostic::Refusal>& refusals) {
    Json out = Json::array();
    for (const auto& one : refusals)
        out.push_back({{"where", one.where}, {"why", one.why}});
    return out;
}

/// On disk when it is answered. What could not be used is listed, and no reason to send the rest again.
Answer post_records(const Context& context, const Call& call) {
    auto* const connectors = FIELDWATCH_TRY(connectors_of(context));
    const auto hub = FIELDWATCH_TRY(model::parse_hub_name(call.names[0]));
    const auto report = FIELDWATCH_TRY(connectors->import(hub, call.request.body));
    const bool nothing = report.accepted == 0 && report.refused > 0;
    return json_reply(nothing ? 400 : 200, {{"accepted", report.accepted},
                                            {"refused", report.refused},
                                            {"refusals", refusals_json(report.refusals)}});
}

hub::Snapshots snapshots_of(const Context& context) {
    return {context.parts.registry, context.parts.clock, context.parts.random};
}

Answer put_configuration_snapshot(const Context& context, const Call& call) {
    const auto hub = FIELDWATCH_TRY(model::parse_hub_name(call.names[0]));
    const auto time = call.request.parameter("snapshotTime").value_or("");
    FIELDWATCH_TRY(snapshots_of(context).put_configuration(hub, call.request.body, time));
    return net::HttpResponse{.status = 204};
}

Answer put_identities_snapshot(const Context& context, const Call& call) {
    const auto hub = FIELDWATCH_TRY(model::parse_hub_name(call.names[0]));
    const auto time = call.request.parameter("snapshotTime").value_or("");
    const auto report = FIELDWATCH_TRY(snapshots_of(context).put_identities(hub, call.request.body, time));
    const bool nothing = report.accepted == 0 && report.refused > 0;
    return json_reply(nothing ? 400 : 200, {{"accepted", report.accepted},
                                            {"refused", report.refused},
                                            {"removed", report.removed},
                                            {"refusals", refusals_json(report.refusals)}});
}

}  // namespace

std::vector<Route> connector_routes() {
    return {
        {"GET", "/api/v1/hubs/{hub}/connectors", Role::Administrator, list_connectors},
        {"GET", "/api/v1/hubs/{hub}/connectors/{name}", Role::Administrator, get_connector},
        {"PUT", "/api/v1/hubs/{hub}/connectors/{name}", Role::Administrator, put_connector},
        {"DELETE", "/api/v1/hubs/{hub}/connectors/{name}", Role::Administrator, delete_connector},
        {"POST", "/api/v1/hubs/{hub}/records", Role::Forwarder, post_records},
        {"PUT", "/api/v1/hubs/{hub}/snapshots/configuration", Role::Forwarder, put_configuration_snapshot},
        {"PUT", "/api/v1/hubs/{hub}/snapshots/identities", Role::Forwarder, put_identities_snapshot}};
}

}  // namespace fieldwatch::portal
