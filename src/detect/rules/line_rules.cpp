// Rules over derived command fields. Most lines open no gate of theirs and are never parsed; of those that
// do, only the fields that a woken rule comes to ask for are read.
#include <algorithm>

#include "detect/rules/literal.hpp"
#include "detect/rules/matcher_state.hpp"

namespace fieldwatch::detect {
namespace {

constexpr std::size_t kRefutedMax = 64;  // rules remembered a line; more would be looked at again

}  // namespace

/// What the line's own text did not show: words across quotes, the home directory, the working directory.
void MatcherState::open_gates() {
    if (inside.command_line == UINT32_MAX || !process || process->command_line.empty()) return;
    const auto shape = shape_of(process->command_line);
    if (shape.squeezed || shape.home) {
        key.clear();
        squeeze(process->command_line, key);
        if (shape.home) key += " root home";
        raise_gates(key);
    }
    if (!process->working_directory.empty()) raise_gates(process->working_directory);
    if (shape.trailing_blank && inside.trailing_blank_gate != UINT32_MAX) raise(inside.trailing_blank_gate);
    const bool decodes = std::ranges::any_of(inside.decoder_gates, [this](auto id) { return holds(id); });
    if (decodes || shape.escaped) raise(inside.gates);
}

void MatcherState::raise_gates(std::string_view text) {
    found.clear();
    folded.assign(text);
    inside.squeezed_gates.find(folded, found);
    raise(found);
}

/// Reads a field of the segment, or of the whole line, and sets what holds.
void MatcherState::fill(FieldId field) {
    const auto& use = inside.uses[field];
    const bool of_segment = use.origin == FieldOrigin::Segment;
    filled_at[field] = of_segment ? segment_step : line_step;
    auto& line = parsed();
    const auto segments = line.segments();
    auto& texts = of_segment ? segment_texts : line_texts;
    const auto first = texts.size();
    if (of_segment) {
        command_values(line, segments[segment], use.source, texts);
    } else {
        for (const auto& one : segments)
            command_values(line, one, use.source, texts);
    }
    texts_of[field] = {static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(texts.size() - first)};
    found.clear();
    const auto& absent = inside.fields[field].absent();
    if (texts.size() == first) found.insert(found.end(), absent.begin(), absent.end());
    for (auto i = first; i < texts.size(); ++i)
        inside.fields[field].match(texts[i], folded, found);
    const auto own = std::span(texts).subspan(first);
    for (const auto& reference : inside.references) {
        if (reference.field != field) continue;
        const bool any = std::ranges::any_of(own, [&](auto text) { return refers_to(reference, text); });
        if (any) found.push_back(reference.predicate);
    }
    auto& into = of_segment ? segment_raised : line_raised;
    for (const auto id : found) {
        if (set(id)) into.push_back(id);
    }
}

bool MatcherState::leaf_holds(PredicateId id) {
    if (holds(id)) return true;
    const auto& use = inside.predicates[id];
    if (use.origin != FieldOrigin::Event) {
        if (line_step == 0) return false;  // there is no line
        if (filled_at[use.field] != (use.origin == FieldOrigin::Segment ? segment_step : line_step)) {
            fill(use.field);
            if (holds(id)) return true;
        }
    }
    return use.asks && ask(id);
}

bool MatcherState::evaluate(std::uint32_t index) {
    const auto& node = inside.nodes[index];
    if (node.kind == Expression::Kind::Leaf) return leaf_holds(node.first);
    const std::span children(inside.children.data() + node.first, node.count);
    const auto child = [this](std::uint32_t at) { return evaluate(at); };
    switch (node.kind) {
        case Expression::Kind::Not:
            return !child(children[0]);
        case Expression::Kind::And:
            return std::ranges::all_of(children, child);
        case Expression::Kind::Or:
            return std::ranges::any_of(children, child);
        default:
            break;
    }
    std::uint32_t count = 0;
    for (const auto at : children) {
        count += child(at) ? 1 : 0;
        if (count >= node.least) return true;
    }
    return false;
}

Truth MatcherState::leaf_truth(PredicateId id, FieldOrigin known, bool run) {
    const auto& use = inside.predicates[id];
    const bool of_event = use.origin == FieldOrigin::Event;
    if (of_event != (known == FieldOrigin::Event)) {
        const bool cannot = !of_event && use.may != kNoPredicate && !holds(use.may);
        return cannot ? Truth::False : Truth::Unknown;
    }
    if (!of_event && use.refers) return Truth::Unknown;  // the next event with this line has other fields
    if (holds(id)) return Truth::True;
    if (run) return leaf_holds(id) ? Truth::True : Truth::False;
    const bool may =
        use.asks && std::ranges::any_of(inside.asked[id], [this](auto regex) { return may_occur(regex); });
    return may ? Truth::Unknown : Truth::False;
}

bool MatcherState::can_be(bool wanted, std::uint32_t index, FieldOrigin known, bool run) {
    const auto& node = inside.nodes[index];
    if (node.kind == Expression::Kind::Leaf)
        return leaf_truth(node.first, known, run) != (wanted ? Truth::False : Truth::True);
    const std::span children(inside.children.data() + node.first, node.count);
    const auto child = [&](std::uint32_t at) { return can_be(wanted, at, known, run); };
    switch (node.kind) {
        case Expression::Kind::Not:
            return can_be(!wanted, children[0], known, run);
        case Expression::Kind::And:
            return wanted ? std::ranges::all_of(children, child) : std::ranges::any_of(children, child);
        case Expression::Kind::Or:
            return wanted ? std::ranges::any_of(children, child) : std::ranges::all_of(children, child);
        default:
            break;
    }
    // So many that can hold, or that must.
    const auto count = std::ranges::count_if(children, [&](auto at) { return child(at) == wanted; });
    return (static_cast<std::uint32_t>(count) >= node.least) == wanted;
}

/// Segments that only carry another text come last, so that a command has the same key, wrapped or not.
void MatcherState::order_segments() {
    const auto segments = parsed().segments();
    order.clear();
    for (const bool carriers : {false, true}) {
        for (std::size_t i = 0; i < segments.size(); ++i) {
            if (segments[i].has(Fact::Unwrapped) == carriers) order.push_back(i);
        }
    }
}

void MatcherState::match_segments(std::vector<RuleHit>& hits) {
    order_segments();
    for (const auto at : order) {
        segment = at;
        ++segment_step;
        for (std::size_t i = 0; i < line_rules.size(); ++i) {
            const auto rule = line_rules[i];
            if (inside.reads[rule] != FieldOrigin::Segment) continue;
            const bool fired = std::ranges::any_of(hits, [&](const auto& hit) { return hit.rule == rule; });
            if (fired) continue;
            const ProbeScope cost(probe, rule);
            if (evaluate(inside.roots[rule])) {
                fire(rule, static_cast<std::int32_t>(at), hits);
            } else if (undecided[i] == 0) {
                undecided[i] = can_be(true, inside.roots[rule], FieldOrigin::Segment) ? 1 : 0;
            }
        }
        clear(segment_raised);
        segment_texts.clear();
    }
}

void MatcherState::match_line(std::vector<RuleHit>& hits) {
    std::vector<std::uint32_t>* refuted = nullptr;
    if (process->command_line.size() + process->working_directory.size() < TextMemo<PredicateId>::kBytesMax) {
        key.assign(process->working_directory);
        key.push_back('\0');
        key.append(process->command_line);
        // Most lines come once: what is refuted is worth finding out when one comes again.
        const auto [entry, is_known] = lines.find(key, kLineEntries);
        if (is_known) refuted = &entry->known;
    }
    if (refuted != nullptr) {
        std::erase_if(line_rules,
                      [&](auto rule) { return std::ranges::find(*refuted, rule) != refuted->end(); });
        if (line_rules.empty()) return;
    }
    ++segment_step;
    line_step = segment_step;
    undecided.assign(line_rules.size(), refuted != nullptr ? 0 : 1);
    for (std::size_t i = 0; i < line_rules.size(); ++i) {
        const auto rule = line_rules[i];
        if (inside.reads[rule] != FieldOrigin::Line) continue;
        const ProbeScope cost(probe, rule);
        if (evaluate(inside.roots[rule])) {
            fire(rule, -1, hits);
        } else if (undecided[i] == 0) {
            undecided[i] = can_be(true, inside.roots[rule], FieldOrigin::Line) ? 1 : 0;
        }
    }
    match_segments(hits);
    clear(line_raised);
    line_texts.clear();
    line_step = 0;
    if (refuted == nullptr) return;
    for (std::size_t i = 0; i < line_rules.size() && refuted->size() < kRefutedMax; ++i) {
        const auto rule = line_rules[i];
        const bool fired = std::ranges::any_of(hits, [&](const auto& hit) { return hit.rule == rule; });
        if (!fired && undecided[i] == 0) refuted->push_back(rule);
    }
}

}  // namespace fieldwatch::detect
