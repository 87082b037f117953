// Twins, queries and direct methods over HTTPS. Source: spec/iot-hub-protocols.md sections 7.4 to 7.6.
#include <algorithm>
#include <charconv>

#include "hub/https/api.hpp"
#include "hub/https/identity_json.hpp"
#include "hub/https/twin_query.hpp"

namespace fieldwatch::hub {

namespace {

constexpr std::string_view kTwins = "C2DTwinOperations";
constexpr std::size_t kPageDefault = 100, kPageMax = 1'000;

net::HttpResponse twin_response(const Json& twin) {
    auto response = json_response(200, twin);
    response.headers.emplace_back("etag", "\"" + twin["etag"].get<std::string>() + "\"");
    return response;
}

}  // namespace

Answer Api::get_twin(Call& call, const model::Identity& identity) {
    auto& registry = shared_.parts.registry;
    const auto entry = registry.get(identity);
    const auto twin = registry.twin(identity);
    if (!entry || !twin) {
        const auto& error = entry ? twin.error() : entry.error();
        const auto code = error_code(error, !identity.module.empty());
        log(call, kTwins, "read", identity, code, error.message);
        return api_error(code, error.message);
    }
    log(call, kTwins, "read", identity);
    return twin_response(twin_json(*entry, *twin, liveness_of(shared_, *entry)));
}

Answer Api::change_twin(Call& call, const model::Identity& identity, bool replaces, std::string_view part) {
    auto& registry = shared_.parts.registry;
    const std::string_view name = replaces ? "replace" : "update";
    const auto refuse = [&](const Error& error) {
        // A twin over its limit is a bad request, not a large one (section 7.4).
        const auto code = error.code == Errc::TooLarge ? 400004 : error_code(error, !identity.module.empty());
        log(call, kTwins, name, identity, code, error.message);
        return api_error(code, error.message);
    };
    const auto body = parse_body(call);
    if (!body) return refuse(body.error());
    if (!body->is_object()) return refuse({Errc::Malformed, "a twin is a JSON object"});
    Json tags, desired;
    if (part == "tags") {
        tags = body->contains("tags") && (*body)["tags"].is_object() ? (*body)["tags"] : *body;
    } else if (part == "desired") {
        const auto properties = body->find("properties");
        desired = properties != body->end() && properties->is_object() && properties->contains("desired")
                      ? (*properties)["desired"]
                      : *body;
    } else {
        tags = body->value("tags", Json());
        const auto properties = body->find("properties");
        if (properties != body->end() && properties->is_object())
            desired = properties->value("desired", Json());
    }
    if ((!tags.is_null() && !tags.is_object()) || (!desired.is_null() && !desired.is_object()))
        return refuse({Errc::Malformed, "tags and desired properties are JSON objects"});
    const auto tags_text = tags.dump();
    const auto desired_text = desired.dump();
    registry::TwinUpdate update{.replaces = replaces,
                                .if_match = parse_twin_etag(call.request.header("if-match"))};
    if (tags.is_object()) update.tags_json = tags_text;
    if (desired.is_object()) update.desired_json = desired_text;
    const auto done = registry.update_twin(identity, update);
    if (!done) return refuse(done.error());
    // After the change is visible to a GET, so that who is told finds it.
    if (done->desired) devices_.desired_changed(identity, *done->desired);
    log(call, kTwins, name, identity);
    const auto entry = FIELDWATCH_TRY(registry.get(identity));
    return twin_response(twin_json(entry, done->twin, liveness_of(shared_, entry)));
}

Answer Api::run_query(Call& call) {
    const auto body = FIELDWATCH_TRY(parse_body(call));
    const auto found = body.is_object() ? body.find("query") : body.end();
    if (!body.is_object() || found == body.end() || !found->is_string())
        return fail(Errc::InvalidArgument, "the body is {\"query\":\"SELECT …\"}");
    const auto text = found->get<std::string>();
    std::size_t page = kPageDefault;
    if (const auto header = call.request.header("x-ms-max-item-count"); !header.empty()) {
        const auto [end, error] = std::from_chars(header.data(), header.data() + header.size(), page);
        if (error != std::errc{} || page == 0)
            return fail(Errc::InvalidArgument, "x-ms-max-item-count is a number from 1 to 1000");
    }
    const auto continuation = std::string(call.request.header("x-ms-continuation"));
    const TwinQuery query{
        .hub = call.hub, .text = text, .page_size = std::min(page, kPageMax), .continuation = continuation};
    const auto result = run_twin_query(shared_, query);
    Operation operation{.category = "TwinQueries", .name = "query"};
    if (!result) {
        operation.result = error_code(result.error(), false);
        operation.description = result.error().message;
    }
    operation.properties.emplace_back("query", text.substr(0, 4'096));
    operation.properties.emplace_back("continuation", continuation.empty() ? "false" : "true");
    operation.counts.emplace_back("pageSize", static_cast<std::int64_t>(query.page_size));
    operation.counts.emplace_back("resultSize", result ? static_cast<std::int64_t>(result->rows.size()) : 0);
    auto speaker = call.speaker;
    speaker.identity = call.identity("");
    shared_.log.append(operation, speaker);
    if (!result) return api_error(400004, result.error().message);
    auto response = json_response(200, result->rows);
    response.headers.emplace_back("x-ms-item-type", std::string(result->item_type));
    if (!result->continuation.empty())
        response.headers.emplace_back("x-ms-continuation", result->continuation);
    return response;
}

Api::Reply Api::call_method(Call& call, const model::Identity& identity) {
    const auto body = parse_body(call);
    if (!body) return std::unexpected(body.error());
    if (!body->is_object() || !body->contains("methodName") || !(*body)["methodName"].is_string())
        return fail(Errc::InvalidArgument, "a method call has a methodName");
    const auto seconds = [&](const char* name, std::int64_t otherwise) {
        const auto found = body->find(name);
        if (found == body->end() || !found->is_number()) return otherwise;
        const auto given = found->get<double>();
        return given >= 0 && given <= 3'600 ? static_cast<std::int64_t>(given) : std::int64_t{-1};
    };
    MethodCall wanted{.identity = identity,
                      .name = (*body)["methodName"].get<std::string>(),
                      .payload_json = body->value("payload", Json()).dump(),
                      .response_timeout = std::chrono::seconds(seconds("responseTimeoutInSeconds", 30)),
                      .connect_timeout = std::chrono::seconds(seconds("connectTimeoutInSeconds", 0))};
    if (wanted.name.empty() || wanted.name.size() > 128)
        return fail(Errc::InvalidArgument, "a method's name has 1 to 128 characters");
    if (wanted.response_timeout.count() < 1 || wanted.response_timeout.count() > 3'600 ||
        wanted.connect_timeout.count() < 0 || wanted.connect_timeout.count() > 300)
        return fail(Errc::InvalidArgument,
                    "responseTimeoutInSeconds is 1 to 3600, connectTimeoutInSeconds 0 to 300");
    if (const auto known = shared_.parts.registry.get(identity); !known)
        return api_error(error_code(known.error(), !identity.module.empty()), known.error().message);
    shared_.methods.call(
        std::move(wanted), call.speaker, [respond = std::move(call.respond)](MethodResult result) mutable {
            if (result.error == 0) {
                return respond({.status = 200,
                                .headers = {{"content-type", "application/json; charset=utf-8"}},
                                .body = "{\"status\":" + std::to_string(result.status) +
                                        ",\"payload\":" + result.payload_json + "}"});
            }
            auto response = api_error(result.error, result.description);
            if (result.error == 404103) {
                // The nested shape of the real service, which names the code again.
                const Json inner{{"errorCode", 404103},
                                 {"message", result.description},
                                 {"timestampUtc", to_iso8601(system_clock().now())}};
                response.body =
                    Json{{"Message", "ErrorCode:DeviceNotOnline;" + inner.dump()}, {"ExceptionMessage", ""}}
                        .dump();
            }
            respond(std::move(response));
        });
    return std::nullopt;
}

}  // namespace fieldwatch::hub
