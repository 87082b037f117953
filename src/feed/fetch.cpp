#include "feed/fetch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace fieldwatch::feed {

namespace {

/// Scheme, host and port: who answers.
std::string_view origin_of(std::string_view url) {
    const auto scheme = url.find("://");
    if (scheme == url.npos) return {};
    return url.substr(0, url.find_first_of("/?", scheme + 3));
}

bool is_redirect(int status) {
    constexpr std::array kRedirects{301, 302, 303, 307, 308};
    return std::ranges::find(kRedirects, status) != kRedirects.end();
}

Result<net::HttpReply> get_once(const Fetch& what, std::string_view url, bool is_own) {
    net::HttpClientOptions options;
    options.url = FIELDWATCH_TRY(net::parse_url(origin_of(url)));
    auto target = std::string(url.substr(origin_of(url).size()));
    if (!target.starts_with('/')) target.insert(0, 1, '/');
    options.ca_pem = what.ca_pem;
    options.headers = {{"User-Agent", "Fieldwatch"}};
    if (!what.accept.empty()) options.headers.emplace_back("Accept", what.accept);
    if (is_own && !what.authorization.empty())
        options.headers.emplace_back("Authorization", what.authorization);
    if (!what.etag.empty()) options.headers.emplace_back("If-None-Match", what.etag);
    if (!what.last_modified.empty()) options.headers.emplace_back("If-Modified-Since", what.last_modified);
    options.body_bytes_max = what.bytes_max;
    options.total = what.time_max;
    options.interrupt = what.interrupt;
    options.only_global = !is_own;
    return net::HttpClient(std::move(options)).request("GET", target);
}

std::unexpected<Error> refused(std::string_view url, int status) {
    const auto code = status == 401 || status == 403   ? Errc::Unauthorized
                      : status == 404 || status == 410 ? Errc::NotFound
                                                       : Errc::Unavailable;
    const auto* const more = status == 401 || status == 403 ? ": check the feed's authorization" : "";
    return fail(code, fmt::format("{} answered with status {}{}", url, status, more));
}

}  // namespace

Result<std::string> resolved(std::string_view base, std::string_view location) {
    const bool fits = !location.empty() && location.size() <= 2'048 &&
                      std::ranges::all_of(location, [](char c) { return c > ' ' && c <= '~'; });
    if (!fits) return fail(Errc::Malformed, "a redirect without a place that can be read");
    location = location.substr(0, location.find('#'));
    const auto scheme = location.find("://");
    if (scheme != location.npos && scheme < location.find_first_of("/?")) return std::string(location);
    const auto origin = origin_of(base);
    if (location.starts_with("//"))
        return std::string(base.substr(0, base.find(':') + 1)) + std::string(location);
    if (location.starts_with('/')) return std::string(origin) + std::string(location);
    auto path = base.substr(origin.size());
    path = path.substr(0, path.find('?'));
    const auto folder = path.substr(0, path.rfind('/') == path.npos ? 0 : path.rfind('/') + 1);
    return fmt::format("{}{}{}", origin, folder.empty() ? "/" : folder, location);
}

Result<Fetched> fetch(const Fetch& what) {
    auto url = what.url;
    for (std::size_t redirects = 0; redirects <= Fetch::kRedirectsMax; ++redirects) {
        const bool is_own = origin_of(url) == origin_of(what.url);
        auto reply = get_once(what, url, is_own);
        if (!reply) return std::unexpected(std::move(reply).error());
        if (reply->status == 200) return Fetched{.is_unchanged = false, .reply = std::move(*reply)};
        if (reply->status == 304 && !(what.etag.empty() && what.last_modified.empty()))
            return Fetched{.is_unchanged = true, .reply = std::move(*reply)};
        if (!is_redirect(reply->status)) return refused(url, reply->status);
        auto next = FIELDWATCH_TRY(resolved(url, reply->header("location")));
        if (!next.starts_with("https://") &&
            !(url.starts_with("http://") && origin_of(next) == origin_of(what.url)))
            return fail(Errc::Forbidden,
                        fmt::format("{} redirects to {}, which is not followed: not over TLS", url, next));
        url = std::move(next);
    }
    return fail(Errc::Unavailable,
                fmt::format("{} redirects more than {} times", what.url, Fetch::kRedirectsMax));
}

}  // namespace fieldwatch::feed
