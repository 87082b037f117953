// How often a token (an image, a destination, a user and source) was seen, in a few hundred bytes: a
// count-min sketch of two rows. It overestimates a little and never forgets one that was seen, until it is
// halved.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace fieldwatch::detect {

template <std::size_t Width>
class TokenSketch {
  public:
    std::uint16_t count(std::uint64_t hash) const {
        return std::min(rows_[0][first(hash)], rows_[1][second(hash)]);
    }
    void add(std::uint64_t hash) {
        auto& one = rows_[0][first(hash)];
        auto& two = rows_[1][second(hash)];
        // Conservative update: only what limits the estimate grows.
        const auto now = std::min(one, two);
        if (now == kMost) return;
        if (one == now) ++one;
        if (two == now) ++two;
    }
    void halve() {
        for (auto& row : rows_)
            for (auto& cell : row)
                cell = static_cast<std::uint16_t>(cell / 2);
    }
    void save(ByteWriter& out) const {
        for (const auto& row : rows_)
            for (const auto cell : row)
                out.u16(cell);
    }
    Result<void> restore(ByteReader& in) {
        for (auto& row : rows_)
            for (auto& cell : row)
                cell = FIELDWATCH_TRY(in.u16());
        return {};
    }

  private:
    static constexpr std::uint16_t kMost = 60'000;
    static std::size_t first(std::uint64_t hash) { return hash % Width; }
    static std::size_t second(std::uint64_t hash) { return (hash >> 32) % Width; }

    std::array<std::array<std::uint16_t, Width>, 2> rows_{};
};

}  // namespace fieldwatch::detect
