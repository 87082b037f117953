// Value modifiers of Sigma 2.1 (its appendix), and what a value becomes under them.
#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/bytes.hpp"
#include "detect/command/address.hpp"
#include "detect/rules/detection.hpp"

namespace fieldwatch::detect {
namespace {

constexpr std::size_t kPatternBytesMax = 4'096;
constexpr std::size_t kFormsMax = 20'000;  // what one value may come to: a whole word list

constexpr std::array<std::string_view, 32> kNames{
    "contains", "startswith", "endswith", "all",          "re",   "i",     "m",       "s",
    "cidr",     "exists",     "cased",    "neq",          "word", "lt",    "lte",     "gt",
    "gte",      "windash",    "base64",   "base64offset", "wide", "utf16", "utf16le", "utf16be",
    "fieldref", "expand",     "minute",   "hour",         "day",  "week",  "month",   "year"};

bool apply_flag(std::string_view name, Modifiers& m) {
    static constexpr std::array<std::pair<std::string_view, bool Modifiers::*>, 13> kFlags{{
        {"all", &Modifiers::all},
        {"re", &Modifiers::regex},
        {"i", &Modifiers::insensitive},
        {"m", &Modifiers::multiline},
        {"s", &Modifiers::dot_all},
        {"cidr", &Modifiers::cidr},
        {"exists", &Modifiers::exists},
        {"windash", &Modifiers::windash},
        {"expand", &Modifiers::expand},
        {"base64", &Modifiers::base64},
        {"base64offset", &Modifiers::base64_offset},
        {"neq", &Modifiers::negated},
        {"fieldref", &Modifiers::reference},
    }};
    for (const auto& [known, flag] : kFlags) {
        if (known != name) continue;
        m.*flag = true;
        m.base64 = m.base64 || m.base64_offset;
        return true;
    }
    return false;
}

bool apply_other(std::string_view name, Modifiers& m) {
    static constexpr std::array<std::pair<std::string_view, PatternKind>, 4> kCompare{{
        {"lt", PatternKind::Less},
        {"lte", PatternKind::LessOrEqual},
        {"gt", PatternKind::Greater},
        {"gte", PatternKind::GreaterOrEqual},
    }};
    static constexpr std::array<std::pair<std::string_view, TimePart>, 6> kParts{{
        {"minute", TimePart::Minute},
        {"hour", TimePart::Hour},
        {"day", TimePart::Day},
        {"week", TimePart::Week},
        {"month", TimePart::Month},
        {"year", TimePart::Year},
    }};
    static constexpr std::array<std::pair<std::string_view, Modifiers::Wide>, 4> kWide{{
        {"wide", Modifiers::Wide::LittleEndian},
        {"utf16le", Modifiers::Wide::LittleEndian},
        {"utf16be", Modifiers::Wide::BigEndian},
        {"utf16", Modifiers::Wide::Marked},
    }};
    for (const auto& [known, value] : kCompare) {
        if (known == name) return m.compare = value, true;
    }
    for (const auto& [known, value] : kParts) {
        if (known == name) return m.part = value, true;
    }
    for (const auto& [known, value] : kWide) {
        if (known == name) return m.wide = value, true;
    }
    if (name == "contains") {
        m.match.open_start = m.match.open_end = true;
    } else if (name == "startswith") {
        m.match.open_end = true;
    } else if (name == "endswith") {
        m.match.open_start = true;
    } else if (name == "cased") {
        m.match.cased = true;
    } else if (name == "word") {
        m.match.word = true;
    } else {
        return false;
    }
    return true;
}

/// Modifiers that cannot mean anything together.
void check_together(const YAML::Node& key, const Modifiers& m) {
    const bool open = m.match.open_start || m.match.open_end;
    const bool compares = m.compare != PatternKind::Exact;
    if (m.regex && open)
        refuse(key,
               "'re' finds its expression anywhere in the value: leave out contains, startswith and "
               "endswith, or write ^ and $");
    if (m.cidr && (open || m.regex || compares))
        refuse(key, "'cidr' stands alone: write 'field|cidr: 10.0.0.0/8'");
    if (compares && (open || m.regex))
        refuse(key,
               "'lt', 'lte', 'gt' and 'gte' compare numbers: no contains, startswith, endswith or re beside "
               "them");
    if ((m.insensitive || m.multiline || m.dot_all) && !m.regex)
        refuse(key, "'i', 'm' and 's' belong to 're': write 'field|re|i'");
    if (m.part != TimePart::None && (open || m.regex || m.cidr))
        refuse(key, "a part of a date is a number: write 'field|hour: 3' or 'field|hour|gte: 22'");
    if (m.reference && (m.regex || m.cidr || compares || m.base64 || m.exists))
        refuse(key, "'fieldref' goes with contains, startswith, endswith, cased and neq only");
}

bool has_wildcard(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\') {
            ++i;
        } else if (text[i] == '*' || text[i] == '?') {
            return true;
        }
    }
    return false;
}

