#include "portal/oidc/id_token.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/bytes.hpp"
#include "base/hash.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "portal/access.hpp"

namespace fieldwatch::portal::oidc {
namespace {

constexpr std::int64_t kSkewSeconds = 60;  ///< by which the provider's clock may differ from ours
constexpr std::size_t kGroupsMax = 1'000;
constexpr std::size_t kUserNameMax = 64;

std::optional<std::int64_t> seconds_of(const Json& claims, const char* name) {
    const auto found = claims.find(name);
    if (found == claims.end() || !found->is_number()) return std::nullopt;
    const auto value = found->get<double>();
    if (!std::isfinite(value) || value < 0 || value > 1e11) return std::nullopt;
    return static_cast<std::int64_t>(value);
}

std::string claim_text(const Json& claims, const char* name) {
    const auto found = claims.find(name);
    return found != claims.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// Section 3.1.3.7 items 3 to 5: for us, and for others only when it says that we asked.
bool is_for(const Json& claims, std::string_view client_id) {
    const auto audience = claims.find("aud");
    if (audience == claims.end()) return false;
    const auto party = claim_text(claims, "azp");
    if (!party.empty() && party != client_id) return false;
    if (audience->is_string()) return *audience == client_id;
    if (!audience->is_array()) return false;
    return std::ranges::find(*audience, Json(client_id)) != audience->end() &&
           (audience->size() == 1 || party == client_id);
}

/// What user names are made of (registry/accounts.hpp).
bool is_user_name(std::string_view name) {
    return !name.empty() && name.size() <= kUserNameMax && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
               c == '_' || c == '@' || c == '-';
    });
}

}  // namespace

Result<Json> checked_claims(std::string_view text, const Wanted& wanted) {
    if (nests_deeper_than(limits::json_depth, text)) return fail(Errc::Malformed, "the claims nest too deep");
    auto claims = Json::parse(text, nullptr, false);
    if (!claims.is_object()) return fail(Errc::Malformed, "the claims are no JSON object");
    const auto refuse = [](std::string_view why) {
        return fail(Errc::Unauthorized, fmt::format("the provider's token {}", why));
    };
    if (claim_text(claims, "iss") != wanted.issuer) return refuse("is of another issuer");
    if (!is_for(claims, wanted.client_id)) return refuse("is for another client");
    if (wanted.nonce.empty() || !equal_constant_time(claim_text(claims, "nonce"), wanted.nonce))
        return refuse("does not answer this sign-in: its nonce is another");
    const auto now = wanted.now.unix_seconds();
    const auto expires = seconds_of(claims, "exp"), issued = seconds_of(claims, "iat");
    if (!expires || *expires + kSkewSeconds <= now) return refuse("has expired");
    if (!issued || *issued - kSkewSeconds > now) return refuse("is from the future: compare the clocks");
    if (claims.contains("nbf")) {
        const auto begins = seconds_of(claims, "nbf");
        if (!begins || *begins - kSkewSeconds > now) return refuse("is not valid yet: compare the clocks");
    }
    const auto subject = claim_text(claims, "sub");
    if (subject.empty() || subject.size() > 255) return refuse("names nobody: \"sub\"");
    return claims;
}

std::vector<std::string> groups_of(const Json& claims, std::string_view member) {
    std::vector<std::string> out;
    if (member.empty()) return out;
    const Json* at = &claims;
    if (!claims.contains(member)) {
        for (const auto step : split(member, '.')) {
            const auto found = at->is_object() ? at->find(step) : at->end();
            if (!at->is_object() || found == at->end()) return out;
            at = &*found;
        }
    } else {
        at = &claims.at(std::string(member));
    }
    if (at->is_string()) out.push_back(at->get<std::string>());
    if (!at->is_array()) return out;
    for (const auto& one : *at) {
        if (one.is_string() && out.size() < kGroupsMax) out.push_back(one.get<std::string>());
    }
    return out;
}

Result<Person> person_of(const Settings& settings, const Json& claims) {
    Person out{.name = claim_text(claims, settings.name_claim.c_str()), .role = {}};
    if (!is_user_name(out.name))
        return fail(
            Errc::InvalidArgument,
            fmt::format("the claim \"{}\" must be a user's name here, 1 to {} letters, digits and . _ @ -",
                        settings.name_claim, kUserNameMax));
    auto best = settings.otherwise ? role_from(*settings.otherwise) : std::nullopt;
    for (const auto& group : groups_of(claims, settings.groups_claim)) {
        const auto found = settings.roles.find(group);
        const auto role = found == settings.roles.end() ? std::nullopt : role_from(found->second);
        if (role && (!best || *role > *best)) best = role;
    }
    if (!best)
        return fail(Errc::Forbidden,
                    fmt::format("no group of {} has a role here: ask an administrator", out.name));
    out.role = to_string(*best);
    return out;
}

std::string mark_of(std::string_view issuer, std::string_view subject) {
    return "external:" + hex(sha256(as_bytes(fmt::format("{}\n{}", issuer, subject))));
}

}  // namespace fieldwatch::portal::oidc
