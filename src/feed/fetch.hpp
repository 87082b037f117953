// One bounded GET of a feed: conditional, with redirects followed by rules that keep a feed's server from
// sending us where it could not go itself.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "net/http_client.hpp"

namespace fieldwatch::feed {

struct Fetch {
    static constexpr std::size_t kRedirectsMax = 5;

    std::string url;
    std::string accept;         ///< "" = anything
    std::string authorization;  ///< for the server of `url` only
    std::string ca_pem;
    std::string etag, last_modified;  ///< of what is there already
    std::size_t bytes_max = 128u << 20;
    std::chrono::milliseconds time_max{300'000};
    const net::Interrupt* interrupt = nullptr;
};

struct Fetched {
    bool is_unchanged = false;  ///< 304: the body is empty
    net::HttpReply reply;       ///< of status 200
};

/// Errors: Unauthorized (401, 403), NotFound (404), Unavailable for other statuses, what HttpClient says, and
/// Forbidden for a redirect to plain HTTP or to an address that is not reachable from anywhere.
Result<Fetched> fetch(const Fetch& what);

/// Where a redirect from `base` leads. Errors: Malformed.
Result<std::string> resolved(std::string_view base, std::string_view location);

}  // namespace fieldwatch::feed
