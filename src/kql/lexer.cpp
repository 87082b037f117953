#include "kql/lexer.hpp"

#include <algorithm>
#include <array>

#include "base/bytes.hpp"
#include "base/unicode.hpp"

namespace fieldwatch::kql {

namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_name_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}
bool is_name(char c) {
    return is_name_start(c) || is_digit(c);
}
bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f';
}

/// Names that, with a parenthesis right behind them, begin a literal whose inside is not an expression.
constexpr std::array<std::string_view, 15> kLiteralTypes{
    "datetime", "date", "timespan", "time",   "guid",    "dynamic", "bool",    "boolean",
    "int",      "long", "real",     "double", "decimal", "uuid",    "uniqueid"};

class Lexer {
  public:
    explicit Lexer(std::string_view text) : text_(text) {}

    Parsed<std::vector<Token>> run() {
        std::vector<Token> tokens;
        while (true) {
            skip();
            start_ = at_;
            Token token;
            if (at_ < text_.size()) token = FIELDWATCH_TRY(next(tokens));
            token.span = {static_cast<std::uint32_t>(start_), static_cast<std::uint32_t>(at_ - start_)};
            tokens.push_back(std::move(token));
            if (tokens.back().kind == TokenKind::End) return tokens;
        }
    }

  private:
    char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
    Span here() const {
        return {static_cast<std::uint32_t>(start_),
                static_cast<std::uint32_t>(std::max<std::size_t>(1, at_ - start_))};
    }

    void skip() {
        while (at_ < text_.size()) {
            if (is_blank(text_[at_])) {
                ++at_;
            } else if (text_[at_] == '/' && peek(1) == '/') {
                while (at_ < text_.size() && text_[at_] != '\n')
                    ++at_;
            } else {
                return;
            }
        }
    }

    Parsed<Token> next(const std::vector<Token>& before) {
        const char c = peek();
        if (c == '"' || c == '\'') return string(false);
        for (const std::string_view fence : {"```", "~~~"}) {
            if (text_.substr(at_).starts_with(fence)) return lines(fence);
        }
        if ((c == '@' || c == 'h' || c == 'H') && (peek(1) == '"' || peek(1) == '\'')) {
            ++at_;
            return string(c == '@');
        }
        if ((c == 'h' || c == 'H') && peek(1) == '@' && (peek(2) == '"' || peek(2) == '\'')) {
            at_ += 2;
            return string(true);
        }
        if (is_digit(c) || (c == '.' && is_digit(peek(1)))) return number();
        if (is_name_start(c)) return name();
        if (c == '[' && (peek(1) == '\'' || peek(1) == '"') && !(adjacent(before) && ends_operand(before)))
            return quoted_name();
        return symbol();
    }

    bool adjacent(const std::vector<Token>& before) const {
        return !before.empty() && before.back().span.offset + before.back().span.length == start_;
    }

    /// Right behind an operand `[` is an index, elsewhere `['…']` is a name.
    static bool ends_operand(const std::vector<Token>& before) {
        if (before.empty()) return false;
        const auto& last = before.back();
        return last.kind == TokenKind::Name || last.kind == TokenKind::QuotedName ||
               last.kind == TokenKind::Typed ||
               (last.kind == TokenKind::Symbol && (last.text == ")" || last.text == "]"));
    }

    Parsed<Token> quoted_name() {
        ++at_;
        auto token = FIELDWATCH_TRY(string(false));
        skip();
        if (peek() != ']') return syntax_error(here(), "a quoted name ends with ']'");
        ++at_;
        token.kind = TokenKind::QuotedName;
        return token;
    }

    Parsed<Token> string(bool verbatim) {
        const char quote = text_[at_++];
        Token token{.kind = TokenKind::Text};
        while (at_ < text_.size()) {
            const char c = text_[at_++];
            if (c == quote) {
                if (!verbatim || peek() != quote) return token;
                token.text.push_back(quote);
                ++at_;
            } else if (c == '\\' && !verbatim) {
                FIELDWATCH_TRY(escape(token.text));
            } else if (c == '\n') {
                break;
            } else {
                token.text.push_back(c);
            }
        }
        at_ = std::min(at_, text_.size());
        return syntax_error(here(), "this string has no closing quote");
    }

    /// Text over several lines, as it is written, up to the same fence.
    Parsed<Token> lines(std::string_view fence) {
        const auto begin = at_ + fence.size();
        const auto end = text_.find(fence, begin);
        at_ = std::min(end, text_.size());
        if (end == std::string_view::npos) return syntax_error(here(), "this string has no closing fence");
        at_ += fence.size();
        return Token{.kind = TokenKind::Text, .text = std::string(text_.substr(begin, end - begin))};
    }

    Parsed<> escape(std::string& out) {
        const char c = peek();
        if (c >= '0' && c <= '7') return octal(out);
        ++at_;
        switch (c) {
            case 'n':
                out.push_back('\n');
                return {};
            case 't':
                out.push_back('\t');
                return {};
            case 'r':
                out.push_back('\r');
                return {};
            case 'a':
                out.push_back('\a');
                return {};
            case 'b':
                out.push_back('\b');
                return {};
            case 'f':
                out.push_back('\f');
                return {};
            case 'v':
                out.push_back('\v');
                return {};
            case '\\':
            case '"':
            case '\'':
                out.push_back(c);
                return {};
            case 'x':
                return code_point(out, 2);
            case 'u':
                return code_point(out, 4);
            case 'U':
                return code_point(out, 8);
            default:
                break;
        }
        at_ = std::min(at_, text_.size());
        return syntax_error(
            here(), "unknown escape in a string; write \\\\ for a backslash, or @\"…\" for verbatim text");
    }

