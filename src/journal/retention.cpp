#include "journal/retention.hpp"

#include <algorithm>

namespace fieldwatch::journal {

std::size_t unneeded_segments(const std::vector<PartitionLog::Sealed>& sealed,
                              std::optional<std::uint64_t> kept_from) {
    if (!kept_from) return sealed.size();
    const auto needed = std::find_if(sealed.begin(), sealed.end(),
                                     [&](const auto& segment) { return segment.end_offset > *kept_from; });
    return static_cast<std::size_t>(needed - sealed.begin());
}

std::size_t removable_segments(const std::vector<PartitionLog::Sealed>& sealed, std::uint64_t log_bytes,
                               std::optional<std::uint64_t> kept_from, const Options::Retention& retention,
                               Timestamp now) {
    const auto allowed = unneeded_segments(sealed, kept_from);
    const auto oldest_kept = now - std::chrono::duration_cast<Ticks>(retention.age_max);
    std::size_t count = 0;
    while (count < allowed && (sealed[count].newest < oldest_kept || log_bytes > retention.bytes_max)) {
        log_bytes -= std::min(log_bytes, sealed[count].bytes);
        ++count;
    }
    return count;
}

}  // namespace fieldwatch::journal
