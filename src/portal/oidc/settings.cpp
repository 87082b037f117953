#include "portal/oidc/settings.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/ip_address.hpp"
#include "net/http_client.hpp"
#include "portal/access.hpp"
#include "portal/context.hpp"
#include "portal/reply.hpp"

namespace fieldwatch::portal::oidc {
namespace {

constexpr std::size_t kAddressMax = 1'024, kNameMax = 256, kSecretMax = 4'096, kAuthoritiesMax = 64u << 10;
constexpr std::size_t kScopesMax = 32, kRolesMax = 256;

Result<void> read_bounded(const Json& body, std::string_view name, std::size_t bytes_max, std::string& into) {
    FIELDWATCH_TRY(read_member(body, name, into));
    if (into.size() > bytes_max)
        return fail(Errc::InvalidArgument, fmt::format("\"{}\" has at most {} bytes", name, bytes_max));
    const bool is_line = std::ranges::all_of(into, [](unsigned char c) { return c >= 32 && c != 127; });
    if (!is_line && name != "ca")
        return fail(Errc::InvalidArgument, fmt::format("\"{}\" has no control characters", name));
    return {};
}

Result<void> read_scopes(const Json& body, Settings& out) {
    const auto found = body.find("scopes");
    if (found == body.end()) return {};
    if (!found->is_array() || found->size() > kScopesMax)
        return fail(Errc::InvalidArgument, fmt::format("\"scopes\" must be at most {} words", kScopesMax));
    out.scopes.clear();
    for (const auto& scope : *found) {
        const auto word = scope.is_string() ? scope.get<std::string>() : std::string();
        // RFC 6749 appendix A.4.
        const bool fits = !word.empty() && word.size() <= kNameMax && std::ranges::all_of(word, [](char c) {
            return c > 32 && c < 127 && c != '"' && c != '\\';
        });
        if (!fits) return fail(Errc::InvalidArgument, "\"scopes\" must hold words; it holds " + scope.dump());
        out.scopes.push_back(word);
    }
    if (std::ranges::find(out.scopes, "openid") == out.scopes.end())
        return fail(Errc::InvalidArgument, "\"scopes\" must hold openid");
    return {};
}

Result<void> check_role(std::string_view member, const std::string& role) {
    if (role_from(role)) return {};
    return not_among(member, role, {"reader", "analyst", "operator", "administrator"});
}

Result<void> read_roles(const Json& body, Settings& out) {
    if (const auto found = body.find("roles"); found != body.end()) {
        if (!found->is_object() || found->size() > kRolesMax)
            return fail(
                Errc::InvalidArgument,
                fmt::format("\"roles\" must be an object, a role by group, of at most {}", kRolesMax));
        for (const auto& [group, role] : found->items()) {
            const auto word = role.is_string() ? role.get<std::string>() : role.dump();
            FIELDWATCH_TRY(check_role("roles." + group, word));
            out.roles[group] = word;
        }
    }
    if (const auto found = body.find("otherwise"); found != body.end() && !found->is_null()) {
        FIELDWATCH_TRY(read_member(body, "otherwise", out.otherwise.emplace()));
        FIELDWATCH_TRY(check_role("otherwise", *out.otherwise));
    }
    if (out.roles.empty() && !out.otherwise)
        return fail(Errc::InvalidArgument,
                    "\"roles\" or \"otherwise\" is required: without them nobody gets a role");
    return {};
}

bool plain_allowed(const std::string& host) {
    const auto address = parse_ip(host);
    return host == "localhost" || (address && address->is_loopback());
}

}  // namespace

Result<void> check_address(std::string_view what, std::string_view address) {
    const auto url = net::parse_url(address);
    if (!url || address.find_first_of(" #\\\"<>") != std::string_view::npos ||
        url->host.find('@') != std::string::npos)
        return fail(Errc::InvalidArgument,
                    fmt::format("{} must be an https address; it is \"{}\"", what, address));
    if (!url->tls && !plain_allowed(url->host))
        return fail(Errc::InvalidArgument,
                    fmt::format("{}: plain http is for this machine only; use https", what));
    return {};
}

std::string Settings::redirect() const {
    return page + "/api/v1/session/provider/callback";
}

Result<Settings> parse_settings(std::string_view json) {
    net::HttpRequest request;
    request.body = json;
    const auto body =
        FIELDWATCH_TRY(body_object(request, {"issuer", "clientId", "clientSecret", "page", "name", "scopes",
                                             "nameClaim", "groupsClaim", "roles", "otherwise", "ca"}));
    Settings out;
    FIELDWATCH_TRY(read_bounded(body, "issuer", kAddressMax, out.issuer));
    FIELDWATCH_TRY(read_bounded(body, "clientId", kNameMax, out.client_id));
    FIELDWATCH_TRY(read_bounded(body, "clientSecret", kSecretMax, out.client_secret));
    FIELDWATCH_TRY(read_bounded(body, "page", kAddressMax, out.page));
    FIELDWATCH_TRY(read_bounded(body, "name", kNameMax, out.name));
    FIELDWATCH_TRY(read_bounded(body, "nameClaim", kNameMax, out.name_claim));
    FIELDWATCH_TRY(read_bounded(body, "groupsClaim", kNameMax, out.groups_claim));
    FIELDWATCH_TRY(read_bounded(body, "ca", kAuthoritiesMax, out.ca_pem));
    FIELDWATCH_TRY(check_address("\"issuer\"", out.issuer));
    FIELDWATCH_TRY(check_address("\"page\"", out.page));
    while (out.page.ends_with('/'))
        out.page.pop_back();
    if (out.client_id.empty()) return fail(Errc::InvalidArgument, "\"clientId\" is required");
    if (out.name_claim.empty()) return fail(Errc::InvalidArgument, "\"nameClaim\" is the name of a claim");
    if (out.name.empty()) out.name = out.issuer;
    FIELDWATCH_TRY(read_scopes(body, out));
    FIELDWATCH_TRY(read_roles(body, out));
    return out;
}

std::string to_json(const Settings& settings, Secrets secrets) {
    Json out{{"issuer", settings.issuer},
             {"clientId", settings.client_id},
             {"page", settings.page},
             {"name", settings.name},
             {"scopes", settings.scopes},
             {"nameClaim", settings.name_claim},
             {"groupsClaim", settings.groups_claim},
             {"roles", settings.roles},
             {"otherwise", settings.otherwise ? Json(*settings.otherwise) : Json(nullptr)}};
    if (!settings.ca_pem.empty()) out["ca"] = settings.ca_pem;
    if (secrets == Secrets::Shown) {
        if (!settings.client_secret.empty()) out["clientSecret"] = settings.client_secret;
    } else {
        out["confidential"] = !settings.client_secret.empty();
        out["redirect"] = settings.redirect();
    }
    return out.dump();
}

}  // namespace fieldwatch::portal::oidc