    /// Up to three digits, at most 377; \0 is what UTF-16 read as UTF-8 has between its letters.
    Parsed<> octal(std::string& out) {
        std::uint32_t code = 0;
        for (int i = 0; i < 3 && peek() >= '0' && peek() <= '7' && code < 32; ++i)
            code = code * 8 + static_cast<std::uint32_t>(text_[at_++] - '0');
        append_utf8(out, code);
        return {};
    }

    Parsed<> code_point(std::string& out, int digits) {
        std::uint32_t code = 0;
        for (int i = 0; i < digits; ++i) {
            const char c = peek();
            const int digit = is_digit(c)            ? c - '0'
                              : c >= 'a' && c <= 'f' ? c - 'a' + 10
                              : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                     : -1;
            if (digit < 0) return syntax_error(here(), "an escape lacks hexadecimal digits");
            code = code << 4 | static_cast<std::uint32_t>(digit);
            ++at_;
        }
        if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
            return syntax_error(here(), "an escape names no character that a string can hold");
        append_utf8(out, code);
        return {};
    }

    Parsed<Token> number() {
        const auto begin = at_;
        if (peek() == '0' && (peek(1) == 'x' || peek(1) == 'X')) {
            at_ += 2;
            while (is_digit(peek()) || (peek() >= 'a' && peek() <= 'f') || (peek() >= 'A' && peek() <= 'F'))
                ++at_;
            return Token{.kind = TokenKind::Number, .text = std::string(text_.substr(begin, at_ - begin))};
        }
        while (is_digit(peek()))
            ++at_;
        if (peek() == '.' && is_digit(peek(1))) {
            ++at_;
            while (is_digit(peek()))
                ++at_;
        } else if (peek() == '.' && peek(1) != '.' && !is_name_start(peek(1))) {
            ++at_;  // "60."
        }
        if ((peek() == 'e' || peek() == 'E') &&
            (is_digit(peek(1)) || ((peek(1) == '-' || peek(1) == '+') && is_digit(peek(2))))) {
            at_ += 2;
            while (is_digit(peek()))
                ++at_;
        }
        const auto digits = at_;
        while (is_name(peek()))
            ++at_;
        Token token{.kind = TokenKind::Number, .text = std::string(text_.substr(begin, at_ - begin))};
        if (at_ != digits) {
            token.kind = TokenKind::Duration;
            token.word = text_.substr(digits, at_ - digits);
            token.text.resize(digits - begin);
        }
        return token;
    }

    Parsed<Token> name() {
        const auto begin = at_;
        while (is_name(peek()))
            ++at_;
        const auto word = text_.substr(begin, at_ - begin);
        if (word == "in" && peek() == '~') {
            ++at_;
            return Token{.kind = TokenKind::Symbol, .text = "in~"};
        }
        auto open = at_;
        while (open < text_.size() && (text_[open] == ' ' || text_[open] == '\t'))
            ++open;
        if (open < text_.size() && text_[open] == '(' &&
            std::ranges::find(kLiteralTypes, word) != kLiteralTypes.end()) {
            at_ = open + 1;
            return typed(word);
        }
        return Token{.kind = TokenKind::Name, .text = std::string(word)};
    }

    Parsed<Token> typed(std::string_view word) {
        const auto begin = at_;
        int depth = 0;
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == '"' || c == '\'') {
                FIELDWATCH_TRY(string(false));
                continue;
            }
            if (c == ')' && depth == 0) {
                Token token{.kind = TokenKind::Typed,
                            .text = std::string(text_.substr(begin, at_ - begin)),
                            .word = word};
                ++at_;
                return token;
            }
            depth += c == '(' || c == '[' || c == '{';
            depth -= c == ')' || c == ']' || c == '}';
            ++at_;
        }
        return syntax_error(here(), "the literal has no closing parenthesis");
    }

    /// What is said of a character that begins nothing; other languages and word processors put some there.
    static std::string stray_character(std::string_view rest) {
        if (rest.starts_with("&")) return "'&' has no meaning here; conditions are joined by 'and'";
        for (const std::string_view quote : {"\u201c", "\u201d", "\u2018", "\u2019"}) {
            if (rest.starts_with(quote)) return "strings stand in straight quotes, \" or '";
        }
        if (rest.starts_with("!"))
            return "'!' begins an operator, as in != and !in; not(…) negates a condition";
        return "a character that the language has no use for";
    }

    Parsed<Token> symbol() {
        if (peek() == '!' && is_name_start(peek(1))) {
            auto end = at_ + 1;
            while (end < text_.size() && is_name(text_[end]))
                ++end;
            if (end < text_.size() && text_[end] == '~') ++end;
            Token token{.kind = TokenKind::Symbol, .text = std::string(text_.substr(at_, end - at_))};
            at_ = end;
            return token;
        }
        for (const std::string_view two : {"==", "!=", "<>", "<=", ">=", "=~", "!~", "..", "=>"}) {
            if (text_.substr(at_).starts_with(two)) {
                at_ += 2;
                return Token{.kind = TokenKind::Symbol, .text = std::string(two)};
            }
        }
        const char c = peek();
        if (std::string_view("|()[]{},;:.=<>+-*/%?").find(c) == std::string_view::npos || c == '\0') {
            const auto rest = text_.substr(at_);
            ++at_;
            while (at_ < text_.size() && (static_cast<unsigned char>(text_[at_]) & 0xC0) == 0x80)
                ++at_;
            return syntax_error(here(), stray_character(rest));
        }
        ++at_;
        return Token{.kind = TokenKind::Symbol, .text = std::string(1, c)};
    }

    std::string_view text_;
    std::size_t at_ = 0, start_ = 0;
};

}  // namespace

Parsed<std::vector<Token>> tokenize(std::string_view text) {
    return Lexer(text).run();
}

}  // namespace fieldwatch::kql
