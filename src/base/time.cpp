#include "base/time.hpp"

#include <array>
#include <charconv>

namespace fieldwatch {

namespace {

constexpr std::int64_t kTicksPerSecond = 10'000'000;
constexpr std::int64_t kSecondsPerDay = 86'400;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// Reads exactly `count` digits at `position` and moves past them; -1 if they are not there.
int digits(std::string_view text, std::size_t& position, std::size_t count) {
    if (text.size() - position < count) return -1;
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const char c = text[position + i];
        if (!is_digit(c)) return -1;
        value = value * 10 + (c - '0');
    }
    position += count;
    return value;
}

bool take(std::string_view text, std::size_t& position, char wanted) {
    if (position >= text.size() || text[position] != wanted) return false;
    ++position;
    return true;
}

/// Decimal, with zeros in front up to `width`. No formatting library here: the agent links this file, and one
/// brings half of the standard library's locales with it.
void put(std::string& out, std::int64_t value, std::size_t width) {
    if (value < 0) {
        out += '-';
        value = -value;
        if (width > 0) --width;
    }
    const auto text = std::to_string(value);
    if (text.size() < width) out.append(width - text.size(), '0');
    out += text;
}

std::string quoted(std::string_view text) {
    return "\"" + std::string(text.substr(0, 40)) + "\"";
}

std::unexpected<Error> malformed_time(std::string_view text) {
    return fail(Errc::Malformed,
                quoted(text) + " is not a date and time; write it like 2026-01-31T23:59:59.000Z");
}

}  // namespace

std::string to_iso8601(Timestamp time, int digits) {
    using std::chrono::days, std::chrono::sys_days, std::chrono::year_month_day;
    std::int64_t seconds = time.ticks / kTicksPerSecond;
    std::int64_t fraction = time.ticks % kTicksPerSecond;
    if (fraction < 0) {
        fraction += kTicksPerSecond;
        --seconds;
    }
    std::int64_t day = seconds / kSecondsPerDay;
    std::int64_t second = seconds % kSecondsPerDay;
    if (second < 0) {
        second += kSecondsPerDay;
        --day;
    }
    const year_month_day date{sys_days{days{day}}};
    std::string out;
    out.reserve(28);
    put(out, static_cast<int>(date.year()), 4);
    const std::pair<char, std::int64_t> parts[] = {{'-', static_cast<unsigned>(date.month())},
                                                   {'-', static_cast<unsigned>(date.day())},
                                                   {'T', second / 3600},
                                                   {':', second / 60 % 60},
                                                   {':', second % 60}};
    for (const auto& [separator, value] : parts) {
        out += separator;
        put(out, value, 2);
    }
    if (digits > 0) {
        out += '.';
        put(out, fraction, 7);
        out.resize(out.size() - 7 + static_cast<std::size_t>(std::min(digits, 7)));
    }
    out += 'Z';
    return out;
}

Result<ParsedTime> parse_iso8601(std::string_view text) {
    using std::chrono::days, std::chrono::day, std::chrono::month, std::chrono::year,
        std::chrono::year_month_day;
    using std::chrono::sys_days;
    std::size_t at = 0;
    const int year_number = digits(text, at, 4);
    if (year_number < 1 || !take(text, at, '-')) return malformed_time(text);
    const int month_number = digits(text, at, 2);
    if (month_number < 1 || !take(text, at, '-')) return malformed_time(text);
    const int day_number = digits(text, at, 2);
    const year_month_day date{year{year_number}, month{static_cast<unsigned>(month_number)},
                              day{static_cast<unsigned>(std::max(day_number, 0))}};
    if (!date.ok()) return malformed_time(text);
    if (!take(text, at, 'T') && !take(text, at, 't') && !take(text, at, ' ')) return malformed_time(text);
    const int hour = digits(text, at, 2);
    if (hour < 0 || hour > 23 || !take(text, at, ':')) return malformed_time(text);
    const int minute = digits(text, at, 2);
    if (minute < 0 || minute > 59 || !take(text, at, ':')) return malformed_time(text);
    const int second = digits(text, at, 2);
    if (second < 0 || second > 60) return malformed_time(text);
    std::int64_t fraction = 0;
    if (take(text, at, '.')) {
        std::size_t count = 0;
        for (; at < text.size() && is_digit(text[at]); ++at, ++count) {
            if (count < 7) fraction = fraction * 10 + (text[at] - '0');
        }
        if (count < 1 || count > 9) return malformed_time(text);
        for (; count < 7; ++count)
            fraction *= 10;
    }
    ParsedTime out;
    if (take(text, at, 'Z') || take(text, at, 'z')) {
        out.has_zone = out.is_z = true;
    } else if (at < text.size() && (text[at] == '+' || text[at] == '-')) {
        const int sign = text[at++] == '-' ? -1 : 1;
        const int zone_hour = digits(text, at, 2);
        take(text, at, ':');
        const int zone_minute = digits(text, at, 2);
        if (zone_hour < 0 || zone_hour > 14 || zone_minute < 0 || zone_minute > 59)
            return malformed_time(text);
        out.has_zone = true;
        out.offset_minutes = sign * (zone_hour * 60 + zone_minute);
    }
    if (at != text.size()) return malformed_time(text);
    const std::int64_t day_count = sys_days{date}.time_since_epoch().count();
    const std::int64_t seconds =
        day_count * kSecondsPerDay + hour * 3600 + minute * 60 + second - out.offset_minutes * 60;
    out.time = Timestamp{seconds * kTicksPerSecond + fraction};
    return out;
}

