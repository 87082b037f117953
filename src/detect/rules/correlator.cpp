#include "detect/rules/correlator.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace fieldwatch::detect {
namespace {

/// The first value of a field; nullopt when the event has none, or null.
std::optional<std::string_view> value_of(std::span<const FieldValue> fields, std::string_view name) {
    for (const auto& [known, value] : fields) {
        if (known == name && value.data() != nullptr) return value;
    }
    return std::nullopt;
}

/// Whether it matters to the type how many hits an aggregate stands for.
bool counts_hits(const Correlation& rule) {
    return rule.type == CorrelationType::EventCount || rule.type == CorrelationType::ValueSum ||
           rule.type == CorrelationType::ValueAverage ||
           (rule.type == CorrelationType::ValuePercentile && rule.percentile < 0);
}

bool is_numeric(const Correlation& rule) {
    return rule.type == CorrelationType::ValueSum || rule.type == CorrelationType::ValueAverage ||
           (rule.type == CorrelationType::ValuePercentile && rule.percentile >= 0);
}

std::optional<double> number_of(const std::string& text) {
    char* end = nullptr;
    const double number = std::strtod(text.c_str(), &end);
    if (text.empty() || end != text.c_str() + text.size()) return std::nullopt;
    return number;
}

}  // namespace

void Correlator::set_rules(RuleSetPtr rules) {
    rules_ = std::move(rules);
    std::map<std::string, std::shared_ptr<State>> kept;
    states_.clear();
    keys_.clear();
    is_read_.assign(rules_->rules().size(), false);
    for (const auto& rule : rules_->correlations()) {
        for (const auto read : rule.reads)
            is_read_[read] = true;
        auto key = rule.state_key();
        const auto known = by_key_.find(key);
        auto state = known == by_key_.end() ? std::make_shared<State>() : known->second;
        states_.push_back(state);
        kept.emplace(key, std::move(state));
        keys_.push_back(std::move(key));
    }
    by_key_ = std::move(kept);
}

void Correlator::observe(const model::Event& event, const model::Item& item, std::span<const RuleHit> hits,
                         ExtraFields extra, std::vector<Found>& out) {
    // Most hits are nobody's: then the fields of the event are not worth collecting.
    if (std::ranges::none_of(hits, [this](const auto& hit) { return is_read_[hit.rule]; })) return;
    const auto found_before = out.size();
    fields_.clear();
    numbers_.clear();
    event_fields(event, item, {}, numbers_, fields_);
    fields_.insert(fields_.end(), extra.begin(), extra.end());
    fields_.emplace_back("device.id", event.device);
    const auto correlations = rules_->correlations();
    for (std::size_t which = 0; which < correlations.size(); ++which) {
        const auto& rule = correlations[which];
        for (std::size_t place = 0; place < rule.reads.size(); ++place) {
            const bool hit =
                std::ranges::any_of(hits, [&](const auto& one) { return one.rule == rule.reads[place]; });
            if (!hit) continue;
            Source source{.event = &event,
                          .hub = event.hub,
                          .device = event.device,
                          .fields = fields_,
                          .entry = {},
                          .from = event.window_start,
                          .to = event.window_end};
            source.entry.time = event.time;
            source.entry.weight = std::max<std::int64_t>(1, event.hit_count);
            source.entry.evidence = {item.position};
            add(which, place, source, out);
        }
        chain(which, found_before, out);
    }
    keep_last_words(out, found_before);
}

/// What inner correlations have just found are events of the outer ones.
void Correlator::chain(std::size_t which, std::size_t found_before, std::vector<Found>& out) {
    const auto& rule = rules_->correlations()[which];
    for (std::size_t place = 0; place < rule.reads.size(); ++place) {
        const auto found_so_far = out.size();
        for (auto i = found_before; i < found_so_far; ++i) {
            if (out[i].rule != rule.reads[place]) continue;
            const auto inner = out[i];  // a copy: adding appends to out
            std::vector<FieldValue> fields;
            for (const auto& [name, value] : inner.values)
                fields.emplace_back(name, value);
            fields.insert(fields.end(), fields_.begin(), fields_.end());
            Source source{.hub = inner.hub,
                          .device = inner.device,
                          .fields = fields,
                          .entry = {},
                          .from = {},
                          .to = {}};
            source.entry.time = inner.end;
            source.entry.evidence = inner.evidence;
            add(which, place, source, out);
        }
    }
}

