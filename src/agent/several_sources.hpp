// One happening, told by several sources that do not know of each other: a log-in by wtmp and by the log, an
// exec by the proc connector and by audit.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>

namespace fieldwatch::agent {

/// One thread. Remembers at most `Max` keys, each for `window_ms` after it was last told; the oldest go
/// first.
template <class Key, std::size_t Sources, std::size_t Max>
class SeveralSources {
  public:
    explicit SeveralSources(std::int64_t window_ms) : window_ms_(window_ms) {}

    /// Whether `source` tells something that no other source has told yet. Each source tells each happening
    /// once, so the n-th telling of one is the n-th of another.
    bool is_new(const Key& key, std::size_t source, std::int64_t now_ms) {
        std::erase_if(seen_, [&](const Seen& one) { return std::abs(now_ms - one.last_ms) >= window_ms_; });
        auto found = std::ranges::find(seen_, key, &Seen::key);
        if (found == seen_.end()) {
            if (seen_.size() >= Max) seen_.pop_front();
            found = seen_.insert(seen_.end(), Seen{.key = key});
        }
        found->last_ms = now_ms;
        const auto told = std::ranges::max(found->count);
        return ++found->count[source] > told;
    }

  private:
    struct Seen {
        Key key;
        std::int64_t last_ms = 0;
        std::array<std::uint32_t, Sources> count{};
    };
    std::int64_t window_ms_;
    std::deque<Seen> seen_;
};

}  // namespace fieldwatch::agent
