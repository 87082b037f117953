// What a Matcher remembers while one item is matched, and the memory of texts that lets repeated ones cost
// little. Private to detect/rules.
#pragma once

#include "detect/rules/program.hpp"
#include "detect/rules/rule_probe.hpp"
#include "detect/rules/rule_set.hpp"
#include "detect/rules/verdict_memory.hpp"

namespace fieldwatch::detect {

/// What is known of texts seen before. Texts repeat: an image, a user, a cron job's line. Direct-mapped,
/// bounded: so many texts of at most kBytesMax; a collision replaces.
template <class Known>
class TextMemo {
  public:
    static constexpr std::size_t kBytesMax = 1'024;
    struct Entry {
        std::string key;
        bool used = false;
        std::vector<Known> known;
    };
    /// The entry of a text, and whether it is that text's already; else it is emptied for it.
    std::pair<Entry*, bool> find(std::string_view text, std::size_t entries_max) {
        if (entries_.empty()) entries_.resize(entries_max);
        auto& entry = entries_[hash64(as_bytes(text)) & (entries_.size() - 1)];
        if (entry.used && entry.key == text) return {&entry, true};
        entry.used = true;
        entry.key.assign(text);
        entry.known.clear();
        return {&entry, false};
    }

  private:
    std::vector<Entry> entries_;
};

enum class Truth : std::uint8_t { False, True, Unknown };

struct MatcherState {
    static constexpr std::size_t kLineEntries = 4'096;  // a power of two
    static constexpr std::size_t kAdmissionsMax = 32;   // recorded input may bring any log source

    explicit MatcherState(RuleSetPtr rule_set);
    MatcherState(const MatcherState&) = delete;
    MatcherState& operator=(const MatcherState&) = delete;
    ~MatcherState();

    void match(const model::Event& event, const model::Item& item, std::vector<RuleHit>& hits,
               ExtraFields extra);
    void absorb(std::vector<RuleHit>& hits, std::size_t first, std::vector<RuleHit>* gone) const;
    CommandLine& parsed();

    // The event's own fields: matcher.cpp.
    void begin(const model::Event& event, const model::Item& item);
    void admit(const LogSource& source);
    /// Notes the item's fields, and in `identity` all of it that any rule could see.
    void read_event(const model::Event& event, const model::Item& item, ExtraFields extra);
    void note(std::uint32_t what, std::string_view text);
    /// What the rules say of what was read.
    void judge(std::vector<RuleHit>& hits);
    void raise_fields();
    void value(FieldId field, std::string_view text);
    void compare_fields();
    bool refers_to(const FieldReference& reference, std::string_view value) const;
    bool holds(PredicateId id) const { return (bits[id >> 6] >> (id & 63) & 1) != 0; }
    /// Whether all that the rule needs can still be: looks at what holds, runs nothing.
    bool may_hold(std::uint32_t rule) const;
    bool set(PredicateId id) {
        auto& word = bits[id >> 6];
        const auto bit = std::uint64_t{1} << (id & 63);
        if ((word & bit) != 0) return false;
        word |= bit;
        return true;
    }
    /// Sets a predicate and wakes its rules.
    void raise(PredicateId id);
    void wake(PredicateId id);
    void raise(std::span<const PredicateId> ids) {
        for (const auto id : ids)
            raise(id);
    }
    void clear(std::vector<PredicateId>& ids);
    void fire(std::uint32_t rule, std::int32_t segment, std::vector<RuleHit>& hits);

    // Rules over the parsed command line: line_rules.cpp.
    void open_gates();
    void raise_gates(std::string_view text);
    void match_line(std::vector<RuleHit>& hits);
    void match_segments(std::vector<RuleHit>& hits);
    void fill(FieldId field);
    void order_segments();
    bool leaf_holds(PredicateId id);

    // Expressions, run when a rule asks: ask.cpp.
    bool ask(PredicateId id);
    std::uint64_t step_of(FieldOrigin origin) const {
        return origin == FieldOrigin::Event ? round : origin == FieldOrigin::Line ? line_step : segment_step;
    }
    bool occurs(std::uint32_t regex);
    template <class Test>
    bool any_value(FieldId field, Test test) const;
    bool may_occur(std::uint32_t regex) const;
    bool evaluate(std::uint32_t node);
    /// Whether it may come out so, with what fields of other origins say left open; without `run`, what
    /// expressions would say too.
    bool can_be(bool wanted, std::uint32_t node, FieldOrigin known, bool run = true);
    Truth leaf_truth(PredicateId id, FieldOrigin known, bool run);

    RuleSetPtr rules;
    RuleProbe* probe = nullptr;  ///< set while costs are measured
    const RuleSetInternals& inside;
    CommandLine command;
    hs_scratch* scratch = nullptr;  ///< fits what was run so far
    FoldedText folded;
    std::string key;
    std::string identity;
    VerdictMemory verdicts;
    VerdictMemory::Entry* remembered = nullptr;  ///< the item last matched, if it is kept
    TextMemo<std::uint32_t> lines;               ///< rules that cannot hold for a line whatever its event
    bool log_line = false;  ///< the item is one of a log: rules may seek words in all of it
    std::vector<RuleHit> found_hits;
    std::vector<FieldValue> values;
    std::vector<std::pair<FieldId, std::string_view>> read;  ///< those that rules read
    struct Texts {
        std::uint32_t first = 0, count = 0;  ///< in line_texts or segment_texts
    };
    std::vector<Texts> texts_of;  ///< by field of the command line, as filled
    std::vector<std::string_view> line_texts, segment_texts;
    std::vector<PredicateId> found, raised, line_raised, segment_raised;
    std::vector<std::uint32_t> candidates, line_rules;
    std::vector<std::uint8_t> undecided;  ///< by place in line_rules: other fields decide it
    std::vector<std::uint64_t> bits;
    std::vector<std::uint64_t> woken_at;   ///< by rule: the round it was last woken in
    std::vector<std::uint64_t> filled_at;  ///< by field of the command line: the step it was last filled in
    struct Answer {
        std::uint64_t step = 0;  ///< the round or step that it was asked in
        bool occurs = false;
        bool is_prepared = false;  ///< `scratch` fits the expression
    };
    std::vector<Answer> answers;  ///< by regex
    std::uint64_t round = 0;
    std::uint64_t line_step = 0;  ///< 0: there is no line to read
    std::uint64_t segment_step = 0;
    std::vector<std::uint8_t> present;
    struct Admission {
        OwnedLogSource source;
        std::vector<std::uint8_t> admitted;
    };
    std::vector<Admission> admissions;
    std::span<const std::uint8_t> admitted;  ///< by log source of rules: whether the item's is meant
    NumberText numbers;
    std::optional<ProcessText> process;
    bool is_parsed = false;   ///< or will be when somebody asks
    std::size_t segment = 0;  ///< the one that segment predicates are about
    std::vector<std::size_t> order;
};

}  // namespace fieldwatch::detect
