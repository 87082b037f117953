// reduce: texts grouped by the words that are frequent at their place (Vaarandi, A data clustering algorithm
// for mining patterns from event logs, 2003). Two passes over the distinct texts: the words, the patterns.
#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/unicode.hpp"
#include "kql/binder.hpp"

namespace fieldwatch::kql {
namespace {

using enum ColumnType;

constexpr std::size_t kTextMax = 4096;  // characters of a text that are looked at
constexpr std::size_t kSeparatorsMax = 100;
constexpr std::size_t kLevelsMax = 8;

bool is_given(const Operator& op, std::string_view key) {
    return std::ranges::any_of(op.parameters, [&](const auto& one) { return one.first == key; });
}

/// Insides of classes of a regular expression: what stands between words, and what of that a star takes in.
struct Separators {
    std::string between = "^a-zA-Z0-9", taken_in;
};
Parsed<Separators> separators(const Operator& op) {
    Separators result;
    if (!is_given(op, "characters")) return result;
    const auto points = code_points(op.parameter("characters"));
    if (!points || points->empty() || points->size() > kSeparatorsMax)
        return semantic_error(op.place("characters"),
                              fmt::format("characters is a text of 1 to {} characters", kSeparatorsMax));
    result.between.clear();
    for (const auto point : *points) {
        const auto one = fmt::format("\\x{{{:x}}}", static_cast<std::uint32_t>(point));
        result.between += one;
        if (point != U' ') result.taken_in += one;
    }
    return result;
}

Parsed<double> threshold(const Operator& op) {
    if (!is_given(op, "threshold")) return 0.1;
    const auto text = op.parameter("threshold");
    double value = 0;
    const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
    if (end.ec != std::errc{} || end.ptr != text.data() + text.size() || !(value >= 0 && value <= 1))
        return semantic_error(op.place("threshold"), "the threshold is a number of 0 to 1");
    return value;
}

/// Enough rows to be a pattern: the threshold's part of all, and two.
ExprPtr enough(const ExprPtr& rows, const ExprPtr& total, double threshold) {
    return call(Bool, "({0} >= 2 AND CAST({0} AS DOUBLE) / {1} >= {2})",
                {rows, total, constant(Real, threshold)});
}

ExprPtr sum_of_rows(const ExprPtr& rows) {
    return aggregate_call(Long, "TRY_CAST(sum({0}) AS BIGINT)", {rows});
}

}  // namespace

/// The distinct texts: fields are each, how many rows have it, and what of it is looked at.
Relation Binder::distinct_texts(const Relation& relation, const ExprPtr& text) {
    auto group = make_plan(PlanKind::Aggregate, {relation.plan});
    const auto value = new_id(), rows = new_id();
    group->keys.push_back({value, text});
    group->columns.push_back({rows, aggregate_call(Long, "count(*)", {})});
    Relation texts{.plan = group, .fields = {{"", column_ref(value, String)}, {"", column_ref(rows, Long)}}};
    // chr(1) will stand for what is left out.
    texts.fields.push_back({"", call(String, fmt::format("replace(left({{0}}, {}), chr(1), ' ')", kTextMax),
                                     {texts.fields[0].value})});
    seal(texts);
    texts.plan = make_plan(PlanKind::Shared, {texts.plan});
    return texts;
}

/// A row for each word: fields are its text, that one's rows, where the word stands, what is before it, the
/// word.
Relation Binder::words_of(const Relation& texts, const std::string& between) {
    const auto word = between.starts_with('^') ? between.substr(1) : "^" + between;
    const auto pieces = text_constant(fmt::format("([{}]*)([{}]+)", between, word));
    auto unnest = make_plan(PlanKind::Unnest, {texts.plan});
    Relation words{.plan = unnest, .fields = {texts.fields[0], texts.fields[1]}};
    const auto part = [&](ColumnType type, std::string sql) {
        const auto id = new_id();
        unnest->columns.push_back({id, call(Dynamic, std::move(sql), {texts.fields[2].value, pieces})});
        words.fields.push_back({"", column_ref(id, type)});
    };
    part(Long, "range(CAST(len(regexp_extract_all({0}, {1}, 2)) AS BIGINT))");
    part(String, "regexp_extract_all({0}, {1}, 1)");
    part(String, "regexp_extract_all({0}, {1}, 2)");
    seal(words);
    words.plan = make_plan(PlanKind::Shared, {words.plan});
    return words;
}

/// Gives each text a pattern for each part of the rows that its words have to be in at least: the text with
/// chr(1) for all other words, '' where none is left. Then, as fields of `texts`, stars for those.
void Binder::add_word_patterns(Relation& texts, const ExprPtr& total, const std::vector<double>& levels,
                               const std::string& between, const std::string& taken_in) {
    const auto words = words_of(texts, between);
    auto frequent = make_plan(PlanKind::Aggregate, {words.plan});
    const auto place = new_id(), text = new_id(), rows = new_id();
    frequent->keys = {{place, words.fields[2].value}, {text, words.fields[4].value}};
    frequent->columns.push_back({rows, sum_of_rows(words.fields[1].value)});
    auto joined = make_plan(PlanKind::Join, {words.plan, frequent});
    joined->exprs = {words.fields[2].value, column_ref(place, Long), words.fields[4].value,
                     column_ref(text, String)};
    auto written = make_plan(PlanKind::Aggregate, {joined});
    const auto of = new_id();
    written->keys.push_back({of, words.fields[0].value});
    for (const auto level : levels) {
        written->columns.push_back(
            {new_id(), aggregate_call(
                           String,
                           "CASE WHEN bool_or({0}) THEN string_agg({1} || CASE WHEN {0} THEN {2} ELSE chr(1) "
                           "END, '' ORDER BY {3}) END",
                           {enough(column_ref(rows, Long), total, level), words.fields[3].value,
                            words.fields[4].value, words.fields[2].value})});
    }
    auto back = make_plan(PlanKind::Join, {texts.plan, written});
    back->join = JoinKind::LeftOuter;
    back->exprs = {texts.fields[0].value, column_ref(of, String)};
    texts.plan = std::move(back);
    const auto ends = taken_in.empty() ? std::string() : fmt::format("[{}]*", taken_in);
    const auto left_out = text_constant(fmt::format("{0}\\x01(?:[{1}]*\\x01)*{0}", ends, between));
    const auto behind = text_constant(fmt::format("[{}]*$", between));
    for (const auto& column : written->columns)
        texts.fields.push_back(
            {"",
             call(String,
                  fmt::format("coalesce(regexp_replace({{0}} || regexp_extract({{1}}, {{2}}) || CASE WHEN "
                              "length({{3}}) > {} THEN chr(1) ELSE '' END, {{4}}, '*', 'g'), '')",
                              kTextMax),
                  {column_ref(column.id, String), texts.fields[2].value, behind, texts.fields[0].value,
                   left_out})});
    seal(texts);
}

/// The first of a text's patterns that enough rows have, '' where none is, as the only field beside the text
/// and its rows.
void Binder::choose_word_pattern(Relation& texts, const ExprPtr& total, double threshold) {
    std::vector<ExprPtr> patterns;
    for (std::size_t i = 3; i < texts.fields.size(); ++i) {
        const auto& pattern = texts.fields[i].value;
        auto sum = std::make_shared<Expr>(
            *call(Long, "TRY_CAST(sum({0}) OVER ({partition}) AS BIGINT)", {texts.fields[1].value}));
        sum->window = true;
        sum->partition = {pattern};
        patterns.push_back(pattern);
        patterns.push_back(enough(ExprPtr(sum), total, threshold));
    }
    std::string sql = "CASE";
    for (std::size_t i = 0; i < patterns.size(); i += 2)
        sql += fmt::format(" WHEN {{{}}} <> '' AND {{{}}} THEN {{{}}}", i, i + 1, i);
    texts.fields.resize(2);
    texts.fields.push_back({"", call(String, sql + " ELSE '' END", std::move(patterns))});
    seal(texts);
}

/// reduce [kind=source] by text [with threshold=0.1, characters='…']
Parsed<> Binder::reduce(Relation& relation, const Operator& op) {
    for (const auto& [key, where] : op.places) {
        if (key != "kind" && key != "threshold" && key != "characters")
            return semantic_error(where,
                                  fmt::format("reduce takes kind, threshold and characters, not '{}'", key));
    }
    const bool source = is_given(op, "kind");
    if (source && op.parameter("kind") != "source")
        return semantic_error(op.place("kind"), "reduce's kind is source");
    const auto between = FIELDWATCH_TRY(separators(op));
    const auto part = FIELDWATCH_TRY(threshold(op));
    auto text = FIELDWATCH_TRY(expression(*op.on, {.relation = &relation}));
    if (text->type == Dynamic) text = to_string_expr(text);
    if (text->type != String)
        return semantic_error(op.on->span, fmt::format("reduce groups strings, but this is {}; tostring(…) "
                                                       "converts it",
                                                       to_string(text->type)));
    relation.fields.push_back({"$text", text, true});
    seal(relation);
    auto texts = distinct_texts(relation, relation.fields.back().value);
    auto all = make_plan(PlanKind::Aggregate, {texts.plan});
    all->columns.push_back({new_id(), sum_of_rows(texts.fields[1].value)});
    const auto total = scalar_of(all, Long);
    std::vector<double> levels{part};
    while (part > 0 && levels.size() < kLevelsMax && levels.back() * 2 <= 1)
        levels.push_back(levels.back() * 2);
    add_word_patterns(texts, total, levels, between.between, between.taken_in);
    choose_word_pattern(texts, total, part);
    const auto pattern = texts.fields[2].value;
    const auto named = call(String, "CASE WHEN {0} <> '' THEN {0} ELSE 'others' END", {pattern});
    if (source) {
        auto joined = make_plan(PlanKind::Join, {relation.plan, texts.plan});
        joined->exprs = {relation.fields.back().value, texts.fields[0].value};
        relation.fields.pop_back();
        relation.plan = std::move(joined);
        add_field(relation.fields, "Pattern", named);
        return {};
    }
    auto groups = make_plan(PlanKind::Aggregate, {texts.plan});
    const auto told = new_id(), name = new_id(), rows = new_id(), first = new_id();
    groups->keys = {{told, call(Bool, "({0} <> '')", {pattern})}, {name, named}};
    groups->columns.push_back({rows, sum_of_rows(texts.fields[1].value)});
    groups->columns.push_back({first, aggregate_call(String, "min({0})", {texts.fields[0].value})});
    Relation result{.plan = groups};
    result.fields = {{"Pattern", column_ref(name, String)},
                     {"Count", column_ref(rows, Long)},
                     {"Representative", call(String, "CASE WHEN {0} THEN {1} ELSE '' END",
                                             {column_ref(told, Bool), column_ref(first, String)})}};
    result.order = {{column_ref(rows, Long), true, false}, {column_ref(name, String), false, true}};
    relation = std::move(result);
    return {};
}

}  // namespace fieldwatch::kql
