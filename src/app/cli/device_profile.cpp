// fieldwatch profile: what is standard for a class of devices, in the forms that others read, and what left
// it.
#include <fmt/format.h>

#include <cstdio>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "app/cli/command.hpp"
#include "base/file_system.hpp"
#include "base/text.hpp"

namespace fieldwatch::app {

namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kMudFileBytesMax = 1u << 20;

struct ProfileCommand {
    std::string name, file, url, devices;
    std::uint32_t days = 0, devices_min = 0, peers_max = 0;  ///< 0: as it was accepted, or the server's own
    bool enforce = false, programs = false;
};

std::string target(const Session& session, const ProfileCommand& command, std::string_view form) {
    auto out = fmt::format("/api/v1/hubs/{}/profiles/{}{}", percent_encode(session.hub),
                           percent_encode(command.name), form);
    char separator = '?';
    const auto add = [&](std::string_view name, const std::string& value) {
        out += fmt::format("{}{}={}", separator, name, percent_encode(value));
        separator = '&';
    };
    if (!command.devices.empty()) add("devices", command.devices);
    if (command.days > 0) add("days", std::to_string(command.days));
    if (command.devices_min > 0) add("devicesMin", std::to_string(command.devices_min));
    if (command.peers_max > 0) add("peersMax", std::to_string(command.peers_max));
    if (!command.url.empty()) add("url", command.url);
    if (command.enforce) add("enforce", "true");
    return out;
}

Result<Json> mud_of(const std::string& file) {
    const auto text =
        file == "-"
            ? std::string(std::istreambuf_iterator<char>(std::cin), {})
            : std::string(as_text(FIELDWATCH_TRY(read_file(posix_file_system(), file, kMudFileBytesMax))));
    auto mud = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!mud.is_object()) return fail(Errc::Malformed, file + ": not a JSON object");
    return mud;
}

std::string joined(const Json& texts) {
    std::string out;
    for (const auto& text : texts)
        out += (out.empty() ? "" : ", ") + printable(text.get<std::string>());
    return out;
}

void print_table(const Session& session, const TextTable& table) {
    session.format == "csv" ? table.print_csv() : table.print();
}

/// `+` what is new, `-` what no longer happens.
void print_diff(const Json& diff) {
    for (const auto& line : diff["added"])
        std::printf("+ %s\n", printable(line.get<std::string>()).c_str());
    for (const auto& line : diff["gone"])
        std::printf("- %s\n", printable(line.get<std::string>()).c_str());
}

/// The hours in which the class does something, darker where it does more.
std::string hours_of(const Json& hours) {
    static constexpr std::string_view kShades = " .:-=+*#";
    std::uint64_t most = 1;
    for (const auto& count : hours)
        most = std::max(most, count.get<std::uint64_t>());
    std::string out;
    for (const auto& count : hours) {
        const auto n = count.get<std::uint64_t>();
        out += kShades[n == 0 ? 0 : 1 + (n * (kShades.size() - 2)) / most];
    }
    return out;
}

Result<void> show_profile(const Session& session, const ProfileCommand& command) {
    const auto profile = FIELDWATCH_TRY(call(session, "GET", target(session, command, "")));
    if (session.format == "json") {
        std::puts(profile.dump(2).c_str());
        return {};
    }
    TextTable talks({"CONNECTION", "BY", "DEVICES", "TIMES", "LAST"});
    for (const auto& talk : profile["connections"])
        talks.add({text_of(talk, "line"), joined(talk["programs"]), text_of(talk, "devices"),
                   text_of(talk, "count"), short_time(talk, "last")});
    TextTable programs({"PROGRAM", "AS", "DEVICES", "TIMES", "LAST"});
    for (const auto& program : profile["programs"])
        programs.add({text_of(program, "path"), joined(program["users"]), text_of(program, "devices"),
                      text_of(program, "count"), short_time(program, "last")});
    if (session.format == "csv") {
        command.programs ? programs.print_csv() : talks.print_csv();
        return {};
    }
    std::printf("%s: %s devices, %s to %s\n", text_of(profile, "name").c_str(),
                text_of(profile, "deviceCount").c_str(), short_time(profile, "from").c_str(),
                short_time(profile, "to").c_str());
    std::printf("hours 0 to 23 (UTC): [%s]\n\n", hours_of(profile["hours"]).c_str());
    talks.print();
    if (programs.size() > 0) std::puts("");
    if (programs.size() > 0) programs.print();
    if (profile["truncated"] == true)
        std::puts("\nThe rarest are left out: there are more than are looked at.");
    if (profile["accepted"].is_null()) {
        std::puts(
            "\nNobody accepted it yet: fieldwatch profile accept does, and what is not in it is an alert "
            "then.");
        return {};
    }
    std::printf("\naccepted %s by %s\n", short_time(profile["accepted"], "accepted").c_str(),
                text_of(profile["accepted"], "author").c_str());
    print_diff(profile["drift"]);
    return {};
}

