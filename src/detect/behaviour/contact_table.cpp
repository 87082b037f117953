#include "detect/behaviour/contact_table.hpp"

#include <algorithm>
#include <cmath>

namespace fieldwatch::detect {
namespace {

constexpr std::int64_t kSecondTicks = 10'000'000;

std::uint64_t key_of(const Flow& flow) {
    return hash_of(flow.remote) * 0x9E3779B97F4A7C15U + flow.port * 4U +
           static_cast<std::uint64_t>(flow.transport);
}

}  // namespace

double ContactTable::Entry::median_gap() const {
    auto sorted = gaps;
    const auto kept = static_cast<std::ptrdiff_t>(std::min<std::size_t>(gap_count, kGaps));
    if (kept == 0) return 0;
    std::sort(sorted.begin(), sorted.begin() + kept);
    return static_cast<double>(sorted[static_cast<std::size_t>(kept) / 2]);
}

double ContactTable::Entry::regularity() const {
    const auto kept = std::min<std::size_t>(gap_count, kGaps);
    if (kept < 6) return 0;
    const double median = median_gap();
    std::size_t close = 0;
    for (std::size_t i = 0; i < kept; ++i)
        close += std::abs(static_cast<double>(gaps[i]) - median) <= 0.25 * median;
    return static_cast<double>(close) / static_cast<double>(kept);
}

ContactTable::Entry& ContactTable::make(const Flow& flow, bool fresh) {
    auto oldest = entries_.begin();
    for (auto at = entries_.begin(); at != entries_.end(); ++at) {
        const auto worth = [](const Entry& entry) { return std::pair(entry.count > 2, entry.last.ticks); };
        if (worth(*at) < worth(*oldest)) oldest = at;
    }
    *oldest = {.remote = flow.remote,
               .port = flow.port,
               .transport = flow.transport,
               .fresh = fresh,
               .first = flow.time,
               .last = flow.time,
               .gaps = {}};
    return *oldest;
}

ContactTable::Entry* ContactTable::add(const Flow& flow, bool fresh) {
    auto found = std::ranges::find_if(entries_, [&](const Entry& entry) {
        return entry.count > 0 && entry.port == flow.port && entry.transport == flow.transport &&
               entry.remote == flow.remote;
    });
    if (found == entries_.end()) {
        const auto key = key_of(flow);
        const auto fingerprint = static_cast<std::uint32_t>(key >> 32) | 1U;
        // Two places, so that two who come by turns do not push each other out for ever.
        auto& here = once_[key % once_.size()];
        auto& there = once_[(key >> 20) % once_.size()];
        auto& once = here.fingerprint == fingerprint    ? here
                     : there.fingerprint == fingerprint ? there
                     : here.second <= there.second      ? here
                                                        : there;
        const auto second =
            static_cast<std::uint32_t>(std::clamp<std::int64_t>(flow.time.unix_seconds(), 0, 0xFFFF'FFFF));
        const bool again =
            once.fingerprint == fingerprint && second > once.second && second - once.second <= 3'600;
        const auto before = once.second;
        once = {fingerprint, second};
        if (!again) return nullptr;
        auto& made = make(flow, fresh);
        made.first = made.last = Timestamp::from_unix_seconds(before);
        made.count = 1;
        found = entries_.begin() + (&made - entries_.data());
    }
    auto& entry = *found;
    const auto gap = (flow.time - entry.last).count();
    if (gap < kSecondTicks) {
        if (flow.unanswered && entry.unanswered < entry.count) ++entry.unanswered;
        return &entry;
    }
    entry.gaps[entry.gap_count++ % kGaps] = static_cast<float>(static_cast<double>(gap) / kSecondTicks);
    entry.last = flow.time;
    ++entry.count;
    entry.unanswered += flow.unanswered;
    entry.wordless += flow.wordless;
    entry.brief += flow.seconds <= kBriefSeconds;
    return &entry;
}

void ContactTable::save(ByteWriter& out) const {
    for (const auto& entry : entries_) {
        write(out, entry.remote);
        out.u16(entry.port);
        out.u8(static_cast<std::uint8_t>(entry.transport));
        out.u8(static_cast<std::uint8_t>((entry.raised ? 1 : 0) | (entry.fresh ? 2 : 0)));
        out.u32(entry.count);
        out.u32(entry.unanswered);
        out.u32(entry.wordless);
        out.u32(entry.brief);
        out.i64(entry.first.ticks);
        out.i64(entry.last.ticks);
        out.u32(entry.gap_count);
        for (const float gap : entry.gaps)
            out.f64(static_cast<double>(gap));
    }
    for (const auto& once : once_) {
        out.u32(once.fingerprint);
        out.u32(once.second);
    }
}

Result<void> ContactTable::restore(ByteReader& in) {
    for (auto& entry : entries_) {
        entry.remote = FIELDWATCH_TRY(read_address(in));
        entry.port = FIELDWATCH_TRY(in.u16());
        entry.transport = FIELDWATCH_TRY(read_transport(in));
        const auto flags = FIELDWATCH_TRY(in.u8());
        entry.raised = (flags & 1) != 0;
        entry.fresh = (flags & 2) != 0;
        entry.count = FIELDWATCH_TRY(in.u32());
        entry.unanswered = FIELDWATCH_TRY(in.u32());
        entry.wordless = FIELDWATCH_TRY(in.u32());
        entry.brief = FIELDWATCH_TRY(in.u32());
        entry.first = FIELDWATCH_TRY(read_time(in));
        entry.last = FIELDWATCH_TRY(read_time(in));
        entry.gap_count = FIELDWATCH_TRY(in.u32());
        for (auto& gap : entry.gaps) {
            const double value = FIELDWATCH_TRY(in.f64());
            if (!(value >= 0 && value < 1e12))
                return fail(Errc::Corrupt, "a gap between contacts is out of range");
            gap = static_cast<float>(value);
        }
    }
    for (auto& once : once_) {
        once.fingerprint = FIELDWATCH_TRY(in.u32());
        once.second = FIELDWATCH_TRY(in.u32());
    }
    return {};
}

}  // namespace fieldwatch::detect
