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
    std::string thumbprint, secondary_thumbprint;
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

/// `2 (1 High, 1 Low)`; a plain number when there are none.
std::string open_alerts(const Json& device) {
    std::string kinds;
    const auto counts = device.value("openAlertsBySeverity", Json::object());
    for (const auto* severity : {"High", "Medium", "Low", "Informational"}) {
        const auto count = counts.value(severity, std::int64_t{0});
        if (count > 0) kinds += fmt::format("{}{} {}", kinds.empty() ? "" : ", ", count, severity);
    }
    const auto total = text_of(device, "openAlerts");
    return kinds.empty() ? total : fmt::format("{} ({})", total, kinds);
}

std::string agent_words(const Json& device) {
    const auto state = text_of(device, "agentState");
    if (state == "NotInstalled") return "not installed";
    if (state == "NeverReported") return "never reported";
    if (state == "Reporting") return "reporting";
    return state == "Silent" ? "silent" : state;
}

std::string numbers_words(const Json& integrity) {
    const auto missing = integrity.value("missingEvents", std::int64_t{0});
    const auto resets = integrity.value("startsWithoutPast", std::int64_t{0});
    std::string out = missing == 0 ? "complete" : fmt::format("{} missing", missing);
    if (resets > 0) out += fmt::format("; the agent forgot its past {} times", resets);
    return out;
}

std::string spool_words(const Json& integrity) {
    const auto breaks = integrity.value("spoolBreaks", std::int64_t{0});
    if (breaks == 0) return "intact";
    return fmt::format("altered: {} breaks of its hash chain, last found {}", breaks,
                       short_time(integrity, "lastSpoolBreak"));
}

void print_device(const Session& session, const Json& device) {
    if (session.format == "json") return print_json(device);
    TextTable table({"PROPERTY", "VALUE"});
    const auto show = [&](const char* label, const char* key) {
        if (device.contains(key)) table.add({label, text_of(device, key)});
    };
    show("device", "deviceId");
    show("module", "moduleId");
    show("hub", "hub");
    show("status", "status");
    show("status reason", "statusReason");
    show("connection", "connectionState");
    show("authentication", "authentication");
    table.add({"created", short_time(device, "created")});
    if (device.contains("modules")) {
        std::string modules;
        for (const auto& module : device["modules"])
            modules += (modules.empty() ? "" : ", ") + printable(module.get<std::string>());
        table.add({"modules", modules.empty() ? "none" : modules});
    }
    if (device.contains("agentState")) {
        table.add({"agent", agent_words(device)});
        table.add({"last event", short_time(device, "lastEvent")});
        table.add({"open alerts", open_alerts(device)});
        show("recommendations", "activeRecommendations");
    }
    if (const auto found = device.find("integrity"); found != device.end() && found->is_object()) {
        table.add({"event numbers", numbers_words(*found)});
        table.add({"agent's spool", spool_words(*found)});
    }
    session.format == "csv" ? table.print_csv() : table.print();
}

Result<void> create(const Session& session, const DeviceOptions& options) {
    if ((options.auth == "x509-thumbprint") == options.thumbprint.empty())
        return fail(Errc::InvalidArgument, "--thumbprint goes with --auth x509-thumbprint, and only with it");
    DeviceOptions device_only = options;
    device_only.module.clear();
    Json device_body{{"authentication", options.auth}};
    if (!options.thumbprint.empty()) device_body["primaryThumbprint"] = options.thumbprint;
    if (!options.secondary_thumbprint.empty())
        device_body["secondaryThumbprint"] = options.secondary_thumbprint;
    auto made = call(session, "PUT", target_of(session, device_only), &device_body);
    const bool existed = !made && made.error().code == Errc::AlreadyExists;
    if (!made && !(existed && !options.module.empty())) return std::unexpected(made.error());
    if (!options.module.empty()) {
        auto module_body = device_body;
        module_body["profile"] = options.profile;
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
    TextTable table({"DEVICE", "STATUS", "CONNECTION", "AGENT", "LAST EVENT", "ALERTS", "RECOMMENDATIONS"});
    for (const auto& device : answer["value"]) {
        table.add({text_of(device, "deviceId"), text_of(device, "status"), text_of(device, "connectionState"),
                   agent_words(device), short_time(device, "lastEvent"), open_alerts(device),
                   text_of(device, "activeRecommendations")});
    }
    session.format == "csv" ? table.print_csv() : table.print();
    if (table.size() == 0 && session.format == "table") std::fputs("no devices\n", stderr);
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
    make->add_option(
            "--auth", options->auth,
            "How it authenticates: keys (sas), a certificate by its thumbprint, or one that a verified "
            "authority of the hub issued to its id")
        ->check(CLI::IsMember({"sas", "x509-thumbprint", "x509-ca"}))
        ->capture_default_str();
    make->add_option("--thumbprint", options->thumbprint, "SHA-1 or SHA-256 of its certificate, in hex");
    make->add_option("--secondary-thumbprint", options->secondary_thumbprint, "Of the next certificate");
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
