// fieldwatch simulate: a virtual fleet's days as recorded input, and the truth about its attacks beside it.
#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <memory>

#include "app/cli/command.hpp"
#include "simulate/attack.hpp"
#include "simulate/fleet.hpp"

namespace fieldwatch::app {

namespace {

struct SimulateOptions {
    simulate::FleetOptions fleet;
    std::string to, truth, start = "2026-03-02T00:00:00Z";
    std::vector<std::string> attacks{"none"};
};

Result<void> write_text(const std::string& path, std::string_view text) {
    std::ofstream file(path, std::ios::binary);
    file << text << std::flush;
    return file ? Result<void>{} : fail(Errc::Io, fmt::format("cannot write {}", path));
}

Result<void> simulate_command(SimulateOptions options) {
    options.fleet.start = FIELDWATCH_TRY(parse_iso8601(options.start)).time;
    for (const auto& name : options.attacks) {
        if (name == "all") {
            for (const auto& script : simulate::attack_scripts())
                options.fleet.attacks.emplace_back(script.name);
        } else if (name != "none") {
            options.fleet.attacks.push_back(name);
        }
    }
    const bool to_output = options.to == "-";
    if (options.truth.empty() && !to_output) options.truth = options.to + ".truth.jsonl";
    std::ofstream file;
    if (!to_output) file.open(options.to, std::ios::binary);
    if (!to_output && !file) return fail(Errc::Io, fmt::format("cannot write {}", options.to));
    const auto records = [&](std::string_view lines) -> Result<void> {
        const bool written =
            to_output
                ? std::fwrite(lines.data(), 1, lines.size(), stdout) == lines.size()
                : static_cast<bool>(file.write(lines.data(), static_cast<std::streamsize>(lines.size())));
        return written ? Result<void>{} : fail(Errc::Io, "cannot write what is simulated");
    };
    const auto truth = [&](std::string_view lines) {
        return options.truth.empty() ? Result<void>{} : write_text(options.truth, lines);
    };
    const auto report = FIELDWATCH_TRY(simulate::simulate_fleet(options.fleet, records, truth));
    if (!to_output) {
        FIELDWATCH_TRY(write_text(options.to + ".intel.csv", simulate::indicators_csv()));
        FIELDWATCH_TRY(write_text(options.to + ".settings.json", "{\"testMode\":true,\"behaviour\":true}\n"));
        file.flush();
        if (!file) return fail(Errc::Io, fmt::format("cannot write {}", options.to));
    }
    if (on_terminal())
        std::fprintf(stderr, "%llu records of %u devices and %u days\n",
                     static_cast<unsigned long long>(report.records), options.fleet.devices,
                     options.fleet.days);
    return {};
}

}  // namespace

void add_simulate(CLI::App& app, Session& session) {
    const auto options = std::make_shared<SimulateOptions>();
    auto* const command = app.add_subcommand(
        "simulate", "Make recorded input of a virtual fleet, attacked or not; no server needed");
    command->add_option("--to", options->to, "Where to write; - is standard output")->required();
    command->add_option("--truth", options->truth,
                        "Where to write what was done to whom; default: FILE.truth.jsonl");
    command
        ->add_option("--devices", options->fleet.devices,
                     "Cameras, gateways, meters, controllers and kiosks in turn")
        ->capture_default_str();
    command->add_option("--days", options->fleet.days, "How long")->capture_default_str();
    command->add_option("--seed", options->fleet.seed, "The same seed gives the same bytes")
        ->capture_default_str();
    command->add_option("--start", options->start, "When it begins, at a full five minutes")
        ->capture_default_str();
    command->add_option("--hub", options->fleet.hub, "The hub's name")->capture_default_str();
    command
        ->add_option("--attack", options->attacks, "Scripts, each on a device of its own: names, all or none")
        ->capture_default_str();
    command
        ->add_option("--update-day", options->fleet.update_day,
                     "In the night of this day, from 1 on, all get new firmware; 0: never")
        ->capture_default_str();
    std::string scripts = "Attacks, in the last two fifths of the run:\n";
    for (const auto& script : simulate::attack_scripts())
        scripts += fmt::format("  {:16} {}\n", script.name, script.told);
    command->footer(
        scripts +
        "Beside FILE lie its truth, the indicators that the attacks stand in, and settings:\n"
        "  fieldwatch simulate --to fleet.jsonl --attack all\n"
        "  fieldwatch detect fleet.jsonl --intel fleet.jsonl.intel.csv --settings fleet.jsonl.settings.json");
    command->callback([options, &session] {
        const auto done = simulate_command(*options);
        session.exit_status = done ? kDone : report(done.error());
    });
}

}  // namespace fieldwatch::app
