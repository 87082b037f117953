// A KQL query for the rows behind an explanation, so that a reader can check it: spec/detection.md section 4,
// "Explanation".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "detect/behaviour/device_model.hpp"
#include "detect/behaviour/flow.hpp"

namespace fieldwatch::detect {

/// The key of the query in an alert's ExtendedProperties; the workspace makes a link of it.
inline constexpr std::string_view kEvidenceQueryKey = "EvidenceQuery";

/// Rows of the device that the contributions were counted over. `end` is hub time, as windows are: the five
/// minutes before it, or the hour when a contribution is about one. A device that only the hub speaks of has
/// its operations.
std::string evidence_query(std::string_view device, Timestamp end,
                           const std::vector<Contribution>& contributions);

/// The device's connections to the flow's port from `since` until the flow (event time); to its address only,
/// or to all.
struct FlowRows {
    std::string_view device;
    const Flow& flow;
    Timestamp since;
    bool one_address = true;
};
std::string evidence_query(const FlowRows& rows);

/// What the device said of one metric in the day before `until` (event time), oldest first.
struct MetricRows {
    std::string_view device, metric;
    Timestamp until;
};
std::string evidence_query(const MetricRows& rows);

}  // namespace fieldwatch::detect