Result<void> list_profiles(const Session& session) {
    const auto answer = FIELDWATCH_TRY(
        call(session, "GET", fmt::format("/api/v1/hubs/{}/profiles", percent_encode(session.hub))));
    if (session.format == "json") {
        std::puts(answer["value"].dump(2).c_str());
        return {};
    }
    TextTable table({"PROFILE", "DEVICES", "CONNECTIONS", "ACCEPTED", "BY", "RULE"});
    for (const auto& one : answer["value"])
        table.add({text_of(one, "name"), joined(one["devices"]), std::to_string(one["lines"].size()),
                   short_time(one, "accepted"), text_of(one, "author"), text_of(one, "rule")});
    print_table(session, table);
    return {};
}

/// What the server writes for others goes out as it is.
Result<void> print_file(const Session& session, const std::string& path) {
    const auto reply = FIELDWATCH_TRY(answered(session, "GET", path, "", {}));
    std::fwrite(reply.body.data(), 1, reply.body.size(), stdout);
    return {};
}

/// Against a reviewed MUD file, or what was accepted. Whether there is a difference.
Result<bool> diff_profile(const Session& session, const ProfileCommand& command) {
    Json found;
    if (!command.file.empty()) {
        const Json body{{"mud", FIELDWATCH_TRY(mud_of(command.file))}};
        found = FIELDWATCH_TRY(call(session, "POST", target(session, command, "/diff"), &body));
    } else {
        const auto profile = FIELDWATCH_TRY(call(session, "GET", target(session, command, "")));
        found = profile["drift"];
        if (found.is_null())
            return fail(
                Errc::NotFound,
                fmt::format("nobody accepted a profile {}: name a MUD file to compare with", command.name));
    }
    session.format == "json" ? void(std::puts(found.dump(2).c_str())) : print_diff(found);
    return !found["added"].empty() || !found["gone"].empty();
}

Result<void> accept_profile(const Session& session, const ProfileCommand& command) {
    Json body = Json::object();
    if (!command.devices.empty()) {
        Json devices = Json::array();
        for (const auto device : split(command.devices, ','))
            if (!device.empty()) devices.push_back(std::string(device));
        body["devices"] = std::move(devices);
    }
    if (command.days > 0) body["days"] = command.days;
    if (command.devices_min > 0) body["devicesMin"] = command.devices_min;
    if (command.peers_max > 0) body["peersMax"] = command.peers_max;
    if (!command.file.empty()) body["mud"] = FIELDWATCH_TRY(mud_of(command.file));
    const ProfileCommand plain{.name = command.name};
    const auto accepted = FIELDWATCH_TRY(call(session, "PUT", target(session, plain, ""), &body));
    if (session.format == "json") {
        std::puts(accepted.dump(2).c_str());
        return {};
    }
    std::printf("%s: %zu connections of %s accepted; the scheduled rule %s watches them\n",
                text_of(accepted, "name").c_str(), accepted["lines"].size(),
                joined(accepted["devices"]).c_str(), text_of(accepted, "rule").c_str());
    return {};
}

