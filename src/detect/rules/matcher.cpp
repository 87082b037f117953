#include <hs/hs.h>

#include <algorithm>

#include "detect/rules/program.hpp"
#include "detect/rules/rule_set.hpp"

namespace fieldwatch::detect {
namespace {

/// What the predicates of one text are. Texts repeat: an image, a user, a cron job's line. Direct-mapped,
/// bounded: kEntries texts of at most kTextMax bytes; a collision replaces.
struct TextMemo {
    static constexpr std::size_t kTextMax = 1'024;
    struct Entry {
        std::string key;
        std::vector<PredicateId> predicates;
        std::vector<std::uint32_t> segment_ends;  ///< line memo: predicates of segment i end here
        std::uint32_t line_end = 0;               ///< line memo: those of line.* come first
        std::vector<std::uint32_t> order;  ///< line memo: segments that only carry another text come last, so
                                           ///< that a command has the same key, wrapped or not
        bool used = false;
    };
    explicit TextMemo(std::size_t count) : entries(count) {}
    Entry& place(std::string_view text) { return entries[hash64(as_bytes(text)) % entries.size()]; }
    std::vector<Entry> entries;
};

}  // namespace

struct MatcherState {
    static constexpr std::size_t kFieldEntries = 512;
    static constexpr std::size_t kLineEntries = 4'096;

    explicit MatcherState(RuleSetPtr rule_set)
        : rules(std::move(rule_set)),
          inside(rules->internals()),
          command(inside.options.command),
          lines(kLineEntries) {
        for (const auto& field : inside.fields) {
            if (field.database() != nullptr) hs_alloc_scratch(field.database(), &scratch);
        }
        fields.resize(inside.fields.size(), TextMemo(0));
        present.resize(inside.fields.size(), 0);
        bits.resize((inside.predicate_count + 63) / 64);
        woken_at.resize(inside.metas.size(), 0);
        admitted.resize(inside.sources.size());
    }
    MatcherState(const MatcherState&) = delete;
    MatcherState& operator=(const MatcherState&) = delete;
    ~MatcherState() { hs_free_scratch(scratch); }

    void match(const model::Event& event, const model::Item& item, std::vector<RuleHit>& hits,
               ExtraFields extra);

    bool holds(PredicateId id) const { return (bits[id >> 6] >> (id & 63) & 1) != 0; }
    /// Sets predicates and wakes their rules; what was set is remembered for clearing.
    void raise(std::span<const PredicateId> ids, std::vector<PredicateId>& raised,
               std::vector<std::uint32_t>& candidates);
    bool evaluate(std::uint32_t node) const;
    void value(FieldId field, std::string_view text);
    const std::vector<PredicateId>& remembered(FieldId field, std::string_view text);
    void append_predicates(FieldId field, std::string_view text, std::vector<PredicateId>& into);
    void admit(const LogSource& source);
    const TextMemo::Entry& line_predicates(const ProcessText& text);
    void fill_line(TextMemo::Entry& entry);
    void fire(std::uint32_t rule, std::int32_t segment, std::vector<RuleHit>& hits);
    void match_segments(const TextMemo::Entry& entry, std::vector<RuleHit>& hits);
    void absorb(std::vector<RuleHit>& hits, std::size_t first) const;
    CommandLine& parsed();

