// What the rules said of items that were seen before. Devices repeat themselves: the same program is started
// by the same parent with the same arguments, thousands of times a day and on every device of a kind. Rules
// see no more of an item than its key, so that what is remembered is what they would say again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/hash.hpp"
#include "detect/rules/rule_set.hpp"

namespace fieldwatch::detect {

/// Bounded. Only what comes a second time is kept, so that lines that never do cost little and push out
/// nothing. One strand.
class VerdictMemory {
  public:
    static constexpr std::size_t kEntries = 65'536;  // some 16 MB of usual items, when so many are different
    static constexpr std::size_t kKeyBytesMax = 1'024;
    static constexpr std::size_t kHitBytesMax = 1'024;  // longer ones are found anew each time

    struct Entry {
        std::string key;
        std::vector<RuleHit> hits;
        std::uint8_t note = 0;  ///< the caller's
    };

    /// What was said of an item, or null; then remember() takes what it turns out to be.
    Entry* find(std::string_view key) {
        if (entries_.empty()) {
            entries_.resize(kEntries);
            kept_.resize(kEntries);
            seen_.resize(kEntries);
            newer_.resize(kSets);
        }
        const auto hash = hash64(as_bytes(key));
        set_ = hash & (kSets - 1);
        seen_at_ = hash >> 16 & (kEntries - 1);
        mark_ = static_cast<std::uint32_t>(hash >> 32) | 1;
        for (std::uint8_t way = 0; way < kWays; ++way) {
            const auto at = set_ * kWays + way;
            if (kept_[at] != mark_ || entries_[at].key != key) continue;
            newer_[set_] = way;
            return &entries_[at];
        }
        return nullptr;
    }

    /// The entry, if it is kept.
    Entry* remember(std::string_view key, const std::vector<RuleHit>& hits) {
        if (std::exchange(seen_[seen_at_], mark_) != mark_) return nullptr;
        std::size_t bytes = 0;
        for (const auto& hit : hits)
            bytes += sizeof hit + hit.segment_text.size();
        if (bytes > kHitBytesMax) return nullptr;
        // The one of the two that was asked for longer ago gives way.
        const std::uint8_t way = newer_[set_] == 0 ? 1 : 0;
        newer_[set_] = way;
        const auto at = set_ * kWays + way;
        kept_[at] = mark_;
        auto& entry = entries_[at];
        entry.key.assign(key);
        entry.hits.assign(hits.begin(), hits.end());
        entry.note = 0;
        return &entry;
    }

  private:
    // Each item has two places, so that two that share one do not push each other out by turns.
    static constexpr std::size_t kWays = 2, kSets = kEntries / kWays;  // powers of two

    std::vector<Entry> entries_;
    // A part of the hash, by place: asked before the entry, which is far away in memory. 0: none.
    std::vector<std::uint32_t> kept_, seen_;
    std::vector<std::uint8_t> newer_;    ///< of each set, the place that was asked for last
    std::size_t set_ = 0, seen_at_ = 0;  ///< of the key that was asked for last
    std::uint32_t mark_ = 0;
};

}  // namespace fieldwatch::detect