void Correlator::add(std::size_t which, std::size_t place, const Source& source, std::vector<Found>& out) {
    const auto& rule = rules_->correlations()[which];
    auto entry = source.entry;
    entry.place = static_cast<std::uint32_t>(place);
    std::string key(source.hub);
    key.push_back('\0');
    key.append(source.device);
    Values values;
    for (const auto& name : rule.group_by) {
        const auto value = value_of(source.fields, rule.field(name, place));
        if (!value) return;  // without a value there is nothing to be grouped by
        key.push_back('\0');
        key.append(*value);
        values.emplace_back(name, *value);
    }
    for (const auto& name : rule.fields) {
        const auto value = value_of(source.fields, rule.field(name, place));
        if (!value) return;
        if (!entry.text.empty()) entry.text.push_back('\0');
        entry.text.append(*value);
    }
    if (is_numeric(rule)) {
        const auto number = number_of(entry.text);
        if (!number) return;
        entry.number = *number;
    }
    std::vector<Part> parts{{entry.time, entry.weight}};
    if (entry.weight > 1 && source.from < source.to && counts_hits(rule))
        parts = spread_sliding(entry.weight, source.from, source.to, rule.timespan);
    if (rule.meta.fleet) return tell_fleet(which, source, std::move(entry), std::move(values), parts);
    auto& state = *states_[which];
    auto& group = state.groups.get(key, [&](auto& gone) { state.events -= gone.second.entries.size(); });
    if (group.hub.empty()) group.hub = source.hub;
    if (group.device.empty()) group.device = source.device;
    group.values = std::move(values);
    if (rule.type == CorrelationType::Absence) return await_next(rule, group, std::move(entry));
    std::int64_t counted = 0;
    for (const auto& part : parts)
        counted += part.amount;
    if (counted < entry.weight) ++state.evicted_events;
    insert(rule, state, group, entry, parts, out);
}

void Correlator::tell_fleet(std::size_t which, const Source& source, Entry entry, Values values,
                            std::span<const Part> parts) {
    if (!std::isfinite(entry.number)) return;  // no number can be compared with it
    for (auto& [name, value] : values)
        value = bounded_fact_text(value);
    auto& evidence = entry.evidence;
    if (evidence.size() > FleetFact::kEvidenceMax)
        evidence.erase(evidence.begin() + FleetFact::kEvidenceMax - 1, evidence.end() - 1);
    FleetFact fact{.rule = keys_[which],
                   .place = entry.place,
                   .hub = std::string(source.hub),
                   .device = std::string(source.device),
                   .values = std::move(values),
                   .text = bounded_fact_text(entry.text),
                   .number = entry.number,
                   .evidence = std::move(evidence)};
    for (const auto& part : parts) {
        fact.time = part.time;
        fact.weight = part.amount;
        facts_.push_back(fact);
    }
}

void Correlator::observe_fact(const FleetFact& fact, std::vector<Found>& out) {
    const auto correlations = rules_->correlations();
    const auto found_before = out.size();
    fields_.clear();
    for (std::size_t which = 0; which < correlations.size(); ++which) {
        const auto& rule = correlations[which];
        if (rule.meta.fleet && fact.place < rule.reads.size() && keys_[which] == fact.rule) {
            auto& state = *states_[which];
            auto& group = state.groups.get(fact.hub + '\0' + fact.group_key(),
                                           [&](auto& gone) { state.events -= gone.second.entries.size(); });
            group.hub = fact.hub;
            group.values = fact.values;
            Entry entry{.time = fact.time,
                        .place = fact.place,
                        .weight = fact.weight,
                        .number = fact.number,
                        .text = fact.text,
                        .device = fact.device,
                        .evidence = fact.evidence};
            if (rule.type == CorrelationType::Absence) {
                await_next(rule, group, std::move(entry));
            } else {
                const Part part{fact.time, fact.weight};
                insert(rule, state, group, entry, {&part, 1}, out);
            }
        }
        chain(which, found_before, out);
    }
    keep_last_words(out, found_before);
}

void Correlator::meet(std::vector<Found>& out) {
    for (auto facts = take_facts(); !facts.empty(); facts = take_facts()) {
        for (const auto& fact : facts)
            observe_fact(fact, out);
    }
}

void Correlator::await_next(const Correlation& rule, Group& group, Entry entry) {
    auto& entries = group.entries;
    const bool awaited = entry.place + 1 == rule.reads.size();
    if (awaited) std::erase_if(entries, [&](const Entry& one) { return one.time <= entry.time; });
    // A rule alone awaits itself: each event asks for the next.
    if ((!awaited || rule.reads.size() == 1) && entries.empty()) entries.push_back(std::move(entry));
}

