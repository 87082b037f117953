// Regular expressions cost more than all else a rule asks for: they are run when a woken rule comes to them,
// over values that hold a literal of theirs, once a value.
#include <algorithm>

#include "detect/rules/matcher_state.hpp"

namespace fieldwatch::detect {

template <class Test>
bool MatcherState::any_value(FieldId field, Test test) const {
    const auto origin = inside.uses[field].origin;
    if (origin == FieldOrigin::Event && field == inside.keywords) {
        return present[field] != 0 &&  // else the event is no line of a log
               std::ranges::any_of(values, [&](const auto& entry) { return test(entry.second); });
    }
    if (origin == FieldOrigin::Event) {
        return std::ranges::any_of(
            read, [&](const auto& entry) { return entry.first == field && test(entry.second); });
    }
    const auto& texts = origin == FieldOrigin::Segment ? segment_texts : line_texts;
    return std::ranges::any_of(std::span(texts).subspan(texts_of[field].first, texts_of[field].count), test);
}

/// Whether running the expression could find it, or has.
bool MatcherState::may_occur(std::uint32_t index) const {
    const auto& [field, hint, regex] = inside.regexes[index];
    if (hint != kNoPredicate && !holds(hint)) return false;
    const auto& answer = answers[index];
    return answer.step != step_of(inside.uses[field].origin) || answer.occurs;
}

bool MatcherState::occurs(std::uint32_t index) {
    const auto& [field, hint, regex] = inside.regexes[index];
    if (hint != kNoPredicate && !holds(hint)) return false;
    const auto step = step_of(inside.uses[field].origin);
    auto& answer = answers[index];
    if (answer.step != step) {
        answer.step = step;
        answer.occurs = any_value(field, [&](std::string_view text) {
            if (text.data() == nullptr) return false;
            if (!answer.is_prepared) {
                const ProbePause once(probe);
                regex.prepare(scratch);
                answer.is_prepared = true;
            }
            return regex.occurs_in(text, scratch);
        });
    }
    return answer.occurs;
}

/// Whether one of the predicate's expressions makes it hold; notes it if so.
bool MatcherState::ask(PredicateId id) {
    const auto regexes = inside.asked[id];
    if (std::ranges::none_of(regexes, [this](auto regex) { return occurs(regex); })) return false;
    const auto origin = inside.predicates[id].origin;
    auto& into = origin == FieldOrigin::Event  ? raised
                 : origin == FieldOrigin::Line ? line_raised
                                               : segment_raised;
    if (set(id)) into.push_back(id);
    return true;
}

}  // namespace fieldwatch::detect
