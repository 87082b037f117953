// fieldwatch vulnerabilities: advisories in, and which devices have what they name.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "app/cli/command.hpp"
#include "base/bytes.hpp"
#include "base/file_system.hpp"
#include "detect/vulnerability/compact_form.hpp"

namespace fieldwatch::app {

namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kFileBytesMax = 256u << 20;
constexpr std::size_t kUploadBytesMax = 32u << 20;  ///< what the server takes in one request

struct VulnerabilityOptions {
    std::vector<std::string> files;
    std::string name, id, device;
    int top = 100;
    bool force = false, dry_run = false;
};

Result<std::string> read_text(const std::string& path) {
    if (path == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
    return std::string(as_text(FIELDWATCH_TRY(read_file(posix_file_system(), path, kFileBytesMax))));
}

void print_json(const Json& value) {
    std::puts(value.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

/// How many of what: `41,200 advisories, 3 statements`.
std::string counts_of(const Json& source) {
    std::string out;
    for (const auto& [key, words] : {std::pair{"advisories", "advisories"},
                                     {"statements", "statements"},
                                     {"exploited", "known exploited"},
                                     {"probabilities", "probabilities"}}) {
        if (source.value(key, 0) != 0)
            out += fmt::format("{}{} {}", out.empty() ? "" : ", ", source.value(key, 0), words);
    }
    return out;
}

void print_import(const Session& session, const Json& answer) {
    if (session.format == "json") return print_json(answer);
    std::printf("%s (%s): %s; %d left out; %.1f MiB kept\n", printable(answer.value("name", "")).c_str(),
                printable(answer.value("format", "")).c_str(), counts_of(answer).c_str(),
                answer.value("skipped", 0), answer.value("bytes", 0.0) / (1 << 20));
    for (const auto& bad : answer["bad"])
        std::fprintf(stderr, "  %s: %s\n", printable(bad.value("entry", "")).c_str(),
                     printable(bad.value("why", "")).c_str());
}

/// What the server would say of it.
Json summary(const std::string& name, const detect::AdvisoryFile& file, std::size_t bytes) {
    Json bad = Json::array();
    for (const auto& entry : file.bad)
        bad.push_back({{"entry", entry.entry}, {"why", entry.why}});
    return {{"name", name},
            {"format", file.format},
            {"advisories", file.count},
            {"statements", file.statements.size()},
            {"exploited", file.exploited.size()},
            {"probabilities", file.probabilities.size()},
            {"skipped", file.skipped},
            {"bad", std::move(bad)},
            {"bytes", bytes}};
}

/// The files are read here: what the server gets is what can be matched, a twentieth of a tracker.
Result<void> import_one(const Session& session, const VulnerabilityOptions& options, const std::string& name,
                        const std::vector<std::string>& paths) {
    detect::CompactForm form;
    for (std::size_t i = 0; i < paths.size(); ++i) {
        if (on_terminal() && paths.size() > 1)
            std::fprintf(stderr, "\rreading %zu of %zu", i + 1, paths.size());
        const auto text = FIELDWATCH_TRY(read_text(paths[i]));
        FIELDWATCH_TRY(detect::read_advisories(paths[i], text, form.file()));
    }
    if (on_terminal() && paths.size() > 1) std::fputs("\r", stderr);
    auto said = summary(name, form.file(), 0);
    const auto compact = std::move(form).text();
    said["bytes"] = compact.size();
    if (options.dry_run) {
        print_import(session, said);
        return {};
    }
    if (compact.size() > kUploadBytesMax)
        return fail(Errc::TooLarge, fmt::format("{}: {} MiB are left of it, and a request takes 32: divide "
                                                "it, or leave out releases that no device runs",
                                                name, compact.size() >> 20));
    const auto target =
        fmt::format("/api/v1/advisories/{}{}", percent_encode(name), options.force ? "?force=true" : "");
    print_import(session, FIELDWATCH_TRY(call_text(session, "PUT", target, compact)));
    return {};
}

Result<void> import_files(const Session& session, const VulnerabilityOptions& options) {
    if (!options.name.empty()) return import_one(session, options, options.name, options.files);
    for (const auto& path : options.files) {
        if (path == "-") return fail(Errc::InvalidArgument, "standard input needs --name");
        FIELDWATCH_TRY(import_one(session, options, std::filesystem::path(path).filename().string(), {path}));
    }
    return {};
}

std::string number_or_nothing(const Json& value) {
    return value.is_number_float() ? fmt::format("{:.1f}", value.get<double>())
           : value.is_number()     ? value.dump()
                                   : std::string();
}

Result<void> list(const Session& session, const VulnerabilityOptions& options) {
    auto target =
        fmt::format("/api/v1/vulnerabilities?hub={}&top={}", percent_encode(session.hub), options.top);
    if (!options.device.empty()) target += "&device=" + percent_encode(options.device);
    const auto answer = FIELDWATCH_TRY(call(session, "GET", target));
    if (session.format == "json") {
        print_json(answer);
        return {};
    }
    TextTable table({"VULNERABILITY", "EXPLOITED", "LIKELY %", "SCORE", "DEVICES", "EXPOSED", "COMPONENTS"});
    for (const auto& one : answer["value"]) {
        std::string components;
        for (const auto& name : one["components"])
            components += (components.empty() ? "" : ", ") + printable(name.get<std::string>());
        table.add({printable(text_of(one, "id")), one.value("exploited", false) ? "yes" : "",
                   number_or_nothing(one["exploitPercent"]), number_or_nothing(one["score"]),
                   one["devices"].dump(), one["exposedDevices"].dump(), components});
    }
    session.format == "csv" ? table.print_csv() : table.print();
    if (table.size() == 0 && session.format == "table")
        std::fputs("no device has a vulnerability that the advisories in force name\n", stderr);
    return {};
}

void print_one(const Session& session, const Json& answer) {
    TextTable devices(
        {"DEVICE", "COMPONENT", "VERSION", "FIXED IN", "SEVERITY", "PRIORITY", "EXPOSED", "SINCE"});
    for (const auto& one : answer["devices"])
        devices.add({printable(text_of(one, "device")), printable(text_of(one, "component")),
                     printable(text_of(one, "version")), printable(text_of(one, "fixedVersion")),
                     coloured_severity(text_of(one, "severity")), text_of(one, "priority"),
                     one.value("exposed", false) ? "yes" : "", short_time(one, "since")});
    if (session.format == "csv") return devices.print_csv();
    const auto& likely = answer["exploitProbability"];
    std::printf(
        "%s%s%s%s\n\n", printable(text_of(answer, "id")).c_str(),
        answer.value("exploited", false) ? ": known to be exploited" : "",
        likely.is_number()
            ? fmt::format("; exploited within a month by {:.1f} %", likely.get<double>() * 100).c_str()
            : "",
        answer["score"].is_number() ? fmt::format("; score {:.1f}", answer["score"].get<double>()).c_str()
                                    : "");
    TextTable about({"PACKAGE", "TYPE", "OF", "RELEASE", "FIXED IN", "SAYS"});
    for (const auto& one : answer["advisories"])
        about.add({printable(text_of(one, "package")), printable(text_of(one, "type")),
                   printable(text_of(one, "distribution")), printable(text_of(one, "release")),
                   printable(text_of(one, "fixedVersion")), printable(text_of(one, "source"))});
    if (about.size() > 0) about.print();
    std::puts(devices.size() > 0 ? "" : "\nno device has it");
    if (devices.size() > 0) devices.print();
}

Result<void> show(const Session& session, const VulnerabilityOptions& options) {
    const auto answer =
        FIELDWATCH_TRY(call(session, "GET",
                            fmt::format("/api/v1/vulnerabilities/{}?hub={}", percent_encode(options.id),
                                        percent_encode(session.hub))));
    session.format == "json" ? print_json(answer) : print_one(session, answer);
    return {};
}

Result<void> list_files(const Session& session) {
    const auto answer = FIELDWATCH_TRY(call(session, "GET", "/api/v1/advisories"));
    if (session.format == "json") {
        print_json(answer);
        return {};
    }
    TextTable table({"FILE", "FORMAT", "HOLDS", "LEFT OUT"});
    for (const auto& file : answer["value"])
        table.add({printable(text_of(file, "name")), printable(text_of(file, "format")), counts_of(file),
                   file["skipped"].dump()});
    session.format == "csv" ? table.print_csv() : table.print();
    return {};
}

void add_import_command(CLI::App& all, const std::shared_ptr<VulnerabilityOptions>& options,
                        Session& session) {
    auto* const command = all.add_subcommand("import", "Give the server advisories to match packages with");
    command->add_option("FILE", options->files, "Files in any form below; - reads standard input")
        ->required();
    command->add_option("--name", options->name,
                        "Keep all files as one, under this name; without it each under its own");
    command->add_flag("--force", options->force, "Take a file that lost more than half of its entries");
    command->add_flag("--dry-run", options->dry_run, "Only say what would be imported; no server needed");
    add_session_options(*command, session);
    command->footer(
        "OSV records (one, a list, or a line each), Debian's security tracker, CSAF 2.0 and VEX, CISA's "
        "catalogue "
        "of known\n"
        "exploited vulnerabilities, EPSS scores. What cannot be matched is left out before anything is sent; "
        "wrong entries\n"
        "are listed. A file of a name that is there takes its place, and devices are judged anew within "
        "seconds.\n"
        "  curl -O https://security-tracker.debian.org/tracker/data/json\n"
        "  fieldwatch vulnerabilities import --name debian json\n"
        "  fieldwatch vulnerabilities import --name redhat csaf/*.json");
    command->callback([options, &session] {
        const auto work = [&] { return import_files(session, *options); };
        if (!options->dry_run) return run(session, work);
        const auto done = work();
        session.exit_status = done ? kDone : report(done.error());
    });
}

}  // namespace

void add_vulnerabilities(CLI::App& app, Session& session) {
    auto* const all = app.add_subcommand("vulnerabilities",
                                         "Which devices run what has known vulnerabilities, and advisories");
    all->require_subcommand(1);
    const auto options = std::make_shared<VulnerabilityOptions>();
    add_import_command(*all, options, session);

    auto* const found = all->add_subcommand(
        "list", "Vulnerabilities that devices have: exploited first, then exposed, then grave");
    found->add_option("--device", options->device, "Only of this device");
    found->add_option("--top", options->top, "How many")->check(CLI::Range(1, 1'000))->capture_default_str();
    add_hub_option(*found, session);
    add_session_options(*found, session);
    found->footer(
        "Of each component of a device the 32 first in rank are counted here; `show` finds the others too.\n"
        "What to do is in `fieldwatch recommendations list`, one a device and component.");
    found->callback([options, &session] { run(session, [&] { return list(session, *options); }); });

    auto* const one =
        all->add_subcommand("show", "One vulnerability: what is said of it, and which devices have it");
    one->add_option("ID", options->id, "CVE-2024-3094, DSA-5649-1, …")->required();
    add_hub_option(*one, session);
    add_session_options(*one, session);
    one->callback([options, &session] { run(session, [&] { return show(session, *options); }); });

    auto* const files = all->add_subcommand("files", "The files of advisories in force");
    add_session_options(*files, session);
    files->callback([&session] { run(session, [&] { return list_files(session); }); });

    auto* const remove = all->add_subcommand("remove", "Take a file of advisories away");
    remove->add_option("NAME", options->name, "As `vulnerabilities files` shows it")->required();
    add_session_options(*remove, session);
    remove->callback([options, &session] {
        run(session, [&]() -> Result<void> {
            static_cast<void>(FIELDWATCH_TRY(
                call(session, "DELETE", "/api/v1/advisories/" + percent_encode(options->name))));
            return {};
        });
    });
}

}  // namespace fieldwatch::app
