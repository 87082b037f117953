// Operators between expressions: logic, comparison, arithmetic, text, between and in.
#include <algorithm>
#include <limits>

#include <fmt/format.h>
#include <re2/re2.h>

#include "kql/binder.hpp"

namespace fieldwatch::kql {

namespace {

constexpr std::string_view kRunBegins = "(^|[^\\pL\\pN])", kRunEnds = "($|[^\\pL\\pN])";

/// Whether the value depends on the rows, or on another table's.
bool reads_rows(const ExprPtr& value) {
    return value->kind == ExprKind::Column || value->plan != nullptr ||
           std::ranges::any_of(value->args, reads_rows);
}

/// SQL of the regular expression that finds the text of `term`, itself SQL, between ends of runs of letters
/// and digits.
std::string term_pattern(std::string_view term, bool whole_begin, bool whole_end) {
    std::string sql = fmt::format("regexp_escape({})", term);
    if (whole_begin)
        sql = fmt::format("CASE WHEN regexp_matches({}, '^[\\pL\\pN]') THEN '{}' ELSE '' END || {}", term,
                          kRunBegins, sql);
    if (whole_end)
        sql += fmt::format(" || CASE WHEN regexp_matches({}, '[\\pL\\pN]$') THEN '{}' ELSE '' END", term,
                           kRunEnds);
    return "(" + sql + ")";
}

/// Ten digits behind the point are kept; what does not fit is null, as is division by zero.
ExprPtr decimals(std::string_view op, const ExprPtr& left, const ExprPtr& right) {
    const auto sql =
        op == "/" ? std::string(
                        "TRY_CAST(TRY_CAST({0} AS DECIMAL(38, 19)) / nullif(CAST({1} AS DOUBLE), 0) AS "
                        "DECIMAL(38, 10))")
                  : fmt::format("TRY_CAST(TRY({{0}} {} {}) AS DECIMAL(38, 10))", op,
                                op == "%" ? "nullif({1}, 0)" : "{1}");
    return call(ColumnType::Decimal, sql,
                {widen(left, ColumnType::Decimal), widen(right, ColumnType::Decimal)});
}

}  // namespace

Parsed<ExprPtr> Binder::logical(const Node& node, const Scope& scope) {
    std::vector<ExprPtr> parts;
    std::string sql;
    for (const auto& arg : node.args) {
        parts.push_back(FIELDWATCH_TRY(boolean(*arg, scope)));
        sql += fmt::format("{}{{{}}}",
                           sql.empty()          ? "("
                           : node.text == "and" ? " AND "
                                                : " OR ",
                           parts.size() - 1);
    }
    return call(ColumnType::Bool, sql + ")", std::move(parts));
}

Parsed<ExprPtr> Binder::binary(const Node& node, const Scope& scope) {
    const auto& op = node.text;
    if (op == "and" || op == "or") return logical(node, scope);
    auto left = FIELDWATCH_TRY(expression(*node.args[0], scope));
    auto right = FIELDWATCH_TRY(expression(*node.args[1], scope));
    if (op == "==" || op == "!=" || op == "<" || op == "<=" || op == ">" || op == ">=")
        return compare(op, std::move(left), std::move(right), node.span);
    if (op == "+" || op == "-" || op == "*" || op == "/" || op == "%")
        return arithmetic(op, left, right, node.span);
    if (op == "matches" && text_value(right)) FIELDWATCH_TRY(check_regex(right, node.args[1]->span));
    return text_operator(op, left, right, node.span);
}

Parsed<> Binder::common_type(std::vector<ExprPtr*> values, const std::vector<Span>& spans,
                             std::string_view what) {
    auto type = ColumnType::Dynamic;
    for (const auto* value : values) {
        const auto next = (*value)->type;
        if (is_null(*value) && next == ColumnType::Dynamic) continue;
        if (type == ColumnType::Dynamic)
            type = next;
        else if (next == ColumnType::Real && is_integral(type))
            type = next;
        else if (next == ColumnType::Decimal && is_number(type))
            type = next;
        else if (next == ColumnType::Long && type == ColumnType::Int)
            type = next;
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
        auto wider = widen(*values[i], type);
        if (!wider) {
            const auto other = (*values[i])->type;
            const bool text_and_number = (type == ColumnType::String && is_number(other)) ||
                                         (other == ColumnType::String && is_number(type));
            return semantic_error(
                spans[i],
                fmt::format("{}: {} and {} do not go together{}", what, to_string(type), to_string(other),
                            text_and_number ? "; tostring(…) or tolong(…) converts one" : ""));
        }
        *values[i] = std::move(wider);
    }
    return {};
}

Parsed<ExprPtr> Binder::compare(std::string_view op, ExprPtr left, ExprPtr right, Span span) {
    if (left->type == ColumnType::Dynamic && right->type == ColumnType::Dynamic) {
        left = to_string_expr(left);
        right = to_string_expr(right);
    }
    // A string against a datetime, timespan or guid: the constant is read as such.
    const auto adapt = [](ExprPtr& text, const ExprPtr& other) {
        if (text->type != ColumnType::String || !text_value(text)) return;
        if (other->type == ColumnType::DateTime) {
            if (const auto ticks = parse_datetime_literal(*text_value(text)))
                text = constant(other->type, *ticks);
        } else if (other->type == ColumnType::Guid) {
            text = convert(text, other->type);
        }
    };
    adapt(left, right);
    adapt(right, left);
    FIELDWATCH_TRY(common_type({&left, &right}, {span, span}, fmt::format("'{}'", op)));
    const bool left_never_null = left->type == ColumnType::String || (is_constant(left) && !is_null(left));
    const bool right_never_null =
        right->type == ColumnType::String || (is_constant(right) && !is_null(right));
    const bool text = left->type == ColumnType::String;
    if (op == "==") {
        if (text) return call(ColumnType::Bool, "({0} = {1})", {left, right});
        if (left_never_null || right_never_null)
            return call(ColumnType::Bool, std::string(kEqualSql), {left, right});
        return call(ColumnType::Bool,
                    "CASE WHEN {0} IS NOT NULL OR {1} IS NOT NULL THEN {0} IS NOT DISTINCT FROM {1} END",
                    {left, right});
    }
    if (op == "!=") {
        if (text) return call(ColumnType::Bool, "({0} <> {1})", {left, right});
        if (left_never_null || right_never_null)
            return call(ColumnType::Bool, "({0} IS DISTINCT FROM {1})", {left, right});
        return call(ColumnType::Bool,
                    "CASE WHEN {0} IS NOT NULL OR {1} IS NOT NULL THEN {0} IS DISTINCT FROM {1} END",
                    {left, right});
    }
    if (left->type == ColumnType::Bool)
        return semantic_error(span, fmt::format("'{}' does not order bool values", op));
    return call(ColumnType::Bool, fmt::format("({{0}} {} {{1}})", op), {left, right});
}

Parsed<ExprPtr> Binder::arithmetic(std::string_view op, const ExprPtr& left_in, const ExprPtr& right_in,
                                   Span span) {
    auto left = left_in, right = right_in;
    using enum ColumnType;
    if (left->type == Dynamic && !is_null(left))
        left = convert(left, right->type == Dynamic || is_number(right->type) ? Real : right->type);
    if (right->type == Dynamic && !is_null(right))
        right = convert(right, is_number(left->type) ? Real : left->type);
    const auto l = left->type, r = right->type;
    const auto exact = [&](ColumnType type, std::string_view symbol) {
        return call(type,
                    fmt::format("TRY_CAST(CAST({{0}} AS HUGEINT) {} {{1}} AS {})", symbol, sql_type(type)),
                    {left, right});
    };
    // Between the years 1 and 9999, else null: below zero no UBIGINT, above the last tick no BIGINT is left.
    const auto datetime = [&](std::string_view symbol) {
        constexpr std::int64_t kBeyond = std::numeric_limits<std::int64_t>::max() - kLastTick;
        return call(
            DateTime,
            fmt::format("(TRY_CAST(CAST(TRY_CAST(CAST({{0}} AS HUGEINT) {} {{1}} AS UBIGINT) AS HUGEINT) "
                        "+ {} AS BIGINT) - {})",
                        symbol, kBeyond, kBeyond),
            {left, right});
    };
    // Times lie within 0 … 3.2e18, so a constant below 2^62 cannot overflow, and plain SQL is quickest.
    const auto small = [](const ExprPtr& e) {
        return integer_value(e) && std::abs(*integer_value(e)) < (std::int64_t{1} << 62);
    };
    const bool additive = op == "+" || op == "-";
    if (l == DateTime && r == DateTime && op == "-") {
        const auto plain = [](const ExprPtr& e) { return is_constant(e) || e->kind == ExprKind::Column; };
        if (plain(left) && plain(right)) return call(TimeSpan, "({0} - {1})", {left, right});
        return exact(TimeSpan, op);
    }
    if (l == DateTime && r == TimeSpan && additive) {
        if (integer_value(left) && small(right)) {
            std::int64_t sum = 0;
            const auto a = *integer_value(left), b = *integer_value(right);
            const bool fits =
                !(op == "+" ? __builtin_add_overflow(a, b, &sum) : __builtin_sub_overflow(a, b, &sum));
            return fits && sum >= 0 && sum <= kLastTick ? constant(DateTime, sum) : null_of(DateTime);
        }
        return small(right) ? call(DateTime, fmt::format("({{0}} {} {{1}})", op), {left, right})
                            : datetime(op);
    }
    if (l == TimeSpan && r == DateTime && op == "+") return datetime(op);
    if (l == TimeSpan && r == TimeSpan) {
        if (additive) return exact(TimeSpan, op);
        if (op == "/") return call(Real, "(CAST({0} AS DOUBLE) / CAST({1} AS DOUBLE))", {left, right});
        if (op == "%") return call(TimeSpan, "({0} % {1})", {left, right});
    }
    if (l == TimeSpan && is_number(r) && (op == "*" || op == "/")) {
        if (op == "*" && is_integral(r)) return exact(TimeSpan, op);
        return call(TimeSpan, fmt::format("TRY_CAST(CAST({{0}} AS DOUBLE) {} {{1}} AS BIGINT)", op),
                    {left, widen(right, Real)});
    }
    if (is_number(l) && r == TimeSpan && op == "*") {
        if (is_integral(l)) return exact(TimeSpan, op);
        return call(TimeSpan, "TRY_CAST({0} * CAST({1} AS DOUBLE) AS BIGINT)", {left, right});
    }
    const auto counts = [](ColumnType t) { return t == Decimal || is_number(t); };
    if ((l == Decimal || r == Decimal) && counts(l) && counts(r)) return decimals(op, left, right);
    if (is_number(l) && is_number(r)) {
        const auto type = l == Real || r == Real ? Real : l == Long || r == Long ? Long : Int;
        if (type == Real) {
            const auto a = widen(left, Real), b = widen(right, Real);
            return call(Real, fmt::format("({{0}} {} {{1}})", op), {a, b});
        }
        if (op == "/") return exact(type, "//");
        if (op == "%")
            return call(type,
                        fmt::format("TRY_CAST((CAST({{0}} AS HUGEINT) % {{1}} + abs(CAST({{1}} AS HUGEINT))) "
                                    "% abs(CAST({{1}} AS HUGEINT)) AS {})",
                                    sql_type(type)),
                        {left, right});
        return exact(type, op);
    }
    std::string hint;
    if (op == "+" && (l == String || r == String)) hint = "; strcat(…) joins strings";
    return semantic_error(
        span, fmt::format("'{}' does not take {} and {}{}", op, to_string(l), to_string(r), hint));
}

Parsed<> Binder::check_regex(const ExprPtr& pattern, Span span) {
    const auto text = text_value(pattern);
    if (!text) return unsupported(span, "a regular expression must be a constant string");
    RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(1 << 20);
    const RE2 compiled(*text, options);
    if (!compiled.ok())
        return semantic_error(span, fmt::format("the regular expression is malformed: {}", compiled.error()));
    return {};
}

Parsed<ExprPtr> Binder::has_term(const ExprPtr& text, const ExprPtr& term, std::string_view form,
                                 bool sensitive) {
    // A term is a run of letters and digits; what is searched must begin and end where a run does, but at an
    // end that is no letter or digit itself a run cannot be cut: "cmd.exe" has ".exe".
    const bool whole_begin = form != "hassuffix", whole_end = form != "hasprefix";
    if (const auto constant_term = text_value(term)) {
        if (constant_term->empty()) return constant(ColumnType::Bool, true);
        const auto before = whole_begin && RE2::PartialMatch(*constant_term, "^[\\pL\\pN]") ? kRunBegins : "";
        const auto after = whole_end && RE2::PartialMatch(*constant_term, "[\\pL\\pN]$") ? kRunEnds : "";
        const auto pattern = text_constant(
            fmt::format("{}{}{}{}", sensitive ? "" : "(?i)", before, RE2::QuoteMeta(*constant_term), after));
        // The plain search is much quicker and refuses most rows.
        return call(ColumnType::Bool,
                    sensitive ? "(contains({0}, {1}) AND regexp_matches({0}, {2}))"
                              : "(contains(lower({0}), lower({1})) AND regexp_matches({0}, {2}))",
                    {text, term, pattern});
    }
    return call(ColumnType::Bool,
                fmt::format("regexp_matches({{0}}, '{}' || {})", sensitive ? "" : "(?i)",
                            term_pattern("{1}", whole_begin, whole_end)),
                {text, term});
}

Parsed<ExprPtr> Binder::text_operator(std::string op, const ExprPtr& left_in, const ExprPtr& right_in,
                                      Span span) {
    const auto as_text = [](const ExprPtr& e) {
        return e->type == ColumnType::Dynamic || e->type == ColumnType::Guid ? to_string_expr(e) : e;
    };
    auto left = as_text(left_in), right = as_text(right_in);
    if (left->type != ColumnType::String || right->type != ColumnType::String) {
        const auto wrong = left->type != ColumnType::String ? left : right;
        return semantic_error(
            span, fmt::format("'{}' compares strings, but this is {}", op, to_string(wrong->type)));
    }
    const auto negate = [&](ExprPtr e) { return call(ColumnType::Bool, "(NOT {0})", {std::move(e)}); };
    if (op == "=~") return call(ColumnType::Bool, "(lower({0}) = lower({1}))", {left, right});
    if (op == "!~") return call(ColumnType::Bool, "(lower({0}) <> lower({1}))", {left, right});
    if (op == "matches") {
        // What is no pattern matches nothing, but one that the engine computes beforehand stops it.
        if (reads_rows(right))
            return call(ColumnType::Bool, "coalesce(TRY(regexp_matches({0}, {1})), false)", {left, right});
        FIELDWATCH_TRY(check_regex(right, span));
        return call(ColumnType::Bool, "regexp_matches({0}, {1})", {left, right});
    }
    if (op == "like" || op == "!like")
        return unsupported(span, "the operator 'like' is not supported; use contains or matches regex");
    if (op.starts_with('!')) return negate(FIELDWATCH_TRY(text_operator(op.substr(1), left, right, span)));
    const bool sensitive = op.ends_with("_cs");
    if (sensitive) op.resize(op.size() - 3);
    if (op.starts_with("has")) return has_term(left, right, op, sensitive);
    const std::string function = op == "contains"     ? "contains"
                                 : op == "startswith" ? "starts_with"
                                                      : "ends_with";
    return call(ColumnType::Bool, sensitive ? function + "({0}, {1})" : function + "(lower({0}), lower({1}))",
                {left, right});
}

Parsed<ExprPtr> Binder::between(const Node& node, const Scope& scope) {
    auto value = FIELDWATCH_TRY(expression(*node.args[0], scope));
    auto low = FIELDWATCH_TRY(expression(*node.args[1], scope));
    auto high = FIELDWATCH_TRY(expression(*node.args[2], scope));
    // between (start .. duration) is start to start + duration
    if (low->type == ColumnType::DateTime && high->type == ColumnType::TimeSpan)
        high = FIELDWATCH_TRY(arithmetic("+", low, high, node.span));
    const auto above = FIELDWATCH_TRY(compare(">=", value, low, node.span));
    const auto below = FIELDWATCH_TRY(compare("<=", value, high, node.span));
    return call(ColumnType::Bool, node.text == "between" ? "({0} AND {1})" : "(NOT ({0} AND {1}))",
                {above, below});
}

Parsed<ExprPtr> Binder::in(const Node& node, const Scope& scope) {
    auto value = FIELDWATCH_TRY(expression(*node.args[0], scope));
    const bool any_all = node.text.starts_with("has_");
    const bool negative = node.text.starts_with('!');
    const bool fold = node.text.ends_with('~');
    if (node.args.size() == 1) return call(ColumnType::Bool, negative ? "true" : "false", {});
    if (node.args.size() == 2) {
        if (auto table = FIELDWATCH_TRY(tabular(*node.args[1]))) {
            if (!any_all) return subquery_member(node, value, std::move(*table), negative, fold);
            return has_elements(node, to_string_expr(value), FIELDWATCH_TRY(first_column(node, *table)));
        }
    }
    std::vector<ExprPtr> list{value};
    std::vector<Span> spans{node.args[0]->span};
    for (std::size_t i = 1; i < node.args.size(); ++i) {
        list.push_back(FIELDWATCH_TRY(expression(*node.args[i], scope)));
        spans.push_back(node.args[i]->span);
    }
    if (list.size() == 2 && list[1]->type == ColumnType::Dynamic && !any_all) {  // one array of values
        const auto found = in_array(value, list[1], fold);
        return negative ? call(ColumnType::Bool, "(NOT {0})", {found}) : found;
    }
    // A dynamic is read as what the list holds; as text where that is text.
    const auto is_text = [](const ExprPtr& e) {
        return e->type == ColumnType::String || e->type == ColumnType::Dynamic || e->type == ColumnType::Guid;
    };
    if (value->type == ColumnType::Dynamic && (any_all || std::all_of(list.begin() + 1, list.end(), is_text)))
        list[0] = value = to_string_expr(value);
    if (any_all) {
        if (list.size() == 2 && list[1]->type == ColumnType::Dynamic) {
            const auto* array = std::get_if<std::string>(&list[1]->value);
            auto strings = is_constant(list[1]) && array ? json_strings(*array) : std::nullopt;
            if (!strings) return has_elements(node, list[0], list[1]);
            list.resize(1);
            spans.resize(1);
            for (auto& text : *strings) {
                list.push_back(text_constant(std::move(text)));
                spans.push_back(node.args[1]->span);
            }
        }
        ExprPtr result;
        for (std::size_t i = 1; i < list.size(); ++i) {
            const auto one = FIELDWATCH_TRY(text_operator("has", value, list[i], spans[i]));
            result = result ? call(ColumnType::Bool,
                                   node.text == "has_any" ? "({0} OR {1})" : "({0} AND {1})", {result, one})
                            : one;
        }
        return result;
    }
    std::vector<ExprPtr*> pointers;
    for (auto& item : list)
        pointers.push_back(&item);
    FIELDWATCH_TRY(common_type(pointers, spans, fmt::format("'{}'", node.text)));
    if (fold) {
        if (list[0]->type != ColumnType::String)
            return semantic_error(node.span, fmt::format("'{}' compares strings", node.text));
        for (auto& item : list)
            item = call(ColumnType::String, "lower({0})", {item});
    }
    auto result = call(ColumnType::Bool, std::string(kInSql), std::move(list));
    return negative ? call(ColumnType::Bool, "(NOT {0})", {result}) : result;
}

/// The values of a table's first column, as one array.
Parsed<ExprPtr> Binder::first_column(const Node& node, const Relation& table) {
    if (table.fields.empty()) return semantic_error(node.args[1]->span, "the table has no column");
    auto plan = make_plan(PlanKind::Aggregate, {table.plan});
    plan->columns.push_back(
        {new_id(), aggregate_call(ColumnType::Dynamic, "CAST(to_json(list(DISTINCT {0})) AS VARCHAR)",
                                  {to_string_expr(table.fields.front().value)})});
    return scalar_of(std::move(plan), ColumnType::Dynamic);
}

/// has_any and has_all over an array that only the rows, or a sub-query, know.
Parsed<ExprPtr> Binder::has_elements(const Node& node, const ExprPtr& text, const ExprPtr& array) {
    const std::string_view count = node.text == "has_any" ? " > 0" : " = json_array_length({1})";
    return call(
        ColumnType::Bool,
        fmt::format(
            "coalesce(len(list_filter(CAST(json_extract_string({{1}}, '$[*]') AS VARCHAR[]), lambda e: "
            "CASE WHEN e = '' THEN true WHEN contains(lower({{0}}), lower(e)) THEN regexp_matches({{0}}, "
            "'(?i)' || {}) ELSE false END)){}, false)",
            term_pattern("e", true, true), count),
        {text, array});
}

Parsed<ExprPtr> Binder::subquery_member(const Node& node, const ExprPtr& value_in, Relation table,
                                        bool negative, bool fold) {
    if (table.fields.empty()) return semantic_error(node.args[1]->span, "the table has no column");
    auto value = value_in;
    auto wanted = table.fields.front().value;
    if (value->type == ColumnType::Dynamic || wanted->type == ColumnType::Dynamic)
        value = to_string_expr(value), wanted = to_string_expr(wanted);
    FIELDWATCH_TRY(common_type({&value, &wanted}, {node.args[0]->span, node.args[1]->span},
                               fmt::format("'{}'", node.text)));
    if (fold) {
        value = call(ColumnType::String, "lower({0})", {to_string_expr(value)});
        wanted = call(ColumnType::String, "lower({0})", {to_string_expr(wanted)});
    }
    table.fields = {Field{"value", wanted}};
    table.order.clear();
    filter(table, call(ColumnType::Bool, "({0} IS NOT NULL)", {wanted}));
    seal(table);
    auto expr = std::make_shared<Expr>(*special(ExprKind::InPlan, ColumnType::Bool, value));
    expr->plan = table.plan;
    expr->subquery = expr->row_subquery = true;
    ExprPtr result = expr;
    return negative ? call(ColumnType::Bool, "(NOT {0})", {result}) : result;
}

}  // namespace fieldwatch::kql
