// The inside of literals: datetime(…), timespans, dynamic(…).
#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>
#include <re2/re2.h>

#include "base/bytes.hpp"
#include "base/text.hpp"
#include "kql/expr.hpp"

namespace fieldwatch::kql {
namespace {

/// Without blanks at its ends, then without the quotes around it.
std::string_view bare(std::string_view text) {
    text = trimmed(text);
    if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'') && text.back() == text.front())
        text = text.substr(1, text.size() - 2);
    return text;
}

std::optional<std::int64_t> digits(std::string_view text) {
    std::int64_t value = 0;
    if (text.empty() || text.size() > 9) return std::nullopt;
    for (const char c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        value = value * 10 + (c - '0');
    }
    return value;
}

/// As tostring() gives it: [-][d.]hh:mm:ss[.fffffff].
std::string timespan_text(std::int64_t ticks) {
    const auto size = ticks < 0 ? 0 - static_cast<std::uint64_t>(ticks) : static_cast<std::uint64_t>(ticks);
    const auto days = size / static_cast<std::uint64_t>(kTicksPerDay), seconds = size / 10'000'000,
               fraction = size % 10'000'000;
    return fmt::format("{}{}{:02}:{:02}:{:02}{}", ticks < 0 ? "-" : "", days ? fmt::format("{}.", days) : "",
                       seconds / 3600 % 24, seconds / 60 % 60, seconds % 60,
                       fraction ? fmt::format(".{:07}", fraction) : "");
}

/// Reads JSON, and writes it without blanks. Single-quoted strings are read too, and literals of the
/// language: datetime(…), 1h.
class JsonReader {
  public:
    JsonReader(std::string_view text, Span span) : text_(text), span_(span) {}

    Parsed<std::string> run() {
        FIELDWATCH_TRY(value(0));
        skip();
        if (at_ != text_.size()) return bad();
        return std::move(out_);
    }

