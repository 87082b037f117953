// Hubs and their shared access policies, as rows.
#pragma once

#include <optional>
#include <vector>

#include "base/random.hpp"
#include "registry/outbox.hpp"
#include "registry/registry.hpp"
#include "registry/sqlite.hpp"

namespace fieldwatch::registry {

/// 32 random bytes each, base64.
Keys make_keys(Random& random);
/// Errors: InvalidArgument unless both or none are given, each base64 of 16 to 64 bytes.
Result<void> check_keys(const Keys& keys);

Result<Hub> insert_hub(Connection& database, Hub hub, Random& random, const Telling& telling);
Result<Hub> load_hub(Connection& database, const model::HubName& name);
Result<std::vector<Hub>> load_hubs(Connection& database);
Result<Hub> update_hub(Connection& database, Hub hub, std::optional<std::uint64_t> if_match, Random& random,
                       const Telling& telling);

}  // namespace fieldwatch::registry
