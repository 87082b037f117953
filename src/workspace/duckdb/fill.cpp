#include "workspace/duckdb/fill.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/bytes.hpp"
#include "workspace/duckdb/details.hpp"
#include "workspace/tables.hpp"

namespace fieldwatch::workspace {
namespace {

using Json = nlohmann::ordered_json;

std::string cased(std::string_view text, bool upper) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [upper](char c) {
        if (upper) return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    });
    return out;
}

/// Compact; bytes that are not UTF-8 become U+FFFD.
std::string compact(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string json_array(const std::vector<std::string>& texts) {
    Json out = Json::array();
    for (const auto& text : texts)
        out.push_back(text);
    return compact(out);
}

/// The object that a text holds; empty when it holds none.
Json object_of(std::string_view text) {
    auto json = Json::parse(text, nullptr, false);
    return json.is_object() ? json : Json::object();
}

std::string compact_array(std::string_view text) {
    const auto json = Json::parse(text, nullptr, false);
    return json.is_array() ? compact(json) : "[]";
}

/// `T1059.004` is technique `T1059` and sub-technique `T1059.004`.
struct Techniques {
    std::vector<std::string> whole, sub;
};
Techniques split_techniques(const std::vector<std::string>& ids) {
    Techniques out;
    std::set<std::string> seen;
    for (const auto& id : ids) {
        auto parent = id.substr(0, id.find('.'));
        if (parent.size() != id.size()) out.sub.push_back(id);
        if (seen.insert(parent).second) out.whole.push_back(std::move(parent));
    }
    return out;
}

/// The detector's properties, and where the rule comes from: the Detection Rule License 1.1 asks that the
/// author travels with every match.
std::string extended_properties(const model::Alert& alert) {
    auto json = object_of(alert.extended_json);
    const auto put = [&json](const char* key, const std::string& value) {
        if (!value.empty() && !json.contains(key)) json[key] = value;
    };
    put("RuleId", alert.rule.id);
    put("RuleTitle", alert.rule.title);
    put("RuleAuthor", alert.rule.author);
    put("RuleLicense", alert.rule.license);
    if (!alert.rule.references.empty()) put("RuleReferences", json_array(alert.rule.references));
    if (!json.contains("HitCount")) json["HitCount"] = std::to_string(alert.hit_count);
    return compact(json);
}

std::string links(const Options& options, const model::Alert& alert) {
    const auto query = ready_made_query(options, alert.hub.value, alert.display_name);
    auto out = Json::array();
    const auto add = [&](const std::string& text, const char* label) {
        out.push_back({{"Href", options.portal_url + "/logs?query=" + percent_encode(text)},
                       {"Category", "Investigate"},
                       {"Label", label},
                       {"Type", "webLink"}});
    };
    add(query, "Investigate the alerts in the workspace");
    // What standard behaviour says of a window names the rows that it was counted over.
    const auto extended = object_of(alert.extended_json);
    if (const auto rows = extended.find("EvidenceQuery"); rows != extended.end() && rows->is_string())
        add(rows->get<std::string>(), "The rows behind this explanation");
    return compact(out);
}

/// `[[partition, offset, item], …]`: what the hidden columns of the rows behind an alert hold.
std::string places(const std::vector<model::LogPosition>& positions) {
    Json out = Json::array();
    for (const auto& at : positions)
        out.push_back({at.partition, at.offset, at.item});
    return compact(out);
}

/// Recommendations keep steps and control in Properties: the published table has no columns for them.
std::string recommendation_properties(const model::Recommendation& recommendation) {
    Json json;
    json["RecommendationType"] = recommendation.type;
    json["Component"] = recommendation.component;
    json["Control"] = recommendation.control;
    json["RemediationSteps"] = recommendation.remediation;
    return compact(json);
}

template <class Row>
void place(Appender& to, std::size_t first, const Row& row) {
    to.integer(first, row.position.partition);
    to.integer(first + 1, static_cast<std::int64_t>(row.position.offset));
    to.integer(first + 2, row.position.item);
    to.uuid(first + 3, row.row_id);
}

}  // namespace

struct RowFiller::Details {
    DetailReader reader{tables::kSecurityIoTRawEvent.details};
    std::string hub, resource_id;  // of the row before: most rows of a commit are of one hub
};

RowFiller::RowFiller(const Options& options) : options_(options), details_(std::make_unique<Details>()) {}
RowFiller::~RowFiller() = default;

Result<void> RowFiller::add(Appender& to, const RawEventRow& row) {
    using namespace tables::SecurityIoTRawEvent;
    to.time(kTimeGenerated, row.time_generated);
    to.time(kTimeStamp, row.time_stamp);
    to.text(kAgentVersion, row.agent_version);
    if (details_->hub != row.hub || details_->resource_id.empty()) {
        details_->hub = row.hub;
        details_->resource_id = cased(hub_resource_id(options_, row.hub), false);
    }
    to.text(kAssociatedResourceId, details_->resource_id);
    to.text(kDeviceId, row.device);
    to.text(kEventDetails, row.details_json);
    to.text(kIoTRawEventId, row.event_id);
    to.flag(kIsEmpty, row.is_empty);
    to.text(kRawEventCategory, row.category);
    to.text(kRawEventName, row.name);
    to.text(kRawEventType, row.type);
    std::size_t column = kDetails_Executable;
    for (const auto& value : details_->reader.read(row.details_json)) {
        if (value) {
            to.text(column++, *value);
        } else {
            to.null(column++);
        }
    }
    place(to, kPartition, row);
    return to.end_row();
}

