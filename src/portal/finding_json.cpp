#include "portal/finding_json.hpp"

#include "base/json_text.hpp"

namespace fieldwatch::portal {
namespace {

std::string_view or_else(std::string_view json, std::string_view fallback) {
    return json.empty() ? fallback : json;
}

}  // namespace

std::string alert_json(const workspace::AlertRow& row) {
    const auto& alert = row.alert;
    std::string out;
    JsonWriter(out)
        .begin_object()
        .member("id", alert.id.text())
        .member("type", alert.type)
        .member("displayName", alert.display_name)
        .member("severity", model::to_string(alert.severity))
        .member("status", model::to_string(alert.status))
        .member("hub", alert.hub.value)
        .member("device", alert.compromised_entity)
        .member("component", alert.component)
        .member("description", alert.description)
        .member("startTime", to_iso8601(alert.start))
        .member("endTime", to_iso8601(alert.end))
        .member("timeGenerated", to_iso8601(row.time_generated))
        .member("hitCount", alert.hit_count)
        .key("update")
        .boolean(alert.update)
        .key("extendedProperties")
        .raw(or_else(alert.extended_json, "{}"))
        .end_object();
    return out;
}

std::string recommendation_json(const workspace::RecommendationRow& row) {
    const auto& recommendation = row.recommendation;
    std::string out;
    JsonWriter(out)
        .begin_object()
        .member("id", recommendation.id.text())
        .member("type", recommendation.type)
        .member("displayName", recommendation.display_name)
        .member("severity", model::to_string(recommendation.severity))
        .member("state", model::to_string(recommendation.state))
        .member("hub", recommendation.hub.value)
        .member("device", recommendation.device)
        .member("description", recommendation.description)
        .member("discovered", to_iso8601(recommendation.discovered))
        .member("changed", to_iso8601(recommendation.changed))
        .key("additionalData")
        .raw(or_else(recommendation.additional_json, "{}"))
        .end_object();
    return out;
}

}  // namespace fieldwatch::portal
