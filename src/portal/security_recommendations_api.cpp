// Recommendations and their types of the published security API, one by one and aggregated by type.
// spec/recommendations.md section 1.
#include <algorithm>

#include <fmt/format.h>

#include "detect/lifecycle/recommendation_book.hpp"
#include "portal/security_shapes.hpp"

namespace fieldwatch::portal {
namespace {

constexpr std::string_view kActive = " | where RecommendationState == \"Active\"";
/// Of the ids that the published shapes have for types: any fixed one would do.
const Uuid& type_name_space() {
    static const auto space = *Uuid::parse("7d3c4f0e-3a55-5d0b-9a1e-6f1d2c8b9a10");
    return space;
}

Json steps_of(const detect::RecommendationType& type) {
    Json out = Json::array();
    for (auto rest = type.remediation; !rest.empty();) {
        const auto end = std::min(rest.find('\n'), rest.size());
        out.push_back(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return out;
}

/// `TYPE|DEVICE`; of the hub itself `TYPE|HUB`.
Json iot_recommendation_json(const Row& row, const Solution& solution, std::string_view place) {
    const auto device = row.text("DeviceId");
    const auto name = fmt::format("{}|{}", row.text("RecommendationName"),
                                  device.empty() ? solution.scope.hub.name.value : device);
    return resource_json(place, "iotRecommendations", name,
                         {{"deviceId", device},
                          {"recommendationType", row.text("RecommendationName")},
                          {"discoveredTimeUtc", row.text("DiscoveredTimeUTC")},
                          {"recommendationAdditionalData", row.parsed_json("RecommendationAdditionalData")}});
}

std::string active(const Context& context, const Solution& solution) {
    // What is active is written again daily (design 3a), so a month finds every live one.
    return solution.recommendations(context.parts.clock.now() - std::chrono::hours(24 * 30)) +
           std::string(kActive);
}

Answer list_iot_recommendations(const Context& context, const Call& call) {
    const auto solution = FIELDWATCH_TRY(solution_of(context, call));
    const auto page = FIELDWATCH_TRY(page_of(call.request, "$limit"));
    auto text = active(context, solution);
    if (const auto type = call.request.parameter("recommendationType"))
        text += " | where RecommendationName == " + kql_string(*type);
    if (const auto device = call.request.parameter("deviceId"))
        text += " | where DeviceId == " + kql_string(*device);
    return page_reply(
        call, solution, page,
        {.text = std::move(text),
         .order = "DiscoveredTimeUTC desc, RecommendationId asc",
         .one = [&](const Row& row) { return iot_recommendation_json(row, solution, call.request.path); }});
}

Answer get_iot_recommendation(const Context& context, const Call& call) {
    const auto solution = FIELDWATCH_TRY(solution_of(context, call));
    const auto& name = call.names.back();
    const auto bar = name.find('|');
    if (bar == std::string::npos)
        return fail(Errc::InvalidArgument,
                    "a recommendation is named TYPE|DEVICE, or TYPE|HUB for the hub's own");
    const auto device = name.substr(bar + 1);
    const bool may_be_hub = device == solution.scope.hub.name.value;
    const auto table = FIELDWATCH_TRY(ask(
        *solution.scope.workspace,
        fmt::format(
            "{} | where RecommendationName == {} and (DeviceId == {}{}) | order by DeviceId desc | take 1",
            active(context, solution), kql_string(name.substr(0, bar)), kql_string(device),
            may_be_hub ? " or isempty(DeviceId)" : ""),
        1));
    if (table.rows.empty()) return fail(Errc::NotFound, fmt::format("\"{}\" is not active here", name));
    return json_reply(200,
                      iot_recommendation_json(Row(table, 0), solution, last_of_path(call.request.path, 1)));
}

Json recommendation_type_json(std::string_view place, const detect::RecommendationType& type) {
    return resource_json(place, "iotRecommendationTypes", type.type,
                         {{"recommendationDisplayName", type.display_name},
                          {"severity", model::to_string(type.severity)},
                          {"description", type.description},
                          {"productName", "Fieldwatch"},
                          {"productComponentName", type.component},
                          {"vendorName", "Fieldwatch"},
                          {"control", type.control},
                          {"remediationSteps", steps_of(type)},
                          {"dataSource", type.component}});
}

Answer list_recommendation_types(const Context& context, const Call& call) {
    static_cast<void>(FIELDWATCH_TRY(solution_of(context, call)));
    Json list = Json::array();
    for (const auto& type : detect::recommendation_types())
        list.push_back(recommendation_type_json(call.request.path, type));
    return json_reply(200, {{"value", std::move(list)}, {"nextLink", nullptr}});
}

Result<const detect::RecommendationType*> type_named(std::string_view name) {
    const auto types = detect::recommendation_types();
    const auto found = std::ranges::find(types, name, &detect::RecommendationType::type);
    if (found == types.end())
        return fail(Errc::NotFound, fmt::format("there is no recommendation type \"{}\"", name));
    return &*found;
}

Answer get_recommendation_type(const Context& context, const Call& call) {
    static_cast<void>(FIELDWATCH_TRY(solution_of(context, call)));
    const auto* const type = FIELDWATCH_TRY(type_named(call.names.back()));
    return json_reply(200, recommendation_type_json(last_of_path(call.request.path, 1), *type));
}

/// Devices of the hub, those that are unhealthy among them counted by the row.
Json aggregated_recommendation_json(const Row& row, std::string_view place,
                                    const detect::RecommendationType& type, std::uint64_t devices) {
    const auto unhealthy = static_cast<std::uint64_t>(row.number("Devices"));
    std::string steps;
    for (const auto& step : steps_of(type))
        steps += (steps.empty() ? "" : "\n") + step.get<std::string>();
    return resource_json(
        place, "iotSecurityAggregatedRecommendations", type.type,
        {{"recommendationName", type.type},
         {"recommendationDisplayName", type.display_name},
         {"description", type.description},
         {"recommendationTypeId", Uuid::named(type_name_space(), type.type).text()},
         {"detectedBy", type.component},
         {"remediationSteps", steps},
         {"reportedSeverity", model::to_string(type.severity)},
         {"healthyDevices", devices > unhealthy ? devices - unhealthy : 0},
         {"unhealthyDeviceCount", unhealthy},
         {"logAnalyticsQuery",
          fmt::format("SecurityRecommendation | where tolower(AssessedResourceId) == tolower({}) and "
                      "tolower(RecommendationName) == tolower({}) | summarize arg_max(TimeGenerated, *) by "
                      "DeviceId",
                      kql_string(row.text("AssessedResourceId")), kql_string(type.type))}});
}

std::string by_type(const Context& context, const Solution& solution) {
    return active(context, solution) +
           " | summarize Devices = dcountif(DeviceId, isnotempty(DeviceId)), "
           "AssessedResourceId = max(AssessedResourceId) by RecommendationName";
}

Answer list_aggregated_recommendations(const Context& context, const Call& call) {
    const auto solution = FIELDWATCH_TRY(solution_of(context, call));
    const auto page = FIELDWATCH_TRY(page_of(call.request, "$top"));
    const auto devices = FIELDWATCH_TRY(context.parts.registry.count_devices(solution.scope.hub.name)).total;
    return page_reply(
        call, solution, page,
        {.text = by_type(context, solution), .order = "RecommendationName asc", .one = [&](const Row& row) {
             const auto type = type_named(row.text("RecommendationName"));
             return type ? aggregated_recommendation_json(row, call.request.path, **type, devices)
                         : Json();  // of a release that knew more types
         }});
}

Answer get_aggregated_recommendation(const Context& context, const Call& call) {
    const auto solution = FIELDWATCH_TRY(solution_of(context, call));
    const auto* const type = FIELDWATCH_TRY(type_named(call.names.back()));
    const auto devices = FIELDWATCH_TRY(context.parts.registry.count_devices(solution.scope.hub.name)).total;
    const auto table = FIELDWATCH_TRY(ask(*solution.scope.workspace,
                                          fmt::format("{} | where RecommendationName == {}",
                                                      by_type(context, solution), kql_string(type->type)),
                                          1));
    if (table.rows.empty())
        return fail(Errc::NotFound, fmt::format("{} is active on no device here", type->type));
    return json_reply(200, aggregated_recommendation_json(Row(table, 0), last_of_path(call.request.path, 1),
                                                          *type, devices));
}

}  // namespace

std::vector<Route> security_recommendation_routes() {
    static const auto kBelow = std::string(kSolutions) + "/{hub}";
    static const auto kList = kBelow + "/iotRecommendations", kOne = kList + "/{id}";
    static const auto kTypes = kBelow + "/iotRecommendationTypes", kType = kTypes + "/{name}";
    static const auto kAggregates = kBelow + "/analyticsModels/default/aggregatedRecommendations";
    static const auto kAggregate = kAggregates + "/{name}";
    return {{"GET", kList, Role::Reader, list_iot_recommendations},
            {"GET", kOne, Role::Reader, get_iot_recommendation},
            {"GET", kTypes, Role::Reader, list_recommendation_types},
            {"GET", kType, Role::Reader, get_recommendation_type},
            {"GET", kAggregates, Role::Reader, list_aggregated_recommendations},
            {"GET", kAggregate, Role::Reader, get_aggregated_recommendation}};
}

}  // namespace fieldwatch::portal