/// The text that a Sigma string without wildcards stands for.
std::string unescaped(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char next = i + 1 < text.size() ? text[i + 1] : '\0';
        if (text[i] == '\\' && (next == '*' || next == '?' || next == '\\')) ++i;
        out.push_back(text[i]);
    }
    return out;
}

/// UTF-8 to UTF-16. What is no UTF-8 goes byte by byte, as Latin-1.
std::string widened(std::string_view text, Modifiers::Wide form) {
    std::string out;
    const auto unit = [&](unsigned value) {
        const char high = static_cast<char>(value >> 8 & 0xff);
        const char low = static_cast<char>(value & 0xff);
        const bool big = form == Modifiers::Wide::BigEndian;
        out.push_back(big ? high : low);
        out.push_back(big ? low : high);
    };
    if (form == Modifiers::Wide::Marked) unit(0xfeff);
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto lead = static_cast<unsigned char>(text[i]);
        const std::size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
        unsigned value = more == 0 ? lead : lead & (0x3fu >> more);
        bool whole = i + more < text.size();
        for (std::size_t j = 1; whole && j <= more; ++j) {
            const auto byte = static_cast<unsigned char>(text[i + j]);
            whole = (byte & 0xc0) == 0x80;
            value = value << 6 | (byte & 0x3fu);
        }
        if (!whole) {
            unit(lead);
            continue;
        }
        i += more;
        if (value < 0x10000) {
            unit(value);
        } else {
            unit(0xd800 + ((value - 0x10000) >> 10));
            unit(0xdc00 + ((value - 0x10000) & 0x3ff));
        }
    }
    return out;
}

/// The base64 characters that depend on `text` alone, for each place it may start at within three bytes.
void encode(const std::string& text, bool offsets, std::vector<std::string>& out) {
    if (!offsets) {
        out.push_back(base64(as_bytes(text)));
        return;
    }
    for (std::size_t shift = 0; shift < 3; ++shift) {
        const auto encoded = base64(as_bytes(std::string(shift, ' ') + text));
        static constexpr std::size_t kSkip[] = {0, 2, 3};
        static constexpr std::size_t kDrop[] = {0, 3, 2};
        const auto drop = kDrop[(text.size() + shift) % 3];
        if (encoded.size() <= kSkip[shift] + drop) continue;
        out.push_back(encoded.substr(kSkip[shift], encoded.size() - kSkip[shift] - drop));
    }
}

/// Every combination of dash characters where an option may begin: behind a non-word character or at the
/// start, and before a word character.
void dash_forms(const YAML::Node& node, const std::string& text, std::vector<std::string>& out) {
    static constexpr std::array<std::string_view, 5> kDashes{"-", "/", "\u2013", "\u2014", "\u2015"};
    constexpr std::size_t kPlacesMax = 5;  // 3,125 forms
    const auto word = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    };
    std::vector<std::string> forms{""};
    std::size_t places = 0;
    for (std::size_t i = 0; i < text.size();) {
        const auto rest = std::string_view(text).substr(i);
        const auto* const dash =
            std::ranges::find_if(kDashes, [&](auto candidate) { return rest.starts_with(candidate); });
        const bool begins = dash != kDashes.end() && (i == 0 || !word(text[i - 1])) &&
                            rest.size() > dash->size() && word(rest[dash->size()]);
        if (!begins) {
            for (auto& form : forms)
                form.push_back(text[i]);
            ++i;
            continue;
        }
        if (++places > kPlacesMax)
            refuse(node, "'windash' takes at most five dashes in a value; write it as several values");
        std::vector<std::string> more;
        for (const auto& form : forms) {
            for (const auto other : kDashes)
                more.push_back(form + std::string(other));
        }
        forms = std::move(more);
        i += dash->size();
    }
    out.insert(out.end(), forms.begin(), forms.end());
}

/// `%name%` anywhere in a value becomes each word of that list; `\%` is a percent sign.
std::vector<std::string> expanded(const YAML::Node& node, const std::string& text, const WordLists& words) {
    std::vector<std::string> forms{""};
    const auto add = [&](std::string_view part) {
        for (auto& form : forms)
            form += part;
    };
    for (std::size_t i = 0; i < text.size();) {
        if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == '%') {
            add("%");
            i += 2;
            continue;
        }
        const auto close = text[i] == '%' ? text.find('%', i + 1) : std::string::npos;
        if (close == std::string::npos) {
            add(std::string_view(text).substr(i, 1));
            ++i;
            continue;
        }
        const auto name = std::string_view(text).substr(i + 1, close - i - 1);
        const auto list = words.find(name);
        if (list == words.end()) {
            std::vector<std::string_view> known;
            for (const auto& [word, values] : words)
                known.push_back(word);
            refuse(node,
                   "no word list is named %" + std::string(name) + "%" +
                       (known.empty() ? "; put one beside the rules: words/" + std::string(name) + ".txt"
                                      : "; did you mean %" + nearest(name, known) + "%?"));
        }
        if (list->second.empty()) refuse(node, "word list %" + std::string(name) + "% is empty");
        std::vector<std::string> more;
        for (const auto& form : forms) {
            for (const auto& word : list->second)
                more.push_back(form + word);
        }
        if (more.size() > kFormsMax) refuse(node, "a value stands for more than 20,000 words");
        forms = std::move(more);
        i = close + 1;
    }
    return forms;
}

