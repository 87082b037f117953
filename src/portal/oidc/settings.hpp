// Whom an administrator trusts to say who somebody is: docs/api.md "Identity provider". Internal to portal.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace fieldwatch::portal::oidc {

struct Settings {
    std::string issuer;  ///< as the provider spells itself; its documents lie below
    std::string client_id;
    std::string client_secret;  ///< "" = a public client. Never in an answer
    std::string page;           ///< how people reach this server: https://host:port
    std::string name;           ///< what the page's button says
    std::vector<std::string> scopes{"openid", "profile", "email"};
    std::string name_claim = "preferred_username";
    std::string groups_claim = "groups";
    std::map<std::string, std::string> roles;  ///< by group
    std::optional<std::string> otherwise;      ///< role of who is in none of them; nullopt = may not come in
    std::string ca_pem;                        ///< whom to trust over TLS; "" = the system's

    std::string redirect() const;  ///< what the provider must know as the client's address
};

/// Reads what a person or the registry wrote. Errors: Malformed, InvalidArgument, naming the member.
Result<Settings> parse_settings(std::string_view json);

enum class Secrets : std::uint8_t { Hidden, Shown };
/// Hidden: "confidential" says whether there is one, and "redirect" what to register at the provider.
std::string to_json(const Settings& settings, Secrets secrets);

/// An address that is asked: https, or http to this machine. Errors: InvalidArgument, beginning with `what`.
Result<void> check_address(std::string_view what, std::string_view address);

}  // namespace fieldwatch::portal::oidc
