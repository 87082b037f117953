// What a download must read of others: a URL that a twin names, the head of an answer that a server gives.
// HTTP/1.1 (RFC 9110, RFC 9112), as far as one GET needs it; no sockets.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace fieldwatch::agent {

struct HttpsUrl {
    static constexpr std::size_t kBytesMax = 512;
    std::string host;  ///< an IPv6 address stands in brackets in a URL, not here
    std::uint16_t port = 443;
    std::string target;     ///< path and query
    std::string authority;  ///< for the Host field
};
/// Errors: InvalidArgument, in words for whoever wrote it.
Result<HttpsUrl> parse_https_url(std::string_view text);

/// What the head of an answer says, as far as a download must know it.
struct AnswerHead {
    static constexpr std::size_t kBytesMax = 16 * 1'024;
    int status = 0;
    std::uint64_t length = 0;  ///< Content-Length; an answer without one is refused
    std::uint64_t begin = 0;   ///< of Content-Range; 0 for a whole answer
    std::size_t bytes = 0;     ///< of the head itself
};
/// Nothing while it is not whole. Errors: Malformed, TooLarge, Unsupported (a transfer coding).
Result<std::optional<AnswerHead>> read_answer_head(std::string_view bytes);

}  // namespace fieldwatch::agent
