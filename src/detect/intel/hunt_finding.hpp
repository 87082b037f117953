// What a look into stored history found when an indicator was new, as a record of the log, and the alert that
// a shard makes of it. docs/decisions/0084-new-indicators-ask-history.md.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "detect/intel/intel.hpp"
#include "model/finding.hpp"
#include "model/record.hpp"

namespace fieldwatch::detect {

/// One indicator in the rows of one device, or of so many devices that they are told of together.
struct HuntFinding {
    static constexpr std::size_t kDevicesMax = 20;  ///< each told of by itself; named of those told together

    std::string value;  ///< the indicator's, which tells it from the others
    std::string seen;   ///< what the rows have: an address of a network, a URL of a name
    IndicatorType type = IndicatorType::Ipv4;
    std::string category, source;
    int confidence = 0;
    Tlp tlp = Tlp::None;
    std::string device;                ///< "" = of several devices of the hub
    std::vector<std::string> devices;  ///< the first by name of all that have it
    std::int64_t device_count = 0, rows = 0;
    Timestamp first_seen, last_seen;  ///< event time of the first and the last row
    std::string query;                ///< KQL: these rows
};

/// A record of kind QueryFinding, to the device's partition or the hub's home.
model::Record hunt_finding_record(const model::HubName& hub, const HuntFinding& finding, Timestamp now);

/// Whether the body of a QueryFinding record is a hunt's.
bool is_hunt_finding(const nlohmann::json& body);

/// The alert of such a record. Its key is the indicator: the same one, however often it is in the log, is one
/// alert of its device. Errors: Malformed.
Result<model::Alert> alert_of_hunt_finding(const model::RecordView& record, const nlohmann::json& body);

}  // namespace fieldwatch::detect
