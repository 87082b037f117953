// fieldwatch detect: the whole pipeline over recorded input, without a server; findings go to standard
// output.
#include <fmt/format.h>

#include <cstdio>
#include <deque>
#include <fstream>
#include <iostream>
#include <memory>

#include "app/cli/command.hpp"
#include "app/detection_content.hpp"
#include "base/clock.hpp"
#include "base/file_system.hpp"
#include "detect/content.hpp"
#include "model/finding.hpp"
#include "pipeline/input/text_source.hpp"
#include "pipeline/offline.hpp"
#include "pipeline/series_run.hpp"

namespace fieldwatch::app {

namespace {

/// The command line's default only: what is detected depends on what is given.
int this_year() {
    return std::stoi(to_iso8601(system_clock().now()).substr(0, 4));
}

struct DetectOptions {
    std::vector<std::string> inputs;
    std::string rules, settings, fail_on;
    std::vector<std::string> intel, advisories;
    std::string format = "jsonl";
    std::string input;
    int year = this_year();
    bool strict = false;
};

constexpr std::uint64_t kIndicatorFileBytesMax = 256u << 20;
constexpr std::uint64_t kSettingsBytesMax = 1u << 20;

Result<detect::ContentPtr> content_of(const DetectOptions& options) {
    auto sources = rule_sources(FIELDWATCH_TRY(base_rules(options.rules)));
    for (const auto& path : options.intel) {
        const auto bytes = FIELDWATCH_TRY(read_file(posix_file_system(), path, kIndicatorFileBytesMax));
        sources.indicator_files.emplace_back(path, as_text(bytes));
    }
    for (const auto& path : options.advisories) {
        const auto bytes = FIELDWATCH_TRY(read_file(posix_file_system(), path, kIndicatorFileBytesMax));
        sources.advisory_files.emplace_back(path, as_text(bytes));
    }
    if (!options.settings.empty()) {
        const auto bytes =
            FIELDWATCH_TRY(read_file(posix_file_system(), options.settings, kSettingsBytesMax));
        sources.settings_json = as_text(bytes);
    }
    auto content = FIELDWATCH_TRY(detect::compile(sources));
    if (!options.strict) return content;
    // What is published only: our own recommendations are left out (spec/recommendations.md section 5).
    auto published = std::make_shared<detect::Content>(*content);
    published->settings.extensions = false;
    return published;
}

/// A file, or standard input, and the text in it.
struct RecordedFile {
    explicit RecordedFile(const std::string& named)
        : path(named == "-" ? "standard input" : named),
          file(named == "-" ? std::ifstream() : std::ifstream(named, std::ios::binary)),
          source(named == "-" ? std::cin : file),
          text(&source) {}
    RecordedFile(const RecordedFile&) = delete;
    RecordedFile& operator=(const RecordedFile&) = delete;
    bool opened() const { return static_cast<bool>(file); }