  private:
    std::unexpected<Failure> bad() const {
        return syntax_error(span_, "the literal dynamic(…) holds no JSON");
    }
    void skip() {
        while (at_ < text_.size() &&
               (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r'))
            ++at_;
    }
    bool take(char c) {
        skip();
        if (at_ >= text_.size() || text_[at_] != c) return false;
        ++at_;
        return true;
    }

    Parsed<> value(int depth) {
        if (depth > 64) return limit_error(span_, "the literal dynamic(…) nests deeper than 64 levels");
        skip();
        if (at_ >= text_.size()) return bad();
        const char c = text_[at_];
        if (c == '{' || c == '[') return group(depth);
        if (c == '"' || c == '\'') return string();
        const auto begin = at_;
        while (at_ < text_.size() &&
               std::string_view(",]} \t\r\n:").find(text_[at_]) == std::string_view::npos)
            ++at_;
        if (const auto open = text_.substr(begin, at_ - begin).find('('); open != std::string_view::npos) {
            const auto close = text_.find(')', begin + open);
            if (close == std::string_view::npos) return bad();
            at_ = close + 1;
            return typed(text_.substr(begin, open), text_.substr(begin + open + 1, close - begin - open - 1));
        }
        const auto word = text_.substr(begin, at_ - begin);
        const auto digits_end = std::min(word.find_first_not_of("-.0123456789"), word.size());
        if (digits_end > 0 && digits_end < word.size()) {
            const bool negative = word[0] == '-';
            if (const auto ticks =
                    duration_ticks(word.substr(negative, digits_end - negative), word.substr(digits_end))) {
                out_ += json_quote(timespan_text(negative ? -*ticks : *ticks));
                return {};
            }
        }
        double number = 0;
        const bool is_number =
            !word.empty() && (word[0] == '-' || (word[0] >= '0' && word[0] <= '9')) && word != "-" &&
            std::from_chars(word.data(), word.data() + word.size(), number).ptr ==
                word.data() + word.size() &&
            std::isfinite(number) &&
            (word.size() < 2 || word[0] != '0' || word[1] == '.' || word[1] == 'e') && word.back() != '.';
        if (word != "true" && word != "false" && word != "null" && !is_number) return bad();
        out_ += word;
        return {};
    }

    /// A literal with its type before it: times and guids are their texts.
    Parsed<> typed(std::string_view type, std::string_view inside) {
        if (trimmed(inside) == "null") {
            out_ += "null";
        } else if (type == "datetime" || type == "date") {
            const auto ticks = parse_datetime_literal(inside);
            if (!ticks) return bad();
            out_ += json_quote(to_iso8601({*ticks - kUnixEpochTicks}));
        } else if (type == "timespan" || type == "time") {
            const auto ticks = parse_timespan_literal(inside);
            if (!ticks) return bad();
            out_ += json_quote(timespan_text(*ticks));
        } else if (type == "guid") {
            static const RE2 kGuid("(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}");
            std::string guid(bare(inside));
            if (!RE2::FullMatch(guid, kGuid)) return bad();
            for (char& c : guid)
                c = c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c;
            out_ += json_quote(guid);
        } else if (type == "int" || type == "long" || type == "real" || type == "double" || type == "bool") {
            JsonReader reader(trimmed(inside), span_);
            out_ += FIELDWATCH_TRY(reader.run());
        } else {
            return bad();
        }
        return {};
    }

    Parsed<> group(int depth) {
        const bool object = text_[at_++] == '{';
        const char close = object ? '}' : ']';
        out_.push_back(object ? '{' : '[');
        for (bool first = true; !take(close); first = false) {
            if (!first) {
                if (!take(',')) return bad();
                out_.push_back(',');
            }
            skip();
            if (object) {
                if (at_ >= text_.size() || (text_[at_] != '"' && text_[at_] != '\'')) return bad();
                FIELDWATCH_TRY(string());
                if (!take(':')) return bad();
                out_.push_back(':');
            }
            FIELDWATCH_TRY(value(depth + 1));
        }
        out_.push_back(close);
        return {};
    }

    Parsed<> string() {
        const auto tokens = tokenize(text_.substr(at_, string_length()));
        if (!tokens || tokens->front().kind != TokenKind::Text) return bad();
        at_ += tokens->front().span.length;
        out_ += json_quote(tokens->front().text);
        return {};
    }
    std::size_t string_length() const {
        auto end = at_ + 1;
        while (end < text_.size() && text_[end] != text_[at_])
            end += text_[end] == '\\' ? 2 : 1;
        return end + 1 - at_;
    }

    std::string_view text_;
    Span span_;
    std::size_t at_ = 0;
    std::string out_;
};

/// The date in ISO 8601 of the forms that a literal may have: ISO 8601 with digits left out, RFC 822 and 850,
/// month/day/year. What no calendar has is left to parse_iso8601().
std::optional<std::string> iso_date_of(std::string_view date) {
    static const RE2 kYearFirst(R"((\d{4})[-/](\d{1,2})[-/](\d{1,2}))");
    static const RE2 kMonthFirst(R"((\d{1,2})/(\d{1,2})/(\d{4}))");
    static const RE2 kNamedMonth(
        R"((?:[A-Za-z]{3,9},?\s+)?(\d{1,2})[ -]([A-Za-z]{3})[a-z]{0,6}[ -](\d\d|\d{4}))");
    constexpr std::string_view kMonths = "jan feb mar apr may jun jul aug sep oct nov dec ";
    int year = 0, month = 0, day = 0;
    std::string name;
    if (RE2::FullMatch(date, kNamedMonth, &day, &name, &year)) {
        for (char& c : name)
            c |= 0x20;
        const auto at = kMonths.find(name + " ");
        if (at == std::string_view::npos) return std::nullopt;
        month = static_cast<int>(at / 4) + 1;
        if (year < 100) year += year < 69 ? 2000 : 1900;
    } else if (!RE2::FullMatch(date, kYearFirst, &year, &month, &day) &&
               !RE2::FullMatch(date, kMonthFirst, &month, &day, &year)) {
        return std::nullopt;
    }
    return fmt::format("{:04}-{:02}-{:02}", year, month, day);
}

std::optional<std::string> iso_8601_of(std::string_view text) {
    static const RE2 kParts(
        R"((.+?)(?:(?:T|\s+)(\d{1,2}):(\d{1,2})(?::(\d{1,2})([.]\d{1,9})?)?(?:\s*([AaPp])[Mm])?\s*(Z|z|GMT|UTC|[+-]\d\d:?\d\d)?)?)");
    std::string date, hour_text, minute_text, second_text, fraction, half, zone;
    if (!RE2::FullMatch(text, kParts, &date, &hour_text, &minute_text, &second_text, &fraction, &half, &zone))
        return std::nullopt;
    const auto day = iso_date_of(date);
    if (!day) return std::nullopt;
    auto hour = digits(hour_text).value_or(0);
    if (!half.empty()) {
        if (hour < 1 || hour > 12) return std::nullopt;
        hour = hour % 12 + (half == "P" || half == "p" ? 12 : 0);
    }
    if (zone.empty() || zone == "GMT" || zone == "UTC") zone = "Z";
    return fmt::format("{}T{:02}:{:02}:{:02}{}{}", *day, hour, digits(minute_text).value_or(0),
                       digits(second_text).value_or(0), fraction, zone);
}

}  // namespace

Parsed<std::string> compact_json(std::string_view text, Span span) {
    return JsonReader(text, span).run();
}

std::optional<std::vector<std::string>> json_strings(std::string_view json) {
    // Without its bracket, which before a string begins a quoted name.
    if (!json.starts_with('[')) return std::nullopt;
    const auto tokens = tokenize(json.substr(1));
    if (!tokens) return std::nullopt;
    std::vector<std::string> values;
    for (std::size_t i = 0; i + 1 < tokens->size() && values.size() <= 1000; i += 2) {
        const auto& token = (*tokens)[i];
        const auto& after = (*tokens)[i + 1].text;
        if (token.kind != TokenKind::Text && token.kind != TokenKind::Number) return std::nullopt;
        values.push_back(token.text);
        if (after == "]") return values;
        if (after != ",") return std::nullopt;
    }
    return std::nullopt;
}

std::string json_quote(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\')
            out.push_back('\\'), out.push_back(c);
        else if (static_cast<unsigned char>(c) < 0x20)
            out += fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
        else
            out.push_back(c);
    }
    return out + "\"";
}