Result<Ticks> parse_iso8601_duration(std::string_view text) {
    const auto malformed = [&] {
        return fail(Errc::Malformed, quoted(text) + " is not a duration; write it like PT5M, PT1H30M or P1D");
    };
    std::size_t at = 0;
    if (!take(text, at, 'P')) return malformed();
    static constexpr std::array<std::pair<char, std::int64_t>, 4> kDate{
        {{'Y', 365 * 86'400}, {'M', 30 * 86'400}, {'W', 7 * 86'400}, {'D', 86'400}}};
    static constexpr std::array<std::pair<char, std::int64_t>, 3> kTime{{{'H', 3'600}, {'M', 60}, {'S', 1}}};
    std::int64_t total = 0;
    bool in_time = false;
    bool any = false;
    bool fraction_seen = false;
    std::size_t next_unit = 0;
    while (at < text.size()) {
        if (!in_time && take(text, at, 'T')) {
            in_time = true;
            next_unit = 0;
            if (at == text.size()) return malformed();
            continue;
        }
        if (fraction_seen) return malformed();
        const auto* begin = text.data() + at;
        const auto* end = text.data() + text.size();
        std::int64_t whole = 0;
        const auto [stop, problem] = std::from_chars(begin, end, whole);
        if (problem != std::errc{} || *begin == '-') return malformed();
        at += static_cast<std::size_t>(stop - begin);
        std::int64_t fraction = 0;  // in 1e-7
        if (take(text, at, '.') || take(text, at, ',')) {
            fraction_seen = true;
            std::size_t count = 0;
            for (; at < text.size() && is_digit(text[at]); ++at, ++count) {
                if (count < 7) fraction = fraction * 10 + (text[at] - '0');
            }
            if (count == 0) return malformed();
            for (; count < 7; ++count)
                fraction *= 10;
        }
        if (at == text.size()) return malformed();
        const char unit = text[at++];
        const auto* units = in_time ? kTime.data() : kDate.data();
        const std::size_t unit_count = in_time ? kTime.size() : kDate.size();
        while (next_unit < unit_count && units[next_unit].first != unit)
            ++next_unit;
        if (next_unit == unit_count) return malformed();
        const std::int64_t seconds = units[next_unit].second;
        ++next_unit;
        std::int64_t part = 0;
        if (__builtin_mul_overflow(whole, seconds * kTicksPerSecond, &part) ||
            __builtin_add_overflow(total, part, &total) || __builtin_mul_overflow(fraction, seconds, &part) ||
            __builtin_add_overflow(total, part, &total)) {
            return malformed();
        }
        any = true;
    }
    if (!any) return malformed();
    return Ticks{total};
}

std::string to_iso8601_duration(Ticks duration) {
    std::int64_t ticks = duration.count();
    const bool negative = ticks < 0;
    if (negative) ticks = -ticks;
    const std::int64_t fraction = ticks % kTicksPerSecond;
    std::int64_t seconds = ticks / kTicksPerSecond;
    std::string out = negative ? "-P" : "P";
    if (const auto whole_days = seconds / kSecondsPerDay; whole_days > 0)
        out += std::to_string(whole_days) + "D";
    seconds %= kSecondsPerDay;
    if (seconds == 0 && fraction == 0) return out.back() == 'P' ? "PT0S" : out;
    out += 'T';
    if (seconds >= 3600) out += std::to_string(seconds / 3600) + "H";
    if (seconds / 60 % 60 > 0) out += std::to_string(seconds / 60 % 60) + "M";
    if (fraction > 0) {
        auto text = std::to_string(seconds % 60) + ".";
        put(text, fraction, 7);
        text.erase(text.find_last_not_of('0') + 1);
        out += text + "S";
    } else if (seconds % 60 > 0) {
        out += std::to_string(seconds % 60) + "S";
    }
    return out;
}

}  // namespace fieldwatch
