// Text to tokens. Tokens view the text; comments and blanks are gone.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "kql/kql.hpp"

namespace fieldwatch::kql {

struct Span {
    std::uint32_t offset = 0, length = 0;
};
inline Span operator+(Span first, Span last) {
    return {first.offset, last.offset + last.length - first.offset};
}

/// An error before its line and column are known.
struct Failure {
    KqlError::Kind kind = KqlError::Kind::Syntax;
    std::string message;
    Span span;
};
template <class T = void>
using Parsed = std::expected<T, Failure>;

}  // namespace fieldwatch::kql

namespace fieldwatch::detail {
/// Lets FIELDWATCH_TRY carry our Failure, as it carries Error.
template <class T>
T take(std::expected<T, kql::Failure>&& result) {
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}
}  // namespace fieldwatch::detail

namespace fieldwatch::kql {

[[nodiscard]] inline std::unexpected<Failure> syntax_error(Span span, std::string message) {
    return std::unexpected(Failure{KqlError::Kind::Syntax, std::move(message), span});
}
[[nodiscard]] inline std::unexpected<Failure> semantic_error(Span span, std::string message) {
    return std::unexpected(Failure{KqlError::Kind::Semantic, std::move(message), span});
}
[[nodiscard]] inline std::unexpected<Failure> unsupported(Span span, std::string message) {
    return std::unexpected(Failure{KqlError::Kind::Unsupported, std::move(message), span});
}
[[nodiscard]] inline std::unexpected<Failure> limit_error(Span span, std::string message) {
    return std::unexpected(Failure{KqlError::Kind::Limit, std::move(message), span});
}

enum class TokenKind : std::uint8_t {
    End,
    Name,
    QuotedName,  ///< ['any text']; the text is unquoted
    Text,        ///< a string literal; the text is unescaped
    Number,      ///< long or real, as written
    Duration,    ///< 5m, 1.5h
    Typed,       ///< datetime(…), dynamic(…), long(…): type in `word`, the inside in `text`
    Symbol,      ///< operators and punctuation; `!contains` and `in~` are one
};

struct Token {
    TokenKind kind = TokenKind::End;
    Span span;
    std::string text;
    std::string_view word;
};

Parsed<std::vector<Token>> tokenize(std::string_view text);

}  // namespace fieldwatch::kql
