#include "detect/outages.hpp"

#include <algorithm>

#include "detect/state.hpp"

namespace fieldwatch::detect {

void Outages::tick(Timestamp now) {
    if (last_.ticks != 0 && now - last_ > kGapMin) {
        if (list_.size() == kMax) list_.erase(list_.begin());
        list_.emplace_back(last_, now);
    }
    last_ = std::max(last_, now);
}

void Outages::advance(Timestamp now) {
    if (last_.ticks != 0) tick(now);
}

Ticks Outages::within(Timestamp from, Timestamp to) const {
    Ticks out{0};
    for (const auto& [begin, end] : list_)
        out += std::max(Ticks{0}, std::min(end, to) - std::max(begin, from));
    return out;
}

void Outages::save(ByteWriter& out) const {
    out.i64(last_.ticks);
    out.u32(static_cast<std::uint32_t>(list_.size()));
    for (const auto& [begin, end] : list_) {
        out.i64(begin.ticks);
        out.i64(end.ticks);
    }
}

Result<void> Outages::restore(ByteReader& in) {
    last_ = FIELDWATCH_TRY(read_time(in));
    list_.resize(FIELDWATCH_TRY(read_count(in, kMax)));
    for (auto& [begin, end] : list_) {
        begin = FIELDWATCH_TRY(read_time(in));
        end = FIELDWATCH_TRY(read_time(in));
    }
    return {};
}

}  // namespace fieldwatch::detect
