// The low side of custom rules: what did not come by the end of a window; and the state of it all in
// checkpoints.
#include <algorithm>

#include "detect/custom/custom_alerts.hpp"

namespace fieldwatch::detect {

namespace {

constexpr Ticks kMinute = std::chrono::minutes(1);
constexpr std::int64_t kCatchUpMax =
    1'024;  ///< windows of a rule judged at once; time that jumps further is no quiet

/// Beside a saved number of rules that have been judged: what was dropped follows, by rule. States of before
/// say it once for all of a device's rules.
constexpr std::uint32_t kDroppedByRule = 0x8000'0000;
constexpr std::int64_t kNothingDropped = -(std::int64_t{1} << 60);

std::int64_t align_up(std::int64_t ticks, Ticks size) {
    const auto start = window_start(ticks, size);
    return start == ticks ? start : start + size.count();
}

}  // namespace

void CustomAlerts::observe_tick(Timestamp now) {
    if (last_tick_ != 0 && now.ticks - last_tick_ > kGapMin.count()) {
        if (gaps_.size() == kGapsMax) gaps_.erase(gaps_.begin());
        gaps_.emplace_back(last_tick_, now.ticks);
    }
    last_tick_ = std::max(last_tick_, now.ticks);
}

bool CustomAlerts::was_down(std::int64_t from, std::int64_t to) const {
    return std::any_of(gaps_.begin(), gaps_.end(),
                       [&](const auto& gap) { return gap.first < to && gap.second > from; });
}

void CustomAlerts::advance(Context& context) {
    if (last_tick_ != 0) observe_tick(context.now);  // what ends a silence need not be a tick
    if (ended_ || !context.settings.groups->any_minimum()) return;
    const auto minute = context.now.ticks / kMinute.count();
    if (minute == judged_minute_) return;  // windows end on whole minutes, or are judged a little later
    judged_minute_ = minute;
    for (auto& [key, device] : devices_) {
        if (is_off(device.hub)) continue;
        for (std::size_t i = 0; i < kRuleTypes; ++i) {
            if (info(static_cast<RuleType>(i)).list == RuleList::TimeWindow)
                close(device, static_cast<RuleType>(i), context);
        }
    }
}

// Only windows count in which the device was registered, enabled and in one group throughout, under a rule
// that nobody edited meanwhile.
void CustomAlerts::close(Device& device, RuleType type, Context& context) {
    const auto lateness = info(type).is_agent
                              ? device.low_interval.value_or(kDefaultLowInterval) + kAgentLateness
                              : kHubLateness;
    const auto& periods = device.membership.periods();
    for (std::size_t i = 0; i < periods.size(); ++i) {
        if (!periods[i].enabled) continue;
        const auto* const group = context.settings.groups->find(device.hub, periods[i].group);
        if (group == nullptr || !group->rule(type).enabled || group->rule(type).min == 0) continue;
        const auto& rule = group->rule(type);
        const auto done = std::find_if(device.closed.begin(), device.closed.end(),
                                       [&](const auto& entry) { return entry.first == type; });
        auto from = std::max(periods[i].since.ticks, edited(device.hub, *group, type).ticks);
        for (const auto& [dropped, dropped_until] : device.dropped)
            if (dropped == type) from = std::max(from, dropped_until);
        if (done != device.closed.end()) from = std::max(from, done->second);
        auto until = context.now.ticks - lateness.count();
        if (i + 1 < periods.size()) until = std::min(until, periods[i + 1].since.ticks);
        const auto size = rule.window.count();
        auto start = align_up(std::max(from, until - kCatchUpMax * size), rule.window);
        if (start + size > until) continue;
        for (; start + size <= until; start += size) {
            if (!was_down(start, start + size)) judge(device, {*group, rule, type, start, 0}, context);
        }
        if (done != device.closed.end()) {
            done->second = start;
        } else {
            device.closed.emplace_back(type, start);
        }
    }
}

void CustomAlerts::judge(Device& device, const Verdict& at, Context& context) {
    auto* window = find_window(device, at);
    auto verdict = Verdict{at.group, at.rule, at.type, at.start, window == nullptr ? 0 : window->count};
    if (verdict.count >= at.rule.min) return;
    const bool silent = window == nullptr;
    if (silent) window = &make_window(device, at, context.now);
    window->fired = true;  // one alert a window: what comes later is told in it
    // What did not come has no record of its own: the alert names the last that spoke of the device.
    auto evidence = silent ? std::vector{device.newest} : window->evidence;
    context.book.raise(window_alert(device, verdict, std::move(evidence)), at.rule.window, context.now,
                       context.out);
}

namespace {

using Until = std::pair<RuleType, std::int64_t>;

void write(ByteWriter& out, const std::vector<Until>& rules) {
    for (const auto& [type, until] : rules) {
        out.u8(static_cast<std::uint8_t>(type));
        out.i64(until);
    }
}

Result<RuleType> read_rule_type(ByteReader& in) {
    const auto type = FIELDWATCH_TRY(in.u8());
    if (type >= kRuleTypes) return fail(Errc::Corrupt, "a custom rule of a type that there is none of");
    return static_cast<RuleType>(type);
}

Result<void> read(ByteReader& in, std::uint32_t count, std::vector<Until>& rules) {
    if (count > kRuleTypes) return fail(Errc::Corrupt, "more custom rules than there are types of");
    for (std::uint32_t i = 0; i < count; ++i) {
        const auto type = FIELDWATCH_TRY(read_rule_type(in));
        rules.emplace_back(type, FIELDWATCH_TRY(read_amount(in)));
    }
    return {};
}

}  // namespace

void CustomAlerts::save(ByteWriter& out) const {
    out.i64(judged_minute_);
    out.u64(windows_dropped_);
    out.i64(last_tick_);
    out.u32(static_cast<std::uint32_t>(gaps_.size()));
    for (const auto& [from, to] : gaps_) {
        out.i64(from);
        out.i64(to);
    }
    out.u32(static_cast<std::uint32_t>(off_.size()));
    for (const auto& hub : off_)
        out.text(hub);
    out.u32(static_cast<std::uint32_t>(edited_.size()));
    for (const auto& [key, at] : edited_) {
        out.text(key);
        out.i64(at);
    }
    out.u64(devices_.evictions());
    out.u32(static_cast<std::uint32_t>(devices_.size()));
    for (const auto& [key, device] : devices_) {
        out.text(device.hub);
        out.text(device.name);
        device.membership.save(out);
        out.i64(device.low_interval ? device.low_interval->count() : 0);
        out.i64(kNothingDropped);
        out.i64(device.unsettled);
        write(out, device.newest);
        out.u32(static_cast<std::uint32_t>(device.closed.size()) |
                (device.dropped.empty() ? 0 : kDroppedByRule));
        write(out, device.closed);
        if (!device.dropped.empty()) {
            out.u32(static_cast<std::uint32_t>(device.dropped.size()));
            write(out, device.dropped);
        }
        out.u32(static_cast<std::uint32_t>(device.windows.size()));
        for (const auto& window : device.windows) {
            out.u8(static_cast<std::uint8_t>(window.rule));
            out.i64(window.start);
            out.i64(window.size);
            out.i64(window.count);
            out.text(window.group);
            out.u8(window.fired ? 1 : 0);
            write(out, window.evidence);
        }
    }
}

Result<void> CustomAlerts::restore(ByteReader& in) {
    devices_.clear();
    off_.clear();
    edited_.clear();
    gaps_.clear();
    judged_minute_ = FIELDWATCH_TRY(read_amount(in));
    windows_dropped_ = FIELDWATCH_TRY(in.u64());
    last_tick_ = FIELDWATCH_TRY(read_amount(in));
    const auto gaps = FIELDWATCH_TRY(read_count(in, kGapsMax));
    for (std::uint32_t i = 0; i < gaps; ++i) {
        const auto from = FIELDWATCH_TRY(read_amount(in));
        gaps_.emplace_back(from, FIELDWATCH_TRY(read_amount(in)));
    }
    const auto hubs = FIELDWATCH_TRY(read_count(in, kHubsMax));
    for (std::uint32_t i = 0; i < hubs; ++i)
        off_.insert(FIELDWATCH_TRY(read_text(in)));
    const auto edits = FIELDWATCH_TRY(read_count(in));
    for (std::uint32_t i = 0; i < edits; ++i) {
        auto key = FIELDWATCH_TRY(read_text(in));
        edited_[std::move(key)] = FIELDWATCH_TRY(read_amount(in));
    }
    devices_.set_evictions(FIELDWATCH_TRY(in.u64()));
    const auto devices = FIELDWATCH_TRY(read_count(in, kDevicesMax));
    for (std::uint32_t i = 0; i < devices; ++i) {
        const auto hub = FIELDWATCH_TRY(read_text(in));
        const auto name = FIELDWATCH_TRY(read_text(in));
        if (devices_.peek(device_key(hub, name)) != nullptr)
            return fail(Errc::Corrupt, "a device that custom alerts hold twice");
        auto& device = device_of(hub, name);
        FIELDWATCH_TRY(device.membership.restore(in));
        if (const auto interval = FIELDWATCH_TRY(read_amount(in)); interval > 0)
            device.low_interval = Ticks{interval};
        const auto dropped_until = FIELDWATCH_TRY(read_amount(in));
        device.unsettled = FIELDWATCH_TRY(read_amount(in));
        device.newest = FIELDWATCH_TRY(read_position(in));
        const auto closed = FIELDWATCH_TRY(in.u32());
        FIELDWATCH_TRY(read(in, closed & ~kDroppedByRule, device.closed));
        if ((closed & kDroppedByRule) != 0) {
            const auto dropped = FIELDWATCH_TRY(in.u32());
            FIELDWATCH_TRY(read(in, dropped, device.dropped));
        } else if (dropped_until != kNothingDropped) {
            for (std::size_t k = 0; k < kRuleTypes; ++k)
                device.dropped.emplace_back(static_cast<RuleType>(k), dropped_until);
        }
        const auto windows = FIELDWATCH_TRY(read_count(in, kWindowsMax));
        for (std::uint32_t k = 0; k < windows; ++k) {
            auto& window = device.windows.emplace_back();
            window.rule = FIELDWATCH_TRY(read_rule_type(in));
            window.start = FIELDWATCH_TRY(read_amount(in));
            window.size = FIELDWATCH_TRY(read_amount(in));
            window.count = FIELDWATCH_TRY(read_amount(in));
            window.group = FIELDWATCH_TRY(read_text(in));
            window.fired = FIELDWATCH_TRY(in.u8()) != 0;
            window.evidence = FIELDWATCH_TRY(read_positions(in));
        }
    }
    return {};
}

}  // namespace fieldwatch::detect
