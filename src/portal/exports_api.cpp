// Where findings go: destinations, how they do, a test. Administrators only: an address may be a secret
// itself.
#include "export/exporter.hpp"
#include "portal/context.hpp"
#include "portal/reply.hpp"

namespace fieldwatch::portal {
namespace {

Result<exports::Exporter*> exporter_of(const Context& context) {
    if (context.parts.exporter == nullptr) return fail(Errc::Unavailable, "this server exports nothing");
    return context.parts.exporter;
}

Json time_or_null(Timestamp time) {
    return time == Timestamp{} ? Json(nullptr) : Json(to_iso8601(time));
}

Json export_json(const exports::Exporter::Shown& shown) {
    auto out = Json::parse(exports::to_json(shown.destination, exports::Secrets::Hidden));
    const auto& status = shown.status;
    out["status"] = {{"state", status.problem.empty() ? "well" : "failing"},
                     {"waiting", status.waiting},
                     {"delivered", status.delivered},
                     {"dropped", status.dropped},
                     {"refused", status.refused},
                     {"lastDelivered", time_or_null(status.last_delivered)},
                     {"failingSince", time_or_null(status.failing_since)},
                     {"nextTry", time_or_null(status.next_try)},
                     {"quietUntil", time_or_null(status.quiet_until)},
                     {"problem", status.problem}};
    return out;
}

Answer list_exports(const Context& context, const Call&) {
    auto* const exporter = FIELDWATCH_TRY(exporter_of(context));
    Json out = Json::array();
    for (const auto& shown : exporter->list())
        out.push_back(export_json(shown));
    return json_reply(200, {{"value", std::move(out)}});
}

Answer get_export(const Context& context, const Call& call) {
    auto* const exporter = FIELDWATCH_TRY(exporter_of(context));
    return json_reply(200, export_json(FIELDWATCH_TRY(exporter->get(call.names[0]))));
}

Answer put_export(const Context& context, const Call& call) {
    auto* const exporter = FIELDWATCH_TRY(exporter_of(context));
    const auto put = FIELDWATCH_TRY(exporter->put(call.names[0], call.request.body));
    auto out = export_json(put.shown);
    if (!put.new_secret.empty()) out["secret"] = put.new_secret;
    return json_reply(put.created ? 201 : 200, out);
}

Answer delete_export(const Context& context, const Call& call) {
    auto* const exporter = FIELDWATCH_TRY(exporter_of(context));
    FIELDWATCH_TRY(exporter->remove(call.names[0]));
    return net::HttpResponse{.status = 204};
}

/// That a receiver does not take the test is an answer, no refusal of ours.
Answer test_export(const Context& context, const Call& call) {
    auto* const exporter = FIELDWATCH_TRY(exporter_of(context));
    static_cast<void>(FIELDWATCH_TRY(exporter->get(call.names[0])));
    const auto sent = exporter->test(call.names[0]);
    Json out{{"delivered", sent.has_value()}};
    if (!sent) out["problem"] = sent.error().message;
    return json_reply(200, out);
}

}  // namespace

std::vector<Route> export_routes() {
    return {{"GET", "/api/v1/exports", Role::Administrator, list_exports},
            {"GET", "/api/v1/exports/{name}", Role::Administrator, get_export},
            {"PUT", "/api/v1/exports/{name}", Role::Administrator, put_export},
            {"DELETE", "/api/v1/exports/{name}", Role::Administrator, delete_export},
            {"POST", "/api/v1/exports/{name}/test", Role::Administrator, test_export}};
}

}  // namespace fieldwatch::portal
