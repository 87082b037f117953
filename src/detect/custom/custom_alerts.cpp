#include "detect/custom/custom_alerts.hpp"

#include <algorithm>

#include "detect/command/address.hpp"
#include "detect/custom/custom_alert.hpp"

namespace fieldwatch::detect {

namespace {

constexpr Ticks kListSuppression = std::chrono::hours(1);  ///< spec/custom-alerts.md section 3.8

/// A device that the hub does not know, as far as the operation says: strangers get no place in our table.
bool is_unknown_device(const model::Operation& operation) {
    return operation.auth_failure_reason == "UnknownDevice" || operation.status_code.starts_with("404001");
}

std::string rule_key(std::string_view hub, std::string_view group, RuleType type) {
    auto out = device_key(hub, group_key(group));
    out += '\0';
    return out += static_cast<char>('A' + static_cast<int>(type));
}

/// The periods of a device; one that the log has not told of is in `default`, and was ever so.
std::span<const Membership::Period> periods_of(const Membership& membership) {
    static const Membership::Period kUntold{};
    return membership.known() ? std::span(membership.periods()) : std::span(&kUntold, 1);
}

bool is_windows(std::string_view executable) {
    return executable.find('\\') != executable.npos;
}

struct Listed {
    RuleType allow, deny;
    std::string_view value;
    bool is_allowed = false, is_denied = false;
};

}  // namespace

CustomAlerts::Device& CustomAlerts::device_of(std::string_view hub, std::string_view name) {
    auto& device = devices_.get(device_key(hub, name));
    if (device.name.empty()) {
        device.hub = hub;
        device.name = name;
    }
    return device;
}

bool CustomAlerts::is_off(std::string_view hub) const {
    return off_.contains(hub);
}

void CustomAlerts::observe(const model::Event& event, const model::Item& item, bool login_is_new,
                           Context& context) {
    if (!context.settings.groups->any_enabled() || event.device.empty() || is_off(event.hub)) return;
    const auto* const operation = std::get_if<model::Operation>(&item.payload);
    if (operation != nullptr && is_unknown_device(*operation)) return;
    auto& device = device_of(event.hub, event.device);
    device.newest = item.position;
    if (operation == nullptr || !operation->status_code.starts_with("401"))
        device.membership.seen(event.received);
    CountingOptions options{.security_messages = context.settings.count_security_messages,
                            .login_is_new = login_is_new};
    if (operation != nullptr && operation->category == "C2DCommands") {
        const auto& name = operation->operation_name;
        options.is_settled = device.unsettled > 0;
        if (name == "deliver") ++device.unsettled;
        if ((name == "complete" || name == "reject" || name == "abandon") && device.unsettled > 0)
            --device.unsettled;
    }
    const auto counts = counted(event, item, options);
    for (std::size_t i = 0; i < counts.size; ++i)
        count(device, event, item, counts.items[i], context);
    check_lists(device, event, item, login_is_new, context);
}

void CustomAlerts::count(Device& device, const model::Event& event, const model::Item& item, Counted counted,
                         Context& context) {
    const bool aggregate = counted.amount > 1 && event.hit_count > 1;
    const auto from = aggregate ? event.window_start : event.time;
    const auto to = aggregate ? event.window_end : event.time;
    const auto periods = periods_of(device.membership);
    for (std::size_t i = 0; i < periods.size(); ++i) {
        const auto* const group = context.settings.groups->find(device.hub, periods[i].group);
        if (group == nullptr || !group->rule(counted.rule).enabled) continue;
        const auto& rule = group->rule(counted.rule);
        // A window belongs to the group at its start; before the first thing we know nothing changed.
        const auto begin = i == 0 ? INT64_MIN : periods[i].since.ticks;
        const auto end = i + 1 < periods.size() ? periods[i + 1].since.ticks : INT64_MAX;
        for (const auto& share : spread(counted.amount, from, to, rule.window)) {
            if (share.amount > 0 && share.start >= begin && share.start < end)
                add(device, {*group, rule, counted.rule, share.start, 0}, share.amount, item.position,
                    context);
        }
    }
}

void CustomAlerts::add(Device& device, Verdict at, std::int64_t amount, const model::LogPosition& position,
                       Context& context) {
    auto* found = find_window(device, at);
    auto& window = found != nullptr ? *found : make_window(device, at, context.now);
    window.count += amount;
    add_evidence(window.evidence, position);
    if (window.count <= at.rule.max) return;
    at.count = window.count;
    if (window.fired) {
        context.book.restate(window_alert(device, at, {position}), context.now, context.out);
        return;
    }
    window.fired = true;
    context.book.raise(window_alert(device, at, window.evidence), at.rule.window, context.now, context.out);
}

CustomAlerts::Window* CustomAlerts::find_window(Device& device, const Verdict& at) {
    const auto found =
        std::find_if(device.windows.rbegin(), device.windows.rend(), [&](const Window& window) {
            return window.start == at.start && window.rule == at.type &&
                   window.size == at.rule.window.count() && window.group == group_key(at.group.name);
        });
    return found == device.windows.rend() ? nullptr : &*found;
}

CustomAlerts::Window& CustomAlerts::make_window(Device& device, const Verdict& at, Timestamp now) {
    std::erase_if(device.windows, [&](const Window& window) {
        return window.start + window.size + kWindowKept.count() <= now.ticks;
    });
    if (device.windows.size() == kWindowsMax) drop_window(device, now);
    return device.windows.emplace_back(Window{.rule = at.type,
                                              .start = at.start,
                                              .size = at.rule.window.count(),
                                              .group = group_key(at.group.name),
                                              .evidence = {}});
}

/// Whether nothing more is expected of a window: its low side was judged, or nothing can come for it.
bool CustomAlerts::is_settled(const Device& device, const Window& window, Timestamp now) {
    const auto end = window.start + window.size;
    const auto closed =
        std::ranges::find(device.closed, window.rule, &std::pair<RuleType, std::int64_t>::first);
    if (closed != device.closed.end()) return end <= closed->second;
    return !info(window.rule).is_agent && end + 2 * kHubLateness.count() <= now.ticks;
}

/// Settled windows go first, and of those, or else of all, the oldest of the rule that has most: what an
/// agent may still tell of five hours is not pushed out by what the hub judged minutes after it happened.
void CustomAlerts::drop_window(Device& device, Timestamp now) {
    std::array<std::size_t, kRuleTypes> settled{};
    std::array<std::size_t, kRuleTypes> waiting{};
    for (const auto& window : device.windows)
        ++(is_settled(device, window, now) ? settled : waiting)[static_cast<std::size_t>(window.rule)];
    const bool any_settled = std::ranges::any_of(settled, [](auto count) { return count > 0; });
    const auto& counts = any_settled ? settled : waiting;
    const auto most = static_cast<RuleType>(std::ranges::max_element(counts) - counts.begin());
    const auto victim = std::ranges::find_if(device.windows, [&](const Window& window) {
        return window.rule == most && is_settled(device, window, now) == any_settled;
    });
    if (!any_settled) note_dropped(device, most, victim->start + victim->size);
    device.windows.erase(victim);
    ++windows_dropped_;
}

void CustomAlerts::note_dropped(Device& device, RuleType type, std::int64_t until) {
    const auto known = std::ranges::find(device.dropped, type, &std::pair<RuleType, std::int64_t>::first);
    if (known == device.dropped.end()) {
        device.dropped.emplace_back(type, until);
    } else {
        known->second = std::max(known->second, until);
    }
}

model::Alert CustomAlerts::window_alert(const Device& device, const Verdict& at,
                                        std::vector<model::LogPosition> evidence) {
    auto alert = custom_alert(at.type, device.hub, device.name);
    alert.start = Timestamp{at.start};
    alert.end = alert.start + at.rule.window;
    alert.hit_count = at.count;
    alert.evidence = std::move(evidence);
    alert.discriminator = at.group.name + "|" + to_iso8601(alert.start, 0) + "|" + at.rule.window_text;
    alert.extended_json =
        count_properties({device.name, at.group, at.type, at.count, alert.start, alert.end});
    return alert;
}

const SecurityGroup* CustomAlerts::group_at(const Device& device, Timestamp time, const Context& context) {
    const auto periods = periods_of(device.membership);
    auto at = periods.size() - 1;
    while (at > 0 && periods[at].since > time)
        --at;
    return context.settings.groups->find(device.hub, periods[at].group);
}

void CustomAlerts::check_lists(const Device& device, const model::Event& event, const model::Item& item,
                               bool login_is_new, Context& context) {
    using enum RuleType;
    const auto* const group = group_at(device, event.time, context);
    if (group == nullptr) return;
    Listed listed{ConnectionToIpNotAllowed, ConnectionToIpDenied, {}};
    if (const auto* const connection = std::get_if<model::ConnectionCreate>(&item.payload)) {
        const auto address = parse_ip(connection->remote_address);
        const auto known = parse_address(connection->remote_address);
        if (connection->direction != model::Direction::Out || !address || !known) return;
        const auto kind = classify(*known);
        if (kind == AddressClass::Loopback || kind == AddressClass::LinkLocal ||
            kind == AddressClass::Unspecified)
            return;
        listed.value = connection->remote_address;
        listed.is_allowed = group->rule(listed.allow).list.has_address(*address);
        listed.is_denied = group->rule(listed.deny).list.has_address(*address);
    } else if (const auto* const login = std::get_if<model::Login>(&item.payload)) {
        if (login->result != model::LoginResult::Success || !login_is_new) return;
        listed = {LocalUserNotAllowed, LocalUserDenied,
                  login->user_name.empty() ? login->user_id : login->user_name};
        const auto has = [&](const ValueList& list) {
            return is_windows(login->executable) ? list.has_name_any_case(listed.value)
                                                 : list.has_name(listed.value);
        };
        listed.is_allowed = has(group->rule(listed.allow).list);
        listed.is_denied = has(group->rule(listed.deny).list);
    } else if (const auto* const process = std::get_if<model::ProcessCreate>(&item.payload)) {
        listed = {ProcessNotAllowed, ProcessDenied, process->executable};
        listed.is_allowed = group->rule(listed.allow).list.has_process(listed.value);
        listed.is_denied = group->rule(listed.deny).list.has_process(listed.value);
    }
    if (listed.value.empty()) return;
    const auto say = [&](RuleType type) {
        auto alert = custom_alert(type, event.hub, event.device);
        const bool aggregate = event.hit_count > 1;
        alert.start = aggregate ? event.window_start : event.time;
        alert.end = aggregate ? event.window_end : event.time;
        alert.hit_count = event.hit_count;
        alert.evidence = {item.position};
        alert.discriminator = listed.value;
        alert.extended_json = value_properties(event, item, group->name, type, listed.value);
        context.book.raise(std::move(alert), kListSuppression, context.now, context.out);
    };
    if (group->rule(listed.allow).enabled && !listed.is_allowed) say(listed.allow);
    if (group->rule(listed.deny).enabled && listed.is_denied) say(listed.deny);
}

void CustomAlerts::observe_list(const model::Event& event, Context& context) {
    if (event.kind != model::EventKind::ListeningPorts || !context.settings.groups->any_enabled() ||
        event.device.empty() || is_off(event.hub))
        return;
    auto& device = device_of(event.hub, event.device);
    const auto* const group = group_at(device, event.time, context);
    if (group == nullptr || !group->rule(RuleType::OpenPortsCount).enabled) return;
    std::set<std::pair<std::string_view, std::string_view>> ports;
    for (const auto& item : event.items) {
        if (const auto* const port = std::get_if<model::ListeningPort>(&item.payload))
            ports.emplace(port->protocol, port->local_port);
    }
    const auto& rule = group->rule(RuleType::OpenPortsCount);
    const auto count = static_cast<std::int64_t>(ports.size());
    if (count >= rule.min && count <= rule.max) return;
    auto alert = custom_alert(RuleType::OpenPortsCount, event.hub, event.device);
    alert.start = alert.end = event.time;
    alert.evidence = {event.position};
    alert.extended_json = count_properties({event.device, *group, RuleType::OpenPortsCount, count, {}, {}});
    context.book.raise(std::move(alert), kListSuppression, context.now, context.out);
}

void CustomAlerts::observe_change(const model::RecordView& record, model::LogPosition position,
                                  Timestamp now) {
    const auto change = read_membership(record);
    if (change.twin_data) {
        const bool was_off = is_off(record.hub);
        if (!*change.twin_data && off_.size() < kHubsMax) off_.emplace(record.hub);
        if (*change.twin_data) off_.erase(std::string(record.hub));
        if (was_off && *change.twin_data) edited_[device_key(record.hub, "")] = now.ticks;
    }
    if (change.device.empty() || (!change.enabled && !change.tag && !change.low_interval)) return;
    auto& device = device_of(record.hub, change.device);
    device.newest = position;
    if (change.enabled && change.module.empty()) device.membership.set_enabled(*change.enabled, now);
    if (change.enabled && !*change.enabled && !change.module.empty())
        device.membership.remove_module(change.module, now);
    if (change.tag) device.membership.set_tag(change.module, *change.tag, now);
    if (change.low_interval) device.low_interval = change.low_interval;
}

Timestamp CustomAlerts::edited(std::string_view hub, const SecurityGroup& group, RuleType type) const {
    const auto rule = edited_.find(rule_key(group.hub, group.name, type));
    const auto switched = edited_.find(device_key(hub, ""));
    return Timestamp{std::max(rule == edited_.end() ? INT64_MIN : rule->second,
                              switched == edited_.end() ? INT64_MIN : switched->second)};
}

void CustomAlerts::set_groups(const GroupSet& before, const GroupSet& after, Timestamp now) {
    const auto edit = [&](const SecurityGroup& group, const SecurityGroup* other) {
        for (std::size_t i = 0; i < kRuleTypes; ++i) {
            if (other == nullptr || !group.rules[i].same_as(other->rules[i]))
                edited_[rule_key(group.hub, group.name, static_cast<RuleType>(i))] = now.ticks;
        }
    };
    for (const auto& [key, group] : after.groups()) {
        const auto old = before.groups().find(key);
        edit(group, old == before.groups().end() ? nullptr : &old->second);
    }
    for (const auto& [key, group] : before.groups()) {
        if (after.groups().contains(key)) continue;
        for (std::size_t i = 0; i < kRuleTypes; ++i)
            edited_.erase(rule_key(group.hub, group.name, static_cast<RuleType>(i)));
        // Its devices fall back to `default`, as if they had moved.
        for (const auto& hub : {group.hub, std::string()}) {
            const auto fallback = after.groups().find({hub, "default"});
            if (fallback != after.groups().end()) edit(fallback->second, nullptr);
        }
    }
}

}  // namespace fieldwatch::detect
