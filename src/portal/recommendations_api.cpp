// Recommendations: weak states as they are now.
#include <fmt/format.h>

#include "portal/context.hpp"
#include "portal/reply.hpp"
#include "portal/table_reader.hpp"

namespace fieldwatch::portal {
namespace {

constexpr std::size_t kPageMax = 1'000;

Json recommendation_json(const Row& row, const registry::Hub& hub) {
    return {{"id", row.text("RecommendationId")},
            {"type", row.text("RecommendationName")},
            {"displayName", row.text("RecommendationDisplayName")},
            {"severity", row.text("RecommendationSeverity")},
            {"state", row.text("RecommendationState")},
            {"hub", hub.name.value},
            {"device", row.text("DeviceId")},
            {"description", row.text("Description")},
            {"discovered", row.text("DiscoveredTimeUTC")},
            {"changed", row.text("StatusChangeDate")},
            {"properties", row.parsed_json("Properties")},
            {"additionalData", row.parsed_json("RecommendationAdditionalData")}};
}

Answer list_recommendations(const Context& context, const Call& call) {
    const auto scope = FIELDWATCH_TRY(scope_of(context, call));
    const auto top = FIELDWATCH_TRY(number_parameter(call.request, "top", 100, 1, kPageMax));
    const auto state = call.request.parameter("state").value_or("Active");
    if (state != "Active" && state != "Resolved" && state != "Dismissed" && state != "all") {
        return not_among("state", state, {"Active", "Resolved", "Dismissed", "all"});
    }
    // What is active is written again daily (design 3a), so a month finds every live one.
    auto text = fmt::format(
        "SecurityRecommendation | where TimeGenerated >= {} and AssessedResourceId endswith {} "
        "| summarize arg_max(TimeGenerated, *) by RecommendationId",
        kql_datetime(context.parts.clock.now() - std::chrono::hours(24 * 30)),
        kql_string("/iothubs/" + scope.hub.name.value));
    if (state != "all") text += " | where RecommendationState == " + kql_string(state);
    if (const auto device = call.request.parameter("device"))
        text += " | where DeviceId == " + kql_string(*device);
    text += fmt::format(" | order by StatusChangeDate desc, RecommendationId asc | take {}", top);
    const auto table = FIELDWATCH_TRY(ask(*scope.workspace, std::move(text), top));
    Json found = Json::array();
    for (std::size_t i = 0; i < table.rows.size(); ++i)
        found.push_back(recommendation_json(Row(table, i), scope.hub));
    return json_reply(200, {{"value", std::move(found)}, {"sequence", context.notifier.sequence()}});
}

Answer get_recommendation(const Context& context, const Call& call) {
    const auto scope = FIELDWATCH_TRY(scope_of(context, call));
    const auto id = Uuid::parse(call.names[0]);
    if (!id) {
        return fail(Errc::InvalidArgument,
                    fmt::format("the recommendation id must be a UUID; it is \"{}\"", call.names[0]));
    }
    const auto table = FIELDWATCH_TRY(ask(
        *scope.workspace,
        fmt::format(
            "SecurityRecommendation | where RecommendationId == \"{}\" and AssessedResourceId endswith {} "
            "| top 1 by TimeGenerated desc",
            id->text(), kql_string("/iothubs/" + scope.hub.name.value)),
        1));
    if (table.rows.empty()) {
        return fail(Errc::NotFound,
                    fmt::format("hub {} has no recommendation {}", scope.hub.name.value, call.names[0]));
    }
    return json_reply(200, recommendation_json(Row(table, 0), scope.hub));
}

}  // namespace

std::vector<Route> recommendation_routes() {
    return {{"GET", "/api/v1/recommendations", Role::Reader, list_recommendations},
            {"GET", "/api/v1/recommendations/{id}", Role::Reader, get_recommendation}};
}

}  // namespace fieldwatch::portal
