// Functions of calendar and clock whose first argument is the name of a part, or a format.
#include <fmt/format.h>

#include "kql/binder.hpp"

namespace fieldwatch::kql {
namespace {

using enum ColumnType;

std::string date_of(std::string_view x) {
    return fmt::format("(DATE '1970-01-01' + CAST({} // 864000000000 - 719162 AS INTEGER))", x);
}

std::optional<std::int64_t> part_ticks(std::string_view part) {
    if (part == "week") return 7 * kTicksPerDay;
    if (part == "day") return kTicksPerDay;
    if (part == "hour") return 36'000'000'000;
    if (part == "minute") return 600'000'000;
    if (part == "second") return 10'000'000;
    if (part == "millisecond") return 10'000;
    if (part == "microsecond") return 10;
    if (part == "nanosecond") return 0;  // a hundredth of a tick
    return std::nullopt;
}

std::string pad(std::string_view number, std::size_t width) {
    return width == 1 ? fmt::format("CAST({} AS VARCHAR)", number)
                      : fmt::format("lpad(CAST({} AS VARCHAR), {}, '0')", number, width);
}

/// SQL of one run of a format's letter over {0}, or "" when the letter means nothing.
std::string format_piece(char letter, std::size_t width, bool timespan) {
    const std::string_view x = timespan ? "abs(greatest({0}, -9223372036854775807))" : "{0}";
    const auto d = date_of("{0}");
    switch (letter) {
        case 'y':
            return timespan     ? ""
                   : width == 2 ? pad(fmt::format("(year({}) % 100)", d), 2)
                                : pad(fmt::format("year({})", d), width);
        case 'M':
            return timespan || width > 2 ? "" : pad(fmt::format("month({})", d), width);
        case 'd':
            return timespan    ? pad(fmt::format("({} // 864000000000)", x), width)
                   : width > 2 ? ""
                               : pad(fmt::format("day({})", d), width);
        case 'H':
            return width > 2 ? "" : pad(fmt::format("({} // 36000000000 % 24)", x), width);
        case 'h':
            return width > 2  ? ""
                   : timespan ? pad(fmt::format("({} // 36000000000 % 24)", x), width)
                              : pad(fmt::format("(({} // 36000000000 + 11) % 12 + 1)", x), width);
        case 'm':
            return width > 2 ? "" : pad(fmt::format("({} // 600000000 % 60)", x), width);
        case 's':
            return width > 2 ? "" : pad(fmt::format("({} // 10000000 % 60)", x), width);
        case 'f':
            return width > 7
                       ? ""
                       : fmt::format("left(lpad(CAST({} % 10000000 AS VARCHAR), 7, '0'), {})", x, width);
        case 'F':
            return width > 7
                       ? ""
                       : fmt::format("rtrim(left(lpad(CAST({} % 10000000 AS VARCHAR), 7, '0'), {}), '0')", x,
                                     width);
        case 't':
            return timespan || width != 2
                       ? ""
                       : fmt::format("CASE WHEN {} // 36000000000 % 24 < 12 THEN 'AM' ELSE 'PM' END", x);
        default:
            return "";
    }
}

}  // namespace

Parsed<ExprPtr> Binder::datetime_function(const Node& node, std::vector<ExprPtr> args) {
    const auto& n = node.text;
    if (args.size() != (n == "datetime_part" ? 2u : 3u))
        return semantic_error(node.span, fmt::format("{} has the wrong number of arguments", n));
    auto part = text_value(args[0]).value_or("");
    for (char& c : part) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    }
    const auto ticks = part_ticks(part);
    if (part == "weekofyear") part = "week_of_year";
    const bool calendar = part == "year" || part == "quarter" || part == "month";
    if (!ticks && !calendar && !(n == "datetime_part" && (part == "dayofyear" || part == "week_of_year")))
        return semantic_error(node.args[0]->span,
                              "the part is a constant: 'year', 'quarter', 'month', 'week', 'day', 'hour', "
                              "'minute', 'second', 'millisecond', 'microsecond' or 'nanosecond'");
    for (std::size_t i = n == "datetime_add" ? 2 : 1; i < args.size(); ++i) {
        auto time = widen(args[i], DateTime);
        if (!time)
            return semantic_error(
                node.args[i]->span,
                fmt::format("a datetime is expected here, but this is {}", to_string(args[i]->type)));
        args[i] = std::move(time);
    }
    if (n == "datetime_part") {
        if (part == "dayofyear")
            return call(Int, fmt::format("CAST(dayofyear({}) AS INTEGER)", date_of("{0}")), {args[1]});
        if (part == "week" || part == "week_of_year")
            return call(Int, fmt::format("CAST(weekofyear({}) AS INTEGER)", date_of("{0}")), {args[1]});
        if (calendar || part == "day")
            return call(Int, fmt::format("CAST({}({}) AS INTEGER)", part, date_of("{0}")), {args[1]});
        if (ticks == 0) return call(Int, "CAST({0} % 10000000 * 100 AS INTEGER)", {args[1]});
        const auto modulus = part == "hour"          ? 24
                             : part == "millisecond" ? 1000
                             : part == "microsecond" ? 1'000'000
                                                     : 60;
        return call(Int, fmt::format("CAST({{0}} // {} % {} AS INTEGER)", *ticks, modulus), {args[1]});
    }
    if (n == "datetime_diff") {
        if (ticks == 0)
            return call(Long, "TRY_CAST((CAST({0} AS HUGEINT) - {1}) * 100 AS BIGINT)", {args[1], args[2]});
        if (ticks) {
            const std::string_view shift = part == "week" ? " + 864000000000" : "";
            return call(Long, fmt::format("(({{0}}{1}) // {0} - ({{1}}{1}) // {0})", *ticks, shift),
                        {args[1], args[2]});
        }
        return call(
            Long, fmt::format("CAST(datediff('{}', {}, {}) AS BIGINT)", part, date_of("{1}"), date_of("{0}")),
            {args[1], args[2]});
    }
    auto amount = widen(args[1], Long);
    if (!amount) return semantic_error(node.args[1]->span, "the amount is a whole number");
    if (ticks == 0) return call(DateTime, "({1} + {0} // 100)", {amount, args[2]});
    if (ticks)
        return call(DateTime, fmt::format("TRY_CAST(CAST({{0}} AS HUGEINT) * {} + {{1}} AS BIGINT)", *ticks),
                    {amount, args[2]});
    const int months = part == "year" ? 12 : part == "quarter" ? 3 : 1;
    return call(DateTime,
                fmt::format("(CAST(CAST({} + to_months(CAST(least(greatest({{1}}, -120000), 120000) * {} AS "
                            "INTEGER)) AS DATE) - DATE '1970-01-01' AS BIGINT) * 864000000000 + "
                            "621355968000000000 + {{0}} % 864000000000)",
                            date_of("{0}"), months),
                {args[2], amount});
}

