// Correlation state in checkpoints: docs/formats/checkpoint.md. Keyed by (rule id, hash of the stateful
// part), so that a rule that was changed begins anew and the others go on.
#include <algorithm>
#include <bit>
#include <utility>

#include "detect/rules/correlator.hpp"

namespace fieldwatch::detect {
namespace {

Result<std::uint32_t> read_bounded(ByteReader& in, std::size_t most) {
    const auto count = FIELDWATCH_TRY(in.u32());
    if (count > most || count > in.rest().size())
        return fail(Errc::Corrupt, "saved correlations name more entries than they can hold");
    return count;
}

Result<Timestamp> read_moment(ByteReader& in) {
    constexpr std::int64_t kMost = std::int64_t{1} << 59;
    const auto ticks = FIELDWATCH_TRY(in.i64());
    if (ticks < -kMost || ticks > kMost)
        return fail(Errc::Corrupt, "saved correlations hold a time out of range");
    return Timestamp{ticks};
}

}  // namespace

void Correlator::save(ByteWriter& out) const {
    out.i64(alive_.ticks);
    out.u32(static_cast<std::uint32_t>(by_key_.size()));
    for (const auto& [key, state] : by_key_) {
        out.text(key);
        out.u64(state->groups.evictions());
        out.u64(state->evicted_events);
        out.u32(static_cast<std::uint32_t>(state->groups.size()));
        for (const auto& [group_key, group] : std::as_const(state->groups)) {
            out.text(group_key);
            out.text(group.hub);
            out.text(group.device);
            out.u32(static_cast<std::uint32_t>(group.values.size()));
            for (const auto& [name, value] : group.values) {
                out.text(name);
                out.text(value);
            }
            out.u32(static_cast<std::uint32_t>(group.entries.size()));
            for (const auto& entry : group.entries) {
                out.i64(entry.time.ticks);
                out.u32(entry.place);
                out.i64(entry.weight);
                out.u64(std::bit_cast<std::uint64_t>(entry.number));
                out.u16(entry.told ? 1 : 0);
                out.text(entry.text);
                out.u32(static_cast<std::uint32_t>(entry.evidence.size()));
                for (const auto& position : entry.evidence) {
                    out.u32(position.partition);
                    out.u64(position.offset);
                    out.u32(position.item);
                }
            }
        }
    }
    save_devices(out);
}

/// Behind the rest, and only of rules whose events have a device: states of before there was a fleet's scope
/// end without it.
void Correlator::save_devices(ByteWriter& out) const {
    for (const auto& [key, state] : by_key_) {
        const bool of_fleet = std::ranges::any_of(std::as_const(state->groups), [](const auto& group) {
            return std::ranges::any_of(group.second.entries,
                                       [](const Entry& entry) { return !entry.device.empty(); });
        });
        if (!of_fleet) continue;
        out.text(key);
        out.u32(static_cast<std::uint32_t>(state->events));
        for (const auto& [group_key, group] : std::as_const(state->groups)) {
            for (const auto& entry : group.entries)
                out.text(entry.device);
        }
    }
}

Result<void> Correlator::restore_devices(ByteReader& in) {
    while (!in.empty()) {
        const auto known = by_key_.find(std::string(FIELDWATCH_TRY(in.text())));
        const auto count = FIELDWATCH_TRY(read_bounded(in, kRuleEventsMax + Correlation::kEventsMax));
        std::vector<std::string> devices;
        for (std::uint32_t i = 0; i < count; ++i)
            devices.emplace_back(FIELDWATCH_TRY(in.text()));
        if (known == by_key_.end()) continue;
        if (known->second->events != count)
            return fail(Errc::Corrupt, "saved correlations name other devices than events");
        auto device = devices.begin();
        for (auto& [group_key, group] : known->second->groups) {
            for (auto& entry : group.entries)
                entry.device = std::move(*device++);
        }
    }
    return {};
}

Result<void> Correlator::restore(ByteReader& in) {
    constexpr std::size_t kRulesMax = 20'000;
    constexpr std::size_t kEvidenceMax = 65'536;
    for (auto& [key, state] : by_key_) {
        state->groups.clear();
        state->events = 0;
    }
    alive_ = FIELDWATCH_TRY(read_moment(in));
    const auto rules = FIELDWATCH_TRY(read_bounded(in, kRulesMax));
    for (std::uint32_t r = 0; r < rules; ++r) {
        const auto known = by_key_.find(std::string(FIELDWATCH_TRY(in.text())));
        // State of a rule that is gone or was changed is read past.
        const auto state = known == by_key_.end() ? std::make_shared<State>() : known->second;
        state->groups.set_evictions(FIELDWATCH_TRY(in.u64()));
        state->evicted_events = FIELDWATCH_TRY(in.u64());
        const auto groups = FIELDWATCH_TRY(read_bounded(in, kGroupsMax));
        for (std::uint32_t g = 0; g < groups; ++g) {
            auto& group = state->groups.get(FIELDWATCH_TRY(in.text()));
            if (!group.entries.empty()) return fail(Errc::Corrupt, "saved correlations name a group twice");
            group.hub = FIELDWATCH_TRY(in.text());
            group.device = FIELDWATCH_TRY(in.text());
            const auto values = FIELDWATCH_TRY(read_bounded(in, 64));
            for (std::uint32_t v = 0; v < values; ++v) {
                const auto name = FIELDWATCH_TRY(in.text());
                group.values.emplace_back(name, FIELDWATCH_TRY(in.text()));
            }
            const auto entries = FIELDWATCH_TRY(read_bounded(in, Correlation::kEventsMax + 1));
            for (std::uint32_t e = 0; e < entries; ++e) {
                Entry entry;
                entry.time = FIELDWATCH_TRY(read_moment(in));
                entry.place = FIELDWATCH_TRY(in.u32());
                entry.weight = FIELDWATCH_TRY(in.i64());
                entry.number = std::bit_cast<double>(FIELDWATCH_TRY(in.u64()));
                entry.told = FIELDWATCH_TRY(in.u16()) != 0;
                entry.text = FIELDWATCH_TRY(in.text());
                const auto positions = FIELDWATCH_TRY(read_bounded(in, kEvidenceMax));
                for (std::uint32_t p = 0; p < positions; ++p) {
                    model::LogPosition position;
                    position.partition = FIELDWATCH_TRY(in.u32());
                    position.offset = FIELDWATCH_TRY(in.u64());
                    position.item = FIELDWATCH_TRY(in.u32());
                    entry.evidence.push_back(position);
                }
                if (!group.entries.empty() && entry.time < group.entries.back().time)
                    return fail(Errc::Corrupt, "saved correlations are not in order");
                group.entries.push_back(std::move(entry));
                ++state->events;
            }
        }
    }
    return restore_devices(in);
}

}  // namespace fieldwatch::detect
