#include "detect/intel/stix_pattern.hpp"

#include <algorithm>
#include <optional>

namespace fieldwatch::detect {

namespace {

constexpr std::size_t kPatternBytesMax = 256u << 10;
constexpr int kDepthMax = 64;

struct Token {
    enum class Kind : std::uint8_t { End, Word, Text, Symbol } kind = Kind::End;
    std::string text;
    bool is(std::string_view wanted) const { return kind != Kind::Text && text == wanted; }
};

bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '*' || c == ':';
}

class Lexer {
  public:
    explicit Lexer(std::string_view text) : rest_(text) {}

    Result<Token> next() {
        const auto first = rest_.find_first_not_of(" \t\r\n");
        if (first == rest_.npos) return Token{};
        rest_.remove_prefix(first);
        if (rest_.front() == '\'' || rest_.front() == '"') return text();
        if (is_word(rest_.front())) return word();
        const std::size_t size = rest_.starts_with("!=") || rest_.starts_with("<=") ||
                                         rest_.starts_with(">=") || rest_.starts_with("<>") ||
                                         rest_.starts_with("==")
                                     ? 2
                                     : 1;
        Token out{Token::Kind::Symbol, std::string(rest_.substr(0, size))};
        rest_.remove_prefix(size);
        return out;
    }

  private:
    Result<Token> text() {
        Token out{Token::Kind::Text, {}};
        const char quote = rest_.front();
        for (std::size_t i = 1; i < rest_.size(); ++i) {
            if (rest_[i] == '\\' && i + 1 < rest_.size()) {
                out.text += rest_[++i];
            } else if (rest_[i] == quote) {
                rest_.remove_prefix(i + 1);
                return out;
            } else {
                out.text += rest_[i];
            }
        }
        return fail(Errc::Malformed, "a text of the pattern does not end");
    }

    /// A path keeps its quoted and indexed parts: file:hashes.'SHA-256', x[0].y; some quote them twice.
    Result<Token> word() {
        Token out{Token::Kind::Word, {}};
        while (!rest_.empty()) {
            const char c = rest_.front();
            if (is_word(c)) {
                out.text += c;
                rest_.remove_prefix(1);
            } else if ((c == '\'' || c == '"') && out.text.ends_with('.')) {
                out.text += FIELDWATCH_TRY(text()).text;
            } else if (c == '[' && out.text.find(':') != out.text.npos) {
                const auto end = rest_.find(']');
                if (end == rest_.npos) break;
                rest_.remove_prefix(end + 1);
            } else {
                break;
            }
        }
        return out;
    }

    std::string_view rest_;
};

/// Values any of which makes it true.
struct Choice {
    std::vector<PatternValue> values;
    bool usable = true;  ///< false: something that a single value cannot make true
    bool aside = false;  ///< narrows a place that another comparison names: its port, the type of its address
};

/// Ports and protocols are no part of a match, here as in lists of `address:port`.
bool is_aside(std::string_view path) {
    return path.starts_with("network-traffic:") &&
           (path.ends_with("_port") || path.ends_with(":protocols") || path.ends_with("protocols[*]") ||
            path.ends_with("_ref.type"));
}

/// The text of a LIKE without its wildcards: all of it, or what stands behind `%.`; nullopt for other ones.
std::optional<std::string> fixed_part(std::string_view path, std::string_view pattern) {
    if (path == "domain-name:value" && pattern.starts_with("%.")) pattern.remove_prefix(2);
    return pattern.find('%') == pattern.npos ? std::optional(std::string(pattern)) : std::nullopt;
}

bool is_hash_path(std::string_view path) {
    return path.find("hashes") != path.npos;
}

void join_or(Choice& left, Choice right) {
    // One side alone makes it true, so that each side's values count by themselves.
    if (!right.usable) return;
    if (!left.usable) left.values.clear();
    left.usable = true;
    left.aside = left.aside && right.aside;
    left.values.insert(left.values.end(), std::make_move_iterator(right.values.begin()),
                       std::make_move_iterator(right.values.end()));
}

void join_and(Choice& left, Choice right) {
    if (right.aside) return;
    if (left.aside) {
        left = std::move(right);
        return;
    }
    const auto keep_hashes = [](Choice& choice) {
        const bool all =
            choice.usable && std::all_of(choice.values.begin(), choice.values.end(),
                                         [](const auto& value) { return is_hash_path(value.path); });
        if (!all) choice = {{}, false, false};
    };
    keep_hashes(left);
    keep_hashes(right);
    if (left.usable && !left.values.empty()) return;
    left = std::move(right);
}

class Parser {
  public:
    explicit Parser(std::string_view text) : lexer_(text) {}

    Result<std::vector<PatternValue>> parse() {
        FIELDWATCH_TRY(advance());
        auto out = FIELDWATCH_TRY(observations(0));
        if (token_.kind != Token::Kind::End) return unexpected();
        return out.usable ? std::move(out.values) : std::vector<PatternValue>{};
    }

  private:
    std::unexpected<Error> unexpected() const {
        return fail(Errc::Malformed,
                    token_.kind == Token::Kind::End
                        ? std::string("the pattern ends too early")
                        : "the pattern has \"" + token_.text.substr(0, 40) + "\" in a wrong place");
    }
    Result<void> advance() {
        token_ = FIELDWATCH_TRY(lexer_.next());
        return {};
    }
    Result<void> expect(std::string_view symbol) {
        if (!token_.is(symbol)) return unexpected();
        return advance();
    }

