// Numbers that the hub takes out of a device's telemetry travel as a security message of the device: these
// names tell them from what a device's own agent says.
#pragma once

#include <string_view>

namespace fieldwatch::model {

inline constexpr std::string_view kTelemetryMetricsAgent = "hub telemetry";     ///< AgentVersion
inline constexpr std::string_view kTelemetryMetricsEvent = "TelemetryMetrics";  ///< Name of the Custom event

}  // namespace fieldwatch::model