Result<void> RowFiller::add(Appender& to, const AlertRow& row) {
    using namespace tables::SecurityAlert;
    const auto& alert = row.alert;
    const auto id = alert.id.text();
    const auto techniques = split_techniques(alert.techniques);
    to.time(kTimeGenerated, row.time_generated);
    to.time(kStartTime, alert.start);
    to.time(kEndTime, alert.end);
    to.time(kProcessingEndTime, alert.processed);
    to.text(kAlertLink, options_.portal_url + "/alerts/" + id);
    to.text(kAlertSeverity, to_string(alert.severity));
    to.text(kAlertType, alert.type);
    to.text(kCompromisedEntity, alert.compromised_entity);
    to.text(kDescription, alert.description);
    to.text(kDisplayName, alert.display_name);
    to.text(kEntities, compact_array(alert.entities_json));
    to.text(kExtendedLinks, links(options_, alert));
    to.text(kExtendedProperties, extended_properties(alert));
    to.text(kProductComponentName, alert.component);
    to.text(kProductName, options_.historic_product_names ? "Azure Security Center for IoT" : "Fieldwatch");
    to.text(kRemediationSteps, json_array(alert.remediation));
    to.text(kResourceId, hub_resource_id(options_, alert.hub.value));
    to.text(kStatus, to_string(alert.status));
    to.text(kSubTechniques, techniques.sub.empty() ? "" : json_array(techniques.sub));
    to.text(kSystemAlertId, id);
    to.text(kTactics, alert.intent);
    to.text(kTechniques, techniques.whole.empty() ? "" : json_array(techniques.whole));
    to.text(kVendorName, options_.historic_product_names ? "Microsoft" : "Fieldwatch");
    to.text(kEvidence, places(alert.evidence));
    place(to, kPartition, row);
    return to.end_row();
}

Result<void> RowFiller::add(Appender& to, const RecommendationRow& row) {
    using namespace tables::SecurityRecommendation;
    const auto& recommendation = row.recommendation;
    to.time(kTimeGenerated, row.time_generated);
    to.time(kDiscoveredTimeUTC, recommendation.discovered);
    to.time(kFirstEvaluationDate, recommendation.first_evaluated);
    if (recommendation.resolved) {
        to.time(kResolvedTimeUTC, *recommendation.resolved);
    } else {
        to.null(kResolvedTimeUTC);
    }
    to.time(kStatusChangeDate, recommendation.changed);
    to.text(kAssessedResourceId, hub_resource_id(options_, recommendation.hub.value));
    to.text(kDescription, recommendation.description);
    to.text(kDeviceId, recommendation.device);
    to.flag(kIsSnapshot, recommendation.is_snapshot);
    to.text(kProperties, recommendation_properties(recommendation));
    to.text(kRecommendationAdditionalData, compact(object_of(recommendation.additional_json)));
    to.text(kRecommendationDisplayName, recommendation.display_name);
    to.text(kRecommendationId, recommendation.id.text());
    to.text(kRecommendationName, recommendation.type);
    to.text(kRecommendationSeverity, to_string(recommendation.severity));
    to.text(kRecommendationState, to_string(recommendation.state));
    place(to, kPartition, row);
    return to.end_row();
}

Result<void> RowFiller::add(Appender& to, const DiagnosticsRow& row) {
    using namespace tables::AzureDiagnostics;
    to.time(kTimeGenerated, row.time_generated);
    to.text(kResourceId, cased(hub_resource_id(options_, row.hub), true));
    to.text(kCategory, row.category);
    to.text(kResource, cased(row.hub, true));
    to.text(kOperationName, row.operation_name);
    to.text(kResultType, row.result_type);
    to.text(kResultDescription, row.result_description);
    to.text(kResultSignature, row.result_signature);
    to.text(kCorrelationId, row.correlation_id);
    to.text(kLevel, row.level);
    to.real(kDurationMs, row.duration_ms);
    to.text(kCallerIPAddress, row.caller_ip_address);
    to.text(klocation_s, row.location);
    to.text(kproperties_s, row.properties_json);
    to.text(kDeviceId, row.device);
    place(to, kPartition, row);
    return to.end_row();
}

Result<void> RowFiller::add(Appender& to, const ActivityRow& row) {
    using namespace tables::AzureActivity;
    to.time(kTimeGenerated, row.time_generated);
    to.text(kOperationNameValue, row.operation_name);
    to.text(kActivityStatusValue, row.activity_status);
    to.text(kCaller, row.caller);
    to.text(kCallerIpAddress, row.caller_ip_address);
    to.text(kCategoryValue, row.category);
    to.text(kCorrelationId, row.correlation_id);
    to.text(kProperties, row.properties_json);
    to.text(kResourceId, cased(hub_resource_id(options_, row.hub), false));
    place(to, kPartition, row);
    return to.end_row();
}

}  // namespace fieldwatch::workspace
