// Automatic configurations over HTTPS. Source: spec/iot-hub-protocols.md section 7.7.
#include <algorithm>
#include <charconv>

#include "hub/https/api.hpp"
#include "hub/https/configuration_content.hpp"
#include "hub/https/twin_query.hpp"
#include "hub/query/query.hpp"

namespace fieldwatch::hub {

namespace {

constexpr std::string_view kConfigurations = "Configurations";

/// Whom it is for, and who has what it says.
Json counted(Shared& shared, const model::HubName& hub, const Json& configuration) {
    const auto condition = configuration.value("targetCondition", "");
    const auto targets = condition.empty()
                             ? Result<std::vector<model::Identity>>(std::vector<model::Identity>{})
                             : select_devices(shared, hub, condition, kTargetsMax);
    const auto content = configuration.value("content", Json::object());
    const auto patch = desired_patch(content.is_object() ? content.value("deviceContent", Json()) : Json());
    return {{"results",
             {{"targetedCount", targets ? targets->size() : 0},
              {"appliedCount", targets && patch ? count_applied(shared, *targets, *patch) : 0}}},
            {"queries",
             {{"targetedCount",
               "select deviceId from devices where " + (condition == "*" ? "true" : condition)}}}};
}

Json shown(const registry::Document& document) {
    auto json = Json::parse(document.json, nullptr, false);
    json["id"] = document.id;
    json["etag"] = identity_etag(document.etag);
    json["createdTimeUtc"] = to_iso8601(document.created);
    json["lastUpdatedTimeUtc"] = to_iso8601(document.updated);
    return json;
}

/// What is stored of a body: the members there are, with their defaults. Errors: InvalidArgument.
Result<Json> read_configuration(const Json& body, const std::string& id, const registry::Registry& registry) {
    if (!body.is_object() || body.value("id", Json(id)) != id)
        return fail(Errc::InvalidArgument, "the id must be that of the address");
    Json out{{"schemaVersion", "1.0"},
             {"labels", Json::object()},
             {"targetCondition", ""},
             {"priority", 0},
             {"content", {{"deviceContent", Json::object()}}},
             {"metrics", {{"results", Json::object()}, {"queries", Json::object()}}}};
    for (const auto* name :
         {"schemaVersion", "labels", "targetCondition", "priority", "content", "metrics"}) {
        const auto found = body.find(name);
        if (found != body.end() && !found->is_null()) out[name] = *found;
    }
    if (!out["targetCondition"].is_string() || !out["priority"].is_number_integer() ||
        !out["content"].is_object())
        return fail(Errc::InvalidArgument, "targetCondition is text, priority a number, content an object");
    const auto condition = out["targetCondition"].get<std::string>();
    if (condition != "*") static_cast<void>(FIELDWATCH_TRY(query::parse_condition(condition)));
    const auto patch = FIELDWATCH_TRY(desired_patch(out["content"].value("deviceContent", Json())));
    FIELDWATCH_TRY(registry.check_desired(patch.dump()));
    return out;
}

}  // namespace

Answer Api::configurations(Call& call) {
    if (auto refusal = refuse_service(call, Right::ServiceConnect)) return *refusal;
    auto& registry = shared_.parts.registry;
    const auto nobody = call.identity("");
    if (call.path.size() == 1 && call.is("GET")) {
        Json out = Json::array();
        for (const auto& document :
             FIELDWATCH_TRY(registry.documents(call.hub, "configuration", {.count_max = 100})))
            out.push_back(shown(document));
        log(call, kConfigurations, "ReadManyConfigurations", nobody);
        return json_response(200, out);
    }
    if (call.path.size() != 2) return api_error(404002, "there is nothing at this address");
    const auto& id = call.path[1];
    if (call.at(1, "testQueries") && call.is("POST")) {
        const auto body = FIELDWATCH_TRY(parse_body(call));
        const auto text = body.is_object() ? body.value("targetCondition", Json("")) : Json("");
        const auto parsed = text.is_string() && text != "*" ? query::parse_condition(text.get<std::string>())
                                                            : Result<query::Expression>(query::Expression{});
        return json_response(200,
                             {{"targetConditionError", parsed ? Json(nullptr) : Json(parsed.error().message)},
                              {"customMetricQueryErrors", Json::object()}});
    }
    const registry::DocumentKey key{call.hub, "configuration", id};
    const auto missing = [&](const Error& error, std::string_view name) {
        const auto code = error.code == Errc::NotFound ? 404301 : error_code(error, false);
        log(call, kConfigurations, name, nobody, code, error.message);
        return api_error(code, error.message);
    };
    const auto respond = [&](const registry::Document& document) {
        auto json = shown(document);
        json["systemMetrics"] = counted(shared_, call.hub, json);
        auto response = json_response(200, json);
        response.headers.emplace_back("etag", "\"" + identity_etag(document.etag) + "\"");
        return response;
    };
    const auto match = call.request.header("if-match");
    if (call.is("GET")) {
        const auto document = registry.document(key);
        if (!document) return missing(document.error(), "ReadConfiguration");
        log(call, kConfigurations, "ReadConfiguration", nobody);
        return respond(*document);
    }
    if (call.is("DELETE")) {
        const auto done = registry.remove_document(key, parse_identity_etag(match));
        if (!done) return missing(done.error(), "DeleteConfiguration");
        log(call, kConfigurations, "DeleteConfiguration", nobody);
        return empty_response();
    }
    if (!call.is("PUT")) return api_error(404002, "there is nothing at this address");
    const auto body = FIELDWATCH_TRY(parse_body(call));
    const std::string_view name = match.empty() ? "CreateConfiguration" : "UpdateConfiguration";
    const auto stored = read_configuration(body, id, registry);
    if (!stored) return missing(stored.error(), name);
    const registry::DocumentCondition condition{
        .must_be_new = match.empty(), .must_exist = !match.empty(), .if_match = parse_identity_etag(match)};
    const auto document = registry.put_document(key, stored->dump(), condition);
    if (!document) return missing(document.error(), name);
    log(call, kConfigurations, name, nobody);
    return respond(*document);
}

/// Edge deployments: whole desired properties of the modules that are named, which are made if they are not
/// there.
Answer Api::apply_content(Call& call, const model::Identity& device) {
    auto& registry = shared_.parts.registry;
    const auto body = FIELDWATCH_TRY(parse_body(call));
    static_cast<void>(FIELDWATCH_TRY(registry.get(device)));
    if (!body.is_object()) return fail(Errc::InvalidArgument, "the body is configuration content");
    const auto set = [&](const model::Identity& identity, const Json& content,
                         bool replaces) -> Result<void> {
        const auto patch = FIELDWATCH_TRY(desired_patch(content));
        if (patch.empty()) return {};
        const auto text = patch.dump();
        const auto done =
            FIELDWATCH_TRY(registry.update_twin(identity, {.desired_json = text, .replaces = replaces}));
        if (done.desired) devices_.desired_changed(identity, *done.desired);
        log(call, "C2DTwinOperations", replaces ? "replace" : "update", identity);
        return {};
    };
    FIELDWATCH_TRY(set(device, body.value("deviceContent", Json()), false));
    const auto modules = body.value("modulesContent", Json());
    if (!modules.is_object()) return empty_response();
    for (const auto& [module, content] : modules.items()) {
        const auto identity = call.identity(device.device.value, module);
        if (const auto known = registry.get(identity); !known && known.error().code == Errc::NotFound)
            FIELDWATCH_TRY(registry.create({.identity = identity}));
        FIELDWATCH_TRY(set(identity, content, true));
    }
    return empty_response();
}

}  // namespace fieldwatch::hub
