// Which values of the registry are secrets, and the master key that they lie under: bringing a file of
// before, or of another master key, under the present one. Each step is one transaction, and goes on where a
// killed one ended.
#pragma once

#include <memory>
#include <string>

#include "base/clock.hpp"
#include "registry/accounts.hpp"
#include "registry/keyring.hpp"
#include "registry/registry.hpp"
#include "registry/sqlite.hpp"

namespace fieldwatch::registry {

/// As open() and open_accounts(), which take the file `master-key` beside the registry; it is made when
/// nothing was ever sealed. Errors also: Unauthorized when the master key is not there or is not the one that
/// the registry lies under, saying what to do.
Result<std::unique_ptr<Registry>> open(const std::string& path, const MasterKeyFile& key_file,
                                       const Clock& clock, Random& random);
Result<std::unique_ptr<Accounts>> open_accounts(const std::string& path, const MasterKeyFile& key_file);

/// What a registry's file says of itself; nothing in it is opened.
struct SealingState {
    std::string key_id;  ///< all of it lies under this master key; "" = nothing is sealed yet
    bool clean = true;   ///< false while free pages may hold what was there before
};
Result<SealingState> sealing_state(const std::string& path);

/// Gives a registry that nobody has open a new master key: all of it is sealed again, and what it lay under
/// before is forgotten. May be killed anywhere: the next open() ends what was begun. The id of the new key.
/// Errors: Unsupported when the file of the key is not ours.
Result<std::string> rotate_master_key(const std::string& path, const MasterKeyFile& key_file,
                                      const Clock& clock, Random& random);

// For Database and schema steps.

/// The master keys for this database, made when it needs the first one.
Result<std::shared_ptr<const Keyring>> keyring_for(Connection& database, const MasterKeyFile& key_file,
                                                   Random& random);
/// Inside the transaction of the schema's step.
Result<void> seal_plain(Connection& database);
/// All under the first master key, nothing of before in free pages and in the write-ahead log, and no master
/// key kept that nothing needs.
Result<void> settle_sealing(Connection& database, const MasterKeyFile& key_file);

}  // namespace fieldwatch::registry
