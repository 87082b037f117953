#include <hs/hs.h>

#include <algorithm>
#include <functional>
#include <new>

#include "detect/rules/matcher_state.hpp"

namespace fieldwatch::detect {

MatcherState::MatcherState(RuleSetPtr rule_set)
    : rules(std::move(rule_set)), inside(rules->internals()), command(inside.options.command) {
    for (const auto& [field, hint, regex] : inside.regexes) {
        if (regex.database() == nullptr) continue;
        // It can fail of memory alone, whose end is the server's.
        if (hs_alloc_scratch(regex.database(), &scratch) != HS_SUCCESS) throw std::bad_alloc();
    }
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

bool MatcherState::set(PredicateId id) {
    if (holds(id)) return false;
    bits[id >> 6] |= std::uint64_t{1} << (id & 63);
    return true;
}

void MatcherState::raise(PredicateId id) {
    if (!set(id)) return;
    raised.push_back(id);
    for (const auto opened : inside.opens[id])
        raise(opened);
    for (const auto rule : inside.woken[id]) {
        if (woken_at[rule] == round || admitted[inside.source_of[rule]] == 0) continue;
        woken_at[rule] = round;
        candidates.push_back(rule);
    }
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
        command.parse(process ? process->command_line : std::string_view{},
                      process ? process->working_directory : std::string_view{});
        is_parsed = true;
    }
    return command;
}

void MatcherState::fire(std::uint32_t rule, std::int32_t segment_index, std::vector<RuleHit>& hits) {
    RuleHit hit{.rule = rule, .segment = segment_index, .segment_text = {}, .segment_name = {}};
    if (process) {
        auto& line = parsed();
        if (segment_index >= 0) {
            const auto& found_in = line.segments()[static_cast<std::size_t>(segment_index)];
            hit.segment_text = line.text(found_in);
            hit.segment_name = found_in.name;
        } else {
            hit.segment_text = line.raw();
            if (!line.segments().empty()) hit.segment_name = line.segments()[0].name;
        }
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

void MatcherState::read_event(const model::Event& event, const model::Item& item, ExtraFields extra) {
    event_fields(event, item, inside.options.command.addresses, numbers, values);
    values.insert(values.end(), extra.begin(), extra.end());
    const bool log_line = event.kind == model::EventKind::SigmaEvent;
    for (const auto& [name, text] : values) {
        const auto field = inside.field_names.find(name);
        if (field != TextNumbers::kNone && inside.uses[field].origin == FieldOrigin::Event) {
            value(field, text);
            read.emplace_back(field, text);
        }
        if (log_line && inside.keywords != UINT32_MAX && text.data() != nullptr) value(inside.keywords, text);
    }
    for (const auto field : inside.with_absent) {
        if (present[field] == 0) raise(inside.fields[field].absent());
    }
    if (!inside.references.empty()) compare_fields();
}

void MatcherState::compare_fields() {
    for (const auto& reference : inside.references) {
        const auto holds_for = [&](std::string_view left) {
            return std::ranges::any_of(read, [&](const auto& other) {
                return other.first == reference.other &&
                       compare_texts(left, other.second, reference.kind, reference.cased);
            });
        };
        const bool any = std::ranges::any_of(read, [&](const auto& entry) {
            return entry.first == reference.field && holds_for(entry.second);
        });
        if (any) raise(reference.predicate);
    }
}

void MatcherState::match(const model::Event& event, const model::Item& item, std::vector<RuleHit>& out,
                         ExtraFields extra) {
    begin(event, item);
    read_event(event, item, extra);
    open_gates();
    for (const auto rule : inside.always) {
        if (admitted[inside.source_of[rule]] != 0) candidates.push_back(rule);
    }
    const bool has_line = process && !process->command_line.empty();
    std::vector<RuleHit> hits;
    for (const auto rule : candidates) {
        const ProbeScope cost(probe, rule);
        const auto root = inside.roots[rule];
        if (inside.reads[rule] == FieldOrigin::Event ||
            (inside.reads[rule] == FieldOrigin::Line && !has_line)) {
            if (evaluate(root)) fire(rule, -1, hits);
        } else if (has_line && evaluate_part(root, FieldOrigin::Event) != Truth::False) {
            line_rules.push_back(rule);
        }
    }
    if (!line_rules.empty()) match_line(hits);
    std::ranges::sort(hits, {}, &RuleHit::rule);
    std::ranges::move(hits, std::back_inserter(out));
    clear(raised);
    for (const auto& [field, text] : read)
        present[field] = 0;
    if (inside.keywords != UINT32_MAX) present[inside.keywords] = 0;
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