/// All parts are in place before the first window is looked at, and before anything goes.
void Correlator::insert(const Correlation& rule, State& state, Group& group, const Entry& entry,
                        std::span<const Part> parts, std::vector<Found>& out) {
    auto& entries = group.entries;
    for (const auto& part : parts) {
        auto& added = *entries.insert(std::ranges::upper_bound(entries, part.time, {}, &Entry::time), entry);
        added.time = part.time;
        added.weight = part.amount;
        ++state.events;
    }
    if (rule.is_eager()) {
        const auto found_before = out.size();
        const auto behind = std::ranges::upper_bound(entries, parts.front().time, {}, &Entry::time);
        decide(rule, group, static_cast<std::size_t>(behind - entries.begin()) - 1, parts.back().time, out);
        if (parts.size() > 1) fold(out, found_before);
    }
    make_room(rule, state, group, out);
}

/// What one event has made true is one finding.
void Correlator::fold(std::vector<Found>& out, std::size_t first) {
    if (out.size() < first + 2) return;
    auto& whole = out[first];
    for (auto i = first + 1; i < out.size(); ++i) {
        const auto& other = out[i];
        whole.start = std::min(whole.start, other.start);
        whole.end = std::max(whole.end, other.end);
        whole.hits += other.hits;
        whole.measured = std::max(whole.measured, other.measured);
        whole.evidence.insert(whole.evidence.end(), other.evidence.begin(), other.evidence.end());
    }
    out.resize(first + 1);
    std::ranges::sort(whole.evidence);
    const auto repeated = std::ranges::unique(whole.evidence);
    whole.evidence.erase(repeated.begin(), repeated.end());
}

/// Lets go what no event still to come can share a window with, and then what the bounds ask for.
void Correlator::make_room(const Correlation& rule, State& state, Group& group, std::vector<Found>& out) {
    const auto& entries = group.entries;
    if (rule.is_eager()) {
        std::size_t old = 0;
        while (entries[old].time + rule.timespan + kKept < entries.back().time)
            ++old;
        state.drop(group, old);
    }
    while (entries.size() > Correlation::kEventsMax) {
        const bool in_use =
            !rule.is_eager() || entries.front().time + rule.timespan + kLateness >= entries.back().time;
        state.evicted_events += in_use ? 1 : 0;
        if (rule.is_eager()) {
            state.drop(group, 1);
        } else {
            close_window(rule, state, group, out);
        }
    }
    while (state.events > kRuleEventsMax && state.groups.size() > 1) {
        const auto oldest = state.groups.begin();
        state.events -= oldest->second.entries.size();
        state.evicted_events += oldest->second.entries.size();
        state.groups.erase(oldest);
    }
}

namespace {

template <class Entries>
std::vector<CorrelatedEvent> view(const Entries& entries, std::size_t first, std::size_t last) {
    std::vector<CorrelatedEvent> out;
    for (auto i = first; i <= last; ++i)
        out.push_back({entries[i].place, entries[i].weight, entries[i].number, entries[i].text});
    return out;
}

}  // namespace

/// Looks at every window that may hold what was changed: from the entry at `changed` to the time `until`.
void Correlator::decide(const Correlation& rule, Group& group, std::size_t changed, Timestamp until,
                        std::vector<Found>& out) const {
    const auto& entries = group.entries;
    auto first = changed;
    while (first > 0 && entries[changed].time - entries[first - 1].time <= rule.timespan)
        --first;
    for (auto last = changed; last < entries.size() && entries[last].time - until <= rule.timespan; ++last) {
        while (entries[last].time - entries[first].time > rule.timespan)
            ++first;
        const auto measured = measure(rule, view(entries, first, last));
        if (measured && rule.admits(*measured)) tell(rule, group, first, last, *measured, out);
    }
}