    RuleSetPtr rules;
    const RuleSetInternals& inside;
    CommandLine command;
    hs_scratch* scratch = nullptr;
    std::string buffer, key;
    std::vector<TextMemo> fields;  ///< by field, allocated when first used
    TextMemo lines;
    TextMemo::Entry long_line;  ///< for lines too long to keep
    std::vector<FieldValue> values;
    std::vector<FieldId> seen;  ///< fields of the event that rules read
    std::vector<std::string_view> texts;
    std::vector<PredicateId> found, raised, segment_raised;
    std::vector<std::uint32_t> candidates, segment_candidates;
    std::vector<std::uint64_t> bits;
    std::vector<std::uint32_t> woken_at;  ///< by rule: the round it was last woken in
    std::uint32_t round = 0;
    std::vector<std::uint8_t> present, admitted;
    LogSource last_source;
    bool has_source = false;
    NumberText numbers;
    std::optional<ProcessText> process;
    bool is_parsed = false;
};

void MatcherState::raise(std::span<const PredicateId> ids, std::vector<PredicateId>& into,
                         std::vector<std::uint32_t>& woken) {
    for (const auto id : ids) {
        if (holds(id)) continue;
        bits[id >> 6] |= std::uint64_t{1} << (id & 63);
        into.push_back(id);
        for (auto i = inside.woken_first[id]; i < inside.woken_first[id + 1]; ++i) {
            const auto rule = inside.woken[i];
            if (woken_at[rule] == round || admitted[inside.source_of[rule]] == 0) continue;
            woken_at[rule] = round;
            woken.push_back(rule);
        }
    }
}

bool MatcherState::evaluate(std::uint32_t index) const {
    const auto& node = inside.nodes[index];
    if (node.kind == Expression::Kind::Leaf) return holds(node.first);
    const std::span children(inside.children.data() + node.first, node.count);
    const auto child = [this](std::uint32_t at) { return evaluate(at); };
    if (node.kind == Expression::Kind::Not) return !child(children[0]);
    return node.kind == Expression::Kind::And ? std::ranges::all_of(children, child)
                                              : std::ranges::any_of(children, child);
}

const std::vector<PredicateId>& MatcherState::remembered(FieldId field, std::string_view text) {
    auto& memo = fields[field];
    if (memo.entries.empty()) memo.entries.resize(kFieldEntries);
    auto& entry = memo.place(text);
    if (!entry.used || entry.key != text) {
        entry.used = true;
        entry.key.assign(text);
        entry.predicates.clear();
        inside.fields[field].match(text, scratch, buffer, entry.predicates);
    }
    return entry.predicates;
}

/// The words of command lines repeat though the lines do not: commands, options, paths. Long ones rarely do.
void MatcherState::append_predicates(FieldId field, std::string_view text, std::vector<PredicateId>& into) {
    constexpr std::size_t kWordBytesMax = 32;
    if (text.size() > kWordBytesMax) return inside.fields[field].match(text, scratch, buffer, into);
    const auto& ids = remembered(field, text);
    into.insert(into.end(), ids.begin(), ids.end());
}

void MatcherState::value(FieldId field, std::string_view text) {
    const auto& index = inside.fields[field];
    present[field] = 1;
    if (text.size() > TextMemo::kTextMax) {
        found.clear();
        index.match(text, scratch, buffer, found);
        raise(found, raised, candidates);
        return;
    }
    raise(remembered(field, text), raised, candidates);
}

/// A rule is for an event when each part of the log source that the rule names is the event's.
void MatcherState::admit(const LogSource& source) {
    for (std::size_t i = 0; i < admitted.size(); ++i) {
        const auto& wanted = inside.sources[i];
        admitted[i] = (wanted.product.empty() || wanted.product == source.product) &&
                      (wanted.category.empty() || wanted.category == source.category) &&
                      (wanted.service.empty() || is_part_of(source.service, wanted.service));
    }
}

CommandLine& MatcherState::parsed() {
    if (!is_parsed) {
        command.parse(process ? process->command_line : std::string_view{},
                      process ? process->working_directory : std::string_view{});
        is_parsed = true;
    }
    return command;
}

void MatcherState::fill_line(TextMemo::Entry& entry) {
    auto& line = parsed();
    entry.predicates.clear();
    entry.segment_ends.clear();
    const auto add = [&](const CommandUse& use, const Segment& segment) {
        texts.clear();
        command_values(line, segment, use.source, texts);
        for (const auto text : texts)
            append_predicates(use.field, text, entry.predicates);
    };
    for (const auto& use : inside.line_fields) {
        for (const auto& segment : line.segments())
            add(use, segment);
    }
    entry.order.clear();
    for (const bool carriers : {false, true}) {
        for (std::size_t i = 0; i < line.segments().size(); ++i) {
            if (line.segments()[i].has(Fact::Unwrapped) == carriers)
                entry.order.push_back(static_cast<std::uint32_t>(i));
        }
    }
    entry.line_end = static_cast<std::uint32_t>(entry.predicates.size());
    for (const auto& segment : line.segments()) {
        const auto first = static_cast<std::ptrdiff_t>(entry.predicates.size());
        for (const auto& use : inside.segment_fields) {
            texts.clear();
            command_values(line, segment, use.source, texts);
            const auto& index = inside.fields[use.field];
            if (texts.empty())
                entry.predicates.insert(entry.predicates.end(), index.absent().begin(), index.absent().end());
            for (const auto text : texts)
                append_predicates(use.field, text, entry.predicates);
        }
        std::sort(entry.predicates.begin() + first, entry.predicates.end());
        entry.predicates.erase(std::unique(entry.predicates.begin() + first, entry.predicates.end()),
                               entry.predicates.end());
        entry.segment_ends.push_back(static_cast<std::uint32_t>(entry.predicates.size()));
    }
}

const TextMemo::Entry& MatcherState::line_predicates(const ProcessText& text) {
    if (text.command_line.size() + text.working_directory.size() > TextMemo::kTextMax) {
        fill_line(long_line);
        return long_line;
    }
    key.assign(text.working_directory);
    key.push_back('\0');
    key.append(text.command_line);
    auto& entry = lines.place(key);
    if (!entry.used || entry.key != key) {
        entry.used = true;
        entry.key = key;
        fill_line(entry);
    }
    return entry;
}

void MatcherState::fire(std::uint32_t rule, std::int32_t segment, std::vector<RuleHit>& hits) {
    RuleHit hit{.rule = rule, .segment = segment, .segment_text = {}, .segment_name = {}};
    if (process) {
        auto& line = parsed();
        if (segment >= 0) {
            const auto& found_in = line.segments()[static_cast<std::size_t>(segment)];
            hit.segment_text = line.text(found_in);
            hit.segment_name = found_in.name;
        } else {
            hit.segment_text = line.raw();
            if (!line.segments().empty()) hit.segment_name = line.segments()[0].name;
        }
    }
    hits.push_back(std::move(hit));
}

void MatcherState::match_segments(const TextMemo::Entry& entry, std::vector<RuleHit>& hits) {
    for (const auto i : entry.order) {
        const auto begin = i == 0 ? entry.line_end : entry.segment_ends[i - 1];
        segment_raised.clear();
        segment_candidates.clear();
        raise(std::span(entry.predicates).subspan(begin, entry.segment_ends[i] - begin), segment_raised,
              segment_candidates);
        const auto try_rule = [&](std::uint32_t rule) {
            if (inside.per_segment[rule] == 0) return;
            const bool fired =
                std::ranges::any_of(hits, [&](const RuleHit& hit) { return hit.rule == rule; });
            if (!fired && evaluate(inside.roots[rule])) fire(rule, static_cast<std::int32_t>(i), hits);
        };
        for (const auto rule : candidates)
            try_rule(rule);
        for (const auto rule : segment_candidates) {
            try_rule(rule);
            woken_at[rule] = 0;  // the next segment may wake it again
        }
        for (const auto id : segment_raised)
            bits[id >> 6] &= ~(std::uint64_t{1} << (id & 63));
    }
}

void MatcherState::absorb(std::vector<RuleHit>& hits, std::size_t first) const {
    std::vector<std::string_view> absorbed;
    for (std::size_t i = first; i < hits.size(); ++i) {
        for (const auto& type : inside.metas[hits[i].rule].absorbs)
            absorbed.push_back(type);
    }
    if (absorbed.empty()) return;
    const auto gives_way = [&](const RuleHit& hit) {
        return std::ranges::find(absorbed, inside.metas[hit.rule].alert_type) != absorbed.end();
    };
    hits.erase(std::remove_if(hits.begin() + static_cast<std::ptrdiff_t>(first), hits.end(), gives_way),
               hits.end());
}

void MatcherState::match(const model::Event& event, const model::Item& item, std::vector<RuleHit>& out,
                         ExtraFields extra) {
    const auto source = log_source_of(event, item);
    admit(source);
    ++round;
    if (round == 0) {  // wrapped after four billion events
        std::ranges::fill(woken_at, 0U);
        round = 1;
    }
    candidates.clear();
    raised.clear();
    values.clear();
    seen.clear();
    numbers.clear();
    is_parsed = false;
    process = process_text(event, item);
    event_fields(event, item, inside.options.command.addresses, numbers, values);
    values.insert(values.end(), extra.begin(), extra.end());

    const bool log_line = event.kind == model::EventKind::SigmaEvent;
    for (const auto& [name, text] : values) {
        const auto field = inside.field_ids.find(name);
        if (field != inside.field_ids.end()) {
            value(field->second, text);
            seen.push_back(field->second);
        }
        if (log_line && inside.keywords != UINT32_MAX) value(inside.keywords, text);
    }
    for (const auto field : inside.with_absent) {
        if (present[field] == 0) raise(inside.fields[field].absent(), raised, candidates);
    }
    const bool reads_command = process && !process->command_line.empty() &&
                               !(inside.segment_fields.empty() && inside.line_fields.empty());
    const TextMemo::Entry* line = nullptr;
    if (reads_command) {
        line = &line_predicates(*process);
        raise(std::span(line->predicates).first(line->line_end), raised, candidates);
    }
    for (const auto rule : inside.always) {
        if (admitted[inside.source_of[rule]] != 0) candidates.push_back(rule);
    }

    std::vector<RuleHit> hits;
    for (const auto rule : candidates) {
        if (inside.per_segment[rule] == 0 && evaluate(inside.roots[rule])) fire(rule, -1, hits);
    }
    if (line != nullptr) match_segments(*line, hits);
    std::ranges::sort(hits, {}, &RuleHit::rule);
    std::ranges::move(hits, std::back_inserter(out));
    for (const auto id : raised)
        bits[id >> 6] &= ~(std::uint64_t{1} << (id & 63));
    for (const auto field : seen)
        present[field] = 0;
    if (inside.keywords != UINT32_MAX) present[inside.keywords] = 0;
}

Matcher::Matcher(RuleSetPtr rules) : state_(std::make_unique<MatcherState>(std::move(rules))) {}
Matcher::~Matcher() = default;
Matcher::Matcher(Matcher&&) noexcept = default;
Matcher& Matcher::operator=(Matcher&&) noexcept = default;

void Matcher::match(const model::Event& event, const model::Item& item, std::vector<RuleHit>& hits,
                    ExtraFields extra) {
    const auto first = hits.size();
    state_->match(event, item, hits, extra);
    if (hits.size() > first) state_->absorb(hits, first);
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

}  // namespace fieldwatch::detect
