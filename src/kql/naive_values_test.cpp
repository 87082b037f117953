#include "kql/naive_values_test.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <functional>
#include <optional>

#include <fmt/format.h>

namespace fieldwatch::kql::naive {
namespace {

using enum Type;
using Characters = std::vector<std::string>;

constexpr std::int64_t kSecond = 10'000'000, kHour = 3600 * kSecond, kDay = 24 * kHour;

std::int64_t whole(const Value& value) {
    return std::get<std::int64_t>(value);
}
double real(const Value& value) {
    return std::get<double>(value);
}
bool truth(const Value& value) {
    return std::get<bool>(value);
}
const std::string& text(const Value& value) {
    return std::get<std::string>(value);
}

/// What fits into 64 bits, else null.
Value fitting(__int128 value) {
    if (value > INT64_MAX || value < INT64_MIN) return {};
    return static_cast<std::int64_t>(value);
}

std::int64_t floor_to(std::int64_t value, std::int64_t size) {
    const auto rest = value % size;
    return value - (rest < 0 ? rest + size : rest);
}

Characters characters(const std::string& value) {
    Characters out;
    for (const char c : value) {
        if ((static_cast<unsigned char>(c) & 0xC0) == 0x80)
            out.back() += c;
        else
            out.emplace_back(1, c);
    }
    return out;
}
std::string joined(const Characters& parts) {
    std::string out;
    for (const auto& part : parts)
        out += part;
    return out;
}

/// Of the letters that the test's texts are made of.
std::string changed_case(const std::string& value, bool upper) {
    auto parts = characters(value);
    for (auto& part : parts) {
        if (part.size() == 1) {
            const char c = part[0];
            if (upper ? c >= 'a' && c <= 'z' : c >= 'A' && c <= 'Z') part[0] = static_cast<char>(c ^ 0x20);
        } else if (part == (upper ? "é" : "É")) {
            part = upper ? "É" : "é";
        }
    }
    return joined(parts);
}
std::string lower(const std::string& value) {
    return changed_case(value, false);
}

bool is_term_part(const std::string& character) {
    const char c = character[0];
    return character.size() > 1 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// Whether `term` stands in `value` so that it cuts no run of letters and digits, before or after.
bool has(const std::string& value, const std::string& term, bool before, bool after) {
    const auto all = characters(value), wanted = characters(term);
    for (std::size_t at = 0; at + wanted.size() <= all.size(); ++at) {
        if (!std::equal(wanted.begin(), wanted.end(), all.begin() + static_cast<std::ptrdiff_t>(at)))
            continue;
        const auto end = at + wanted.size();
        if ((!before || at == 0 || !is_term_part(all[at - 1]) || !is_term_part(wanted.front())) &&
            (!after || end == all.size() || !is_term_part(all[end]) || !is_term_part(wanted.back())))
            return true;
    }
    return false;
}

std::string replaced(std::string value, const std::string& from, const std::string& to) {
    for (std::size_t at = 0; (at = value.find(from, at)) != std::string::npos; at += to.size())
        value.replace(at, from.size(), to);
    return value;
}

std::vector<std::string> parts_of(const std::string& value, char delimiter) {
    std::vector<std::string> out(1);
    for (const char c : value) {
        if (c == delimiter)
            out.emplace_back();
        else
            out.back() += c;
    }
    return out;
}

std::string trimmed(std::string value, std::string_view what) {
    value.erase(0, value.find_first_not_of(what));
    value.erase(value.find_last_not_of(what) + 1);
    return value;
}

/// Digits with perhaps a sign, and blanks around them.
Value whole_number_in(const std::string& given) {
    const auto value = trimmed(given, " ");
    const std::size_t sign = value.starts_with('-') ? 1 : 0;
    if (value.size() == sign || value.size() > 15) return {};
    if (value.find_first_not_of("0123456789", sign) != std::string::npos) return {};
    return static_cast<std::int64_t>(std::stoll(value));
}

const std::chrono::sys_days kFirstDay(std::chrono::year{1} / 1 / 1);

std::chrono::sys_days day_of(std::int64_t ticks) {
    return kFirstDay + std::chrono::days(ticks / kDay);
}
std::int64_t ticks_of(std::chrono::sys_days day) {
    return (day - kFirstDay).count() * kDay;
}

Value substring(const std::string& value, std::int64_t start, std::int64_t length) {
    const auto all = characters(value);
    const auto size = static_cast<std::int64_t>(all.size());
    if (start < 0) start = std::max<std::int64_t>(0, size + start);
    start = std::min(start, size);
    const auto end = std::min(size, start + std::max<std::int64_t>(length, 0));
    return joined({all.begin() + start, all.begin() + end});
}

Value position(const std::string& value, const std::string& wanted) {
    const auto at = value.find(wanted);
    if (at == std::string::npos) return std::int64_t{-1};
    return static_cast<std::int64_t>(characters(value.substr(0, at)).size());
}

/// The first run of small letters.
std::string first_word(const std::string& value) {
    constexpr std::string_view kSmall = "abcdefghijklmnopqrstuvwxyz";
    const auto begin = value.find_first_of(kSmall);
    if (begin == std::string::npos) return {};
    return value.substr(begin, value.find_first_not_of(kSmall, begin) - begin);
}

template <class Order>
Value ordered(const Row& a, Order holds) {
    return holds(compare(a[0], a[1]), 0);
}

std::vector<Function> comparisons() {
    std::vector<Function> out;
    for (const auto type : kTypes) {
        const std::vector<Type> two{type, type};
        out.push_back({Bool, two, "({0} == {1})",
                       [](const Row& a) -> Value {
                           if (is_null(a[0]) || is_null(a[1])) return a[0] == a[1] ? Value() : Value(false);
                           return compare(a[0], a[1]) == 0;
                       },
                       true});
        out.push_back({Bool, two, "({0} != {1})",
                       [](const Row& a) -> Value {
                           if (is_null(a[0]) || is_null(a[1])) return a[0] == a[1] ? Value() : Value(true);
                           return compare(a[0], a[1]) != 0;
                       },
                       true});
        if (type == Bool) continue;
        out.push_back({Bool, two, "({0} < {1})", [](const Row& a) { return ordered(a, std::less{}); }});
        out.push_back(
            {Bool, two, "({0} <= {1})", [](const Row& a) { return ordered(a, std::less_equal{}); }});
        out.push_back({Bool, two, "({0} > {1})", [](const Row& a) { return ordered(a, std::greater{}); }});
        out.push_back(
            {Bool, two, "({0} >= {1})", [](const Row& a) { return ordered(a, std::greater_equal{}); }});
        if (type == String) continue;
        out.push_back({Bool,
                       {type, type, type},
                       "({0} between ({1} .. {2}))",
                       [](const Row& a) -> Value {
                           const auto known = [&](std::size_t i) { return !is_null(a[0]) && !is_null(a[i]); };
                           if (known(1) && compare(a[0], a[1]) < 0) return false;
                           if (known(2) && compare(a[0], a[2]) > 0) return false;
                           return known(1) && known(2) ? Value(true) : Value();
                       },
                       true});
        out.push_back(
            {Bool, {type}, "isnull({0})", [](const Row& a) -> Value { return is_null(a[0]); }, true});
        out.push_back(
            {Bool, {type}, "isnotempty({0})", [](const Row& a) -> Value { return !is_null(a[0]); }, true});
    }
    return out;
}

/// Those that take their result from one of several arguments.
std::vector<Function> choices() {
    std::vector<Function> out;
    for (const auto type : kTypes) {
        out.push_back({type,
                       {Bool, type, type},
                       "iff({0}, {1}, {2})",
                       [](const Row& a) { return a[0] == Value(true) ? a[1] : a[2]; },
                       true});
        out.push_back({type,
                       {Bool, type, Bool, type, type},
                       "case({0}, {1}, {2}, {3}, {4})",
                       [](const Row& a) {
                           return a[0] == Value(true) ? a[1] : a[2] == Value(true) ? a[3] : a[4];
                       },
                       true});
        out.push_back(
            {type,
             {type, type},
             "coalesce({0}, {1})",
             [](const Row& a) { return is_null(a[0]) || a[0] == Value(std::string()) ? a[1] : a[0]; },
             true});
        if (type == Bool || type == String) continue;
        out.push_back({type,
                       {type, type},
                       "min_of({0}, {1})",
                       [](const Row& a) {
                           if (is_null(a[0]) || is_null(a[1])) return is_null(a[0]) ? a[1] : a[0];
                           return compare(a[0], a[1]) <= 0 ? a[0] : a[1];
                       },
                       true});
    }
    return out;
}

// clang-format off: a function a line
std::vector<Function> others() {
    using S = std::string;
    return {
        {Bool, {Bool, Bool}, "({0} and {1})", [](const Row& a) -> Value {
             if (a[0] == Value(false) || a[1] == Value(false)) return false;
             return is_null(a[0]) || is_null(a[1]) ? Value() : Value(true);
         }, true},
        {Bool, {Bool, Bool}, "({0} or {1})", [](const Row& a) -> Value {
             if (a[0] == Value(true) || a[1] == Value(true)) return true;
             return is_null(a[0]) || is_null(a[1]) ? Value() : Value(false);
         }, true},
        {Bool, {Bool}, "not({0})", [](const Row& a) -> Value { return !truth(a[0]); }},
        {Bool, {String}, "isempty({0})", [](const Row& a) -> Value { return text(a[0]).empty(); }},
        {Bool, {String}, "isnull({0})", [](const Row&) -> Value { return false; }},
        {Bool, {String, String}, "({0} =~ {1})", [](const Row& a) -> Value { return lower(text(a[0])) == lower(text(a[1])); }},
        {Bool, {String, String}, "({0} !~ {1})", [](const Row& a) -> Value { return lower(text(a[0])) != lower(text(a[1])); }},
        {Bool, {String, String}, "({0} contains {1})", [](const Row& a) -> Value { return lower(text(a[0])).contains(lower(text(a[1]))); }},
        {Bool, {String, String}, "({0} !contains {1})", [](const Row& a) -> Value { return !lower(text(a[0])).contains(lower(text(a[1]))); }},
        {Bool, {String, String}, "({0} contains_cs {1})", [](const Row& a) -> Value { return text(a[0]).contains(text(a[1])); }},
        {Bool, {String, String}, "({0} startswith {1})", [](const Row& a) -> Value { return lower(text(a[0])).starts_with(lower(text(a[1]))); }},
        {Bool, {String, String}, "({0} !startswith_cs {1})", [](const Row& a) -> Value { return !text(a[0]).starts_with(text(a[1])); }},
        {Bool, {String, String}, "({0} endswith {1})", [](const Row& a) -> Value { return lower(text(a[0])).ends_with(lower(text(a[1]))); }},
        {Bool, {String}, "({0} has 'ab')", [](const Row& a) -> Value { return has(lower(text(a[0])), "ab", true, true); }},
        {Bool, {String}, "({0} !has 'B')", [](const Row& a) -> Value { return !has(lower(text(a[0])), "b", true, true); }},
        {Bool, {String}, "({0} has_cs 'Ab')", [](const Row& a) -> Value { return has(text(a[0]), "Ab", true, true); }},
        {Bool, {String}, "({0} hasprefix 'a')", [](const Row& a) -> Value { return has(lower(text(a[0])), "a", true, false); }},
        {Bool, {String}, "({0} hassuffix 'B')", [](const Row& a) -> Value { return has(lower(text(a[0])), "b", false, true); }},
        {Bool, {String}, "({0} has 'b c')", [](const Row& a) -> Value { return has(lower(text(a[0])), "b c", true, true); }},
        {Bool, {String}, "({0} has ' b')", [](const Row& a) -> Value { return has(lower(text(a[0])), " b", true, true); }},
        {Bool, {String}, "({0} has_any ('1', 'é'))", [](const Row& a) -> Value { return has(lower(text(a[0])), "1", true, true) || has(lower(text(a[0])), "é", true, true); }},
        {Bool, {String}, "({0} has_all ('a', 'B'))", [](const Row& a) -> Value { return has(lower(text(a[0])), "a", true, true) && has(lower(text(a[0])), "b", true, true); }},
        {Bool, {String}, "({0} in ('ab', 'Ab', ''))", [](const Row& a) -> Value { return text(a[0]) == "ab" || text(a[0]) == "Ab" || text(a[0]).empty(); }},
        {Bool, {String}, "({0} !in ('ab', 'a'))", [](const Row& a) -> Value { return text(a[0]) != "ab" && text(a[0]) != "a"; }},
        {Bool, {String}, "({0} in~ ('AB', 'É'))", [](const Row& a) -> Value { return lower(text(a[0])) == "ab" || lower(text(a[0])) == "é"; }},
        {Bool, {String}, "({0} matches regex '^[a-z]+')", [](const Row& a) -> Value { return !text(a[0]).empty() && text(a[0])[0] >= 'a' && text(a[0])[0] <= 'z'; }},
        {Bool, {Long}, "({0} in (0, 2, -3))", [](const Row& a) -> Value { return a[0] == Value(std::int64_t{0}) || a[0] == Value(std::int64_t{2}) || a[0] == Value(std::int64_t{-3}); }, true},
        {Bool, {Long, Real}, "({0} < {1})", [](const Row& a) -> Value { return static_cast<double>(whole(a[0])) < real(a[1]); }},

        {Long, {Long, Long}, "({0} + {1})", [](const Row& a) { return fitting(static_cast<__int128>(whole(a[0])) + whole(a[1])); }},
        {Long, {Long, Long}, "({0} - {1})", [](const Row& a) { return fitting(static_cast<__int128>(whole(a[0])) - whole(a[1])); }},
        {Long, {Long, Long}, "({0} * {1})", [](const Row& a) { return fitting(static_cast<__int128>(whole(a[0])) * whole(a[1])); }},
        {Long, {Long, Long}, "({0} / {1})", [](const Row& a) { return whole(a[1]) == 0 ? Value() : fitting(static_cast<__int128>(whole(a[0])) / whole(a[1])); }},
        {Long, {Long, Long}, "({0} % {1})", [](const Row& a) -> Value {
             if (whole(a[1]) == 0) return {};
             const auto size = static_cast<__int128>(whole(a[1]) < 0 ? -static_cast<__int128>(whole(a[1])) : whole(a[1]));
             return fitting((whole(a[0]) % size + size) % size);
         }},
        {Long, {Long}, "(-{0})", [](const Row& a) { return fitting(-static_cast<__int128>(whole(a[0]))); }},
        {Long, {Long}, "abs({0})", [](const Row& a) { return fitting(whole(a[0]) < 0 ? -static_cast<__int128>(whole(a[0])) : whole(a[0])); }},
        {Long, {Long}, "bin({0}, 3)", [](const Row& a) { return whole(a[0]) < INT64_MIN + 3 ? Value() : Value(floor_to(whole(a[0]), 3)); }},
        {Long, {String}, "strlen({0})", [](const Row& a) -> Value { return static_cast<std::int64_t>(characters(text(a[0])).size()); }},
        {Long, {String}, "indexof({0}, 'b')", [](const Row& a) { return position(text(a[0]), "b"); }},
        {Long, {String}, "tolong({0})", [](const Row& a) { return whole_number_in(text(a[0])); }},
        {Long, {String}, "countof({0}, 'a')", [](const Row& a) -> Value { return static_cast<std::int64_t>(std::ranges::count(text(a[0]), 'a')); }},
        {Long, {String}, "array_length(split({0}, ','))", [](const Row& a) -> Value { return static_cast<std::int64_t>(parts_of(text(a[0]), ',').size()); }},
        {Long, {Bool}, "tolong({0})", [](const Row& a) -> Value { return std::int64_t{truth(a[0])}; }},
        {Long, {Datetime}, "tolong(hourofday({0}))", [](const Row& a) -> Value { return whole(a[0]) % kDay / kHour; }},
        {Long, {Datetime}, "tolong(dayofmonth({0}))", [](const Row& a) -> Value { return static_cast<std::int64_t>(static_cast<unsigned>(std::chrono::year_month_day(day_of(whole(a[0]))).day())); }},
        {Long, {Datetime, Datetime}, "datetime_diff('hour', {0}, {1})", [](const Row& a) -> Value { return whole(a[0]) / kHour - whole(a[1]) / kHour; }},
        {Long, {Datetime, Datetime}, "datetime_diff('month', {0}, {1})", [](const Row& a) -> Value {
             const std::chrono::year_month_day x(day_of(whole(a[0]))), y(day_of(whole(a[1])));
             return std::int64_t{(static_cast<int>(x.year()) - static_cast<int>(y.year())) * 12 + static_cast<int>(static_cast<unsigned>(x.month())) - static_cast<int>(static_cast<unsigned>(y.month()))};
         }},

        {Real, {Real, Real}, "({0} + {1})", [](const Row& a) -> Value { return real(a[0]) + real(a[1]); }},
        {Real, {Real, Real}, "({0} - {1})", [](const Row& a) -> Value { return real(a[0]) - real(a[1]); }},
        {Real, {Real, Real}, "({0} * {1})", [](const Row& a) -> Value { return real(a[0]) * real(a[1]); }},
        {Real, {Real}, "({0} / 4)", [](const Row& a) -> Value { return real(a[0]) / 4; }},
        {Real, {Long}, "todouble({0})", [](const Row& a) -> Value { return static_cast<double>(whole(a[0])); }},
        {Real, {Long, Real}, "({0} + {1})", [](const Row& a) -> Value { return static_cast<double>(whole(a[0])) + real(a[1]); }},
        {Real, {Real}, "bin({0}, 0.5)", [](const Row& a) -> Value { return std::floor(real(a[0]) / 0.5) * 0.5; }},
        {Real, {Real}, "abs({0})", [](const Row& a) -> Value { return std::abs(real(a[0])); }},
        {Real, {Timespan}, "({0} / 1m)", [](const Row& a) -> Value { return static_cast<double>(whole(a[0])) / (60.0 * kSecond); }},

        {String, {String, String}, "strcat({0}, {1})", [](const Row& a) -> Value { return text(a[0]) + text(a[1]); }},
        {String, {Long, String}, "strcat_delim('-', {0}, {1})", [](const Row& a) -> Value { return text_of(a[0], Long) + "-" + text(a[1]); }, true},
        {String, {String}, "tolower({0})", [](const Row& a) -> Value { return lower(text(a[0])); }},
        {String, {String}, "toupper({0})", [](const Row& a) -> Value { return changed_case(text(a[0]), true); }},
        {String, {String}, "substring({0}, 1, 2)", [](const Row& a) { return substring(text(a[0]), 1, 2); }},
        {String, {String}, "substring({0}, -2)", [](const Row& a) { return substring(text(a[0]), -2, INT32_MAX); }},
        {String, {String}, "replace_string({0}, 'a', '<A>')", [](const Row& a) -> Value { return replaced(text(a[0]), "a", "<A>"); }},
        {String, {String}, "replace_regex({0}, '[bc]', '_')", [](const Row& a) -> Value { return replaced(replaced(text(a[0]), "b", "_"), "c", "_"); }},
        {String, {String}, "trim('[ ,]+', {0})", [](const Row& a) -> Value { return trimmed(text(a[0]), " ,"); }},
        {String, {String}, "reverse({0})", [](const Row& a) -> Value { auto all = characters(text(a[0])); std::ranges::reverse(all); return joined(all); }},
        {String, {String}, "strrep({0}, 2)", [](const Row& a) -> Value { return text(a[0]) + text(a[0]); }},
        {String, {String}, "extract('([a-z]+)', 1, {0})", [](const Row& a) -> Value { return first_word(text(a[0])); }},
        {String, {String}, "tostring(split({0}, ',')[1])", [](const Row& a) -> Value { const auto parts = parts_of(text(a[0]), ','); return parts.size() > 1 ? parts[1] : S(); }},
        {String, {Bool}, "tostring({0})", [](const Row& a) -> Value { return text_of(a[0], Bool); }, true},
        {String, {Long}, "tostring({0})", [](const Row& a) -> Value { return text_of(a[0], Long); }, true},
        {String, {Datetime}, "tostring({0})", [](const Row& a) -> Value { return text_of(a[0], Datetime); }, true},
        {String, {Timespan}, "tostring({0})", [](const Row& a) -> Value { return text_of(a[0], Timespan); }, true},

        {Datetime, {Datetime, Timespan}, "({0} + {1})", [](const Row& a) { return fitting(static_cast<__int128>(whole(a[0])) + whole(a[1])); }},
        {Datetime, {Datetime}, "({0} - 90m)", [](const Row& a) -> Value { return whole(a[0]) - kHour * 3 / 2; }},
        {Datetime, {Datetime}, "bin({0}, 1h)", [](const Row& a) -> Value { return floor_to(whole(a[0]), kHour); }},
        {Datetime, {Datetime}, "startofday({0})", [](const Row& a) -> Value { return floor_to(whole(a[0]), kDay); }},
        {Datetime, {Datetime}, "endofday({0})", [](const Row& a) -> Value { return floor_to(whole(a[0]), kDay) + kDay - 1; }},
        {Datetime, {Datetime}, "startofweek({0})", [](const Row& a) -> Value {
             const auto day = day_of(whole(a[0]));
             return ticks_of(day - std::chrono::days(std::chrono::weekday(day).c_encoding()));
         }},
        {Datetime, {Datetime}, "startofmonth({0})", [](const Row& a) -> Value {
             const std::chrono::year_month_day day(day_of(whole(a[0])));
             return ticks_of(std::chrono::sys_days(day.year() / day.month() / 1));
         }},
        {Datetime, {Datetime}, "datetime_add('month', 1, {0})", [](const Row& a) -> Value {
             std::chrono::year_month_day day(day_of(whole(a[0])));
             day += std::chrono::months(1);
             if (!day.ok()) day = day.year() / day.month() / std::chrono::last;
             return ticks_of(std::chrono::sys_days(day)) + whole(a[0]) % kDay;
         }},
        {Datetime, {Datetime}, "todatetime(tostring({0}))", [](const Row& a) { return a[0]; }},

        {Timespan, {Datetime, Datetime}, "({0} - {1})", [](const Row& a) -> Value { return whole(a[0]) - whole(a[1]); }},
        {Timespan, {Timespan, Timespan}, "({0} + {1})", [](const Row& a) { return fitting(static_cast<__int128>(whole(a[0])) + whole(a[1])); }},
        {Timespan, {Timespan}, "({0} * 2)", [](const Row& a) { return fitting(static_cast<__int128>(whole(a[0])) * 2); }},
        {Timespan, {Timespan}, "bin({0}, 10m)", [](const Row& a) -> Value { return floor_to(whole(a[0]), kHour / 6); }},
        {Timespan, {Datetime}, "dayofweek({0})", [](const Row& a) -> Value { return kDay * std::int64_t{std::chrono::weekday(day_of(whole(a[0]))).c_encoding()}; }},
    };
}
// clang-format on

std::string time_of_day(std::int64_t ticks) {
    return fmt::format("{:02}:{:02}:{:02}", ticks / kHour, ticks / (60 * kSecond) % 60, ticks / kSecond % 60);
}

}  // namespace

std::string_view type_name(Type type) {
    constexpr std::string_view kNames[] = {"bool", "long", "real", "string", "datetime", "timespan"};
    return kNames[static_cast<std::size_t>(type)];
}

int compare(const Value& a, const Value& b) {
    return a < b ? -1 : b < a ? 1 : 0;
}

std::string text_of(const Value& value, Type type) {
    if (is_null(value)) return {};
    switch (type) {
        case Bool:
            return truth(value) ? "true" : "false";
        case Long:
            return std::to_string(whole(value));
        case Real:
            return fmt::format("{:.10g}", real(value));
        case String:
            return text(value);
        case Datetime: {
            const std::chrono::year_month_day day(day_of(whole(value)));
            return fmt::format("{:04}-{:02}-{:02}T{}.{:07}Z", static_cast<int>(day.year()),
                               static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()),
                               time_of_day(whole(value) % kDay), whole(value) % kSecond);
        }
        case Timespan: {
            const auto ticks = std::abs(whole(value));
            auto out = time_of_day(ticks % kDay);
            if (ticks >= kDay) out = fmt::format("{}.{}", ticks / kDay, out);
            if (ticks % kSecond != 0) out += fmt::format(".{:07}", ticks % kSecond);
            return (whole(value) < 0 ? "-" : "") + out;
        }
    }
    return {};
}

std::string literal(const Value& value, Type type) {
    if (is_null(value)) return fmt::format("{}(null)", type_name(type));
    if (type == String) return fmt::format("'{}'", text(value));
    if (type == Real) return fmt::format("real({})", real(value));
    if (type == Timespan) return fmt::format("{}tick", whole(value));
    if (type == Datetime) return fmt::format("datetime({})", text_of(value, type));
    return text_of(value, type);
}

std::string printed(const Value& value, Type type) {
    if (is_null(value)) return "null";
    if (type == Timespan) return fmt::format("{} ticks", whole(value));
    return text_of(value, type);
}

std::span<const Function> functions() {
    static const auto kAll = [] {
        auto all = comparisons();
        std::ranges::move(choices(), std::back_inserter(all));
        std::ranges::move(others(), std::back_inserter(all));
        return all;
    }();
    return kAll;
}

}  // namespace fieldwatch::kql::naive
