// Comparing values with values: references between fields, and the parts of dates.
#include <algorithm>
#include <charconv>
#include <chrono>

#include "detect/rules/sigma.hpp"

namespace fieldwatch::detect {
namespace {

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

std::optional<int> digits(std::string_view text, std::size_t at, std::size_t count) {
    int value = 0;
    if (at + count > text.size()) return std::nullopt;
    const auto [end, error] = std::from_chars(text.data() + at, text.data() + at + count, value);
    if (error != std::errc{} || end != text.data() + at + count) return std::nullopt;
    return value;
}

/// ISO 8601: the week that holds the year's first Thursday is the first.
int week_of(std::chrono::year_month_day date) {
    const std::chrono::sys_days day{date};
    const auto from_monday = static_cast<int>(std::chrono::weekday(day).iso_encoding()) - 1;
    const auto thursday = day + std::chrono::days(3 - from_monday);
    const auto year = std::chrono::year_month_day(thursday).year();
    const std::chrono::sys_days first{year / std::chrono::January / 1};
    return static_cast<int>((thursday - first).count() / 7) + 1;
}

}  // namespace

bool compare_texts(std::string_view value, std::string_view other, PatternKind kind, bool cased) {
    if (value.data() == nullptr || other.data() == nullptr) return false;
    const auto same = [cased](char a, char b) { return cased ? a == b : lower(a) == lower(b); };
    if (value.size() < other.size()) return false;
    switch (kind) {
        case PatternKind::SameAs:
            return std::ranges::equal(value, other, same);
        case PatternKind::StartsWith:
            return std::ranges::equal(value.substr(0, other.size()), other, same);
        case PatternKind::EndsWith:
            return std::ranges::equal(value.substr(value.size() - other.size()), other, same);
        case PatternKind::Contains:
            return other.empty() || !std::ranges::search(value, other, same).empty();
        default:
            return false;
    }
}

std::optional<std::int64_t> time_part(std::string_view text, TimePart part) {
    const auto year = digits(text, 0, 4);
    const auto month = digits(text, 5, 2);
    const auto day = digits(text, 8, 2);
    if (!year || !month || !day || text[4] != '-' || text[7] != '-') return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year(*year),
                                           std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day))};
    if (!date.ok()) return std::nullopt;
    const bool with_time = text.size() > 10 && (text[10] == 'T' || text[10] == ' ' || text[10] == 't');
    switch (part) {
        case TimePart::Year:
            return *year;
        case TimePart::Month:
            return *month;
        case TimePart::Day:
            return *day;
        case TimePart::Week:
            return week_of(date);
        case TimePart::Hour:
        case TimePart::Minute: {
            if (!with_time) return std::nullopt;
            const auto value = digits(text, part == TimePart::Hour ? 11 : 14, 2);
            return value ? std::optional<std::int64_t>(*value) : std::nullopt;
        }
        case TimePart::None:
            break;
    }
    return std::nullopt;
}

std::string nearest(std::string_view word, std::span<const std::string_view> known) {
    std::string_view best;
    std::size_t best_distance = SIZE_MAX;
    for (const auto candidate : known) {
        std::vector<std::size_t> row(candidate.size() + 1);
        for (std::size_t i = 0; i < row.size(); ++i)
            row[i] = i;
        for (std::size_t i = 1; i <= word.size(); ++i) {
            auto diagonal = std::exchange(row[0], i);
            for (std::size_t j = 1; j < row.size(); ++j) {
                const auto changed = diagonal + (lower(word[i - 1]) == lower(candidate[j - 1]) ? 0 : 1);
                diagonal = std::exchange(row[j], std::min({changed, row[j] + 1, row[j - 1] + 1}));
            }
        }
        if (row.back() >= best_distance) continue;
        best_distance = row.back();
        best = candidate;
    }
    return std::string(best);
}

std::string regex_problem(std::string_view text) {
    constexpr std::size_t kRepeatsMax = 4'096;  // nested counts multiply: each is a copy in the automaton
    std::vector<std::size_t> open;              // what repeats a group has inside, outermost first
    std::size_t inside = 1;                     // the largest product within the current group
    std::size_t last = 1;                       // that of the last atom
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '\\') {
            const char next = i + 1 < text.size() ? text[i + 1] : '\0';
            if (next >= '1' && next <= '9')
                return "back-references are not supported; write the text out, or two searches joined by "
                       "'and'";
            ++i;
            last = 1;
        } else if (c == '[') {
            for (i += 2; i < text.size() && text[i] != ']'; ++i)
                i += text[i] == '\\' ? 1 : 0;
            last = 1;
        } else if (c == '(') {
            const auto ahead = text.substr(i, 4);
            if (ahead.starts_with("(?=") || ahead.starts_with("(?!") || ahead.starts_with("(?<=") ||
                ahead.starts_with("(?<!"))
                return "look-around is not supported; write a second search and join it with 'and' or 'and "
                       "not'";
            if (open.size() > 64) return "groups are nested deeper than 64";
            open.push_back(inside);
            inside = 1;
        } else if (c == ')' && !open.empty()) {
            last = inside;
            inside = std::max(open.back(), inside);
            open.pop_back();
        } else if (c == '{') {
            const auto close = text.find('}', i);
            if (close == std::string_view::npos) break;
            const auto counts = text.substr(i + 1, close - i - 1);
            const auto comma = counts.find(',');
            const auto high = comma == std::string_view::npos || comma + 1 == counts.size()
                                  ? counts.substr(0, comma)
                                  : counts.substr(comma + 1);
            std::size_t times = 0;
            const auto [end, error] = std::from_chars(high.data(), high.data() + high.size(), times);
            if (error == std::errc::result_out_of_range) times = kRepeatsMax + 1;
            if (times > 1) last *= std::min(times, kRepeatsMax + 1);
            if (last > kRepeatsMax)
                return "too costly: its repeats multiply to more than 4,096; write {n,} or '+' where a bound "
                       "does "
                       "not matter";
            inside = std::max(inside, last);
            i = close;
        } else if (c != '*' && c != '+' && c != '?' && c != '|') {
            last = 1;
        }
    }
    return {};
}

}  // namespace fieldwatch::detect
