// parse, parse-where and parse-kv: patterns of texts and columns, and pairs of keys and values, become
// regular expressions.
#include <algorithm>

#include <fmt/format.h>
#include <re2/re2.h>

#include "kql/binder.hpp"
#include "kql/functions.hpp"

namespace fieldwatch::kql {
namespace {

using enum ColumnType;

struct ParsedColumn {
    std::string name;
    ColumnType type;
    int group;
};
struct ParsePattern {
    std::string text;
    int groups = 0;
    std::vector<ParsedColumn> columns;
};

/// What a column's text looks like. A relaxed one takes any text: what is none of its type is null.
std::string_view shape(std::string_view type, std::string_view kind, bool last) {
    const bool relaxed = kind == "relaxed";
    if (type == "int" || type == "long") return relaxed ? "(-?\\d+|.*?)" : "(-?\\d+)";
    if (type == "real" || type == "decimal")
        return relaxed ? "(-?\\d+(?:[.]\\d+)?|.*?)" : "(-?\\d+(?:[.]\\d+)?)";
    return last || kind == "regex" ? "(.*)" : "(.*?)";
}

/// How a text holds its pairs, in pieces of regular expressions.
struct PairForm {
    std::string pair, between;        ///< delimiters; both "" where anything but letters and digits is one
    std::vector<std::string> quotes;  ///< of one character, or of an opening and a closing one
    std::string escapes;              ///< characters that take the next one as it is, between quotes
    bool greedy = false;              ///< an unquoted value goes on to the next of the keys

