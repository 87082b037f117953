// Solutions of the published security API: one for each hub, by its name.
#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.hpp"
#include "detect/custom/security_group.hpp"
#include "detect/settings.hpp"
#include "portal/security_shapes.hpp"

namespace fieldwatch::portal {
namespace {

constexpr std::size_t kPageOfSolutionMax = 1'000;
constexpr std::size_t kSkipMax = 9'000;  ///< with a page behind it within what one question may answer

/// spec/recommendations.md section 1: the settings page's names, and always all sixteen.
constexpr std::array<std::pair<std::string_view, std::string_view>, 16> kConfigurable{{
    {"IoT_ACRAuthentication", "Service Principal Not Used with ACR"},
    {"IoT_AgentSendsUnutilizedMessages", "Agent sending underutilized messages"},
    {"IoT_Baseline", "Operating system (OS) baseline validation failure"},
    {"IoT_EdgeHubMemOptimize", "Edge Hub memory can be optimized"},
    {"IoT_EdgeLoggingOptions", "No Logging Configured for Edge Module"},
    {"IoT_InconsistentModuleSettings", "Module Settings Inconsistent in SecurityGroup"},
    {"IoT_InstallAgent", "Install the Azure Security of Things Agent"},
    {"IoT_IPFilter_DenyAll", "Default IP Filter Policy should be Deny"},
    {"IoT_IPFilter_PermissiveRule", "IP Filter rule includes large IP range"},
    {"IoT_OpenPorts", "Open Ports On Device"},
    {"IoT_PermissiveFirewallPolicy", "Permissive firewall policy in one of the chains was found"},
    {"IoT_PermissiveInputFirewallRules", "Permissive firewall rule in the input chain was found"},
    {"IoT_PermissiveOutputFirewallRules", "Permissive firewall rule in the output chain was found"},
    {"IoT_PrivilegedDockerOptions", "High level permissions configured in Edge model twin for Edge module"},
    {"IoT_SharedCredentials", "Same Authentication Credentials used by multiple devices"},
    {"IoT_VulnerableTLSCipherSuite", "TLS cipher suite upgrade"},
}};

Result<void> check_version(const net::HttpRequest& request) {
    const auto version = request.parameter("api-version");
    if (!version || *version == "2019-08-01" || *version == "2017-08-01-preview") return {};
    return fail(Errc::InvalidArgument,
                fmt::format("the api-version \"{}\" is not supported; 2019-08-01 and 2017-08-01-preview are",
                            *version));
}

/// The prefix of resource ids, `/subscriptions/S/resourceGroups/G`, as the path has it; without a group in
/// the path, the product's own.
std::string group_of(const Call& call) {
    const auto& path = call.request.path;
    const auto providers = path.find("/providers/");
    const auto group = path.substr(0, providers);
    return call.names.size() > 1 ? group : group + "/resourceGroups/fieldwatch";
}

Solution solution_for(const Call& call, Scope scope) {
    Solution out{.scope = std::move(scope), .id = {}, .hub_id = {}};
    const auto group = group_of(call);
    const auto& name = out.scope.hub.name.value;
    out.id = fmt::format("{}/providers/Microsoft.Security/iotSecuritySolutions/{}", group, name);
    out.hub_id = fmt::format("{}/providers/Microsoft.Devices/IotHubs/{}", group, name);
    return out;
}

Json configuration_json(const detect::Settings& settings) {
    Json out = Json::array();
    for (const auto& [type, name] : kConfigurable) {
        const bool off = std::ranges::find(settings.disabled_recommendations, type) !=
                         settings.disabled_recommendations.end();
        out.push_back(
            {{"recommendationType", type}, {"name", name}, {"status", off ? "Disabled" : "Enabled"}});
    }
    return out;
}

/// The same list from `from` on.
std::string next_link(const net::HttpRequest& request, std::size_t from) {
    std::string out;
    for (std::string_view rest = request.path; !rest.empty();) {
        rest.remove_prefix(1);  // its slash
        const auto segment = rest.substr(0, rest.find('/'));
        out += "/" + percent_encode(segment);
        rest.remove_prefix(segment.size());
    }
    out += '?';
    for (const auto& [name, value] : request.query) {
        if (name != "$skipToken") out += percent_encode(name) + "=" + percent_encode(value) + "&";
    }
    return out + fmt::format("%24skipToken={}", from);
}

Answer get_solution(const Context& context, const Call& call) {
    return json_reply(200, solution_json(context, FIELDWATCH_TRY(solution_of(context, call))));
}

/// `$filter=properties.iotHubs/any(i eq "ID")`: the name of the hub at the end of that id; "" = no filter.
Result<std::string> filtered_hub(const net::HttpRequest& request) {
    constexpr std::string_view kBegin = "properties.iotHubs/any(i eq \"";
    const auto filter = request.parameter("$filter");
    if (!filter) return std::string();
    if (!filter->starts_with(kBegin) || !filter->ends_with("\")") || filter->size() < kBegin.size() + 2)
        return fail(Errc::InvalidArgument,
                    "\"$filter\" must be properties.iotHubs/any(i eq \"ID\"), with the resource id of a hub");
    const auto id = filter->substr(kBegin.size(), filter->size() - kBegin.size() - 2);
    return detect::group_key(id.substr(id.rfind('/') + 1));  // resource ids know no case
}

Answer list_solutions(const Context& context, const Call& call) {
    FIELDWATCH_TRY(check_version(call.request));
    const auto only = FIELDWATCH_TRY(filtered_hub(call.request));
    Json list = Json::array();
    for (const auto& hub : FIELDWATCH_TRY(context.parts.registry.hubs())) {
        const auto& own = call.who.hubs;
        const bool is_own = own.empty() || std::ranges::find(own, hub.name.value) != own.end();
        if (!is_own || (!only.empty() && only != hub.name.value)) continue;
        list.push_back(solution_json(context, solution_for(call, {.hub = hub})));
    }
    return json_reply(200, {{"value", std::move(list)}, {"nextLink", nullptr}});
}

}  // namespace

std::string Solution::alerts(Timestamp since) const {
    return fmt::format(
        "SecurityAlert | where TimeGenerated >= {} and ResourceId endswith {} "
        "| summarize arg_max(TimeGenerated, *) by SystemAlertId",
        kql_datetime(since), kql_string("/iothubs/" + scope.hub.name.value));
}

std::string Solution::recommendations(Timestamp since) const {
    return fmt::format(
        "SecurityRecommendation | where TimeGenerated >= {} and AssessedResourceId endswith {} "
        "| summarize arg_max(TimeGenerated, *) by RecommendationId",
        kql_datetime(since), kql_string("/iothubs/" + scope.hub.name.value));
}

Result<Solution> solution_of(const Context& context, const Call& call) {
    FIELDWATCH_TRY(check_version(call.request));
    return solution_for(call, FIELDWATCH_TRY(scope_of_hub(context, detect::group_key(call.names.at(2)))));
}

Json solution_json(const Context& context, const Solution& solution) {
    const auto& hub = solution.scope.hub;
    const auto text = context.parts.registry.setting(kDetectionSettings).value_or(std::nullopt);
    const auto settings = detect::parse_settings(text.value_or("{}")).value_or(detect::Settings{});
    const auto group = solution.id.substr(0, solution.id.find("/providers/"));
    Json properties{{"displayName", hub.name.value},
                    {"iotHubs", {solution.hub_id}},
                    {"workspace", fmt::format("{}/providers/Microsoft.OperationalInsights/workspaces/{}",
                                              group, hub.workspace)},
                    {"status", hub.security_enabled ? "Enabled" : "Disabled"},
                    {"export", hub.store_raw_events ? Json::array({"RawEvents"}) : Json::array()},
                    {"disabledDataSources", hub.twin_data ? Json::array() : Json::array({"TwinData"})},
                    {"autoDiscoveredResources", {solution.hub_id}},
                    {"recommendationsConfiguration", configuration_json(settings)},
                    {"unmaskedIpLoggingStatus", hub.mask_addresses ? "Disabled" : "Enabled"},
                    {"additionalWorkspaces", Json::array()}};
    return {{"id", solution.id},
            {"name", hub.name.value},
            {"type", "Microsoft.Security/IoTSecuritySolutions"},
            {"properties", std::move(properties)}};
}

Json resource_json(std::string_view place, std::string_view kind, std::string_view name, Json properties) {
    return {{"id", fmt::format("{}/{}", place, name)},
            {"name", name},
            {"type", fmt::format("Microsoft.Security/{}", kind)},
            {"properties", std::move(properties)}};
}

std::string last_of_path(std::string_view path, std::size_t segments) {
    for (; segments > 0; --segments)
        path = path.substr(0, path.rfind('/'));
    return std::string(path);
}

Result<Page> page_of(const net::HttpRequest& request, std::string_view limit) {
    Page out;
    out.count = FIELDWATCH_TRY(number_parameter(request, limit, out.count, 1, kPageOfSolutionMax));
    out.from = FIELDWATCH_TRY(number_parameter(request, "$skipToken", 0, 0, kSkipMax));
    return out;
}

Answer page_reply(const Call& call, const Solution& solution, const Page& page, const Listing& listing) {
    auto& workspace = *solution.scope.workspace;
    const auto counted = FIELDWATCH_TRY(ask(workspace, listing.text + " | count", 1));
    const auto total = counted.rows.empty() ? 0 : Row(counted, 0).number("Count");
    const auto end = page.from + page.count;
    const auto rows = FIELDWATCH_TRY(
        ask(workspace, fmt::format("{} | order by {} | take {}", listing.text, listing.order, end), end));
    Json list = Json::array();
    for (std::size_t at = page.from; at < rows.rows.size(); ++at)
        list.push_back(listing.one(Row(rows, at)));
    const bool goes_on = std::cmp_less(end, total) && end <= kSkipMax;
    return json_reply(200, {{"value", std::move(list)},
                            {"nextLink", goes_on ? Json(next_link(call.request, end)) : Json(nullptr)},
                            {"totalCount", total}});
}

std::vector<Route> security_routes() {
    std::vector<Route> out;
    for (const auto& part : {security_solution_routes(), security_alert_routes(),
                             security_recommendation_routes(), security_analytics_routes()})
        out.insert(out.end(), part.begin(), part.end());
    return out;
}

std::vector<Route> security_solution_routes() {
    static const auto kOne = std::string(kSolutions) + "/{hub}";
    return {{"GET", kSolutionsOfSubscription, Role::Reader, list_solutions},
            {"GET", kSolutions, Role::Reader, list_solutions},
            {"GET", kOne, Role::Reader, get_solution}};
}

}  // namespace fieldwatch::portal
