// fieldwatch update: updates of the agent, signed by the owner's key and told to devices through their twins.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "agent/update/https.hpp"
#include "agent/update/manifest.hpp"
#include "app/cli/operations.hpp"
#include "base/clock.hpp"
#include "base/file_system.hpp"

namespace fieldwatch::app {

namespace {

using Json = nlohmann::json;
using agent::Manifest;
using agent::Version;

constexpr const char* kTwinObject = "ms_iotn:urn_azureiot_Security_SecurityAgentConfiguration";
constexpr const char* kAgentModule = "azureiotsecurity";

struct UpdateOptions {
    std::string folder, version, downgrade_from, key, out;
    std::vector<std::string> manifests, urls, devices;
    bool all = false;
};
using ChosenUpdate = std::shared_ptr<UpdateOptions>;

/// For which processor an ELF program is (its e_machine), as the agent calls it. Errors: Unsupported.
Result<std::string> architecture_of(const std::string& path, ByteView program) {
    constexpr std::size_t kMachineAt = 18;
    const auto byte = [&](std::size_t at) { return std::to_integer<unsigned>(program[at]); };
    if (program.size() < 64 || !as_text(program).starts_with("\x7f"
                                                             "ELF"))
        return fail(Errc::InvalidArgument, path + ": no program of Linux");
    switch (byte(kMachineAt) | byte(kMachineAt + 1) << 8) {
        case 62:
            return std::string("x86_64");
        case 183:
            return std::string("aarch64");
        case 40:
            return std::string("arm");
        default:
            return fail(Errc::Unsupported, path + ": of a processor that the agent is not built for");
    }
}

/// Needs no server: the key stays where it is.
Result<void> sign_update(const UpdateOptions& options) {
    const auto version = Version::parse(options.version);
    if (!version) return fail(Errc::InvalidArgument, "--version is three numbers by dots, as in 0.2.0");
    Manifest manifest{.version = *version, .created = to_iso8601(system_clock().now(), 0)};
    if (!options.downgrade_from.empty()) {
        manifest.downgrade_from = Version::parse(options.downgrade_from);
        if (!manifest.downgrade_from)
            return fail(Errc::InvalidArgument, "--downgrade-from is three numbers by dots, as in 0.3.0");
    }
    auto& files = posix_file_system();
    Bytes image;
    for (std::size_t i = 0; i < agent::kUpdatePrograms.size(); ++i) {
        const auto path = options.folder + "/" + agent::kUpdatePrograms[i];
        const auto program = FIELDWATCH_TRY(read_file(files, path, Manifest::kProgramBytesMax));
        const auto made_for = FIELDWATCH_TRY(architecture_of(path, program));
        if (i > 0 && made_for != manifest.architecture)
            return fail(Errc::InvalidArgument,
                        path + ": for " + made_for + ", the other for " + manifest.architecture);
        manifest.architecture = made_for;
        manifest.programs[i] = {static_cast<std::uint32_t>(program.size()), hex(sha256(program))};
        image.insert(image.end(), program.begin(), program.end());
    }
    const auto key = FIELDWATCH_TRY(read_file(files, options.key, 16u << 10));
    const auto text = FIELDWATCH_TRY(agent::sign_manifest(manifest, as_text(key)));
    FIELDWATCH_TRY(replace_file(files, options.out + ".image", image));
    FIELDWATCH_TRY(replace_file(files, options.out + ".manifest", as_bytes(text)));
    for (const auto* end : {".image", ".manifest"})  // a web server reads them, and nothing in them is secret
        (void)::chmod((options.out + end).c_str(), 0644);
    std::printf("%s.image, %s.manifest: version %s for %s, %zu bytes, signed by %s\n",
                printable(options.out).c_str(), printable(options.out).c_str(), version->text().c_str(),
                manifest.architecture.c_str(), image.size(),
                FIELDWATCH_TRY(agent::parse_manifest(text)).key_id.c_str());
    return {};
}

std::string twin_target(const Session& session, const std::string& device) {
    return fmt::format("/api/v1/hubs/{}/devices/{}/modules/{}/twin", percent_encode(session.hub),
                       percent_encode(device), kAgentModule);
}

Result<std::vector<std::string>> chosen_devices(const Session& session, const UpdateOptions& options) {
    if (options.all != options.devices.empty())
        return fail(Errc::InvalidArgument, "name devices by --device, or take --all");
    if (!options.all) return options.devices;
    std::vector<std::string> out;
    for (std::string after;;) {
        const auto answer =
            FIELDWATCH_TRY(call(session, "GET",
                                fmt::format("/api/v1/hubs/{}/devices?after={}", percent_encode(session.hub),
                                            percent_encode(after))));
        for (const auto& device : answer["value"]) {
            if (device.value("agentState", "") != "NotInstalled") out.push_back(device.value("deviceId", ""));
        }
        after = answer.value("after", "");
        if (after.empty()) return out;
    }
}

/// What stands in the twin: by architecture the manifest and where its image lies.
Result<Json> announcement(const UpdateOptions& options) {
    if (options.manifests.empty() || options.manifests.size() != options.urls.size())
        return fail(Errc::InvalidArgument, "each --manifest goes with the --url of its image");
    Json out = Json::object();
    for (std::size_t i = 0; i < options.manifests.size(); ++i) {
        const auto text =
            FIELDWATCH_TRY(read_file(posix_file_system(), options.manifests[i], Manifest::kBytesMax));
        const auto manifest = agent::parse_manifest(as_text(text));
        if (!manifest)
            return fail(manifest.error().code, options.manifests[i] + ": " + manifest.error().message);
        FIELDWATCH_TRY(agent::parse_https_url(options.urls[i]));
        if (out.contains(manifest->architecture))
            return fail(Errc::InvalidArgument, "two manifests for " + manifest->architecture);
        out[manifest->architecture] = {{"manifest", manifest->text}, {"url", options.urls[i]}};
    }
    return out;
}

Result<void> write_twins(const Session& session, const UpdateOptions& options, const Json& value) {
    const auto devices = FIELDWATCH_TRY(chosen_devices(session, options));
    const Json property = value.is_null() ? Json() : Json{{"value", value}};
    const Json body{{"properties", {{"desired", {{kTwinObject, {{"agentUpdate", property}}}}}}}};
    for (const auto& device : devices) {
        const auto done = call(session, "PATCH", twin_target(session, device), &body);
        if (!done) return fail(done.error().code, device + ": " + done.error().message);
    }
    std::printf("%s to %zu devices\n", value.is_null() ? "withdrawn" : "announced", devices.size());
    return {};
}

Result<void> show_updates(const Session& session, const UpdateOptions& options) {
    auto chosen = options;
    chosen.all = options.devices.empty();
    TextTable table({"DEVICE", "AGENT", "UPDATE", "STATE", "REASON"});
    Json all = Json::array();
    for (const auto& device : FIELDWATCH_TRY(chosen_devices(session, chosen))) {
        const auto twin = FIELDWATCH_TRY(call(session, "GET", twin_target(session, device)));
        const auto value = [&](const char* name) {
            const Json::json_pointer at("/properties/reported");
            const auto reported = twin.value(at, Json::object()).value(kTwinObject, Json::object());
            return reported.is_object() ? reported.value(name, Json::object()).value("value", Json())
                                        : Json();
        };
        auto state = value("agentUpdateState");
        if (!state.is_object()) state = Json{{"state", "none"}};
        state["deviceId"] = device;
        state["agentVersion"] = value("agentVersion");
        table.add({device, text_of(state, "agentVersion"), text_of(state, "version"), text_of(state, "state"),
                   text_of(state, "reason")});
        all.push_back(std::move(state));
    }
    if (session.format == "json") {
        std::puts(all.dump(2).c_str());
        return {};
    }
    session.format == "csv" ? table.print_csv() : table.print();
    return {};
}

template <class Work>
CLI::App* update_verb(CLI::App& parent, const char* name, const char* help, const ChosenUpdate& options,
                      Session& session, Work work) {
    auto* const command = parent.add_subcommand(name, help);
    command->add_option("--device", options->devices, "A device's id; may be given several times");
    add_hub_option(*command, session);
    add_session_options(*command, session);
    command->callback([options, &session, work] { run(session, [&] { return work(session, *options); }); });
    return command;
}

void add_sign(CLI::App& update, const ChosenUpdate& options, Session& session) {
    auto* const sign = update.add_subcommand(
        "sign", "Make an update of the agent's two programs and sign it; needs no server");
    sign->add_option("FOLDER", options->folder, "Where fieldwatch-agent and fieldwatch-collector lie")
        ->required();
    sign->add_option("--version", options->version, "Of it, above what devices have: 0.2.0")->required();
    sign->add_option("--downgrade-from", options->downgrade_from,
                     "The one version in whose place this older one may be put");
    sign->add_option("--key", options->key, "The private key that signs, Ed25519 in PEM")->required();
    sign->add_option("--out", options->out, "Becomes OUT.image, for a web server, and OUT.manifest")
        ->required();
    sign->callback([options, &session] {
        const auto done = sign_update(*options);
        session.exit_status = done ? kDone : report(done.error());
    });
    sign->footer(
        "  openssl genpkey -algorithm ed25519 -out key.pem; openssl pkey -in key.pem -pubout -out "
        "update.pub\n"
        "  fieldwatch update sign build/agent/src/agent --version 0.2.0 --key key.pem --out agent-0.2.0\n"
        "Devices take it whose own configuration names update.pub: docs/agent-install.md.");
}

}  // namespace

void add_update(CLI::App& app, Session& session) {
    auto* const update = app.add_subcommand("update", "Signed updates of the agent");
    update->require_subcommand(1);
    const auto options = std::make_shared<UpdateOptions>();
    add_sign(*update, options, session);
    auto* const announce =
        update_verb(*update, "announce", "Tell devices of an update", options, session,
                    [](const Session& chosen, const UpdateOptions& given) -> Result<void> {
                        return write_twins(chosen, given, FIELDWATCH_TRY(announcement(given)));
                    });
    announce->add_option("--manifest", options->manifests, "As `sign` wrote it; one for each architecture")
        ->required();
    announce->add_option("--url", options->urls, "https://…, where its image lies")->required();
    auto* const withdraw = update_verb(
        *update, "withdraw", "Tell devices that there is no update any more", options, session,
        [](const Session& chosen, const UpdateOptions& given) { return write_twins(chosen, given, Json()); });
    for (auto* const command : {announce, withdraw})
        command->add_flag("--all", options->all, "Every device of the hub that has the agent");
    update_verb(*update, "status", "How it goes, device by device", options, session, show_updates);
}

}  // namespace fieldwatch::app