Pattern compared(const YAML::Node& node, const std::string& text, const Modifiers& m) {
    const char* const begin = text.c_str();
    char* end = nullptr;
    std::strtod(begin, &end);
    if (text.empty() || end != begin + text.size()) refuse(node, "'" + text + "' is not a number");
    const auto kind = m.compare == PatternKind::Exact ? PatternKind::Equal : m.compare;
    return {.kind = kind, .text = text, .part = m.part, .literal_bytes = 1};
}

Pattern reference(const std::string& text, const Modifiers& m) {
    const auto kind = m.match.open_start && m.match.open_end ? PatternKind::Contains
                      : m.match.open_end                     ? PatternKind::StartsWith
                      : m.match.open_start                   ? PatternKind::EndsWith
                                                             : PatternKind::SameAs;
    return {.kind = kind, .text = text, .cased = m.match.cased, .literal_bytes = 4};
}

/// One string under contains, windash, utf16, base64 and the like.
void string_patterns(const YAML::Node& node, const std::string& text, const Modifiers& m,
                     std::vector<Pattern>& out) {
    std::vector<std::string> forms;
    if (m.windash) {
        dash_forms(node, text, forms);
    } else {
        forms.push_back(text);
    }
    const bool encodes = m.base64 || m.wide != Modifiers::Wide::None;
    auto match = m.match;
    match.literal = encodes;
    for (const auto& form : forms) {
        if (!encodes) {
            out.push_back(string_pattern(form, match));
            continue;
        }
        if (has_wildcard(form))
            refuse(node,
                   "a wildcard cannot be encoded: write the value without it, and 'contains' behind the "
                   "encoding");
        auto plain = unescaped(form);
        if (m.wide != Modifiers::Wide::None) plain = widened(plain, m.wide);
        std::vector<std::string> encoded{plain};
        if (m.base64) {
            encoded.clear();
            encode(plain, m.base64_offset, encoded);
        }
        for (const auto& one : encoded)
            out.push_back(string_pattern(one, match));
    }
}

}  // namespace

Modifiers read_modifiers(const YAML::Node& key, std::string_view text) {
    Modifiers m;
    while (!text.empty()) {
        text.remove_prefix(1);
        const auto name = text.substr(0, std::min(text.find('|'), text.size()));
        text = text.substr(name.size());
        if (!apply_flag(name, m) && !apply_other(name, m))
            refuse(key, "modifier '" + std::string(name) + "' is not supported; the nearest is '" +
                            nearest(name, kNames) + "'");
    }
    check_together(key, m);
    return m;
}

std::vector<Pattern> read_value(const YAML::Node& node, const Modifiers& m, const WordLists& words) {
    if (node.IsNull()) return {{.kind = PatternKind::Null, .text = {}}};
    if (!node.IsScalar()) refuse(node, "a value must be a string, a number, a boolean or null");
    const auto text = node.as<std::string>();
    if (text.size() > kPatternBytesMax) refuse(node, "a value is longer than 4,096 bytes");
    if (m.exists) {
        bool wanted = false;
        if (!YAML::convert<bool>::decode(node, wanted))
            refuse(node, "'exists' takes true or false, not '" + text + "'");
        return {{.kind = wanted ? PatternKind::Exists : PatternKind::Missing, .text = {}}};
    }
    if (m.cidr) {
        if (!parse_prefix(text))
            refuse(node, "'" + text + "' is not an address range; write 10.0.0.0/8 or 2001:db8::/32");
        return {{.kind = PatternKind::Cidr, .text = text, .literal_bytes = 4}};
    }
    if (m.compare != PatternKind::Exact || m.part != TimePart::None) return {compared(node, text, m)};
    if (m.reference) return {reference(text, m)};
    std::vector<Pattern> out;
    for (const auto& one : m.expand ? expanded(node, text, words) : std::vector<std::string>{text}) {
        if (!m.regex) {
            string_patterns(node, one, m, out);
            continue;
        }
        if (const auto problem = regex_problem(one); !problem.empty())
            refuse(node, "the expression '" + one + "' is refused: " + problem);
        out.push_back({.kind = PatternKind::Regex,
                       .text = one,
                       .cased = !m.insensitive,
                       .multiline = m.multiline,
                       .dot_all = m.dot_all,
                       .literal_bytes = 3});
    }
    return out;
}

}  // namespace fieldwatch::detect
