#include "feed/feed.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/ip_address.hpp"
#include "base/json_text.hpp"
#include "net/http_client.hpp"

namespace fieldwatch::feed {

namespace {

using Json = nlohmann::json;

constexpr int kFeedVersion = 1;  ///< of the registry's document, its member "v"
constexpr std::size_t kUrlBytesMax = 2'048, kAuthorizationBytesMax = 4'096, kCaBytesMax = 64u << 10;
constexpr std::array<std::string_view, 8> kMembers{"name", "url", "format",        "every",
                                                   "ca",   "v",   "authorization", "enabled"};
constexpr std::array kFormats{
    std::pair{Format::File, std::string_view{"file"}}, std::pair{Format::Taxii, std::string_view{"taxii"}},
    std::pair{Format::Misp, std::string_view{"misp"}}, std::pair{Format::Bundle, std::string_view{"bundle"}}};

Result<std::string> member_of(const Json& object, const char* name, std::size_t bytes_max) {
    const auto found = object.find(name);
    if (found == object.end() || found->is_null()) return std::string();
    if (!found->is_string() || found->get_ref<const std::string&>().size() > bytes_max)
        return fail(Errc::InvalidArgument,
                    fmt::format("\"{}\" must be a text of at most {} bytes", name, bytes_max));
    return found->get<std::string>();
}

bool is_one_line(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

Result<void> check_feed_name(std::string_view name) {
    const bool fits = !name.empty() && name.size() <= Feed::kNameBytesMax && name.front() != '-' &&
                      std::ranges::all_of(name, [](char c) {
                          return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
                      });
    if (fits) return {};
    return fail(
        Errc::InvalidArgument,
        fmt::format("a feed's name is 1 to {} small letters, digits and dashes", Feed::kNameBytesMax));
}

/// HTTPS, because who can change what is read on its way can disarm detection; in plain to this machine only.
Result<void> read_url(const Json& object, Feed& out) {
    out.url = FIELDWATCH_TRY(member_of(object, "url", kUrlBytesMax));
    const auto url = net::parse_url(out.url);
    if (!url || !is_one_line(out.url) || out.url.find_first_of(" #@") != std::string::npos)
        return fail(
            Errc::InvalidArgument,
            "\"url\" must be an address like https://feeds.example/list.csv; a name and password go into "
            "\"authorization\"");
    const auto address = parse_ip(url->host);
    const bool here = url->host == "localhost" || (address && address->is_loopback());
    if (!url->tls && !here)
        return fail(Errc::InvalidArgument,
                    "\"url\" must begin with https://; http:// goes to this machine only");
    return {};
}

}  // namespace

std::string_view to_string(Format format) {
    return std::ranges::find(kFormats, format, [](const auto& one) { return one.first; })->second;
}

Result<Feed> read_feed(std::string_view name, std::string_view json) {
    FIELDWATCH_TRY(check_feed_name(name));
    const auto object = Json::parse(json, nullptr, /*allow_exceptions=*/false);
    if (!object.is_object()) return fail(Errc::InvalidArgument, "a feed is a JSON object");
    for (const auto& [member, value] : object.items()) {
        if (std::ranges::find(kMembers, member) == kMembers.end())
            return fail(Errc::InvalidArgument, fmt::format("\"{}\" is not a member of a feed", member));
    }
    if (object.value("v", Json(kFeedVersion)) != kFeedVersion)
        return fail(Errc::Unsupported, fmt::format("the feed {} is of another version", name));
    Feed out;
    out.name = name;
    FIELDWATCH_TRY(read_url(object, out));
    const auto format = FIELDWATCH_TRY(member_of(object, "format", 16));
    const auto found = std::ranges::find(kFormats, format, [](const auto& one) { return one.second; });
    if (!format.empty() && found == kFormats.end())
        return fail(Errc::InvalidArgument, R"("format" must be "file", "taxii", "misp" or "bundle")");
    if (!format.empty()) out.format = found->first;
    if (const auto every = FIELDWATCH_TRY(member_of(object, "every", 32)); !every.empty()) {
        const auto span = parse_iso8601_duration(every);
        if (!span || *span < Feed::kEveryMin || *span > Feed::kEveryMax)
            return fail(Errc::InvalidArgument,
                        "\"every\" must be an ISO 8601 duration between PT5M and P31D");
        out.every = *span;
    }
    if (const auto enabled = object.find("enabled"); enabled != object.end()) {
        if (!enabled->is_boolean()) return fail(Errc::InvalidArgument, "\"enabled\" must be true or false");
        out.enabled = enabled->get<bool>();
    }
    out.ca_pem = FIELDWATCH_TRY(member_of(object, "ca", kCaBytesMax));
    if (!out.ca_pem.empty() && out.ca_pem.find("-----BEGIN CERTIFICATE-----") == std::string::npos)
        return fail(Errc::InvalidArgument, "\"ca\" must be the PEM text of certificates");
    out.authorization = FIELDWATCH_TRY(member_of(object, "authorization", kAuthorizationBytesMax));
    if (!is_one_line(out.authorization))
        return fail(Errc::InvalidArgument, "\"authorization\" must be one line of ASCII");
    return out;
}

std::string to_json(const Feed& feed, Secrets secrets) {
    std::string out;
    JsonWriter json(out);
    json.begin_object();
    if (secrets == Secrets::Hidden) json.member("name", feed.name);
    if (secrets == Secrets::Shown) json.member("v", std::int64_t{kFeedVersion});
    json.member("url", feed.url)
        .member("format", to_string(feed.format))
        .member("every", to_iso8601_duration(feed.every));
    json.key("enabled").boolean(feed.enabled);
    json.member_if("ca", feed.ca_pem);
    if (secrets == Secrets::Shown) {
        json.member_if("authorization", feed.authorization);
    } else {
        json.key("authorized").boolean(!feed.authorization.empty());
    }
    json.end_object();
    return out;
}

bool is_same_server(const Feed& one, const Feed& other) {
    const auto a = net::parse_url(one.url), b = net::parse_url(other.url);
    return a && b && a->tls == b->tls && a->host == b->host && a->port == b->port;
}

std::string file_name(std::string_view feed) {
    return "feed-" + std::string(feed);
}

}  // namespace fieldwatch::feed
