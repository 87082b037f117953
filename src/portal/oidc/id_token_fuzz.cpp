// Any bytes are claims under a key that is known, or an error; keys and claims from outside end in values
// too.
#include <cstdint>
#include <string_view>

#include "base/assert.hpp"
#include "portal/oidc/id_token.hpp"
#include "portal/oidc/keys.hpp"

namespace {

using namespace fieldwatch;
using namespace fieldwatch::portal;

}  // namespace

/// The first line is a set of keys, the second a token or claims, the third settings.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    std::string_view lines[3];
    for (auto& line : lines) {
        line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
    }
    const auto keys = oidc::KeySet::parse(lines[0]);
    if (keys) {
        FIELDWATCH_ASSERT(keys->size() <= oidc::kKeysMax);
        static_cast<void>(keys->claims(lines[1]));
    }
    const auto claims = oidc::checked_claims(lines[1], {.issuer = "https://a",
                                                        .client_id = "b",
                                                        .nonce = "c",
                                                        .now = Timestamp::from_unix_seconds(1'800'000'000)});
    const auto settings = oidc::parse_settings(lines[2]);
    if (claims) FIELDWATCH_ASSERT((*claims)["iss"] == "https://a" && (*claims)["nonce"] == "c");
    if (claims && settings) {
        const auto person = oidc::person_of(*settings, *claims);
        if (person) FIELDWATCH_ASSERT(!person->name.empty() && !person->role.empty());
    }
    return 0;
}
