// A person's decisions about alerts, about one or about many at once: events in the log, from which the
// pipeline makes each alert's next row.
#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "portal/alert_decisions.hpp"
#include "portal/reply.hpp"
#include "portal/table_reader.hpp"

namespace fieldwatch::portal {
namespace {

constexpr std::size_t kReasonBytesMax = 200, kCommentBytesMax = 2'000;
constexpr std::size_t kDecidedMax = 500;  ///< alerts of one request: decided in one commit, or none
static_assert(kDecidedMax <= registry::Registry::kPublishMax);

/// What a person may say: members of docs/api.md.
struct Decision {
    std::string status, reason, comment, feedback;  ///< empty: not said
    std::optional<std::string> assignee;            ///< a user, or "" = nobody

    bool says_something() const {
        return !status.empty() || !comment.empty() || !feedback.empty() || assignee.has_value();
    }
};

Result<Decision> read_decision(const Json& body) {
    Decision out;
    FIELDWATCH_TRY(read_member(body, "status", out.status));
    FIELDWATCH_TRY(read_member(body, "reason", out.reason));
    FIELDWATCH_TRY(read_member(body, "comment", out.comment));
    FIELDWATCH_TRY(read_member(body, "feedback", out.feedback));
    if (body.contains("assignee")) FIELDWATCH_TRY(read_member(body, "assignee", out.assignee.emplace()));
    if (!out.status.empty() && out.status != "InProgress" && out.status != "Resolved" &&
        out.status != "Dismissed")
        return not_among("status", out.status, {"InProgress", "Resolved", "Dismissed"});
    if (!out.feedback.empty() && out.feedback != "Useful" && out.feedback != "NotUseful")
        return not_among("feedback", out.feedback, {"Useful", "NotUseful"});
    for (const auto& [name, text, bytes_max] : {std::tuple{"reason", &out.reason, kReasonBytesMax},
                                                std::tuple{"comment", &out.comment, kCommentBytesMax}}) {
        if (text->size() > bytes_max)
            return fail(Errc::InvalidArgument,
                        fmt::format("\"{}\" may have {} bytes; it has {}", name, bytes_max, text->size()));
    }
    return out;
}

Result<Decision> decision_of(const net::HttpRequest& request) {
    if (request.body.empty()) return Decision{};
    return read_decision(
        FIELDWATCH_TRY(body_object(request, {"status", "reason", "comment", "feedback", "assignee"})));
}

Result<void> check_something_said(const Decision& decision) {
    if (decision.says_something()) return {};
    return fail(Errc::InvalidArgument,
                "one of \"status\", \"comment\", \"feedback\", \"assignee\" is required");
}

/// Somebody who can sign in and do something about it.
bool may_be_assigned(const registry::User& user) {
    const auto role = role_from(user.role);
    return user.enabled && role && *role >= Role::Analyst;
}

Result<void> check_assignee(const Context& context, const Decision& decision) {
    if (!decision.assignee || decision.assignee->empty()) return {};
    const auto user = context.parts.accounts.user(*decision.assignee);
    if (user && may_be_assigned(*user)) return {};
    if (!user && user.error().code != Errc::NotFound) return std::unexpected(user.error());
    return fail(
        Errc::InvalidArgument,
        fmt::format("\"assignee\" must be a user who may sign in as analyst or more, or \"\"; it is \"{}\"",
                    *decision.assignee));
}

/// The newest row of each of the alerts that the hub has; `ids` are UUIDs in their canonical form.
Result<workspace::ResultTable> latest_rows(const Scope& scope, const std::vector<std::string>& ids) {
    std::string list;
    for (const auto& id : ids)
        list += (list.empty() ? "" : ", ") + kql_string(id);
    return ask(*scope.workspace,
               fmt::format("SecurityAlert | where SystemAlertId in ({}) and ResourceId endswith {} "
                           "| extend Evidence = _Evidence | summarize arg_max(TimeGenerated, Status, "
                           "CompromisedEntity, Evidence) by SystemAlertId",
                           list, kql_string("/iothubs/" + scope.hub.name.value)),
               ids.size());
}

/// Which partition's shard raised the alert, from its first evidence; "" for one without.
std::string partition_of(const Row& alert) {
    const auto places = alert.parsed_json("Evidence");
    const bool placed = places.is_array() && !places.empty() && places[0].is_array() && !places[0].empty() &&
                        places[0][0].is_number_unsigned();
    return placed ? std::to_string(places[0][0].get<std::uint64_t>()) : "";
}

/// A decision is an event in the device's own partition: the pipeline turns it into the alert's next row. A
/// hub's own alert may come of any shard: what is said of it goes to all.
model::Record record_of(const Context& context, const Call& call, const Scope& scope, const Row& alert,
                        const Decision& decision) {
    model::Record record;
    record.kind = model::RecordKind::AlertState;
    record.received = context.parts.clock.now();
    record.sender = {.hub = scope.hub.name};
    Json said{{"alertId", alert.text("SystemAlertId")}, {"by", call.who.name}};
    if (const auto entity = alert.text("CompromisedEntity"); entity != scope.hub.name.value) {
        record.sender.device.value = entity;
    } else {
        said["partition"] = partition_of(alert);
    }
    for (const auto& [name, text] :
         {std::pair{"status", &decision.status}, std::pair{"reason", &decision.reason},
          std::pair{"comment", &decision.comment}, std::pair{"feedback", &decision.feedback}}) {
        if (!text->empty()) said[name] = *text;
    }
    if (decision.assignee) said["assignee"] = *decision.assignee;
    record.body = said.dump();
    return record;
}

Result<std::string> alert_id(std::string_view text) {
    if (const auto parsed = Uuid::parse(text)) return parsed->text();
    return fail(Errc::InvalidArgument, fmt::format("an alert's id is a UUID; it is \"{}\"", text));
}

Answer decide_one(const Context& context, const Call& call, const Decision& decision) {
    const auto id = FIELDWATCH_TRY(alert_id(call.names[0]));
    FIELDWATCH_TRY(check_assignee(context, decision));
    const auto scope = FIELDWATCH_TRY(scope_of(context, call));
    const auto table = FIELDWATCH_TRY(latest_rows(scope, {id}));
    if (table.rows.empty())
        return fail(Errc::NotFound, fmt::format("hub {} has no alert {}", scope.hub.name.value, id));
    const Row alert(table, 0);
    FIELDWATCH_TRY(context.parts.registry.publish(record_of(context, call, scope, alert, decision)));
    return json_reply(
        202, {{"id", id}, {"status", decision.status.empty() ? alert.text("Status") : decision.status}});
}

Answer dismiss_alert(const Context& context, const Call& call) {
    auto decision = FIELDWATCH_TRY(decision_of(call.request));
    decision.status = "Dismissed";
    return decide_one(context, call, decision);
}

Answer change_alert(const Context& context, const Call& call) {
    const auto decision = FIELDWATCH_TRY(decision_of(call.request));
    FIELDWATCH_TRY(check_something_said(decision));
    return decide_one(context, call, decision);
}

/// Each id once, in canonical form.
Result<std::vector<std::string>> alert_ids(const Json& body) {
    const auto listed = body.find("ids");
    if (listed == body.end() || !listed->is_array() || listed->empty() || listed->size() > kDecidedMax)
        return fail(Errc::InvalidArgument,
                    fmt::format("\"ids\" must be an array of 1 to {} alert ids", kDecidedMax));
    std::vector<std::string> ids;
    for (const auto& one : *listed) {
        if (!one.is_string())
            return fail(Errc::InvalidArgument, "\"ids\" holds something that is not a text");
        ids.push_back(FIELDWATCH_TRY(alert_id(one.get_ref<const std::string&>())));
    }
    std::ranges::sort(ids);
    const auto again = std::ranges::unique(ids);
    ids.erase(again.begin(), again.end());
    return ids;
}

/// One decision about many. Nothing is decided where a part of the request is wrong; alerts that the hub does
/// not have are named, and the rest decided.
Answer decide_many(const Context& context, const Call& call) {
    const auto body = FIELDWATCH_TRY(
        body_object(call.request, {"ids", "status", "reason", "comment", "feedback", "assignee"}));
    auto unknown = FIELDWATCH_TRY(alert_ids(body));
    const auto decision = FIELDWATCH_TRY(read_decision(body));
    FIELDWATCH_TRY(check_something_said(decision));
    FIELDWATCH_TRY(check_assignee(context, decision));
    const auto scope = FIELDWATCH_TRY(scope_of(context, call));
    const auto table = FIELDWATCH_TRY(latest_rows(scope, unknown));
    Json decided = Json::array();
    std::vector<model::Record> records;
    for (std::size_t i = 0; i < table.rows.size(); ++i) {
        const Row alert(table, i);
        records.push_back(record_of(context, call, scope, alert, decision));
        decided.push_back(alert.text("SystemAlertId"));
        std::erase(unknown, alert.text("SystemAlertId"));
    }
    FIELDWATCH_TRY(context.parts.registry.publish_many(records));
    call.detail = fmt::format("{} alerts", decided.size());
    return json_reply(202, {{"decided", std::move(decided)}, {"unknown", unknown}});
}

Answer list_assignees(const Context& context, const Call&) {
    Json value = Json::array();
    for (const auto& user : FIELDWATCH_TRY(context.parts.accounts.users()))
        if (may_be_assigned(user)) value.push_back({{"name", user.name}, {"role", user.role}});
    return json_reply(200, {{"value", std::move(value)}});
}

}  // namespace

std::vector<Route> alert_decision_routes() {
    return {{"POST", "/api/v1/alerts/decisions", Role::Operator, decide_many},
            {"POST", "/api/v1/alerts/{id}/dismiss", Role::Operator, dismiss_alert},
            {"PATCH", "/api/v1/alerts/{id}", Role::Operator, change_alert},
            {"GET", "/api/v1/assignees", Role::Operator, list_assignees}};
}

}  // namespace fieldwatch::portal
