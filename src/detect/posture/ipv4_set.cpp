#include "detect/posture/ipv4_set.hpp"

#include <algorithm>

namespace fieldwatch::detect {

Ipv4Range range_of(const IpPrefix& prefix) {
    const auto size = std::uint64_t{1} << (32 - std::min<int>(prefix.length, 32));
    const auto first = prefix.address.v4();
    return {first, static_cast<std::uint32_t>(first + size - 1)};
}

void Ipv4Set::add(Ipv4Range range) {
    std::vector<Ipv4Range> out;
    for (const auto& held : ranges_) {
        const bool before = std::uint64_t{held.last} + 1 < range.first;
        const bool behind = std::uint64_t{range.last} + 1 < held.first;
        if (before || behind) {
            out.push_back(held);
        } else {
            range = {std::min(range.first, held.first), std::max(range.last, held.last)};
        }
    }
    out.push_back(range);
    std::ranges::sort(out);
    ranges_ = std::move(out);
}

void Ipv4Set::remove(Ipv4Range range) {
    std::vector<Ipv4Range> out;
    for (const auto& held : ranges_) {
        if (held.last < range.first || held.first > range.last) {
            out.push_back(held);
            continue;
        }
        if (held.first < range.first) out.push_back({held.first, range.first - 1});
        if (held.last > range.last) out.push_back({range.last + 1, held.last});
    }
    ranges_ = std::move(out);
}

bool Ipv4Set::covers(Ipv4Range range) const {
    return std::ranges::any_of(
        ranges_, [&](const auto& held) { return held.first <= range.first && held.last >= range.last; });
}

Ipv4Set accepted_by(std::span<const IpFilterRule> rules) {
    Ipv4Set accepted, undecided;
    undecided.add({0, 0xFFFF'FFFF});
    for (const auto& rule : rules) {
        if (!rule.range || !rule.range->address.is_v4) continue;
        const auto range = range_of(*rule.range);
        const std::vector<Ipv4Range> open(undecided.ranges().begin(), undecided.ranges().end());
        for (const auto& part : open) {
            const Ipv4Range both{std::max(part.first, range.first), std::min(part.last, range.last)};
            if (both.first > both.last) continue;
            if (rule.accepts) accepted.add(both);
            undecided.remove(both);
        }
    }
    for (const auto& rest : undecided.ranges())
        accepted.add(rest);
    return accepted;
}

bool rejects_by_default(std::span<const IpFilterRule> rules) {
    Ipv4Set covered;
    for (const auto& rule : rules) {
        if (!rule.range || !rule.range->address.is_v4) continue;
        covered.add(range_of(*rule.range));
        if (covered.is_everything()) return !rule.accepts;
    }
    return false;
}

}  // namespace fieldwatch::detect