using ProfileWork = Result<void> (*)(const Session&, const ProfileCommand&);

}  // namespace

void add_profile(CLI::App& app, Session& session) {
    auto* const group = app.add_subcommand(
        "profile",
        "What is standard for a class of devices: show it, write it for others, hold devices to it");
    group->require_subcommand(1);
    const auto options = std::make_shared<ProfileCommand>();
    const auto add = [&](const char* name, const char* says, bool named, ProfileWork work) {
        auto* const command = group->add_subcommand(name, says);
        if (named)
            command->add_option("NAME", options->name, "The profile; without --devices, the device called so")
                ->required();
        add_session_options(*command, session);
        add_hub_option(*command, session);
        command->callback(
            [options, &session, work] { run(session, [&] { return work(session, *options); }); });
        return command;
    };
    const auto of_class = [&](CLI::App* command) {
        command->add_option("--devices", options->devices,
                            "Ids joined by commas; with * at the end, all that begin so");
        command->add_option("--days", options->days, "Of rows, back from now; 14")->check(CLI::Range(1, 90));
        command->add_option("--devices-min", options->devices_min, "Leave out what fewer devices do; 1")
            ->check(CLI::Range(1, 100'000));
        command
            ->add_option("--peers-max", options->peers_max,
                         "Peers of one program and service, before they are called anybody; 32")
            ->check(CLI::Range(1, 1'000));
        return command;
    };
    add("list", "Profiles that were accepted", false,
        [](const Session& of, const ProfileCommand&) { return list_profiles(of); });
    auto* const shown =
        of_class(add("show", "Who talks to whom, what runs, when; and what left the accepted profile", true,
                     show_profile));
    shown->add_flag("--programs", options->programs, "The programs, where --format is csv");
    of_class(add("mud", "Print it as a MUD file (RFC 8520)", true,
                 [](const Session& of, const ProfileCommand& command) {
                     return print_file(of, target(of, command, "/mud"));
                 }))
        ->add_option("--url", options->url, "Where the file will lie");
    of_class(add("nftables", "Print it as a packet filter for the devices", true,
                 [](const Session& of, const ProfileCommand& command) {
                     return print_file(of, target(of, command, "/nftables"));
                 }))
        ->add_flag("--enforce", options->enforce, "Drop what is not in it; else it is logged and passes");
    of_class(add("allow-list", "Print it as a security group, for fieldwatch groups set", true,
                 [](const Session& of, const ProfileCommand& command) {
                     return print_file(of, target(of, command, "/allow-list"));
                 }));
    auto* const compared = of_class(add(
        "diff",
        "What is new (+) and gone (-) against the accepted profile, or a MUD file; exit status 1 if anything",
        true, [](const Session& of, const ProfileCommand& command) -> Result<void> {
            const auto differs = FIELDWATCH_TRY(diff_profile(of, command));
            return differs ? fail(Errc::Conflict, "the devices do not keep to it") : Result<void>{};
        }));
    compared->add_option("FILE", options->file, "A MUD file; - reads standard input");
    auto* const accepted = of_class(add(
        "accept",
        "Take it for the standard, as it is now or as a MUD file says; what is not in it is an alert then",
        true, accept_profile));
    accepted->add_option("FILE", options->file, "A MUD file; - reads standard input");
    add("forget", "Forget an accepted profile, and watch it no longer", true,
        [](const Session& of, const ProfileCommand& command) -> Result<void> {
            static_cast<void>(FIELDWATCH_TRY(call(of, "DELETE", target(of, {.name = command.name}, ""))));
            return {};
        });
    group->footer(
        "Examples:\n"
        "  fieldwatch profile show camera-7\n"
        "  fieldwatch profile accept cameras --devices 'camera-*' --devices-min 2\n"
        "  fieldwatch profile mud cameras > cameras.json    # review it, keep it under version control\n"
        "  fieldwatch profile diff cameras cameras.json\n"
        "  fieldwatch profile nftables cameras --enforce | ssh gateway nft -f -");
}

}  // namespace fieldwatch::app
