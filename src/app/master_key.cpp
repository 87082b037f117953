#include "app/master_key.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

#include "base/log.hpp"

namespace fieldwatch::app {

registry::MasterKeyFile master_key_file(const std::string& data_directory) {
    if (const char* const named = std::getenv("FIELDWATCH_MASTER_KEY_FILE");
        named != nullptr && *named != '\0')
        return {.path = named, .is_ours = false};
    if (const char* const credentials = std::getenv("CREDENTIALS_DIRECTORY"); credentials != nullptr) {
        const auto path = std::string(credentials) + "/fieldwatch-master-key";
        std::error_code problem;
        if (std::filesystem::exists(path, problem)) return {.path = path, .is_ours = false};
    }
    return {.path = data_directory + "/master-key", .is_ours = true};
}

void tell_of_master_keys(const std::string& data_directory, const registry::MasterKeyFile& file) {
    const auto state = registry::sealing_state(data_directory + "/registry.db");
    const auto keyring = registry::read_keyring(file);
    if (!state || !keyring) return;
    log::info("server",
              fmt::format("the registry is sealed under the master key {} of {}", state->key_id, file.path));
    if (keyring->ids().size() > 1)
        log::warning(
            "server",
            fmt::format("nothing is sealed under the other master keys in {} any more: take them out",
                        file.path));
    if (!state->clean)
        log::warning(
            "server",
            "secrets of before still lie in free pages of registry.db, for the disk had no room to write it "
            "anew: make room and restart");
    std::error_code problem;
    const auto own = data_directory + "/master-key";
    if (!file.is_ours && std::filesystem::exists(own, problem))
        log::warning("server", fmt::format("{} is not used, for the master key comes from {}: destroy it",
                                           own, file.path));
}

}  // namespace fieldwatch::app