std::optional<std::int64_t> parse_datetime_literal(std::string_view text) {
    const auto full = iso_8601_of(bare(text));
    if (!full) return std::nullopt;
    const auto parsed = parse_iso8601(*full);
    if (!parsed) return std::nullopt;
    const auto ticks = parsed->time.ticks + kUnixEpochTicks;
    if (ticks < 0 || ticks > kLastTick) return std::nullopt;
    return ticks;
}

std::optional<std::int64_t> duration_ticks(std::string_view number, std::string_view unit) {
    double ticks = 0;
    const auto is = [&](std::initializer_list<std::string_view> names) {
        return std::find(names.begin(), names.end(), unit) != names.end();
    };
    if (is({"d", "day", "days"}))
        ticks = kTicksPerDay;
    else if (is({"h", "hr", "hrs", "hour", "hours"}))
        ticks = 36e9;
    else if (is({"m", "min", "minute", "minutes"}))
        ticks = 6e8;
    else if (is({"s", "sec", "second", "seconds"}))
        ticks = 1e7;
    else if (is({"ms", "milli", "millis", "millisecond", "milliseconds"}))
        ticks = 1e4;
    else if (is({"micro", "micros", "microsecond", "microseconds"}))
        ticks = 10;
    else if (is({"nano", "nanos", "nanosecond", "nanoseconds"}))
        ticks = 0.01;
    else if (is({"tick", "ticks"}))
        ticks = 1;
    else
        return std::nullopt;
    std::int64_t whole = 0;
    if (const auto end = std::from_chars(number.data(), number.data() + number.size(), whole);
        ticks >= 1 && end.ec == std::errc{} && end.ptr == number.data() + number.size()) {
        std::int64_t product = 0;
        if (__builtin_mul_overflow(whole, static_cast<std::int64_t>(ticks), &product)) return std::nullopt;
        return product;
    }
    double value = 0;
    std::from_chars(number.data(), number.data() + number.size(), value);
    value *= ticks;
    if (!(std::abs(value) < 9.2e18)) return std::nullopt;
    return std::llround(value);
}

std::optional<std::int64_t> parse_timespan_literal(std::string_view text) {
    text = bare(text);
    const bool negative = text.starts_with('-');
    if (negative) text.remove_prefix(1);
    std::size_t number = 0;
    while (number < text.size() && ((text[number] >= '0' && text[number] <= '9') || text[number] == '.'))
        ++number;
    std::int64_t ticks = 0;
    if (text.find(':') == std::string_view::npos) {
        if (number == 0) return std::nullopt;
        auto unit = bare(text.substr(number));
        const auto value = duration_ticks(text.substr(0, number), unit.empty() ? "d" : unit);
        if (!value) return std::nullopt;
        return negative ? -*value : *value;
    }
    // [d.]hh:mm[:ss[.fffffff]]
    const auto colon = text.find(':');
    auto head = text.substr(0, colon);
    if (const auto dot = head.find('.'); dot != std::string_view::npos) {
        const auto days = digits(head.substr(0, dot));
        if (!days || *days > 10'000'000) return std::nullopt;
        ticks += *days * kTicksPerDay;
        head.remove_prefix(dot + 1);
    }
    const auto hours = digits(head);
    auto rest = text.substr(colon + 1);
    const auto second_colon = rest.find(':');
    const auto minutes = digits(rest.substr(0, second_colon));
    if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
    ticks += *hours * 36'000'000'000 + *minutes * 600'000'000;
    if (second_colon != std::string_view::npos) {
        rest = rest.substr(second_colon + 1);
        const auto dot = rest.find('.');
        const auto seconds = digits(rest.substr(0, dot));
        if (!seconds || *seconds > 59) return std::nullopt;
        ticks += *seconds * 10'000'000;
        if (dot != std::string_view::npos) {
            std::string fraction(rest.substr(dot + 1));
            if (fraction.empty() || fraction.size() > 7) return std::nullopt;
            fraction.resize(7, '0');
            const auto value = digits(fraction);
            if (!value) return std::nullopt;
            ticks += *value;
        }
    }
    return negative ? -ticks : ticks;
}

}  // namespace fieldwatch::kql