Parsed<ExprPtr> Binder::format_time(const Node& node, std::vector<ExprPtr> args) {
    const bool timespan = node.text == "format_timespan";
    if (args.size() != 2)
        return semantic_error(node.span, fmt::format("{} takes a value and a format", node.text));
    const auto value = widen(args[0], timespan ? TimeSpan : DateTime);
    if (!value)
        return semantic_error(node.args[0]->span,
                              fmt::format("a {} is expected here, but this is {}",
                                          timespan ? "timespan" : "datetime", to_string(args[0]->type)));
    const auto format = text_value(args[1]);
    if (!format) return unsupported(node.args[1]->span, "the format must be a constant string");
    if (format->size() > 100)
        return limit_error(node.args[1]->span, "the format is longer than 100 characters");
    std::string sql;
    for (std::size_t i = 0; i < format->size();) {
        const char c = (*format)[i];
        std::size_t end = i + 1;
        std::string piece;
        if (std::string_view(" /-:,._[]").find(c) != std::string_view::npos) {
            piece = fmt::format("'{}'", c);
        } else {
            while (end < format->size() && (*format)[end] == c)
                ++end;
            piece = format_piece(c, end - i, timespan);
        }
        if (piece.empty())
            return semantic_error(
                node.args[1]->span,
                fmt::format("the format has no meaning from '{}' on; its letters are {}",
                            format->substr(i, 20), timespan ? "d H h m s f F" : "y M d H h m s f F and tt"));
        sql += (sql.empty() ? "" : " || ") + piece;
        i = end;
    }
    if (sql.empty()) return text_constant("");
    return call(String, fmt::format("CASE WHEN {{0}} IS NOT NULL THEN {} ELSE '' END", sql), {value});
}

/// What `set name = …` gave last, a constant; nullptr where nothing did.
Parsed<ExprPtr> Binder::setting(std::string_view name) {
    ExprPtr found;
    for (const auto& one : *settings_) {
        if (one.name != name || !one.value) continue;
        found = FIELDWATCH_TRY(expression(*one.value, {}));
        if (!is_constant(found) || is_null(found))
            return semantic_error(one.value->span, fmt::format("{} is a constant", name));
    }
    return found;
}

/// bin_auto(value): bin_at() with the size and the fixed point that settings before the query give.
Parsed<ExprPtr> Binder::bin_by_setting(const Node& node, const Scope& scope) {
    auto args = FIELDWATCH_TRY(arguments(node, scope));
    if (args.size() != 1) return semantic_error(node.span, "bin_auto takes one value");
    auto size = FIELDWATCH_TRY(setting("query_bin_auto_size"));
    if (!size)
        return semantic_error(node.span,
                              "bin_auto needs the size of a bin before the query, as in set "
                              "query_bin_auto_size=1h;");
    auto at = FIELDWATCH_TRY(setting("query_bin_auto_at"));
    const auto type = args[0]->type;
    const bool times = type == DateTime || type == TimeSpan;
    if (at && type == DateTime && at->type == TimeSpan) at = constant(DateTime, at->value);
    if (!at) {
        at = times ? constant(type, std::int64_t{0}) : long_constant(0);
        if (!times && !is_number(type)) at = nullptr;
    }
    if (!at || times != (size->type == TimeSpan) || (times ? at->type != type : !is_number(at->type)))
        return semantic_error(
            node.span,
            fmt::format("bin_auto takes a number by numbers, or a time by a timespan, but this is {} by {}",
                        to_string(type), to_string(size->type)));
    return call_of(node, "bin_at", {std::move(args[0]), std::move(size), std::move(at)});
}

}  // namespace fieldwatch::kql
