// Reading and writing detector state: checkpoints hold what this writes (docs/formats/checkpoint.md). Every
// list is read under a bound, because a checkpoint on disk is outside data like any other.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "base/uuid.hpp"
#include "model/finding.hpp"
#include "model/ids.hpp"

namespace fieldwatch::detect {

/// More entries than any table of ours holds.
inline constexpr std::uint32_t kStateEntriesMax = 4u << 20;

inline Result<std::uint32_t> read_count(ByteReader& in, std::uint32_t count_max = kStateEntriesMax) {
    const auto count = FIELDWATCH_TRY(in.u32());
    if (count > count_max || count > in.rest().size())
        return fail(Errc::Corrupt, "saved state names more entries than it can hold");
    return count;
}
/// A number that is added to others: far from where that would overflow.
inline Result<std::int64_t> read_amount(ByteReader& in) {
    constexpr std::int64_t kAmountMax = std::int64_t{1} << 60;  // in ticks: 3,600 years around 1970
    const auto amount = FIELDWATCH_TRY(in.i64());
    if (amount < -kAmountMax || amount > kAmountMax)
        return fail(Errc::Corrupt, "saved state holds a number out of range");
    return amount;
}
inline Result<Timestamp> read_time(ByteReader& in) {
    return Timestamp{FIELDWATCH_TRY(read_amount(in))};
}
inline Result<std::string> read_text(ByteReader& in) {
    return std::string(FIELDWATCH_TRY(in.text()));
}

void write(ByteWriter& out, const model::LogPosition& position);
Result<model::LogPosition> read_position(ByteReader& in);
void write(ByteWriter& out, const std::vector<model::LogPosition>& positions);
Result<std::vector<model::LogPosition>> read_positions(ByteReader& in);
void write(ByteWriter& out, const std::vector<std::string>& texts);
Result<std::vector<std::string>> read_texts(ByteReader& in);
void write(ByteWriter& out, const Uuid& id);
Result<Uuid> read_uuid(ByteReader& in);
void write(ByteWriter& out, const model::Alert& alert);
Result<model::Alert> read_alert(ByteReader& in);

/// The first 32 positions stay; the last is always the newest (model::Alert::evidence).
void add_evidence(std::vector<model::LogPosition>& evidence, const model::LogPosition& position);

}  // namespace fieldwatch::detect
