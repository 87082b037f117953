// The rows of the workspace's five tables as the pipeline hands them over: spec/workspace.md section 1.
// Constant columns (TenantId, SourceSystem, Type, _BilledSize …) are the workspace's own business.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/hash.hpp"
#include "base/time.hpp"
#include "model/finding.hpp"
#include "model/ids.hpp"

namespace fieldwatch::workspace {

/// Its texts belong to the commit's Texts: there are many of these, and the other rows are few.
struct RawEventRow {
    Hash128 row_id;
    model::LogPosition position;
    Timestamp time_generated;  ///< when the hub received it
    Timestamp time_stamp;      ///< event time
    std::string_view hub, device, agent_version, event_id, category, name, type, details_json;
    bool is_empty = false;
};

/// A state of an alert or recommendation, with the place of the record that decided it.
struct AlertRow {
    Hash128 row_id;
    model::LogPosition position;
    Timestamp time_generated;
    model::Alert alert;
};
struct RecommendationRow {
    Hash128 row_id;
    model::LogPosition position;
    Timestamp time_generated;
    model::Recommendation recommendation;
};

/// AzureDiagnostics: one operation, or one condensed minute of successful ones (properties_s.messageCount).
struct DiagnosticsRow {
    Hash128 row_id;
    model::LogPosition position;
    Timestamp time_generated;
    std::string hub, device, category, operation_name, result_type, result_description, result_signature,
        correlation_id, level, caller_ip_address, location, properties_json;
    double duration_ms = 0;
};
/// AzureActivity: control plane.
struct ActivityRow {
    Hash128 row_id;
    model::LogPosition position;
    Timestamp time_generated;
    std::string hub, operation_name, activity_status, caller, caller_ip_address, category, correlation_id,
        properties_json;
};

/// What leaves the system because of a finding: notifications and actions, from the same commit as its row.
struct OutboxRow {
    std::uint64_t sequence = 0;  ///< given by the workspace
    std::string kind;            ///< "alert", "recommendation"
    std::string key;             ///< SystemAlertId or RecommendationId
    std::string body_json;
};

}  // namespace fieldwatch::workspace
