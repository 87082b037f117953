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
    static constexpr std::size_t kEntries = 32'768;  // some 8 MB of usual items; a power of two
    static constexpr std::size_t kKeyBytesMax = 1'024;
    static constexpr std::size_t kHitBytesMax = 1'024;  // longer ones are found anew each time

    /// What was said of an item, or null; then remember() takes what it turns out to be.
    const std::vector<RuleHit>* find(std::string_view key) {
        if (entries_.empty()) {
            entries_.resize(kEntries);
            kept_.resize(kEntries);
            seen_.resize(kEntries);
        }
        const auto hash = hash64(as_bytes(key));
        at_ = hash & (kEntries - 1);
        seen_at_ = hash >> 16 & (kEntries - 1);
        mark_ = static_cast<std::uint32_t>(hash >> 32) | 1;
        const bool known = kept_[at_] == mark_ && entries_[at_].key == key;
        return known ? &entries_[at_].hits : nullptr;
    }

    void remember(std::string_view key, const std::vector<RuleHit>& hits) {
        if (std::exchange(seen_[seen_at_], mark_) != mark_) return;
        std::size_t bytes = 0;
        for (const auto& hit : hits)
            bytes += sizeof hit + hit.segment_text.size();
        if (bytes > kHitBytesMax) return;
        kept_[at_] = mark_;
        entries_[at_].key.assign(key);
        entries_[at_].hits.assign(hits.begin(), hits.end());
    }

  private:
    struct Entry {
        std::string key;
        std::vector<RuleHit> hits;
    };
    std::vector<Entry> entries_;
    // A part of the hash, by place: asked before the entry, which is far away in memory. 0: none.
    std::vector<std::uint32_t> kept_, seen_;
    std::size_t at_ = 0, seen_at_ = 0;  ///< of the key that was asked for last
    std::uint32_t mark_ = 0;
};

}  // namespace fieldwatch::detect
