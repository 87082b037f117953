#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <re2/re2.h>

#include "kql/binder.hpp"
#include "kql/functions.hpp"
#include "kql/functions_sql.hpp"

namespace fieldwatch::kql {
namespace {

using enum ColumnType;

ColumnType type_of_letter(char letter) {
    switch (letter) {
        case 'b':
            return Bool;
        case 'i':
            return Int;
        case 'l':
        case 'c':
            return Long;
        case 'r':
            return Real;
        case 'd':
            return Decimal;
        case 'g':
            return Guid;
        case 't':
            return DateTime;
        case 'n':
            return TimeSpan;
        case 'j':
        case 'a':
            return Dynamic;
        default:
            return String;
    }
}

/// How far a value is from a parameter's type; negative when it does not fit.
int distance(const ExprPtr& value, char letter) {
    const auto type = type_of_letter(letter);
    if (value->type == type) return 0;
    if (letter == 'a') return 7;
    if (is_null(value)) return 1;
    if (value->type == Int && type == Long) return 1;
    if ((is_integral(value->type) || value->type == Decimal) && type == Real) return 2;
    if (value->type == Dynamic) return type == String ? 5 : 6;
    return -1;
}

/// Functions of text that take any scalar's text.
bool takes_text_of(std::string_view name) {
    return name == "reverse" || name == "substring" || name == "strrep" || name == "hash_sha256" ||
           name == "hash_sha1" || name == "hash_md5";
}

std::string type_list(std::string_view args) {
    std::string out;
    bool optional = false;
    for (const char c : args) {
        if (c == '?') {
            optional = true;
            continue;
        }
        out += fmt::format("{}{}{}", out.empty() ? "" : ", ", optional ? "optional " : "",
                           to_string(type_of_letter(c)));
    }
    return "(" + out + ")";
}

/// startofday() of a constant is a constant: a filter on time by it then shows which files are needed.
ExprPtr folded_start_of_day(const Node& node, const std::vector<ExprPtr>& args) {
    if (node.text != "startofday" || args.size() != 1 || args[0]->type != DateTime) return nullptr;
    const auto ticks = integer_value(args[0]);
    if (!ticks || *ticks < 0) return nullptr;
    return constant(DateTime, *ticks - *ticks % kTicksPerDay);
}

}  // namespace

int capture_groups(const std::string& pattern) {
    const RE2 compiled(pattern, RE2::Quiet);
    return compiled.NumberOfCapturingGroups();
}

int capture_group(const std::string& pattern, const std::string& name) {
    const RE2 compiled(pattern, RE2::Quiet);
    const auto& names = compiled.NamedCapturingGroups();
    const auto at = names.find(name);
    return at == names.end() ? 0 : at->second;
}

namespace {

/// What other languages call a function.
std::string_view function_called_here(std::string_view name) {
    constexpr std::pair<std::string_view, std::string_view> kNames[] = {{"if", "iff"},
                                                                        {"len", "strlen"},
                                                                        {"length", "strlen"},
                                                                        {"lower", "tolower"},
                                                                        {"upper", "toupper"},
                                                                        {"substr", "substring"},
                                                                        {"mid", "substring"},
                                                                        {"concat", "strcat"},
                                                                        {"ifnull", "coalesce"},
                                                                        {"nvl", "coalesce"},
                                                                        {"isnullorempty", "isempty"},
                                                                        {"dateadd", "datetime_add"},
                                                                        {"date_add", "datetime_add"},
                                                                        {"datediff", "datetime_diff"},
                                                                        {"date_diff", "datetime_diff"},
                                                                        {"date_trunc", "bin"},
                                                                        {"getdate", "now"},
                                                                        {"date_format", "format_datetime"},
                                                                        {"strftime", "format_datetime"},
                                                                        {"regexp_extract", "extract"},
                                                                        {"regexp_replace", "replace_regex"},
                                                                        {"instr", "indexof"},
                                                                        {"char", "make_string"},
                                                                        {"chr", "make_string"},
                                                                        {"charindex", "indexof"},
                                                                        {"json_extract", "extract_json"},
                                                                        {"from_json", "parse_json"},
                                                                        {"values", "make_set"},
                                                                        {"array_agg", "make_list"},
                                                                        {"string_agg", "make_list"},
                                                                        {"size", "array_length"},
                                                                        {"cardinality", "array_length"},
                                                                        {"mean", "avg"},
                                                                        {"median", "percentile"}};
    for (const auto& [theirs, ours] : kNames) {
        if (theirs == name) return ours;
    }
    return "";
}

/// A name that nothing has: what the language has and we do not, an operator written as a call, or a slip.
std::unexpected<Failure> unknown_function(const Node& node) {
    const auto& refused = refused_function_names();
    if (std::ranges::find(refused, node.text) != refused.end())
        return unsupported(node.span, fmt::format("the function '{}' is not supported", node.text));
    std::string lower = node.text;
    for (char& c : lower)
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    if (const auto ours = function_called_here(lower); !ours.empty())
        return semantic_error(node.span,
                              fmt::format("unknown function '{}'; here it is called '{}'", node.text, ours));
    constexpr std::string_view kOperators[] = {"contains",  "startswith", "endswith", "has",
                                               "hasprefix", "hassuffix",  "has_any",  "has_all",
                                               "in",        "between",    "matches"};
    const std::vector<std::string> operators(std::begin(kOperators), std::end(kOperators));
    std::vector<std::string> names;
    for (const auto rows : {aggregate_rows(), special_rows()}) {
        for (const auto& row : rows)
            names.emplace_back(row.name);
    }
    for (const auto& row : function_rows())
        names.emplace_back(row.name);
    names.insert(names.end(), operators.begin(), operators.end());
    const auto meant = nearest(node.text, names);
    if (std::ranges::find(operators, meant) != operators.end())
        return semantic_error(node.span, fmt::format("unknown function '{}'; {} is an operator, as in a {} b",
                                                     node.text, meant, meant));
    return semantic_error(node.span, fmt::format("unknown or unsupported function '{}'{}", node.text,
                                                 did_you_mean(node.text, names)));
}

/// Whether what it makes may be longer than what it is given, so that a chain of it has no end: JSON takes
/// more characters than the text in it, and two arrays are longer than one.
bool grows(const FunctionRow& row, const std::vector<ExprPtr>& args) {
    constexpr std::string_view kLonger[] = {"base64_encode_tostring",
                                            "base64_encodestring",
                                            "regex_quote",
                                            "translate",
                                            "url_encode",
                                            "replace_strings",
                                            "url_encode_component",
                                            "make_string",
                                            "unicode_codepoints_to_string"};
    if (row.result == 's') return std::ranges::find(kLonger, row.name) != std::end(kLonger);
    return row.result == 'j' && (std::ranges::count(args, ColumnType::Dynamic, &Expr::type) > 1 ||
                                 std::ranges::count(args, ColumnType::String, &Expr::type) > 0);
}

}  // namespace

Parsed<std::vector<ExprPtr>> Binder::arguments(const Node& node, const Scope& scope) {
    std::vector<ExprPtr> args;
    for (const auto& arg : node.args)
        args.push_back(FIELDWATCH_TRY(expression(*arg, scope)));
    return args;
}

Parsed<ExprPtr> Binder::function(const Node& node, const Scope& scope) {
    if (const auto* found = defined(node.text); found && found->let && found->let->function)
        return scalar_function(*found, node, scope);
    if (is_aggregate(node.text)) {
        if (!scope.aggregates)
            return semantic_error(
                node.span,
                fmt::format("'{}' is an aggregate: it has a meaning only in summarize and make-series",
                            node.text));
        return aggregate(node, scope);
    }
    if (auto result = FIELDWATCH_TRY(special_function(node, scope))) return *result;
    auto args = FIELDWATCH_TRY(arguments(node, scope));
    if (takes_text_of(node.text) && !args.empty()) args[0] = to_string_expr(args[0]);
    if (auto folded = folded_start_of_day(node, args)) return folded;
    return table_function(node, std::move(args));
}

Parsed<ExprPtr> Binder::table_function(const Node& node, std::vector<ExprPtr> args) {
    const FunctionRow* best = nullptr;
    int best_distance = 1'000'000;
    std::string known;
    for (const auto& row : function_rows()) {
        if (row.name != node.text) continue;
        known += (known.empty() ? "" : " or ") + type_list(row.args);
        std::string letters;
        std::size_t required = std::string_view::npos;
        for (const char c : row.args) {
            if (c == '?')
                required = letters.size();
            else
                letters.push_back(c);
        }
        if (required == std::string_view::npos) required = letters.size();
        if (args.size() < required || args.size() > letters.size()) continue;
        int total = 0;
        for (std::size_t i = 0; i < args.size() && total >= 0; ++i) {
            const int one = distance(args[i], letters[i]);
            total = one < 0 ? -1 : total + one;
        }
        if (total >= 0 && total < best_distance) best = &row, best_distance = total;
    }
    if (known.empty()) return unknown_function(node);
    if (!best) {
        std::string given;
        for (const auto& arg : args)
            given += fmt::format("{}{}", given.empty() ? "" : ", ", to_string(arg->type));
        return semantic_error(node.span,
                              fmt::format("{} takes {}, but this is ({})", node.text, known, given));
    }
    std::string sql(best->sql);
    std::string fallback;
    if (const auto bar = sql.rfind('|'); best->args.contains('?') && bar != std::string::npos) {
        fallback = sql.substr(bar + 1);
        sql.resize(bar);
    }
    std::size_t i = 0;
    for (const char letter : best->args) {
        if (letter == '?') continue;
        if (i >= args.size()) {
            args.push_back(fallback == "null" ? null_of(type_of_letter(letter))
                                              : long_constant(std::stoll(fallback)));
        } else {
            if (letter == 'k') FIELDWATCH_TRY(check_regex(args[i], node.args[i]->span));
            if (letter == 'c' && !integer_value(args[i]))
                return unsupported(node.args[i]->span,
                                   fmt::format("{} needs a constant whole number here", node.text));
            args[i] = letter == 'a' ? to_dynamic(args[i]) : widen(args[i], type_of_letter(letter));
        }
        ++i;
    }
    if (node.text == "strcat_array" && !is_constant(args[1]))
        return unsupported(node.args[1]->span, "the delimiter must be a constant string");
    if (node.text == "extract") {
        const auto group = *integer_value(args[1]);
        if (group < 0 || group > 16)
            return semantic_error(node.args[1]->span, "the capture group is 0 to 16");
        args[1] = constant(Int, group);
        // A group that the pattern lacks would stop the engine.
        if (group > capture_groups(*text_value(args[0])))
            return semantic_error(node.args[1]->span, fmt::format("the pattern has no group {}", group));
    }
    const auto is_random = [](const ExprPtr& arg) { return arg->random; };
    if (best->traits.asks_table && std::ranges::any_of(args, is_random))
        return unsupported(node.span, fmt::format("{} of a random value is not supported; extend a column "
                                                  "with the value first",
                                                  node.text));
    constexpr std::string_view kZone = KNOWN_ZONE;
    if (const auto at = sql.find(kZone);
        at != std::string::npos && args.size() > 1 && !is_constant(args[1]) && args[1]->over_lists)
        sql.replace(at, kZone.size(), LISTED_ZONE);
    if (grows(*best, args)) sql = "kql_within(" + sql + ")";
    return call(type_of_letter(best->result), std::move(sql), std::move(args), best->traits);
}

}  // namespace fieldwatch::kql
