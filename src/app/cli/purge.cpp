// fieldwatch purge: personal data of a device or a person out of what is stored.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/cli/operations.hpp"

namespace fieldwatch::app {

namespace {

using Json = nlohmann::json;

struct PurgeOptions {
    std::string device, user_name;
    bool dry_run = false;
};

Result<void> purge_data(const Session& session, const PurgeOptions& options) {
    Json body{{"dryRun", options.dry_run}};
    if (!options.device.empty()) {
        body["device"] = options.device;
        body["hub"] = session.hub;
    } else {
        body["userName"] = options.user_name;
    }
    const auto answer = FIELDWATCH_TRY(call(session, "POST", "/api/v1/purge", &body));
    if (session.format == "json") {
        std::puts(answer.dump(2).c_str());
        return {};
    }
    TextTable table({"WHERE", options.dry_run ? "WOULD CHANGE" : "CHANGED"});
    for (const auto& [name, rows] : answer["rows"].items())
        table.add({name, rows.dump() + " rows"});
    table.add({"sealed files", answer["sealedFiles"].dump()});
    if (!options.dry_run) table.add({"log", answer["logRecords"].dump() + " records"});
    session.format == "csv" ? table.print_csv() : table.print();
    for (const auto& backup : answer["backups"])
        std::fprintf(stderr, "A backup of %s still holds it, unless you destroyed that: %s\n",
                     printable(backup.value("created", "")).c_str(),
                     printable(backup.value("place", "")).c_str());
    return {};
}

}  // namespace

void add_purge(CLI::App& app, Session& session) {
    const auto options = std::make_shared<PurgeOptions>();
    auto* const command =
        app.add_subcommand("purge", "Remove personal data of a device or a person from what is stored");
    auto* const device = command->add_option("--device", options->device,
                                             "All rows and records of this device; it stays registered");
    auto* const name =
        command->add_option("--user-name", options->user_name,
                            "This name, wherever it stands as a whole word; rows stay, without it");
    device->excludes(name);
    command->add_flag("--dry-run", options->dry_run, "Only count");
    add_hub_option(*command, session);
    add_session_options(*command, session);
    command->footer(
        "From hot and sealed data and from the log; the activity log says who asked. Backups that the server "
        "knows of are\nlisted: they are yours to destroy. What a device sends afterwards is stored again: "
        "delete "
        "or disable it first.");
    command->callback([options, &session] {
        if (options->device.empty() == options->user_name.empty()) {
            session.exit_status = report({Errc::InvalidArgument, "give --device ID or --user-name NAME"});
            return;
        }
        run(session, [&] { return purge_data(session, *options); });
    });
}

}  // namespace fieldwatch::app
