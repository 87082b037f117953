// fieldwatch keys: the master key that the registry's secrets are sealed under.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/cli/operations.hpp"
#include "app/data_lock.hpp"
#include "app/master_key.hpp"
#include "base/clock.hpp"
#include "base/random.hpp"

namespace fieldwatch::app {

namespace {

using Json = nlohmann::json;

struct KeysOptions {
    std::string data;
};

Result<void> show(const Session& session, const KeysOptions& options) {
    const auto file = master_key_file(options.data);
    const auto state = FIELDWATCH_TRY(registry::sealing_state(options.data + "/registry.db"));
    const auto keyring = registry::read_keyring(file);
    const auto ids = keyring ? keyring->ids() : std::vector<std::string>();
    const bool there = keyring && keyring->holds(state.key_id);
    if (session.format == "json") {
        std::puts(
            Json{{"sealedUnder", state.key_id}, {"file", file.path}, {"keys", ids}, {"clean", state.clean}}
                .dump()
                .c_str());
    } else if (state.key_id.empty()) {
        std::puts("nothing is sealed yet: the next start of the server does it");
    } else {
        std::printf("sealed under %s; %s %s\n", state.key_id.c_str(), file.path.c_str(),
                    there ? "holds it" : "does not hold it");
    }
    if (!keyring && keyring.error().code != Errc::NotFound) return std::unexpected(keyring.error());
    return {};
}

Result<void> rotate(const Session& session, const KeysOptions& options) {
    const auto lock = FIELDWATCH_TRY(DataLock::take(options.data));
    const auto file = master_key_file(options.data);
    // A folder that is no server's gets no key.
    static_cast<void>(FIELDWATCH_TRY(registry::sealing_state(options.data + "/registry.db")));
    const auto id = FIELDWATCH_TRY(
        registry::rotate_master_key(options.data + "/registry.db", file, system_clock(), system_random()));
    if (session.format == "json") {
        std::puts(Json{{"sealedUnder", id}, {"file", file.path}}.dump().c_str());
    } else {
        std::printf("sealed under %s; %s holds it, and the one of before no more\n", id.c_str(),
                    file.path.c_str());
    }
    std::fputs("Backups of before hold their own master key: destroy them if that became known.\n", stderr);
    return {};
}

}  // namespace

void add_keys(CLI::App& app, Session& session) {
    auto* const command =
        app.add_subcommand("keys", "The master key that the registry's secrets are sealed under");
    command->require_subcommand(1);
    const auto options = std::make_shared<KeysOptions>();
    const auto add = [&](const char* name, const char* what, auto work) {
        auto* const one = command->add_subcommand(name, what);
        one->add_option("--data", options->data, "The server's folder")->required();
        one->add_option("--format", session.format, "table or json")->check(CLI::IsMember({"table", "json"}));
        one->callback([options, work, &session] {
            const Result<void> done = work(session, *options);
            session.exit_status = done ? kDone : report(done.error());
        });
        return one;
    };
    add("show", "Which master key it is; never the key itself", show);
    add("rotate", "Seal everything under a new master key; the server is not running", rotate)
        ->footer(
            "A rotation that is killed is ended by the next start. Where the master key comes from elsewhere "
            "($FIELDWATCH_MASTER_KEY_FILE,\na credential of the service manager), write a new one above it, "
            "made by "
            "openssl rand -base64 32, and restart the server.");
}

}  // namespace fieldwatch::app
