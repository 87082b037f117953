// What a scheduled query found, as the log carries it: whoever asked writes it, the shard makes it an alert.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "detect/scheduled/scheduled_rule.hpp"
#include "model/finding.hpp"
#include "model/record.hpp"

namespace fieldwatch::detect {

/// The rows of one window that name the same entities.
struct QueryFinding {
    Timestamp from, to;  ///< the window: [from, to)
    std::int64_t rows = 0;
    std::vector<std::pair<std::string, std::string>> entities;  ///< kind, value; those with a value
    std::string sample_json = "[]";                             ///< the first rows, each an object

    /// The device that it is about; "" when it is the hub's.
    std::string_view device() const;
    /// What tells it from the others of its rule and window.
    std::string key() const;
};

/// A record of kind QueryFinding; `version` of the rule is its document's.
model::Record query_finding_record(const model::HubName& hub, const ScheduledRule& rule,
                                   std::uint64_t version, const QueryFinding& finding, Timestamp now);

/// The alert of such a record, or of what a hunt found (detect/intel/hunt_finding.hpp). Its key is rule,
/// window and entities: the same finding, however often it is in the log, is one alert with one id. Errors:
/// Malformed.
Result<model::Alert> alert_of_query_finding(const model::RecordView& record);

}  // namespace fieldwatch::detect
