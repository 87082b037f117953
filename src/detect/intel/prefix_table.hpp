// Longest-prefix lookup of IPv4 addresses, for indicator sets of a million prefixes: a 16-bit stride index,
// then a binary search among pairs of 16-bit offsets that mostly lie in one cache line. spec/detection.md
// section 2.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace fieldwatch::detect {

/// Immutable once built.
class PrefixTable {
  public:
    struct Entry {
        std::uint32_t address = 0;  ///< host bits are ignored
        std::uint8_t length = 32;
        std::uint32_t value = 0;
    };
    static constexpr std::uint32_t kNone = 0xFFFFFFFF;

    PrefixTable() = default;
    /// Of equal prefixes the last entry counts. `parents`, when given, receives for each value (0 … n - 1)
    /// the value of the next wider prefix around it, or kNone.
    explicit PrefixTable(std::vector<Entry> entries, std::vector<std::uint32_t>* parents = nullptr);

    /// Value of the longest prefix that holds the address, or kNone.
    std::uint32_t find(std::uint32_t address) const {
        if (ranges_.empty()) return kNone;
        const auto bucket = address >> 16;
        const auto offset = static_cast<std::uint16_t>(address);
        const Range* first = ranges_.data() + index_[bucket];
        auto count = index_[bucket + 1] - index_[bucket];
        if (count == 0) return kNone;
        // Branch-free: the last range that starts at or below offset stays within [first, first + count).
        while (count > 1) {
            const auto half = count / 2;
            first = first[half].start <= offset ? first + half : first;
            count -= half;
        }
        return first->start <= offset && offset <= first->end
                   ? values_[static_cast<std::size_t>(first - ranges_.data())]
                   : kNone;
    }

    std::size_t ranges() const { return ranges_.size(); }
    std::size_t bytes() const {
        return index_.capacity() * sizeof(std::uint32_t) + ranges_.capacity() * sizeof(Range) +
               values_.capacity() * sizeof(std::uint32_t);
    }

  private:
    /// Lower halves of the first and last address, side by side: a bucket's search stays in a cache line or
    /// two.
    struct Range {
        std::uint16_t start = 0, end = 0;
    };
    void add_range(std::uint32_t first, std::uint32_t last, std::uint32_t value);

    std::vector<std::uint32_t> index_;  ///< 65,537 places in the arrays below, by upper half of the address
    std::vector<Range> ranges_;         ///< disjoint and ascending within a bucket
    std::vector<std::uint32_t> values_;
};

}  // namespace fieldwatch::detect