    std::string path;
    std::ifstream file;
    pipeline::TextSource source;
    std::istream text;
};

/// The first that could not be read to its end. What was read counts all the same.
Result<void> whole(const std::deque<RecordedFile>& files) {
    for (const auto& file : files) {
        if (const auto& problem = file.source.problem())
            return fail(problem->code, fmt::format("{}: {}", file.path, problem->message));
    }
    return {};
}

Result<std::string> detect_inputs(const DetectOptions& options) {
    const auto sink = [](std::string_view line) {
        std::fwrite(line.data(), 1, line.size(), stdout);
        std::fputc('\n', stdout);
    };
    std::deque<RecordedFile> files;
    std::vector<std::istream*> streams;
    for (const auto& path : options.inputs) {
        auto& file = files.emplace_back(path);
        if (!file.opened()) return fail(Errc::NotFound, fmt::format("cannot read {}", path));
        streams.push_back(&file.text);
    }
    if (options.input == "series") {
        std::string highest;
        for (std::size_t i = 0; i < streams.size(); ++i) {
            const auto report = FIELDWATCH_TRY(pipeline::run_series(*streams[i], options.inputs[i], sink));
            if (highest != "Medium" && !report.highest_severity.empty()) highest = report.highest_severity;
        }
        FIELDWATCH_TRY(whole(files));
        return highest;
    }
    const auto content = FIELDWATCH_TRY(content_of(options));
    for (const auto& error : content->rule_errors)
        std::fprintf(stderr, "%s:%d: %s; the rule is left out\n", error.file.c_str(), error.line,
                     error.why.c_str());
    for (const auto& source : content->intel->sources()) {
        for (const auto& bad : source.bad)
            std::fprintf(stderr, "%s:%zu: %s; left out\n", source.name.c_str(), bad.line,
                         printable(bad.why).c_str());
    }
    for (const auto& source : content->advisories->sources()) {
        for (const auto& bad : source.bad)
            std::fprintf(stderr, "%s: %s: %s; left out\n", source.name.c_str(), printable(bad.entry).c_str(),
                         printable(bad.why).c_str());
    }
    pipeline::OfflineOptions offline;
    offline.decode.strict = options.strict;
    if (!options.input.empty()) offline.format = pipeline::input_format_from(options.input);
    offline.input.first_year = options.year;
    const auto report = FIELDWATCH_TRY(pipeline::run_offline(streams, content, offline, sink));
    if (on_terminal()) {
        std::fprintf(stderr, "%llu records, %llu alerts, %llu recommendations, %llu dead letters\n",
                     static_cast<unsigned long long>(report.records),
                     static_cast<unsigned long long>(report.alerts),
                     static_cast<unsigned long long>(report.recommendations),
                     static_cast<unsigned long long>(report.dead_letters));
    }
    FIELDWATCH_TRY(whole(files));
    return report.highest_severity;
}

int detect_command(const DetectOptions& options) {
    const auto highest = detect_inputs(options);
    if (!highest) return report(highest.error());
    if (options.fail_on.empty() || highest->empty()) return kDone;
    return *model::severity_from(*highest) >= *model::severity_from(options.fail_on) ? kFailed : kDone;
}

}  // namespace

void add_detect(CLI::App& app, Session& session) {
    const auto options = std::make_shared<DetectOptions>();
    auto* const command =
        app.add_subcommand("detect", "Run the whole pipeline over recorded input; no server needed");
    command->add_option("FILE", options->inputs,
                        "Recorded input; several files are one log, in the order given; - or nothing reads "
                        "standard input");
    command
        ->add_option("--input", options->input,
                     "What the input is; without it the first line of each file says so (a series never "
                     "does)")
        ->check(CLI::IsMember({"jsonl", "auditd", "syslog", "zeek", "records", "series"}));
    command->add_option("--year", options->year, "The year that system log stamps without one begin in")
        ->check(CLI::Range(1970, 9999))
        ->capture_default_str();
    command->add_option("--rules", options->rules,
                        "A folder of rule files; default: the pack inside the binary");
    command
        ->add_option("--intel", options->intel,
                     "A file of indicators or a warning-list, in any form that docs/formats/indicators.md "
                     "names; may be given several times")
        ->allow_extra_args(false);
    command
        ->add_option("--advisories", options->advisories,
                     "A file of vulnerabilities (OSV, Debian's security tracker, CSAF or VEX, CISA's "
                     "catalogue) that lists of "
                     "packages are matched against: docs/vulnerabilities.md; may be given several times")
        ->allow_extra_args(false);
    command->add_option("--settings", options->settings, "Tuning as a JSON document");
    command->add_flag("--strict", options->strict, "Only messages that follow the published schema conform");
    command->add_option("--format", options->format, "How to print")
        ->check(CLI::IsMember({"jsonl"}))
        ->capture_default_str();
    command
        ->add_option("--fail-on", options->fail_on,
                     "Exit with status 1 when an alert is at least this severe")
        ->check(CLI::IsMember({"Informational", "Low", "Medium", "High"}));
    command->footer(
        "A record is a line like\n"
        "  "
        "{\"time\":\"2026-01-31T12:00:00Z\",\"hub\":\"h\",\"device\":\"d\",\"module\":\"azureiotsecurity\",\n"
        "   \"kind\":\"security-message\",\"body\":{…the message…}}\n"
        "with kind security-message, operation, control-plane, twin, identity, hub-configuration, telemetry "
        "or sigma-event.\n"
        "auditd: type=… msg=audit(…) lines, raw or enriched. syslog: sshd, dropbear, login, sudo, cron and "
        "all "
        "others, in the\n"
        "old form, RFC 5424 or with ISO times. zeek: conn, dns, http and ssl logs, TSV or JSON.\n"
        "records: a hub's diagnostic log, {\"records\":[…]} or record by record, as docs/connectors.md "
        "says.\n"
        "series: timestamp,value; every value is scored one step ahead, and what deviates raises an alert.\n"
        "A file may be packed (gzip, zstd, xz, bzip2), a JSON array, or JSON printed over many lines.\n"
        "Findings name lines of the input, counted from 1 without blank ones, or elements of the array.");
    command->callback([options, &session] {
        if (options->inputs.empty()) options->inputs.emplace_back("-");
        session.exit_status = detect_command(*options);
    });
}

}  // namespace fieldwatch::app
