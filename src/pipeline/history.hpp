// The journal read backwards in time: where in a partition a moment lies, and the records from there on. For
// backtests and for `alerts why`.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "base/time.hpp"
#include "journal/journal.hpp"
#include "model/record.hpp"

namespace fieldwatch::pipeline {

/// Whoever runs a stretch of history again begins with empty state, so long before it: windows and
/// suppression reach back.
inline constexpr Ticks kWarmUp = std::chrono::hours(24);
/// And reads on so long behind it: events come later than they happened.
inline constexpr Ticks kRunOut = std::chrono::minutes(10);

/// One partition of the security stream. Any thread.
class History {
  public:
    /// `reader` outlives it.
    History(journal::Reader& reader, std::uint32_t partition) : reader_(reader), partition_(partition) {}

    std::uint64_t first_offset() const { return reader_.first_offset(journal::Stream::Security, partition_); }
    std::uint64_t end_offset() const { return reader_.end_offset(journal::Stream::Security, partition_); }

    /// The first record that was received at `time` or later; end_offset() without one. Receive times rise
    /// along a partition but for the milliseconds by which sessions overtake each other.
    Result<std::uint64_t> offset_at(Timestamp time) const;
    /// When the record there was received; nullopt for one that cannot be read.
    Result<std::optional<Timestamp>> received_at(std::uint64_t offset) const;

    /// Views of it are valid during the call; false ends the reading.
    using Visit = std::function<Result<bool>(const model::RecordView&, std::uint64_t offset)>;
    /// Records of [from, to) in order; those that do not decode are passed over.
    Result<void> read(std::uint64_t from, std::uint64_t to, const Visit& visit) const;

    /// The hash of the content version in force at `offset`: the last one announced before it; "" when the
    /// journal keeps none.
    Result<std::string> content_at(std::uint64_t offset) const;

  private:
    journal::Reader& reader_;
    std::uint32_t partition_;
};

/// The hash that a content record names; "" when it names none.
std::string content_hash_of(const model::RecordView& record);

}  // namespace fieldwatch::pipeline