    Result<Choice> observations(int depth) {
        auto out = FIELDWATCH_TRY(observation(depth));
        for (;;) {
            if (token_.is("OR")) {
                FIELDWATCH_TRY(advance());
                join_or(out, FIELDWATCH_TRY(observation(depth)));
            } else if (token_.is("AND") || token_.is("FOLLOWEDBY")) {
                FIELDWATCH_TRY(advance());
                static_cast<void>(FIELDWATCH_TRY(observation(depth)));
                out = {{}, false, false};
            } else {
                return out;
            }
        }
    }

    Result<Choice> observation(int depth) {
        if (depth > kDepthMax) return fail(Errc::TooLarge, "the pattern is nested too deeply");
        Choice out;
        if (token_.is("(")) {
            FIELDWATCH_TRY(advance());
            out = FIELDWATCH_TRY(observations(depth + 1));
            FIELDWATCH_TRY(expect(")"));
        } else {
            FIELDWATCH_TRY(expect("["));
            out = FIELDWATCH_TRY(comparisons(depth + 1));
            FIELDWATCH_TRY(expect("]"));
        }
        return qualified(std::move(out));
    }

    /// WITHIN and START…STOP narrow the time only; REPEATS asks for more than one match.
    Result<Choice> qualified(Choice out) {
        while (token_.is("WITHIN") || token_.is("REPEATS") || token_.is("START")) {
            const bool start = token_.is("START");
            if (token_.is("REPEATS")) out = {{}, false, false};
            FIELDWATCH_TRY(advance());
            if (start) {
                FIELDWATCH_TRY(timestamp());
                FIELDWATCH_TRY(expect("STOP"));
                FIELDWATCH_TRY(timestamp());
                continue;
            }
            FIELDWATCH_TRY(advance());  // the number
            if (!token_.is("SECONDS") && !token_.is("TIMES")) return unexpected();
            FIELDWATCH_TRY(advance());
        }
        return out;
    }
    Result<void> timestamp() {
        if (token_.is("t")) FIELDWATCH_TRY(advance());
        if (token_.kind != Token::Kind::Text) return unexpected();
        return advance();
    }

    Result<Choice> comparisons(int depth) {
        auto out = FIELDWATCH_TRY(conjunction(depth));
        while (token_.is("OR")) {
            FIELDWATCH_TRY(advance());
            join_or(out, FIELDWATCH_TRY(conjunction(depth)));
        }
        return out;
    }
    Result<Choice> conjunction(int depth) {
        auto out = FIELDWATCH_TRY(comparison(depth));
        while (token_.is("AND")) {
            FIELDWATCH_TRY(advance());
            join_and(out, FIELDWATCH_TRY(comparison(depth)));
        }
        return out;
    }

    Result<Choice> comparison(int depth) {
        if (depth > kDepthMax) return fail(Errc::TooLarge, "the pattern is nested too deeply");
        if (token_.is("(")) {
            FIELDWATCH_TRY(advance());
            auto out = FIELDWATCH_TRY(comparisons(depth + 1));
            FIELDWATCH_TRY(expect(")"));
            return out;
        }
        bool usable = true;
        if (token_.is("NOT") || token_.is("EXISTS")) {
            usable = false;
            const bool exists = token_.is("EXISTS");
            FIELDWATCH_TRY(advance());
            if (exists) {
                FIELDWATCH_TRY(advance());
                return Choice{{}, false, false};
            }
        }
        if (token_.kind != Token::Kind::Word || token_.text.find(':') == token_.text.npos)
            return unexpected();
        const auto path = token_.text;
        FIELDWATCH_TRY(advance());
        if (token_.is("NOT")) {
            usable = false;
            FIELDWATCH_TRY(advance());
        }
        const auto operation = token_.text;
        const bool likes = token_.is("LIKE");
        const bool names =
            token_.is("=") || token_.is("==") || token_.is("IN") || token_.is("ISSUBSET") || likes;
        FIELDWATCH_TRY(advance());
        Choice out{{}, usable && names, usable && names && is_aside(path)};
        if (operation == "IN") {
            FIELDWATCH_TRY(expect("("));
            while (!token_.is(")")) {
                out.values.push_back({path, FIELDWATCH_TRY(literal())});
                if (token_.is(",")) FIELDWATCH_TRY(advance());
            }
            FIELDWATCH_TRY(advance());
        } else {
            out.values.push_back({path, FIELDWATCH_TRY(literal())});
        }
        if (likes) {
            const auto fixed = fixed_part(path, out.values[0].value);
            out.usable = out.usable && fixed.has_value();
            out.values[0].value = fixed.value_or("");
        }
        if (!out.usable || out.aside) out.values.clear();
        return out;
    }

    /// A text, a number, true; t'…', b'…' and h'…' come as a word and a text.
    Result<std::string> literal() {
        if (token_.kind != Token::Kind::Text && token_.kind != Token::Kind::Word) return unexpected();
        auto out = token_.text;
        const bool prefixed = token_.kind == Token::Kind::Word && (out == "t" || out == "b" || out == "h");
        FIELDWATCH_TRY(advance());
        if (prefixed && token_.kind == Token::Kind::Text) {
            out = token_.text;
            FIELDWATCH_TRY(advance());
        }
        return out;
    }

    Lexer lexer_;
    Token token_;
};

}  // namespace

Result<std::vector<PatternValue>> pattern_values(std::string_view pattern) {
    if (pattern.size() > kPatternBytesMax) return fail(Errc::TooLarge, "the pattern is too long");
    return Parser(pattern).parse();
}

}  // namespace fieldwatch::detect
