// Why a rule raised nothing, or did: a device's own history run once more through the same ShardCore, with an
// eye on one rule (design section 6, `fieldwatch alerts why`).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/uuid.hpp"
#include "detect/rules/explain.hpp"
#include "journal/journal.hpp"
#include "pipeline/content_store.hpp"

namespace fieldwatch::pipeline {

/// How far an event came, in the order of the path.
enum class WhyStage : std::uint8_t {
    NoRecord,    ///< the journal has nothing of the device around that time
    Refused,     ///< the record did not conform
    Duplicate,   ///< it had come before
    Late,        ///< too old for detection, stored only
    NotInForce,  ///< the rule was not among those in force then
    LogSource,   ///< the rule looks at other events
    Condition,   ///< a clause decided against it
    Absorbed,    ///< another rule says more
    Held,        ///< only correlations read the rule, or the hub's settings keep it back
    Dismissed,   ///< a person dismissed the type for that day
    Repeat,      ///< an alert that was there took it up
    Raised,
};
/// `no-record`, `log-source`, …
std::string_view to_string(WhyStage stage);

struct WhyRequest {
    std::string hub, device;
    std::string rule;  ///< id, name, title, or an alert type that one rule or a detector class raises
    Timestamp at;
    Ticks within = std::chrono::minutes(1);
    std::string content_in_force;  ///< now: for a rule that came later
};

struct WhyEvent {
    Timestamp time;
    std::string name;  ///< of the event: ProcessCreate, …; "" for what did not decode
    WhyStage stage = WhyStage::NoRecord;
    std::string sentence;
    detect::Explanation explanation;  ///< empty where it did not come so far
    std::optional<Uuid> alert;
};
struct Why {
    static constexpr std::size_t kEventsMax = 8;

    std::string rule_id, rule_title;
    std::string content;  ///< hash of the version in force then
    WhyStage stage = WhyStage::NoRecord;
    std::string sentence;
    std::vector<WhyEvent> events;  ///< those nearest to the time asked for, by time
};

/// For an alert of a detector class: what it raised, or which evidence it needs and what there was. Errors:
/// NotFound for a rule that no version has; InvalidArgument for an alert type of several rules, or a
/// `within` over an hour; what reading gives.
Result<Why> why(journal::Reader& reader, std::uint32_t partition_count, ContentStore& contents,
                const WhyRequest& request);

}  // namespace fieldwatch::pipeline
