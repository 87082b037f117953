// The Log Analytics query API: spec/workspace.md section 4.
#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/text.hpp"
#include "portal/context.hpp"
#include "portal/reply.hpp"
#include "portal/result_json.hpp"
#include "portal/saved_queries.hpp"
#include "portal/timespan.hpp"

namespace fieldwatch::portal {
namespace {

constexpr std::size_t kQueryBytesMax = 256u << 10;  ///< the longest published investigations have 4 KiB
constexpr std::chrono::seconds kWaitMax{600};
constexpr std::size_t kBatchMax = 100;
constexpr std::size_t kBatchBytesMax = 64u << 20;  ///< of answers, beyond which no further query is run

struct Preferences {
    std::chrono::seconds wait{180};
    AnswerParts parts;
};

/// RFC 7240: what is not understood is ignored, but a number that is none is said.
Result<Preferences> read_preferences(std::string_view header) {
    Preferences preferences;
    while (!header.empty()) {
        const auto comma = header.find(',');
        const auto item = trimmed(header.substr(0, comma));
        header = comma == std::string_view::npos ? std::string_view{} : header.substr(comma + 1);
        if (item == "include-statistics=true") preferences.parts.statistics = true;
        if (item == "include-render=true") preferences.parts.render = true;
        if (!item.starts_with("wait=")) continue;
        unsigned seconds = 0;
        const auto digits = item.substr(5);
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
        if (error != std::errc{} || end != digits.data() + digits.size() || seconds == 0) {
            return fail(
                Errc::InvalidArgument,
                fmt::format("Prefer: wait must be a whole number of seconds from 1 to {}; it is \"{}\"",
                            kWaitMax.count(), digits));
        }
        preferences.wait = std::min(std::chrono::seconds(seconds), kWaitMax);
    }
    return preferences;
}

struct Refusal {
    int status;
    std::string_view code, inner;
    std::string_view message;
};

Refusal refusal_of(workspace::QueryError::Kind kind) {
    using Kind = workspace::QueryError::Kind;
    switch (kind) {
        case Kind::Syntax:
            return {400, "BadArgumentError", "SyntaxError", "The request had some invalid properties"};
        case Kind::Semantic:
            return {400, "BadArgumentError", "SemanticError", "The request had some invalid properties"};
        case Kind::Unsupported:
            return {400, "BadArgumentError", "UnsupportedError",
                    "The query uses what this engine does not support"};
        case Kind::Limit:
            return {400, "BadArgumentError", "LimitError", "The query is over a limit"};
        case Kind::Timeout:
            return {504, "GatewayTimeout", "TimeoutError", "The query did not end in time"};
        case Kind::Internal:
            break;
    }
    return {500, "InternalServerError", "InternalError", "The query failed inside the engine"};
}

net::HttpResponse refused(const workspace::QueryError& error) {
    const auto refusal = refusal_of(error.kind);
    Json inner{{"code", refusal.inner}, {"message", error.message}};
    if (error.line > 0) {
        inner["message"] = fmt::format("{} (line {}, position {})", error.message, error.line, error.column);
        inner["line"] = error.line;
        inner["pos"] = error.column;
        inner["length"] = error.length;
    }
    return json_reply(
        refusal.status,
        {{"error",
          {{"code", refusal.code}, {"message", refusal.message}, {"innererror", std::move(inner)}}}});
}

net::HttpResponse no_workspace(std::string_view id) {
    return json_reply(404, {{"error",
                             {{"code", "WorkspaceNotFoundError"},
                              {"message", fmt::format("The workspace \"{}\" could not be found", id)}}}});
}

/// One query, from the address or the body of a request or from an entry of a batch.
struct Query {
    std::string workspace, text, timespan;
    std::string_view prefer;
};

/// Somebody in all their sessions, or one token.
std::string asker_of(const Principal& who) {
    return who.token_hash.empty() ? "u" + who.name : "t" + who.token_hash;
}

net::HttpResponse throttled(const QueryGuard::Refusal& refusal) {
    auto reply = json_reply(429, {{"error", {{"code", "ThrottledError"}, {"message", refusal.why}}}});
    reply.headers.emplace_back("retry-after", std::to_string(refusal.after.count()));
    return reply;
}

Answer run(const Context& context, const Principal& who, Query query) {
    auto* const workspace = context.parts.workspace(query.workspace);
    if (workspace == nullptr) return no_workspace(query.workspace);
    const auto preferences = FIELDWATCH_TRY(read_preferences(query.prefer));
    if (query.text.empty()) return fail(Errc::InvalidArgument, "\"query\" is required: KQL text");
    if (query.text.size() > kQueryBytesMax) {
        return fail(Errc::TooLarge, fmt::format("\"query\" is over the limit of {} bytes", kQueryBytesMax));
    }
    workspace::QueryRequest request;
    request.text = std::move(query.text);
    request.timeout = preferences.wait;
    if (!query.timespan.empty()) {
        const auto span = FIELDWATCH_TRY(parse_timespan(query.timespan, context.parts.clock.now()));
        request.from = span.from;
        request.to = span.to;
    }
    const auto turn = context.queries.enter(asker_of(who), context.parts.clock.monotonic());
    if (!turn) return throttled(turn.error());
    const auto answer = workspace->query(request);
    if (!answer) return refused(answer.error());
    return net::HttpResponse{.headers = {{"content-type", "application/json; charset=utf-8"}},
                             .body = answer_json(*answer, preferences.parts)};
}

/// The body of a query, and of each query in a batch.
Result<Query> read_query(const Json& body, std::string workspace) {
    Query query{.workspace = std::move(workspace)};
    FIELDWATCH_TRY(read_member(body, "query", query.text));
    if (body.contains("timespan") && !body["timespan"].is_null()) {
        FIELDWATCH_TRY(read_member(body, "timespan", query.timespan));
    }
    // A query sees its own workspace only (design section 2.6); naming just that one changes nothing.
    const auto others = body.value("workspaces", Json::array());
    const bool own_only =
        others.is_null() || (others.is_array() && std::ranges::all_of(others, [&](const Json& id) {
                                 return id == query.workspace;
                             }));
    if (!own_only) {
        return fail(Errc::Unsupported,
                    "\"workspaces\" may name only the workspace of the address; "
                    "queries across workspaces are not supported");
    }
    return query;
}

Answer post_query(const Context& context, const Call& call) {
    const auto body = FIELDWATCH_TRY(body_object(call.request, {"query", "timespan", "workspaces"}));
    auto query = FIELDWATCH_TRY(read_query(body, call.names.front()));
    query.prefer = call.request.header("prefer");
    return run(context, call.who, std::move(query));
}

Answer get_query(const Context& context, const Call& call) {
    return run(context, call.who,
               {.workspace = call.names.front(),
                .text = std::string(call.request.parameter("query").value_or("")),
                .timespan = std::string(call.request.parameter("timespan").value_or("")),
                .prefer = call.request.header("prefer")});
}

/// An entry of a batch: `{"id","workspace","path":"/query","method":"POST","headers":{"prefer"},"body"}`.
Answer run_entry(const Context& context, const Principal& who, const Json& entry) {
    const auto text = [&](std::string_view name) {
        const auto at = entry.find(name);
        return at != entry.end() && at->is_string() ? at->get<std::string>() : std::string();
    };
    if (const auto path = text("path"); !path.empty() && path != "/query")
        return not_among("path", path, {"/query"});
    if (const auto method = text("method"); !method.empty() && method != "POST")
        return not_among("method", method, {"POST"});
    const auto body = entry.value("body", Json());
    if (!body.is_object()) return fail(Errc::InvalidArgument, "\"body\" must be an object with a \"query\"");
    std::string prefer;
    if (const auto headers = entry.find("headers"); headers != entry.end() && headers->is_object()) {
        for (const auto& [name, value] : headers->items()) {
            if ((name == "prefer" || name == "Prefer") && value.is_string()) prefer = value;
        }
    }
    auto query = FIELDWATCH_TRY(read_query(body, text("workspace")));
    query.prefer = prefer;
    return run(context, who, std::move(query));
}

/// Several queries, one after the other; each has its own status, and none disturbs the next.
Answer post_batch(const Context& context, const Call& call) {
    const auto body = FIELDWATCH_TRY(body_object(call.request, {"requests"}));
    const auto requests = body.find("requests");
    if (requests == body.end() || !requests->is_array() || requests->size() > kBatchMax)
        return fail(Errc::InvalidArgument,
                    fmt::format("\"requests\" must be an array of at most {} queries", kBatchMax));
    std::string responses;
    for (const auto& entry : *requests) {
        const bool whole = entry.is_object() && entry.contains("id") && entry["id"].is_string();
        auto answer =
            !whole ? Answer(fail(Errc::InvalidArgument,
                                 "each of \"requests\" must be an object with a text \"id\""))
            : responses.size() > kBatchBytesMax
                ? Answer(fail(Errc::TooLarge,
                              fmt::format("the batch's answers before this one have over {} bytes: ask "
                                          "for this one by itself",
                                          kBatchBytesMax)))
                : run_entry(context, call.who, entry);
        const auto response = answer ? std::move(*answer) : problem(answer.error());
        const Json id = whole ? entry["id"] : Json();
        // Each body is JSON already.
        responses += fmt::format(
            R"({}{{"id":{},"status":{},"headers":{{"Content-Type":"application/json; charset=utf-8"}},"body":{}}})",
            responses.empty() ? "" : ",", id.dump(), response.status, response.body);
    }
    return net::HttpResponse{.headers = {{"content-type", "application/json; charset=utf-8"}},
                             .body = "{\"responses\":[" + responses + "]}"};
}

Answer get_metadata(const Context& context, const Call& call) {
    auto* const workspace = context.parts.workspace(call.names.front());
    if (workspace == nullptr) return no_workspace(call.names.front());
    Json tables = Json::array();
    for (const auto& [name, columns] : workspace->schema()) {
        Json described = Json::array();
        for (const auto& column : columns) {
            described.push_back({{"name", column.name}, {"type", workspace::to_string(column.type)}});
        }
        tables.push_back({{"id", name},
                          {"name", name},
                          {"timespanColumn", "TimeGenerated"},
                          {"columns", std::move(described)}});
    }
    return json_reply(200, {{"tables", std::move(tables)},
                            {"workspaces", {{{"id", call.names.front()}, {"name", call.names.front()}}}}});
}

}  // namespace

std::vector<Route> query_routes() {
    std::vector<Route> out{{"POST", "/v1/workspaces/{id}/query", Role::Analyst, post_query},
                           {"POST", "/v1/$batch", Role::Analyst, post_batch},
                           {"GET", "/v1/workspaces/{id}/query", Role::Analyst, get_query},
                           {"GET", "/v1/workspaces/{id}/metadata", Role::Reader, get_metadata}};
    const auto saved = saved_query_routes();
    out.insert(out.end(), saved.begin(), saved.end());
    return out;
}

}  // namespace fieldwatch::portal
