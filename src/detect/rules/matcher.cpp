#include <hs/hs.h>

#include <algorithm>
#include <functional>

#include "detect/rules/matcher_state.hpp"

namespace fieldwatch::detect {
namespace {

/// What a part of an item's identity is, where it is no field that rules read.
constexpr std::uint32_t kUnread = 0xffff'0000, kLine = 0xffff'0001, kDirectory = 0xffff'0002,
                        kSource = 0xffff'0100;

}  // namespace

MatcherState::MatcherState(RuleSetPtr rule_set)
    : rules(std::move(rule_set)), inside(rules->internals()), command(inside.options.command) {
    answers.resize(inside.regexes.size());
    texts_of.resize(inside.fields.size());
    present.resize(inside.fields.size(), 0);
    filled_at.resize(inside.fields.size(), 0);
    bits.resize((inside.predicates.size() + 63) / 64);
    woken_at.resize(inside.metas.size(), 0);
}

MatcherState::~MatcherState() {
    hs_free_scratch(scratch);
}

void MatcherState::wake(PredicateId id) {
    for (const auto rule : inside.woken[id]) {
        if (woken_at[rule] == round || admitted[inside.source_of[rule]] == 0) continue;
        woken_at[rule] = round;
        candidates.push_back(rule);
    }
}

void MatcherState::raise(PredicateId id) {
    if (!set(id)) return;
    raised.push_back(id);
    wake(id);
    for (const auto opened : inside.opens[id]) {  // which opens nothing in turn
        if (!set(opened)) continue;
        raised.push_back(opened);
        wake(opened);
    }
}

bool MatcherState::may_hold(std::uint32_t rule) const {
    return inside.needs.all_met(rule, [this](PredicateId id) { return holds(id); });
}

void MatcherState::clear(std::vector<PredicateId>& ids) {
    for (const auto id : ids)
        bits[id >> 6] &= ~(std::uint64_t{1} << (id & 63));
    ids.clear();
}

void MatcherState::value(FieldId field, std::string_view text) {
    present[field] = 1;
    found.clear();
    inside.fields[field].match(text, folded, found);
    raise(found);
}

/// Few sources come, and they take turns: what they admit is kept.
void MatcherState::admit(const LogSource& source) {
    for (const auto& known : admissions) {
        if (known.source.view() != source) continue;
        admitted = known.admitted;
        return;
    }
    if (admissions.size() == kAdmissionsMax) admissions.clear();
    auto& next = admissions.emplace_back();
    next.source = {std::string(source.product), std::string(source.category), std::string(source.service)};
    for (const auto& wanted : inside.sources)
        next.admitted.push_back(wanted.view().is_for(source));
    admitted = next.admitted;
}

CommandLine& MatcherState::parsed() {
    if (!is_parsed) {
        command.expect(process ? process->command_line : std::string_view{},
                       process ? process->working_directory : std::string_view{});
        is_parsed = true;
    }
    return command;
}

void MatcherState::fire(std::uint32_t rule, std::int32_t segment_index, std::vector<RuleHit>& hits) {
    RuleHit hit{.rule = rule, .segment = segment_index, .segment_text = {}};
    if (segment_index >= 0) {
        auto& line = parsed();
        hit.segment_text = line.text(line.segments()[static_cast<std::size_t>(segment_index)]);
    } else if (process) {
        hit.segment_text = CommandLine::trimmed(process->command_line);
    }
    hits.push_back(std::move(hit));
}

void MatcherState::absorb(std::vector<RuleHit>& hits, std::size_t first, std::vector<RuleHit>* gone) const {
    std::vector<std::string_view> absorbed;
    for (std::size_t i = first; i < hits.size(); ++i) {
        for (const auto& type : inside.metas[hits[i].rule].absorbs)
            absorbed.push_back(type);
    }
    if (absorbed.empty()) return;
    const auto gives_way = [&](const RuleHit& hit) {
        return std::ranges::find(absorbed, inside.metas[hit.rule].alert_type) != absorbed.end();
    };
    const auto giving_way = std::stable_partition(hits.begin() + static_cast<std::ptrdiff_t>(first),
                                                  hits.end(), std::not_fn(gives_way));
    if (gone != nullptr) std::move(giving_way, hits.end(), std::back_inserter(*gone));
    hits.erase(giving_way, hits.end());
}

void MatcherState::begin(const model::Event& event, const model::Item& item) {
    admit(log_source_of(event, item));
    ++round;
    candidates.clear();
    line_rules.clear();
    values.clear();
    read.clear();
    numbers.clear();
    is_parsed = false;
    process = process_text(event, item);
}

void MatcherState::note(std::uint32_t what, std::string_view text) {
    const std::uint32_t head[] = {
        what, text.data() == nullptr ? UINT32_MAX : static_cast<std::uint32_t>(text.size())};
    identity.append(reinterpret_cast<const char*>(head), sizeof head).append(text);
}

void MatcherState::read_event(const model::Event& event, const model::Item& item, ExtraFields extra) {
    event_fields(event, item, inside.options.command.addresses, numbers, values);
    values.insert(values.end(), extra.begin(), extra.end());
    log_line = event.kind == model::EventKind::SigmaEvent;
    identity.clear();
    if (log_line) {
        const auto source = log_source_of(event, item);
        for (const auto part : {source.product, source.category, source.service})
            note(kSource, part);
    } else {
        note(kSource + static_cast<std::uint32_t>(event.kind), {});
    }
    if (process) {
        note(kLine, process->command_line);
        note(kDirectory, process->working_directory);
    }
    for (const auto& [name, text] : values) {
        const auto field = inside.field_names.find(name);
        const bool is_read = field != TextNumbers::kNone && inside.uses[field].origin == FieldOrigin::Event;
        if (is_read) read.emplace_back(field, text);
        if (!is_read && !(log_line && inside.keywords != UINT32_MAX)) continue;
        const bool is_line = process && !text.empty() && text.data() == process->command_line.data() &&
                             text.size() == process->command_line.size();
        note(is_read ? field : kUnread, is_line ? std::string_view{} : text);  // which stands there already
    }
}

void MatcherState::raise_fields() {
    for (const auto& [field, text] : read)
        value(field, text);
    if (log_line && inside.keywords != UINT32_MAX) {
        for (const auto& [name, text] : values) {
            if (text.data() != nullptr) value(inside.keywords, text);
        }
    }
    for (const auto field : inside.with_absent) {
        if (present[field] == 0) raise(inside.fields[field].absent());
    }
    if (!inside.references.empty()) compare_fields();
}

bool MatcherState::refers_to(const FieldReference& reference, std::string_view value) const {
    return std::ranges::any_of(read, [&](const auto& other) {
        return other.first == reference.other &&
               compare_texts(value, other.second, reference.kind, reference.cased);
    });
}

void MatcherState::compare_fields() {
    for (const auto& reference : inside.references) {
        const bool any = std::ranges::any_of(read, [&](const auto& entry) {
            return entry.first == reference.field && refers_to(reference, entry.second);
        });
        if (any) raise(reference.predicate);
    }
}

void MatcherState::judge(std::vector<RuleHit>& hits) {
    raise_fields();
    open_gates();
    for (const auto rule : inside.always) {
        if (admitted[inside.source_of[rule]] != 0) candidates.push_back(rule);
    }
    const bool has_line = process && !process->command_line.empty();
    for (const auto rule : candidates) {
        const ProbeScope cost(probe, rule);
        if (!may_hold(rule)) continue;
        const auto root = inside.roots[rule];
        if (inside.reads[rule] == FieldOrigin::Event ||
            (inside.reads[rule] == FieldOrigin::Line && !has_line)) {
            if (evaluate(root)) fire(rule, -1, hits);
        } else if (has_line && can_be(true, root, FieldOrigin::Event, false) &&
                   can_be(true, root, FieldOrigin::Event)) {
            line_rules.push_back(rule);
        }
    }
    if (!line_rules.empty()) match_line(hits);
    std::ranges::sort(hits, {}, &RuleHit::rule);
    clear(raised);
    for (const auto& [field, text] : read)
        present[field] = 0;
    if (inside.keywords != UINT32_MAX) present[inside.keywords] = 0;
}

void MatcherState::match(const model::Event& event, const model::Item& item, std::vector<RuleHit>& out,
                         ExtraFields extra) {
    begin(event, item);
    read_event(event, item, extra);
    // An item whose cost is measured is judged, and not remembered.
    const bool remembers = probe == nullptr && identity.size() <= VerdictMemory::kKeyBytesMax;
    remembered = remembers ? verdicts.find(identity) : nullptr;
    if (remembered != nullptr) {
        out.insert(out.end(), remembered->hits.begin(), remembered->hits.end());
        return;
    }
    found_hits.clear();
    judge(found_hits);
    if (remembers) remembered = verdicts.remember(identity, found_hits);
    std::ranges::move(found_hits, std::back_inserter(out));
}

Matcher::Matcher(RuleSetPtr rules) : state_(std::make_unique<MatcherState>(std::move(rules))) {}
Matcher::~Matcher() = default;
Matcher::Matcher(Matcher&&) noexcept = default;
Matcher& Matcher::operator=(Matcher&&) noexcept = default;

void Matcher::match(const model::Event& event, const model::Item& item, std::vector<RuleHit>& hits,
                    ExtraFields extra, std::vector<RuleHit>* absorbed) {
    const auto first = hits.size();
    state_->match(event, item, hits, extra);
    if (hits.size() > first) state_->absorb(hits, first, absorbed);
}
void Matcher::match_all(const model::Event& event, const model::Item& item, std::vector<RuleHit>& hits,
                        ExtraFields extra) {
    state_->match(event, item, hits, extra);
}
std::uint8_t* Matcher::note() {
    return state_->remembered == nullptr ? nullptr : &state_->remembered->note;
}
CommandLine& Matcher::command() {
    return state_->parsed();
}
const RuleSet& Matcher::rules() const {
    return *state_->rules;
}
void Matcher::measure(RuleProbe* probe) {
    state_->probe = probe;
}

}  // namespace fieldwatch::detect
