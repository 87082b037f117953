#include "portal/assets.hpp"

#include <algorithm>

namespace fieldwatch::portal {
namespace {

const Asset* find(std::span<const Asset> assets, std::string_view path) {
    const auto found = std::ranges::find(assets, path, &Asset::path);
    return found == assets.end() ? nullptr : &*found;
}

/// Everything comes from here: no third-party host, no inline script. Styles may be inline: the chart library
/// places its tooltip so.
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

}  // namespace

std::optional<net::HttpResponse> serve_asset(const net::HttpRequest& request, std::span<const Asset> assets) {
    const auto* asset = find(assets, request.path == "/" ? "/index.html" : request.path);
    // The page's own places, /devices/pump.3 among them; a file that is not there is nothing.
    const bool is_file = request.path.starts_with("/assets/") ||
                         (request.path.rfind('/') == 0 && request.path.find('.') != std::string::npos);
    if (asset == nullptr && !is_file) asset = find(assets, "/index.html");
    if (asset == nullptr) return std::nullopt;
    net::HttpResponse response;
    response.headers = {
        {"content-type", std::string(asset->type)},
        {"etag", std::string(asset->etag)},
        {"cache-control", asset->immutable ? "public, max-age=31536000, immutable" : "no-cache"},
        {"vary", "accept-encoding"},
        {"content-security-policy", std::string(kPolicy)},
        {"cross-origin-opener-policy", "same-origin"},
        {"permissions-policy", "camera=(), microphone=(), geolocation=()"}};
    if (request.header("if-none-match") == asset->etag) {
        response.status = 304;
        return response;
    }
    const bool zipped =
        !asset->gzipped.empty() && request.header("accept-encoding").find("gzip") != std::string_view::npos;
    if (zipped) response.headers.emplace_back("content-encoding", "gzip");
    response.body = std::string(zipped ? asset->gzipped : asset->content);
    return response;
}

}  // namespace fieldwatch::portal
