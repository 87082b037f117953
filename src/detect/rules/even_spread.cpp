#include "detect/rules/even_spread.hpp"

#include <algorithm>

namespace fieldwatch::detect {

std::int64_t window_start(std::int64_t ticks, Ticks size) {
    const auto over = ticks % size.count();
    return ticks - (over < 0 ? over + size.count() : over);
}

std::vector<Share> spread(std::int64_t amount, Timestamp from, Timestamp to, Ticks size) {
    const auto first = window_start(from.ticks, size);
    const auto length = to.ticks - from.ticks;
    if (length <= 0 || first == window_start(to.ticks, size) || length / size.count() >= kSharesMax)
        return {{window_start(to.ticks, size), amount}};
    std::vector<Share> out;
    std::vector<std::pair<std::int64_t, std::size_t>> remainders;  // largest first, then the earlier window
    std::int64_t given = 0;
    for (auto start = first; start < to.ticks; start += size.count()) {
        const auto overlap = std::min(start + size.count(), to.ticks) - std::max(start, from.ticks);
        const auto exact = static_cast<__int128>(amount) * overlap;
        const auto whole = static_cast<std::int64_t>(exact / length);
        remainders.emplace_back(-static_cast<std::int64_t>(exact % length), out.size());
        out.push_back({start, whole});
        given += whole;
    }
    std::sort(remainders.begin(), remainders.end());
    for (std::size_t i = 0; given < amount; ++i, ++given)
        ++out[remainders[i].second].amount;
    return out;
}

namespace {

/// Equal parts of [from, to], with equal amounts to one; they add up to `amount`.
std::vector<Part> even_parts(std::int64_t amount, Timestamp from, Timestamp to, std::int64_t parts) {
    const auto length = static_cast<__int128>(to.ticks - from.ticks);
    const auto given = [&](std::int64_t so_many) {
        return static_cast<std::int64_t>(static_cast<__int128>(amount) * so_many / parts);
    };
    std::vector<Part> out;
    for (std::int64_t i = 0; i < parts; ++i) {
        const Timestamp middle{from.ticks + static_cast<std::int64_t>(length * (2 * i + 1) / (2 * parts))};
        out.push_back({middle, given(i + 1) - given(i)});
    }
    return out;
}

}  // namespace

std::vector<Part> spread_sliding(std::int64_t amount, Timestamp from, Timestamp to, Ticks size) {
    constexpr auto kMost = static_cast<std::int64_t>(kPartsMax);
    constexpr std::int64_t kFinest = 16;  // parts a window
    auto length = static_cast<__int128>(to.ticks) - from.ticks;
    if (amount <= 1 || length <= 0) return {{to, amount}};
    if (const auto longest = static_cast<__int128>(size.count()) * kMost; length > longest) {
        amount = std::max<std::int64_t>(1, static_cast<std::int64_t>(amount * longest / length));
        from = Timestamp{to.ticks - static_cast<std::int64_t>(longest)};
        length = longest;
    }
    // A part a little longer than a whole fraction of the window: as many parts fit into it, and no more.
    std::int64_t parts = 0;
    for (auto fraction = kFinest; fraction > 0 && (parts == 0 || parts > kMost); fraction /= 2)
        parts = static_cast<std::int64_t>((length * fraction + size.count() - 1) / size.count()) - 1;
    parts = std::clamp<std::int64_t>(parts, 1, amount);
    return even_parts(amount, from, to, parts);
}

}  // namespace fieldwatch::detect
