// What every fallible function of the tree returns. Errors are values: a bad peer, user or disk is ordinary
// traffic here.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace fieldwatch {

/// The closed list of what can go wrong, by what the caller can do about it.
enum class Errc : std::uint8_t {
    Malformed,        ///< the bytes do not follow their format
    InvalidArgument,  ///< well-formed, but not a value that is allowed here
    TooLarge,         ///< over a stated bound
    NotFound,
    AlreadyExists,
    Unauthorized,  ///< who are you: credentials missing, wrong or expired
    Forbidden,     ///< known, but not allowed
    Conflict,      ///< the state is not what the caller expected (ETag, version)
    Exhausted,     ///< a quota or rate is used up; may work later
    Unsupported,   ///< well-formed, but we do not do that
    Unavailable,   ///< the other side, or a part of us, is not there now
    Timeout,
    Io,       ///< the operating system refused
    Corrupt,  ///< stored bytes fail their check
    Cancelled,
    Internal,  ///< our bug, contained
};

std::string_view to_string(Errc code);

struct Error {
    Errc code = Errc::Internal;
    std::string message;  ///< one sentence for a human: what was wrong, where, what is allowed

    friend bool operator==(const Error&, const Error&) = default;
};

template <class T = void>
using Result = std::expected<T, Error>;

[[nodiscard]] inline std::unexpected<Error> fail(Errc code, std::string message) {
    return std::unexpected(Error{code, std::move(message)});
}

/// The same error with where it happened in front: "reading segment 7: checksum differs".
[[nodiscard]] inline std::unexpected<Error> in_context(std::string_view where, Error error) {
    error.message = std::string(where) + ": " + error.message;
    return std::unexpected(std::move(error));
}

}  // namespace fieldwatch

/// Yields the value of a Result, or returns its error from the enclosing function. Never with co_await
/// inside.
#define FIELDWATCH_TRY(expression)                                                              \
    __extension__({                                                                             \
        auto fieldwatch_result_ = (expression);                                                 \
        if (!fieldwatch_result_) return std::unexpected(std::move(fieldwatch_result_).error()); \
        ::fieldwatch::detail::take(std::move(fieldwatch_result_));                              \
    })

namespace fieldwatch::detail {
template <class T>
T take(std::expected<T, Error>&& result) {
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}
}  // namespace fieldwatch::detail
