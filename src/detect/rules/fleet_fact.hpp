// What the shard of one device tells of it to whoever looks at the whole fleet: a hit of a rule that a
// correlation of `scope: fleet` reads, with what the correlation groups and counts by. A record of the log,
// in the partition of its group, so that events of all devices meet there (design section 3a, "Across
// devices").
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "model/finding.hpp"
#include "model/record.hpp"

namespace fieldwatch::detect {

struct FleetFact {
    static constexpr std::size_t kTextBytesMax = 1'024;  ///< of a value; see bounded_fact_text()
    static constexpr std::size_t kEvidenceMax = 32;

    std::string rule;         ///< Correlation::state_key: facts of a rule that has changed are nobody's
    std::uint32_t place = 0;  ///< in Correlation::reads
    std::string hub, device;  ///< device: "" when it comes of a fleet's correlation itself
    std::vector<std::pair<std::string, std::string>> values;  ///< of group-by
    std::string text;                                         ///< of the condition's fields
    double number = 0;
    std::int64_t weight = 1;
    Timestamp time;
    std::vector<model::LogPosition> evidence;

    /// Facts with the same one lie in the same partition.
    std::string group_key() const;

    friend bool operator==(const FleetFact&, const FleetFact&) = default;
};

/// A value that is longer than a fact may carry, as its beginning and its hash: equal where the values are.
std::string bounded_fact_text(std::string_view text);

/// The n-th fact that came of one record.
struct FactOrigin {
    std::uint32_t partition = 0;
    std::uint64_t offset = 0;
    std::uint32_t number = 0;
};

model::Record fleet_fact_record(const FleetFact& fact, const FactOrigin& origin, Timestamp now);

struct ReadFact {
    FleetFact fact;
    FactOrigin origin;
};
/// Errors: Malformed.
Result<ReadFact> read_fleet_fact(const model::RecordView& record);

}  // namespace fieldwatch::detect
