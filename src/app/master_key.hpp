// Where this server's master key comes from: what the registry's secrets are sealed under.
#pragma once

#include <string>

#include "registry/sealing.hpp"

namespace fieldwatch::app {

/// $FIELDWATCH_MASTER_KEY_FILE; else `fieldwatch-master-key` in $CREDENTIALS_DIRECTORY, where the service
/// manager puts what it was told to bring (systemd.exec, LoadCredential); else DATA/master-key, which the
/// first start makes.
registry::MasterKeyFile master_key_file(const std::string& data_directory);

/// Says in the log what the administrator still has to do about master keys. After the registry was opened.
void tell_of_master_keys(const std::string& data_directory, const registry::MasterKeyFile& file);

}  // namespace fieldwatch::app
