// The second factor of people: begun, confirmed with a code, asked for at every sign-in from then on, taken
// away with password and code, or by an administrator when the telephone is lost.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/bytes.hpp"
#include "base/hash.hpp"
#include "portal/reply.hpp"
#include "portal/sign_in.hpp"
#include "portal/totp.hpp"

namespace fieldwatch::portal {
namespace {

constexpr std::size_t kRecoveryCodes = 10;
constexpr std::size_t kRecoveryBytes = 10;  ///< 80 bits: nobody guesses one, so a plain hash keeps it
constexpr std::size_t kCodeBytesMax = 32;

/// As it is typed: without dashes and blanks, in capitals.
std::string plain_code(std::string_view typed) {
    std::string out;
    for (const char c : typed) {
        if (c == '-' || c == ' ') continue;
        out += c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    }
    return out;
}

/// `ABCD-EFGH-IJKL-MNOP`.
std::string recovery_code(Random& random) {
    std::array<std::byte, kRecoveryBytes> bytes{};
    random.fill(bytes);
    auto out = base32(bytes);
    for (std::size_t at = 12; at > 0; at -= 4)
        out.insert(at, "-");
    return out;
}

std::string hash_of_code(std::string_view code) {
    return hex(sha256(as_bytes(plain_code(code))));
}

Result<void> check_person(const Call& call) {
    if (!call.who.session_hash.empty()) return {};
    return fail(Errc::Forbidden, "a token has no password: sign in with a name first");
}

Answer begin(const Context& context, const Call& call) {
    FIELDWATCH_TRY(check_person(call));
    const auto body = FIELDWATCH_TRY(body_object(call.request, {"password"}));
    std::string password;
    FIELDWATCH_TRY(read_member(body, "password", password));
    auto tried = prove(context, call, {call.who.name, password, {}}, Factors::Password);
    if (tried.verdict != LoginGuard::Verdict::Admitted) return too_many_attempts();
    const auto user = FIELDWATCH_TRY(std::move(tried.user));
    std::array<std::byte, kTotpSecretBytes> secret{};
    context.parts.random.fill(secret);
    FIELDWATCH_TRY(context.parts.accounts.begin_second_factor(user.name, hex(secret)));
    return json_reply(
        201, {{"secret", base32(secret)}, {"uri", totp_uri(context.parts.host_name, user.name, secret)}});
}

Answer confirm(const Context& context, const Call& call) {
    FIELDWATCH_TRY(check_person(call));
    const auto body = FIELDWATCH_TRY(body_object(call.request, {"code"}));
    std::string code;
    FIELDWATCH_TRY(read_member(body, "code", code));
    auto& accounts = context.parts.accounts;
    const auto factor = FIELDWATCH_TRY(accounts.second_factor(call.who.name));
    if (!factor || factor->confirmed) return fail(Errc::NotFound, "no second factor waits to be confirmed");
    const auto secret = from_hex(factor->secret_hex);
    const auto step = totp_match(secret.value_or(Bytes()), plain_code(code), context.parts.clock.now());
    if (!step)
        return fail(Errc::InvalidArgument,
                    "this code is none of now: look at the authenticator's clock, and try the next one");
    Json shown = Json::array();
    std::vector<std::string> hashes;
    for (std::size_t i = 0; i < kRecoveryCodes; ++i) {
        const auto one = recovery_code(context.parts.random);
        shown.push_back(one);
        hashes.push_back(hash_of_code(one));
    }
    FIELDWATCH_TRY(accounts.confirm_second_factor(call.who.name, factor->secret_hex, *step, hashes,
                                                  call.who.session_hash));
    return json_reply(200, {{"recoveryCodes", std::move(shown)}});
}

/// One's own: who only found an open page has neither password nor code.
Answer take_away(const Context& context, const Call& call) {
    FIELDWATCH_TRY(check_person(call));
    const auto body = FIELDWATCH_TRY(body_object(call.request, {"password", "code"}));
    Proof proof{.user = call.who.name, .password = {}, .code = {}};
    FIELDWATCH_TRY(read_member(body, "password", proof.password));
    FIELDWATCH_TRY(read_member(body, "code", proof.code));
    auto tried = prove(context, call, proof, Factors::All);
    if (tried.verdict != LoginGuard::Verdict::Admitted) return too_many_attempts();
    static_cast<void>(FIELDWATCH_TRY(std::move(tried.user)));
    FIELDWATCH_TRY(context.parts.accounts.remove_second_factor(call.who.name));
    return net::HttpResponse{.status = 204};
}

/// Somebody else's, whose telephone is lost.
Answer reset(const Context& context, const Call& call) {
    FIELDWATCH_TRY(context.parts.accounts.remove_second_factor(call.names[0]));
    return net::HttpResponse{.status = 204};
}

}  // namespace

Result<bool> second_factor_fits(const Context& context, const std::string& user, const std::string& code) {
    auto& accounts = context.parts.accounts;
    const auto factor = FIELDWATCH_TRY(accounts.second_factor(user));
    if (!factor || !factor->confirmed) return true;
    if (code.empty() || code.size() > kCodeBytesMax) return false;
    const auto secret = from_hex(factor->secret_hex);
    if (!secret) return fail(Errc::Corrupt, "the second factor of " + user);
    const auto step = totp_match(*secret, plain_code(code), context.parts.clock.now());
    if (step) return accounts.take_step(user, *step);
    return accounts.take_recovery_code(user, hash_of_code(code));
}

std::vector<Route> second_factor_routes() {
    return {{"POST", "/api/v1/session/second-factor", Role::Reader, begin},
            {"POST", "/api/v1/session/second-factor/confirm", Role::Reader, confirm},
            {"POST", "/api/v1/session/second-factor/remove", Role::Reader, take_away},
            {"DELETE", "/api/v1/users/{name}/second-factor", Role::Administrator, reset}};
}

}  // namespace fieldwatch::portal
