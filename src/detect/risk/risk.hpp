// Risk of a device, 0 to 100: points that add up, fade with time, and each cite the row that they come from.
// docs/decisions/0034.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "model/finding.hpp"

namespace fieldwatch::detect {

enum class RiskKind : std::uint8_t { Alert, Exposure, Vulnerability, Posture };
std::string_view to_string(RiskKind kind);  ///< lower case

/// A row that may carry risk, in its present state.
struct RiskRow {
    RiskKind kind = RiskKind::Alert;
    std::string id;    ///< SystemAlertId or RecommendationId
    std::string type;  ///< AlertType or RecommendationName
    std::string title, device;
    model::Severity severity = model::Severity::Low;
    bool resolved = false;  ///< somebody said so, or the cause is gone
    Timestamp at;           ///< alert: its last event; recommendation: since when
};

struct RiskPoint {
    RiskRow row;
    double points = 0;   ///< those of a device add up to its risk
    double without = 0;  ///< the device's risk were this row gone
};

struct DeviceRisk {
    std::string device;
    double risk = 0;
    double day_before = 0;          ///< what the same rows came to a day earlier
    std::vector<RiskPoint> points;  ///< heaviest first
};

/// A row as it was written at some time.
struct RiskVersion {
    RiskRow row;
    Timestamp written;
    bool gone = false;  ///< an alert that was dismissed, a recommendation whose cause is no more
};
struct RiskAt {
    Timestamp at;
    double risk = 0;
};

/// What kind a recommendation is: open ports, permissive firewalls and the like are exposure, vulnerable
/// components vulnerability, the rest posture.
RiskKind risk_kind_of_recommendation(std::string_view name);

/// By risk, highest first, then by name. Rows whose id stands in `fixed` count as gone: what-if. Dismissed
/// alerts must not be among the rows.
std::vector<DeviceRisk> assess_risk(const std::vector<RiskRow>& rows, Timestamp now,
                                    const std::vector<std::string>& fixed = {});

/// The risk of one device at the end of each of the last `days` whole days (UTC) and now, oldest first: from
/// its rows as they stood then.
std::vector<RiskAt> risk_history(std::vector<RiskVersion> versions, Timestamp now, int days);

/// The fleet's: each device as often as its risk is high, so that one burning device shows among a thousand
/// quiet ones. 0 without devices.
double fleet_risk(const std::vector<DeviceRisk>& devices);

}  // namespace fieldwatch::detect