void Correlator::tell(const Correlation& rule, Group& group, std::size_t first, std::size_t last,
                      double measured, std::vector<Found>& out) {
    Found found{.rule = rule.rule,
                .hub = group.hub,
                .device = group.device,
                .values = group.values,
                .evidence = {},
                .measured = measured};
    bool any = false;
    for (auto i = first; i <= last; ++i) {
        auto& entry = group.entries[i];
        if (entry.told) continue;
        entry.told = true;
        found.start = any ? std::min(found.start, entry.time) : entry.time;
        found.end = any ? std::max(found.end, entry.time) : entry.time;
        found.hits += entry.weight;
        found.evidence.insert(found.evidence.end(), entry.evidence.begin(), entry.evidence.end());
        any = true;
    }
    if (!any) return;
    std::set<std::string_view> devices;  // of all that the group holds: who came an hour before belongs to it
    for (const auto& entry : group.entries) {
        if (!entry.device.empty()) devices.insert(entry.device);
    }
    found.device_count = devices.size();
    found.devices.assign(devices.begin(), devices.end());
    if (devices.size() > Found::kDevicesMax) found.devices.resize(Found::kDevicesMax);
    // One item may have matched several of the rules.
    std::ranges::sort(found.evidence);
    const auto repeated = std::ranges::unique(found.evidence);
    found.evidence.erase(repeated.begin(), repeated.end());
    out.push_back(std::move(found));
}

/// Decides the window that the oldest event opens, and forgets its events.
void Correlator::close_window(const Correlation& rule, State& state, Group& group,
                              std::vector<Found>& out) const {
    auto& entries = group.entries;
    const auto opened = entries.front().time;
    std::size_t last = 0;
    while (last + 1 < entries.size() && entries[last + 1].time - opened <= rule.timespan)
        ++last;
    const auto measured = measure(rule, view(entries, 0, last));
    if (measured && rule.admits(*measured)) tell(rule, group, 0, last, *measured, out);
    state.drop(group, last + 1);
}

void Correlator::close(const Correlation& rule, State& state, Timestamp until,
                       std::vector<Found>& out) const {
    for (auto at = state.groups.begin(); at != state.groups.end();) {
        auto& group = at->second;
        const auto kept = rule.is_eager() ? kKept : Ticks{0};
        while (!group.entries.empty() && group.entries.front().time + rule.timespan + kept < until) {
            if (rule.is_eager()) {
                state.drop(group, 1);
            } else {
                close_window(rule, state, group, out);
            }
        }
        at = group.entries.empty() ? state.groups.erase(at) : std::next(at);
    }
}

/// Raises what did not come in time, as far as the server was there to see it.
void Correlator::await(const Correlation& rule, State& state, std::vector<Found>& out) {
    for (auto at = state.groups.begin(); at != state.groups.end();) {
        auto& group = at->second;
        if (!group.entries.empty() && group.entries.front().time + rule.timespan + kLateness < alive_) {
            tell(rule, group, 0, 0, 0, out);
            group.entries.clear();
        }
        at = group.entries.empty() ? state.groups.erase(at) : std::next(at);
    }
}

void Correlator::advance(Timestamp now, std::vector<Found>& out) {
    const auto found_before = out.size();
    fields_.clear();
    const auto correlations = rules_->correlations();
    for (std::size_t which = 0; which < correlations.size(); ++which) {
        const auto& rule = correlations[which];
        if (rule.type == CorrelationType::Absence) {
            await(rule, *states_[which], out);
        } else {
            close(rule, *states_[which], now - kLateness, out);
        }
        chain(which, found_before, out);
    }
    keep_last_words(out, found_before);
}

void Correlator::finish(std::vector<Found>& out) {
    const auto found_before = out.size();
    fields_.clear();
    constexpr Timestamp kEnd{std::int64_t{1} << 60};
    const auto correlations = rules_->correlations();
    for (std::size_t which = 0; which < correlations.size(); ++which) {
        if (correlations[which].type != CorrelationType::Absence) {
            chain(which, found_before, out);
            close(correlations[which], *states_[which], kEnd, out);
        }
    }
    for (const auto& state : states_) {
        state->groups.clear();
        state->events = 0;
    }
    keep_last_words(out, found_before);
}

/// Correlations that others only read are no findings of their own.
void Correlator::keep_last_words(std::vector<Found>& out, std::size_t first) const {
    if (tells_inner_) return;
    const auto metas = rules_->rules();
    out.erase(std::remove_if(out.begin() + static_cast<std::ptrdiff_t>(first), out.end(),
                             [&](const Found& found) { return metas[found.rule].only_correlated; }),
              out.end());
}

Correlator::Counters Correlator::counters() const {
    Counters out;
    for (const auto& state : states_) {
        out.evicted_groups += state->groups.evictions();
        out.evicted_events += state->evicted_events;
    }
    return out;
}

}  // namespace fieldwatch::detect
