// Sigma strings become an exact text, a literal, or a regular expression that both Vectorscan and RE2 read.
#include <algorithm>

#include "detect/rules/sigma.hpp"

namespace fieldwatch::detect {
namespace {

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

bool is_word_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

void append_escaped(std::string& out, char c) {
    static constexpr char kHex[] = "0123456789abcdef";
    if (is_word_character(c)) {
        out.push_back(c);
        return;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += "\\x";
    out.push_back(kHex[byte >> 4]);
    out.push_back(kHex[byte & 15]);
}

}  // namespace

Pattern string_pattern(std::string_view text, StringMatch match) {
    enum class Kind { Literal, Any, One };
    struct Token {
        Kind kind;
        char c;
    };
    std::vector<Token> tokens;
    if (match.open_start) tokens.push_back({Kind::Any, 0});
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const char next = i + 1 < text.size() ? text[i + 1] : '\0';
        if (match.literal) {
            tokens.push_back({Kind::Literal, c});
        } else if (c == '\\' && (next == '*' || next == '?' || next == '\\')) {
            tokens.push_back({Kind::Literal, next});
            ++i;
        } else if (c == '*') {
            if (tokens.empty() || tokens.back().kind != Kind::Any) tokens.push_back({Kind::Any, 0});
        } else {
            tokens.push_back({c == '?' ? Kind::One : Kind::Literal, c});
        }
    }
    if (match.open_end && (tokens.empty() || tokens.back().kind != Kind::Any))
        tokens.push_back({Kind::Any, 0});

    Pattern pattern;
    pattern.cased = match.cased;
    for (const auto& token : tokens)
        pattern.literal_bytes += token.kind == Kind::Literal ? 1 : 0;
    const bool from_any = !tokens.empty() && tokens.front().kind == Kind::Any;
    const bool to_any = tokens.size() > 1 && tokens.back().kind == Kind::Any;
    if ((tokens.size() == 1 && from_any) || (tokens.empty() && match.word)) {
        pattern.kind = PatternKind::Present;
        return pattern;
    }
    const auto inside =
        std::span(tokens).subspan(from_any ? 1 : 0, tokens.size() - (from_any ? 1 : 0) - (to_any ? 1 : 0));
    if (std::ranges::all_of(inside, [](const auto& token) { return token.kind == Kind::Literal; }) &&
        !(match.word && (from_any || to_any))) {
        for (const auto& token : inside)
            pattern.text.push_back(match.cased ? token.c : lower(token.c));
        if (!from_any && !to_any && !match.word) return pattern;  // the empty text too
        pattern.kind = PatternKind::Literal;
        if (match.word) {
            pattern.edges = {.begins = is_word_character(pattern.text.front()),
                             .ends = is_word_character(pattern.text.back())};
        } else {
            pattern.edges = {.at_start = !from_any, .at_end = !to_any};
        }
        return pattern;
    }
    pattern.kind = PatternKind::Regex;
    std::size_t first = 0;
    std::size_t last = tokens.size();
    if (!match.word && from_any) {
        ++first;
    } else if (match.word) {
        if (is_word_character(tokens.front().c)) pattern.text += "\\b";
    } else {
        pattern.text += "\\A";
    }
    const bool open_end = !match.word && to_any;
    if (open_end) --last;
    for (auto i = first; i < last; ++i) {
        if (tokens[i].kind == Kind::Any) {
            pattern.text += ".*";
        } else if (tokens[i].kind == Kind::One) {
            pattern.text += "(?:[\\x00-\\x7f]|[\\xc0-\\xff][\\x80-\\xbf]+)";  // a character, as UTF-8
        } else {
            append_escaped(pattern.text, tokens[i].c);
        }
    }
    if (match.word) {
        if (is_word_character(tokens.back().c)) pattern.text += "\\b";
    } else if (!open_end) {
        pattern.text += "\\z";
    }
    return pattern;
}

std::vector<std::string> parse_word_list(std::string_view text) {
    constexpr std::size_t kWordsMax = 20'000;
    constexpr std::size_t kWordBytesMax = 256;
    std::vector<std::string> words;
    while (!text.empty() && words.size() < kWordsMax) {
        const auto end = text.find('\n');
        auto line = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
        line = line.substr(0, line.find('#'));
        const auto first = line.find_first_not_of(" \t\r");
        if (first == std::string_view::npos) continue;
        line = line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
        if (line.size() <= kWordBytesMax) words.emplace_back(line);
    }
    return words;
}

}  // namespace fieldwatch::detect
