#include "pipeline/series_line.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <span>
#include <string>

#include <fmt/format.h>

#include "base/text.hpp"

namespace fieldwatch::pipeline {
namespace {

constexpr std::string_view kBlanks = " \r";
constexpr std::size_t kColumnsMax = 256;  ///< further ones are left alone

std::optional<double> number(std::string_view text) {
    if (text.starts_with('+')) text.remove_prefix(1);
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// What people write for ISO 8601, as ISO 8601.
std::string iso_of(std::string_view text) {
    for (const std::string_view zone : {" UTC", " GMT", " Z"})
        if (text.ends_with(zone)) text.remove_suffix(zone.size());
    std::string out(text);
    std::replace(out.begin(),
                 out.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(out.size(), 10)), '/', '-');
    if (out.size() == 10) return out + "T00:00:00";
    if (out.size() == 13) out += ":00";
    // A time without seconds, with or without a zone behind it.
    if (out.size() >= 16 && out[13] == ':' && (out.size() == 16 || out[16] != ':')) out.insert(16, ":00");
    if (out.size() > 19) {
        if (const auto blank = out.find(' ', 19); blank != std::string::npos) out.erase(blank, 1);
        // An offset in hours alone.
        const auto sign = out.find_last_of("+-");
        if (sign != std::string::npos && sign >= 19 && out.size() - sign == 3) out += ":00";
    }
    return out;
}

/// A date that begins with its day or its month, as ISO 8601, and which of the two it proves to be first.
struct LocalDate {
    std::string iso;
    std::optional<bool> day_first;
};

/// The number of one or two digits that a text begins with, taken off it.
std::optional<int> take_number(std::string_view& text) {
    std::size_t digits = 0;
    while (digits < text.size() && digits < 2 && is_digit(text[digits]))
        ++digits;
    if (digits == 0) return std::nullopt;
    int out = 0;
    std::from_chars(text.data(), text.data() + digits, out);
    text.remove_prefix(digits);
    return out;
}

/// `2:29:59 PM` as `14:29:59`, and nothing as midnight; what stands behind the hour stays as it is.
std::optional<std::string> clock_of(std::string_view text) {
    text = trimmed(text, " T");
    if (text.empty()) return "00:00:00";
    int shift = 0;
    for (const auto& [word, hours] : {std::pair("AM", 0), {"PM", 12}, {"am", 0}, {"pm", 12}}) {
        if (!text.ends_with(word)) continue;
        text = trimmed(text.substr(0, text.size() - 2), " ");
        shift = hours + 1;
        break;
    }
    auto hour = take_number(text);
    if (!hour || (shift > 0 && (*hour < 1 || *hour > 12))) return std::nullopt;
    if (shift > 0) *hour = *hour % 12 + shift - 1;
    return fmt::format("{:02}{}", *hour, text);
}

std::optional<LocalDate> local_date(std::string_view text, bool day_first) {
    const auto first = take_number(text);
    if (!first || text.empty() || (text.front() != '/' && text.front() != '.' && text.front() != '-'))
        return std::nullopt;
    const char separator = text.front();
    text.remove_prefix(1);
    const auto second = take_number(text);
    if (!second || text.size() < 5 || text.front() != separator) return std::nullopt;
    const auto year = text.substr(1, 4);
    if (!std::ranges::all_of(year, is_digit)) return std::nullopt;
    const auto clock = clock_of(text.substr(5));
    if (!clock) return std::nullopt;
    LocalDate out;
    if (*first > 12 || *second > 12 || separator == '.') out.day_first = separator == '.' || *first > 12;
    const bool is_day = out.day_first.value_or(day_first);
    out.iso =
        fmt::format("{}-{:02}-{:02}T{}", year, is_day ? *second : *first, is_day ? *first : *second, *clock);
    return out;
}

std::optional<Timestamp> stamp(std::string_view text) {
    if (const auto epoch = number(text)) {
        // Seconds of the year 5138 are milliseconds of 1973, and so on for micro- and nanoseconds.
        double seconds = *epoch;
        for (int i = 0; i < 3 && std::abs(seconds) >= 1e11; ++i)
            seconds /= 1000;
        if (!std::isfinite(seconds) || std::abs(seconds) > 253'402'300'799.0) return std::nullopt;
        return Timestamp{static_cast<std::int64_t>(seconds * 10'000'000)};
    }
    if (text.empty() || !is_digit(text.front()) || text.size() > 64) return std::nullopt;
    const auto iso = parse_iso8601(iso_of(text));
    return iso ? std::optional(iso->time) : std::nullopt;
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
    return out;
}

bool is_missing(std::string_view text) {
    if (text.size() > 4) return false;
    const auto word = lower(text);
    return word.empty() || word == "nan" || word == "null" || word == "na" || word == "n/a" ||
           word == "none" || word == "-" || word == "?";
}

struct Fields {
    std::vector<std::string_view> parts;
    char separator = 0;
};

/// The fields without their quotes and the blanks around them.
Fields fields_of(std::string_view line) {
    if (line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
    Fields out;
    bool quoted = false;
    std::size_t begin = 0;
    const auto finish = [&](std::size_t end) {
        auto part = trimmed(line.substr(begin, end - begin), kBlanks);
        if (part.size() >= 2 && part.front() == '"' && part.back() == '"')
            part = trimmed(part.substr(1, part.size() - 2), kBlanks);
        out.parts.push_back(part);
        begin = end + 1;
    };
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (c == '"') quoted = !quoted;
        if (quoted || (c != ',' && c != ';' && c != '\t')) continue;
        if (out.separator == 0) out.separator = c;
        if (c != out.separator) continue;
        finish(i);
        if (out.parts.size() == kColumnsMax) return out;
    }
    finish(line.size());
    return out;
}

std::optional<double> value_of(std::string_view text, char separator) {
    if (separator == ',' || text.size() > 64 || std::ranges::count(text, ',') != 1) return number(text);
    std::string pointed(text);
    std::ranges::replace(pointed, ',', '.');
    return number(pointed);
}

constexpr std::array<std::string_view, 17> kTimeNames{
    "timestamp", "time", "datetime",  "date_time", "ts",   "date",  "ds",         "@timestamp", "_time",
    "time_utc",  "utc",  "unix_time", "unix_ts",   "unix", "epoch", "created_at", "t"};
constexpr std::array<std::string_view, 13> kValueNames{
    "value",  "val",    "v",       "y",    "reading", "measurement", "metric_value",
    "_value", "metric", "average", "mean", "count",   "usage"};

/// The column whose name comes first among `names`, of those that hold what `fits`.
std::optional<std::size_t> named(const std::vector<std::string_view>& heading,
                                 std::span<const std::string_view> names, const auto& fits) {
    for (const auto name : names)
        for (std::size_t i = 0; i < heading.size(); ++i)
            if (lower(heading[i]) == name && fits(i)) return i;
    return std::nullopt;
}

/// A number that counts rows or names a device is no time, though it could be one of 1970.
bool looks_like_a_stamp(std::string_view text) {
    const auto epoch = number(text);
    if (epoch) return *epoch >= 1e8 && stamp(text);
    return stamp(text) || (text.size() <= 64 && local_date(text, false));
}

}  // namespace

SeriesColumns series_columns(std::string_view heading, std::string_view first_row) {
    const auto names = fields_of(heading).parts;
    const auto [row, separator] = fields_of(first_row);
    const auto holds_number = [&](std::size_t i) {
        return i < row.size() && (is_missing(row[i]) || value_of(row[i], separator));
    };
    const auto named_time = named(names, kTimeNames, [&](std::size_t i) {
        return i < row.size() && (stamp(row[i]) || (row[i].size() <= 64 && local_date(row[i], false)));
    });
    auto time = named_time;
    for (std::size_t i = 0; i < row.size() && !time; ++i)
        if (looks_like_a_stamp(row[i])) time = i;
    SeriesColumns out{.time = time.value_or(0)};
    auto value = named(names, kValueNames, [&](std::size_t i) { return i != out.time && holds_number(i); });
    // Unnamed, it stands behind the stamp rather than before it.
    for (std::size_t i = out.time + 1; i < row.size() && !value; ++i)
        if (holds_number(i)) value = i;
    for (std::size_t i = 0; i < row.size() && !value; ++i)
        if (i != out.time && holds_number(i)) value = i;
    out.value = value.value_or(out.time == 1 ? 0 : 1);
    return out;
}

Result<SeriesLine> parse_series_line(std::string_view line, const SeriesColumns& columns) {
    const auto [parts, separator] = fields_of(line);
    if (parts.size() <= std::max(columns.time, columns.value)) {
        if (parts.size() < 2) return fail(Errc::Malformed, "a line of a series is \"timestamp,value\"");
        return fail(Errc::Malformed, "the line has fewer columns than the first one");
    }
    SeriesLine out;
    const auto when = parts[columns.time];
    auto time = stamp(when);
    out.is_number = time && number(when);
    if (const auto local = time || when.size() > 64 ? std::nullopt : local_date(when, columns.day_first)) {
        out.day_first = local->day_first;
        time = stamp(local->iso);
    }
    if (!time)
        return fail(Errc::Malformed, "the stamp is no date and time, nor seconds or milliseconds since 1970");
    out.time = *time;
    const auto text = parts[columns.value];
    if (is_missing(text)) return out;
    const auto value = value_of(text, separator);
    if (!value) return fail(Errc::Malformed, "the value is no number");
    if (std::isfinite(*value)) out.value = value;
    return out;
}

}  // namespace fieldwatch::pipeline
