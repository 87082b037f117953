// What may be deleted now: whole finished segments, oldest first, never past a consumer.
#pragma once

#include <optional>
#include <vector>

#include "journal/journal.hpp"
#include "journal/partition_log.hpp"

namespace fieldwatch::journal {

/// How many of the oldest finished segments of one partition age and size allow to go.
/// `log_bytes`: all segments of the partition. `kept_from`: the lowest offset any consumer needs.
std::size_t removable_segments(const std::vector<PartitionLog::Sealed>& sealed, std::uint64_t log_bytes,
                               std::optional<std::uint64_t> kept_from, const Options::Retention& retention,
                               Timestamp now);

/// How many of them no consumer needs any more: what a full disk may take.
std::size_t unneeded_segments(const std::vector<PartitionLog::Sealed>& sealed,
                              std::optional<std::uint64_t> kept_from);

}  // namespace fieldwatch::journal