    static std::string one_of(std::string_view characters) {
        std::string out;
        for (const char c : characters)
            out += RE2::QuoteMeta(std::string_view(&c, 1));
        return out;
    }
    /// A quoted text, its inside a group or not.
    std::string quoted(const std::string& quote, bool group) const {
        const auto inside = escapes.empty() ? fmt::format("[^{}]*", one_of(quote.substr(quote.size() - 1)))
                                            : fmt::format("(?:[{0}].|[^{0}{1}])*", one_of(escapes),
                                                          one_of(quote.substr(quote.size() - 1)));
        return RE2::QuoteMeta(quote.substr(0, 1)) + (group ? "(" : "(?:") + inside + ")" +
               RE2::QuoteMeta(quote.substr(quote.size() - 1));
    }
    std::string key(const std::string& name) const {
        auto out = RE2::QuoteMeta(name);
        for (const auto& quote : quotes)
            out += fmt::format("|{}{}{}", RE2::QuoteMeta(quote.substr(0, 1)), RE2::QuoteMeta(name),
                               RE2::QuoteMeta(quote.substr(quote.size() - 1)));
        return "(?:" + out + ")";
    }
    /// The first pair of that key, with a group for the inside of each kind of quotes and one for a bare
    /// value. What stands before it goes by whole pairs, so that no key is found in a quoted value.
    std::string first_pair(const std::string& name, const std::vector<std::string>& names) const {
        std::string quoted_values, passed;
        for (const auto& quote : quotes) {
            quoted_values += quoted(quote, true) + "|";
            passed += quoted(quote, false) + "|";
        }
        if (pair.empty())
            return fmt::format("(?s)(?:^|[^\\pL\\pN]){}[^\\pL\\pN]+?(?:{}([\\pL\\pN]+))", key(name),
                               quoted_values);
        const auto end = RE2::QuoteMeta(pair), separator = RE2::QuoteMeta(between);
        const bool one = pair.size() == 1;
        const auto blank = one ? fmt::format("[^\\S{}]*", end) : std::string("\\s*");
        std::string next = end;
        if (greedy) {
            std::string keys;
            for (const auto& other : names)
                keys += (keys.empty() ? "" : "|") + key(other);
            next += fmt::format("{}(?:{}){}{}", "\\s*", keys, blank, separator);
        }
        return fmt::format("(?s)^(?:(?:{0}{1}{2})*?{3}{4}{3}{5}{3}(?:{6}({7})){3}(?:{8}|$)", passed,
                           one ? fmt::format("[^{}])*", end) : ".)*?", end, blank, key(name), separator,
                           quoted_values, one && !greedy ? fmt::format("[^{}]*?", end) : ".*?", next);
    }
};

}  // namespace

Parsed<> Binder::parse(Relation& relation, const Operator& op) {
    auto kind = op.parameter("kind");
    const auto flags = op.parameter("flags");
    if (kind.empty()) kind = "simple";
    if (kind != "simple" && kind != "relaxed" && kind != "regex")
        return semantic_error(op.span,
                              fmt::format("parse's kind is simple, relaxed or regex, not '{}'", kind));
    if (flags.find_first_not_of("Uims") != std::string::npos || (!flags.empty() && kind != "regex"))
        return semantic_error(op.span, "flags belong to kind=regex and are of U, i, m and s");
    auto text = to_string_expr(FIELDWATCH_TRY(expression(*op.on, {.relation = &relation})));
    const bool regex = kind == "regex";
    ParsePattern pattern{.text = regex ? (flags.empty() ? "^" : fmt::format("(?{})^", flags)) : "(?s)^"};
    const std::string_view any = flags.contains('U') ? ".*" : ".*?";
    for (std::size_t i = 0; i < op.items.size(); ++i) {
        const auto& piece = op.items[i];
        const bool last = i + 1 == op.items.size();
        if (piece.order == "*") {
            pattern.text += last ? ".*" : any;
        } else if (piece.value) {
            const auto value = FIELDWATCH_TRY(expression(*piece.value, {}));
            const auto literal = text_value(value);
            if (!literal || literal->empty())
                return semantic_error(piece.span, "a piece of the pattern is a string that is not empty");
            if (regex) FIELDWATCH_TRY(check_regex(value, piece.span));
            pattern.text += regex ? fmt::format("(?:{})", *literal) : RE2::QuoteMeta(*literal);
            if (regex) pattern.groups += capture_groups(*literal);
        } else {
            if (i > 0 && !op.items[i - 1].names.empty() && piece.type == "string")
                return semantic_error(piece.span, "between two columns the pattern needs a string");
            pattern.text += shape(piece.type, kind, last);
            pattern.columns.push_back({piece.names[0], *type_by_name(piece.type), ++pattern.groups});
        }
    }
    pattern.text += op.items.back().value ? ".*$" : "$";
    if (pattern.groups > 16) return limit_error(op.span, "parse takes at most 16 columns and groups");
    const auto whole = text_constant(pattern.text);
    FIELDWATCH_TRY(check_regex(whole, op.span));
    auto result = relation;
    ExprPtr matched = call(Bool, "regexp_matches({0}, {1})", {text, whole});
    std::vector<ExprPtr> values;
    for (const auto& column : pattern.columns) {
        const auto part =
            call(String, fmt::format("regexp_extract({{0}}, {{1}}, {})", column.group), {text, whole});
        values.push_back(column.type == Dynamic ? special(ExprKind::Parse, Dynamic, part)
                                                : convert(part, column.type));
        const bool checked = column.type != String && column.type != Dynamic && column.type != Decimal &&
                             !is_number(column.type);
        if (kind != "relaxed" && checked)
            matched = call(Bool, "({0} AND {1} IS NOT NULL)", {matched, values.back()});
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
        const auto& value = values[i];
        const bool strict = matched->args.size() == 2 && matched->sql.starts_with("({0} AND");
        set_field(result, pattern.columns[i].name,
                  strict ? call(value->type,
                                value->type == String ? "CASE WHEN {0} THEN {1} ELSE '' END"
                                                      : "CASE WHEN {0} THEN {1} END",
                                {matched, value})
                         : value);
    }
    relation = std::move(result);
    if (op.name == "parse-where") filter(relation, matched);
    return {};
}

/// parse-kv: the first pair of each key.
Parsed<> Binder::parse_pairs(Relation& relation, const Operator& op) {
    auto text = FIELDWATCH_TRY(expression(*op.on, {.relation = &relation}));
    if (text->type == Dynamic) text = to_string_expr(text);
    if (text->type != String)
        return semantic_error(op.on->span,
                              fmt::format("parse-kv takes a string, but this is {}", to_string(text->type)));
    PairForm form;
    std::string regex;
    for (const auto& [key, value] : op.parameters) {
        if (key == "pair_delimiter")
            form.pair = value;
        else if (key == "kv_delimiter")
            form.between = value;
        else if (key == "quote")
            form.quotes.push_back(value);
        else if (key == "escape")
            form.escapes += value;
        else if (key == "greedy" && (value == "true" || value == "false"))
            form.greedy = value == "true";
        else if (key == "regex")
            regex = value;
        else
            return semantic_error(op.place(key),
                                  fmt::format("parse-kv has no property '{}={}'; there are pair_delimiter, "
                                              "kv_delimiter, quote, escape, greedy and regex",
                                              key, value));
    }
    const auto bad_quote = [](const std::string& quote) { return quote.empty() || quote.size() > 2; };
    if (std::ranges::any_of(form.quotes, bad_quote))
        return semantic_error(op.place("quote"), "a quote is one character, or an opening and a closing one");
    if (form.pair.empty() != form.between.empty())
        return semantic_error(op.span, "pair_delimiter and kv_delimiter go together, and neither is empty");
    if (!regex.empty()) {
        FIELDWATCH_TRY(check_regex(text_constant(regex), op.place("regex")));
        if (op.parameters.size() > 1 || capture_groups(regex) != 2)
            return semantic_error(op.place("regex"),
                                  "the regular expression stands alone, and has two groups: key and value");
    }
    std::vector<std::string> names;
    for (const auto& key : op.items)
        names.push_back(key.names[0]);
    auto result = relation;
    for (const auto& key : op.items) {
        ExprPtr value;
        if (!regex.empty()) {
            value = call(String,
                         "coalesce(trim(list_filter(list_zip(regexp_extract_all({0}, {1}, 1), "
                         "regexp_extract_all({0}, {1}, 2)), lambda p: trim(p[1]) = {2})[1][2]), '')",
                         {text, text_constant(regex), text_constant(key.names[0])});
        } else {
            const auto pattern = text_constant(form.first_pair(key.names[0], names));
            FIELDWATCH_TRY(check_regex(pattern, op.span));
            std::string sql;
            std::vector<ExprPtr> args{text, pattern};
            for (std::size_t i = 1; i <= form.quotes.size(); ++i) {
                auto inside = fmt::format("regexp_extract({{0}}, {{1}}, {})", i);
                if (!form.escapes.empty())
                    inside = fmt::format("regexp_replace({}, {{2}}, '\\1', 'gs')", inside);
                sql += fmt::format("nullif({}, ''), ", inside);
            }
            if (!form.escapes.empty())
                args.push_back(text_constant(fmt::format("[{}](.)", PairForm::one_of(form.escapes))));
            const auto bare = fmt::format("trim(regexp_extract({{0}}, {{1}}, {}))", form.quotes.size() + 1);
            value =
                call(String, sql.empty() ? bare : fmt::format("coalesce({}{})", sql, bare), std::move(args));
        }
        set_field(result, key.names[0], convert(value, *type_by_name(key.type)));
    }
    relation = std::move(result);
    return {};
}

}  // namespace fieldwatch::kql
