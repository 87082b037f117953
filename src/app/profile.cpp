#include "app/profile.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "base/bytes.hpp"
#include "base/file_system.hpp"
#include "base/hash.hpp"

namespace fieldwatch::app {

namespace {

constexpr std::string_view kLocalToken = "local";

}  // namespace

Result<std::string> local_token(const std::string& directory, registry::Accounts& accounts, Random& random) {
    auto& files = posix_file_system();
    const auto path = directory + "/token";
    if (const auto kept = read_file(files, path, 256)) {
        auto token = std::string(as_text(*kept));
        const auto known = FIELDWATCH_TRY(accounts.token(hex(sha256(as_bytes(token)))));
        if (known) return token;
    } else if (kept.error().code != Errc::NotFound) {
        return std::unexpected(kept.error());
    }
    std::array<std::byte, 32> secret{};
    random.fill(secret);
    auto token = "fw_" + hex(secret);
    // Whoever took the file away wanted another token: the one of before is worth nothing from now on.
    if (auto gone = accounts.remove_token(kLocalToken); !gone && gone.error().code != Errc::NotFound)
        return std::unexpected(gone.error());
    FIELDWATCH_TRY(accounts.add(registry::Token{.name = std::string(kLocalToken),
                                                .hash_hex = hex(sha256(as_bytes(token))),
                                                .role = "administrator"}));
    FIELDWATCH_TRY(replace_file(files, path, as_bytes(token)));
    return token;
}

Result<void> write_profile(const std::string& directory, const Profile& profile) {
    const nlohmann::json document{
        {"server", profile.server},    {"token", profile.token},        {"hub", "home"},
        {"hubPort", profile.hub_port}, {"amqpPort", profile.amqp_port}, {"hubHttpsPort", profile.https_port},
        {"caFile", profile.ca_file}};
    return replace_file(posix_file_system(), directory + "/profile.json", as_bytes(document.dump(2) + "\n"));
}

}  // namespace fieldwatch::app
