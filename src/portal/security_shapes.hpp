// What the published security API (Microsoft.Security, api-version 2019-08-01) shares: one solution a hub,
// paths as resource ids, pages with `$limit` and `$skipToken`. Reading only. spec/alerts.md sections 2 and 4,
// spec/recommendations.md section 1, spec/custom-alerts.md section 5. Internal to portal.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "portal/context.hpp"
#include "portal/reply.hpp"
#include "portal/table_reader.hpp"

namespace fieldwatch::portal {

inline constexpr std::string_view kSolutions =
    "/subscriptions/{subscription}/resourceGroups/{resources}/providers/Microsoft.Security/"
    "iotSecuritySolutions";
inline constexpr std::string_view kSolutionsOfSubscription =
    "/subscriptions/{subscription}/providers/Microsoft.Security/iotSecuritySolutions";

/// The solution that a path names, and where resources below it are.
struct Solution {
    Scope scope;
    std::string id;      ///< `/subscriptions/…/iotSecuritySolutions/NAME`, as the path spells it
    std::string hub_id;  ///< `/subscriptions/…/providers/Microsoft.Devices/IotHubs/NAME`

    /// As KQL that every question of this hub begins with.
    std::string alerts(Timestamp since) const;           ///< the last row of each alert
    std::string recommendations(Timestamp since) const;  ///< the last row of each recommendation
};
/// Errors: NotFound; InvalidArgument for a version that is not the published one.
Result<Solution> solution_of(const Context& context, const Call& call);
Json solution_json(const Context& context, const Solution& solution);

/// `{"id","name","type","properties"}` of a resource below `place`.
Json resource_json(std::string_view place, std::string_view kind, std::string_view name, Json properties);
std::string last_of_path(std::string_view path, std::size_t segments);  ///< without that many at its end

struct Page {
    std::size_t from = 0, count = 100;
};
/// `limit` is the parameter's name, `$limit` or `$top`. Errors: InvalidArgument.
Result<Page> page_of(const net::HttpRequest& request, std::string_view limit);
/// The answer of a list: what `text`, in the order `order`, has of `page`, how many there are in all, and
/// where it goes on (an absolute path). `one` makes the resource of a row.
struct Listing {
    std::string text, order;
    std::function<Json(const Row&)> one;
};
Answer page_reply(const Call& call, const Solution& solution, const Page& page, const Listing& listing);

/// As far back as alerts and recommendations are kept by default.
inline constexpr std::chrono::hours kFindingsKept{24 * 90};

/// What security_routes() consists of.
std::vector<Route> security_solution_routes();
std::vector<Route> security_alert_routes();
std::vector<Route> security_recommendation_routes();
std::vector<Route> security_analytics_routes();

}  // namespace fieldwatch::portal
