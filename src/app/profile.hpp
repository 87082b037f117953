// The profile: where a server is and how the command line may speak to it. Written by the server, 0600.
#pragma once

#include <cstdint>
#include <string>

#include "base/random.hpp"
#include "base/result.hpp"
#include "registry/accounts.hpp"

namespace fieldwatch::app {

struct Profile {
    std::string server;  ///< http://127.0.0.1:7780
    std::string token;   ///< of an administrator
    std::uint16_t hub_port = 0, amqp_port = 0;
    std::uint16_t https_port = 0;  ///< of the hub; 0 = it does not listen
    std::string ca_file;
};

/// The command line's own token: kept in `DIR/token` (0600), registered by its hash; made at first start.
Result<std::string> local_token(const std::string& directory, registry::Accounts& accounts, Random& random);

Result<void> write_profile(const std::string& directory, const Profile& profile);

}  // namespace fieldwatch::app
