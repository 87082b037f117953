// fieldwatch intel: indicator files of a server, and a look into files without one.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "app/cli/intel.hpp"
#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/file_system.hpp"
#include "detect/intel/intel.hpp"

namespace fieldwatch::app {

namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kFileBytesMax = 256u << 20;

struct IntelOptions {
    std::vector<std::string> files, intel;
    std::string name, value;
    bool force = false, dry_run = false;
};

Result<std::string> read_text(const std::string& path) {
    if (path == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
    return std::string(as_text(FIELDWATCH_TRY(read_file(posix_file_system(), path, kFileBytesMax))));
}

Json summary(const std::string& name, const detect::IndicatorFile& file) {
    Json types = Json::object(), bad = Json::array();
    for (const auto& indicator : file.indicators) {
        auto& count = types[std::string(detect::to_string(indicator.type))];
        count = count.is_null() ? 1 : count.get<int>() + 1;
    }
    for (const auto& entry : file.bad)
        bad.push_back({{"line", entry.line}, {"why", entry.why}});
    const auto& warnings = file.warnings;
    return {{"name", name},
            {"indicators", file.indicators.size()},
            {"byType", types},
            {"warningListEntries", warnings.prefixes.size() + warnings.exact.size() + warnings.names.size() +
                                       warnings.substrings.size()},
            {"skipped", file.skipped},
            {"bad", bad}};
}

void print_import(const Session& session, const Json& answer) {
    if (session.format == "json") {
        std::puts(answer.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
        return;
    }
    std::string types;
    for (const auto& [type, count] : answer["byType"].items())
        types += fmt::format("{}{} {}", types.empty() ? "" : ", ", count.dump(), type);
    std::printf("%s: %s indicators%s%s%s, %s warning-list entries, %s left out\n",
                printable(answer.value("name", "")).c_str(), answer["indicators"].dump().c_str(),
                types.empty() ? "" : " (", types.c_str(), types.empty() ? "" : ")",
                answer["warningListEntries"].dump().c_str(), answer["skipped"].dump().c_str());
    for (const auto& bad : answer["bad"])
        std::fprintf(stderr, "  line %s: %s\n", bad["line"].dump().c_str(),
                     printable(bad.value("why", "")).c_str());
}

Result<void> import_files(const Session& session, const IntelOptions& options) {
    if (!options.name.empty() && options.files.size() != 1)
        return fail(Errc::InvalidArgument, "--name goes with one file");
    for (const auto& path : options.files) {
        const auto text = FIELDWATCH_TRY(read_text(path));
        auto name = options.name.empty() ? std::filesystem::path(path).filename().string() : options.name;
        if (path == "-" && options.name.empty())
            return fail(Errc::InvalidArgument, "standard input needs --name");
        if (options.dry_run) {
            print_import(session, summary(name, FIELDWATCH_TRY(detect::parse_indicators(name, text))));
            continue;
        }
        const auto target =
            fmt::format("/api/v1/intel/{}{}", percent_encode(name), options.force ? "?force=true" : "");
        print_import(session, FIELDWATCH_TRY(call_text(session, "PUT", target, text)));
    }
    return {};
}

Result<Json> look_up(const Session& session, const IntelOptions& options) {
    if (options.intel.empty())
        return call(session, "GET", "/api/v1/intel/lookup?value=" + percent_encode(options.value));
    std::vector<std::pair<std::string, std::string>> files;
    for (const auto& path : options.intel)
        files.emplace_back(path, FIELDWATCH_TRY(read_text(path)));
    const auto intel = FIELDWATCH_TRY(detect::IntelSnapshot::build(files, 0));
    const auto hit = intel->find(options.value, system_clock().now());
    Json out{{"value", options.value}, {"found", hit.has_value()}};
    if (hit) out["indicator"] = Json::parse(detect::to_json(*hit));
    return out;
}

void print_lookup(const Session& session, const Json& answer) {
    if (session.format == "json") {
        std::puts(answer.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
        return;
    }
    if (!answer.value("found", false)) {
        std::printf("%s: not known\n", printable(answer.value("value", "")).c_str());
        return;
    }
    TextTable table({"PROPERTY", "VALUE"});
    for (const auto& [key, value] : answer["indicator"].items())
        table.add({key, value.is_string() ? printable(value.get<std::string>()) : value.dump()});
    session.format == "csv" ? table.print_csv() : table.print();
}

void print_list(const Session& session, const Json& answer) {
    if (session.format == "json") {
        std::puts(answer.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
        return;
    }
    TextTable table({"FILE", "INDICATORS", "WARNING-LIST ENTRIES", "LEFT OUT"});
    for (const auto& file : answer["value"])
        table.add({printable(file.value("name", "")), file["indicators"].dump(),
                   file["warningListEntries"].dump(), file["skipped"].dump()});
    session.format == "csv" ? table.print_csv() : table.print();
}

void finish(Session& session, const Result<void>& done) {
    session.exit_status = done ? kDone : report(done.error());
}

void add_import(CLI::App& intel, const std::shared_ptr<IntelOptions>& options, Session& session) {
    auto* const command =
        intel.add_subcommand("import", "Give the server a file of indicators, or a warning-list");
    command->add_option("FILE", options->files, "Files in any form below; - reads standard input")
        ->required();
    command->add_option("--name", options->name, "The name under which it is kept; the file's own otherwise");
    command->add_flag("--force", options->force, "Take a feed that lost more than half of its entries");
    command->add_flag("--dry-run", options->dry_run, "Only say what would be imported; no server needed");
    add_session_options(*command, session);
    command->footer(
        "STIX 2.0 and 2.1 bundles, MISP events and warning-lists, CSV as abuse.ch writes it, netsets, domain "
        "lists,\n"
        "hosts files, hash lists, JSON Lines. A file of a name that is there takes its place, within "
        "seconds. Wrong lines\n"
        "are listed and left out.");
    command->callback([options, &session] {
        if (options->dry_run) return finish(session, import_files(session, *options));
        run(session, [&] { return import_files(session, *options); });
    });
}

}  // namespace

void add_intel(CLI::App& app, Session& session) {
    auto* const intel = app.add_subcommand("intel", "Threat intelligence: indicators and warning-lists");
    intel->require_subcommand(1);
    const auto options = std::make_shared<IntelOptions>();
    add_import(*intel, options, session);
    add_intel_feeds(*intel, session);
    add_intel_bundles(*intel, session);

    auto* const list = intel->add_subcommand("list", "The files that detection looks into now");
    add_session_options(*list, session);
    list->callback([&session] {
        run(session, [&]() -> Result<void> {
            print_list(session, FIELDWATCH_TRY(call(session, "GET", "/api/v1/intel")));
            return {};
        });
    });

    auto* const lookup = intel->add_subcommand("lookup", "What is known of an address, name, URL or hash");
    lookup->add_option("VALUE", options->value, "198.51.100.7, bad.example, http://…, a hash")->required();
    lookup
        ->add_option(
            "--intel", options->intel,
            "Look into this file, at any confidence, instead of asking a server; may be given several times")
        ->allow_extra_args(false);
    add_session_options(*lookup, session);
    lookup->callback([options, &session] {
        const auto work = [&]() -> Result<void> {
            print_lookup(session, FIELDWATCH_TRY(look_up(session, *options)));
            return {};
        };
        if (!options->intel.empty()) return finish(session, work());
        run(session, work);
    });

    auto* const remove = intel->add_subcommand("remove", "Take a file away");
    remove->add_option("NAME", options->name, "As `intel list` shows it")->required();
    add_session_options(*remove, session);
    remove->callback([options, &session] {
        run(session, [&]() -> Result<void> {
            static_cast<void>(
                FIELDWATCH_TRY(call(session, "DELETE", "/api/v1/intel/" + percent_encode(options->name))));
            return {};
        });
    });
}

}  // namespace fieldwatch::app
