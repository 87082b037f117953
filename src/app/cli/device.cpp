// fieldwatch device: create, list, show, update, delete, connection-string.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/cli/command.hpp"
#include "base/bytes.hpp"

namespace fieldwatch::app {

namespace {

using Json = nlohmann::json;

struct DeviceOptions {
    std::string id, module, status;
    std::string profile = "real-time";
    std::string auth = "sas";
};

std::string target_of(const Session& session, const DeviceOptions& options, std::string_view suffix = {}) {
    auto target =
        fmt::format("/api/v1/hubs/{}/devices/{}", percent_encode(session.hub), percent_encode(options.id));
    if (!options.module.empty()) target += "/modules/" + percent_encode(options.module);
    return target.append(suffix);
}

void print_json(const Json& value) {
    std::puts(value.dump(2).c_str());
}

std::string text_of(const Json& object, const char* key) {
    if (!object.contains(key) || object[key].is_null()) return "";
    return object[key].is_string() ? printable(object[key].get<std::string>()) : object[key].dump();
}

void print_device(const Session& session, const Json& device) {
    if (session.format == "json") return print_json(device);
    TextTable table({"PROPERTY", "VALUE"});
    for (const auto& [key, value] : device.items()) {
        table.add({key, value.is_string() ? printable(value.get<std::string>()) : value.dump()});
    }
    table.print();
}

Result<void> create(const Session& session, const DeviceOptions& options) {
    if (options.auth != "sas") {
        return fail(Errc::Unsupported,
                    fmt::format("--auth {}: this release authenticates devices with SAS only", options.auth));
    }
    DeviceOptions device_only = options;
    device_only.module.clear();
    const Json device_body{{"authentication", options.auth}};
    auto made = call(session, "PUT", target_of(session, device_only), &device_body);
    const bool existed = !made && made.error().code == Errc::AlreadyExists;
    if (!made && !(existed && !options.module.empty())) return std::unexpected(made.error());
    if (!options.module.empty()) {
        const Json module_body{{"authentication", options.auth}, {"profile", options.profile}};
        made = call(session, "PUT", target_of(session, options), &module_body);
        if (!made) return std::unexpected(made.error());
    }
    print_device(session, *made);
    return {};
}

Result<void> list(const Session& session) {
    const auto answer = FIELDWATCH_TRY(
        call(session, "GET", fmt::format("/api/v1/hubs/{}/devices", percent_encode(session.hub))));
    if (session.format == "json") {
        print_json(answer);
        return {};
    }
    TextTable table({"DEVICE", "STATUS", "CONNECTION", "LAST EVENT", "OPEN ALERTS"});
    for (const auto& device : answer["value"]) {
        table.add({text_of(device, "deviceId"), text_of(device, "status"), text_of(device, "connectionState"),
                   text_of(device, "lastEvent"), text_of(device, "openAlerts")});
    }
    session.format == "csv" ? table.print_csv() : table.print();
    return {};
}

}  // namespace

void add_device(CLI::App& app, Session& session) {
    auto* const device = app.add_subcommand("device", "Devices and their modules");
    device->require_subcommand(1);
    const auto options = std::make_shared<DeviceOptions>();
    const auto named = [&](const char* name, const char* what, bool with_module) {
        auto* const command = device->add_subcommand(name, what);
        command->add_option("ID", options->id, "The device's id, case-sensitive")->required();
        if (with_module)
            command->add_option("--module", options->module,
                                "A module of the device; the agent's is azureiotsecurity");
        add_hub_option(*command, session);
        add_session_options(*command, session);
        return command;
    };

    auto* const make = named("create", "Register a device; with --module also that module of it", true);
    make->add_option("--profile", options->profile,
                     "What the agent's twin asks for: real-time (seconds) or classic (minutes and hours)")
        ->check(CLI::IsMember({"real-time", "classic"}))
        ->capture_default_str();
    make->add_option("--auth", options->auth, "How it authenticates")
        ->check(CLI::IsMember({"sas", "x509-thumbprint", "x509-ca"}))
        ->capture_default_str();
    make->callback([options, &session] { run(session, [&] { return create(session, *options); }); });

    auto* const show = named("show", "One device or module", true);
    show->callback([options, &session] {
        run(session, [&]() -> Result<void> {
            print_device(session, FIELDWATCH_TRY(call(session, "GET", target_of(session, *options))));
            return {};
        });
    });

    auto* const update = named("update", "Enable or disable a device or module", true);
    update
        ->add_option("--status", options->status,
                     "enabled or disabled; a disabled one is disconnected at once")
        ->check(CLI::IsMember({"enabled", "disabled"}))
        ->required();
    update->callback([options, &session] {
        run(session, [&]() -> Result<void> {
            const Json body{{"status", options->status}};
            print_device(session,
                         FIELDWATCH_TRY(call(session, "PATCH", target_of(session, *options), &body)));
            return {};
        });
    });

    auto* const remove = named("delete", "Remove a device with its modules and twins, or one module", true);
    remove->callback([options, &session] {
        run(session, [&]() -> Result<void> {
            FIELDWATCH_TRY(call(session, "DELETE", target_of(session, *options)));
            return {};
        });
    });

    auto* const connection =
        named("connection-string", "Print the connection string, and nothing else", true);
    connection->callback([options, &session] {
        run(session, [&]() -> Result<void> {
            const auto answer =
                FIELDWATCH_TRY(call(session, "GET", target_of(session, *options, "/connection-string")));
            std::puts(answer.value("connectionString", "").c_str());
            return {};
        });
    });

    auto* const all = device->add_subcommand("list", "The devices of a hub");
    add_hub_option(*all, session);
    add_session_options(*all, session);
    all->callback([&session] { run(session, [&] { return list(session); }); });
}

}  // namespace fieldwatch::app
