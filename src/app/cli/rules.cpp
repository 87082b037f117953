// fieldwatch rules: check, test, match. No server: the same compiler and matcher as the server's.
#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <iostream>

#include "app/cli/command.hpp"
#include "app/cli/rule_set.hpp"
#include "app/detection_content.hpp"
#include "base/line_reader.hpp"
#include "detect/rules/pack.hpp"
#include "pipeline/input/text_source.hpp"

namespace fieldwatch::app {

namespace {

constexpr std::size_t kLineBytesMax = 1u << 20;

struct RulesOptions {
    std::string directory, events;
    std::string format = "table";
};

void print_errors(const std::vector<detect::RuleError>& errors) {
    for (const auto& error : errors)
        std::fprintf(stderr, "%s:%d: %s\n", error.file.c_str(), error.line, error.why.c_str());
}

/// `check` and `test` look at the same report; `test` is about the samples, and fails when one does.
Result<void> check(const RulesOptions& options, bool samples_decide) {
    const auto pack = FIELDWATCH_TRY(base_rules(options.directory));
    const auto report = detect::check_rules(pack);
    if (options.format == "json") {
        std::puts(report.json().c_str());
    } else {
        print_errors(report.errors);
        for (const auto& failure : report.failures) {
            std::fprintf(stderr, "%s:%d: %s: %s\n", failure.file.c_str(), failure.line, failure.rule.c_str(),
                         failure.why.c_str());
        }
        std::printf(
            "%zu rules: %zu compile, %zu feedable (%zu by agents and the hub, %zu with auditd records), %zu "
            "tested; "
            "%zu samples fail\n",
            report.total, report.compiles, report.feedable, report.from_agent, report.with_auditd,
            report.tested, report.failures.size());
    }
    if (report.compiles < report.total)
        return fail(Errc::Unsupported,
                    fmt::format("{} rules do not compile", report.total - report.compiles));
    if (samples_decide && !report.failures.empty())
        return fail(Errc::Conflict, fmt::format("{} samples fail", report.failures.size()));
    return {};
}

Result<void> match(const RulesOptions& options) {
    const auto pack = FIELDWATCH_TRY(base_rules(options.directory));
    const auto compiled = detect::RuleSet::compile(pack.rules, pack.words);
    print_errors(compiled.errors);
    std::ifstream file;
    if (options.events != "-") {
        file.open(options.events, std::ios::binary);
        if (!file) return fail(Errc::NotFound, fmt::format("cannot read {}", options.events));
    }
    pipeline::TextSource source(options.events == "-" ? std::cin : file);
    std::istream input(&source);
    detect::RecordedMatches matches(compiled.rules);
    std::string line;
    std::string out;
    std::size_t refused = 0;
    for (std::size_t number = 1; read_line(input, line, kLineBytesMax); ++number) {
        if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
        auto matched = line.size() > kLineBytesMax
                           ? Result<void>(fail(Errc::TooLarge, "the line is longer than 1 MiB"))
                           : matches.match(line, number, out);
        if (!matched) {
            ++refused;
            std::fprintf(stderr, "%s:%zu: %s\n", options.events.c_str(), number,
                         matched.error().message.c_str());
        }
        if (out.size() > (1u << 16)) {
            std::fputs(out.c_str(), stdout);
            out.clear();
        }
    }
    matches.finish(out);
    std::fputs(out.c_str(), stdout);
    if (const auto& problem = source.problem())
        return fail(problem->code, fmt::format("{}: {}", options.events, problem->message));
    if (refused > 0)
        return fail(Errc::Unavailable, fmt::format("{} lines are not events and were left out", refused));
    return {};
}

}  // namespace

void add_rules(CLI::App& app, Session& session) {
    auto* const rules =
        app.add_subcommand("rules", "Detection rules (Sigma): write, check, test, backtest, apply");
    rules->require_subcommand(1);
    const auto options = std::make_shared<RulesOptions>();
    const auto add = [&](const char* name, const char* what, auto work) {
        auto* const command = rules->add_subcommand(name, what);
        command->add_option("--rules", options->directory,
                            "A folder of rule files; default: the pack inside the binary");
        command->add_option("--format", options->format, "table, json or csv")
            ->check(CLI::IsMember({"table", "json", "csv"}))
            ->capture_default_str();
        command->callback([options, work, &session] {
            const Result<void> done = work(*options);
            session.exit_status = done ? kDone : report(done.error());
        });
        return command;
    };
    add_running_rules(*rules, session);
    add("check", "Which rules compile, which our events can feed, which are tested; no server needed",
        [](const RulesOptions& at) { return check(at, false); });
    add("test", "Run the samples beside the rules; fails when one does; no server needed",
        [](const RulesOptions& at) { return check(at, true); });
    auto* const matching =
        add("match", "Print {\"rule\",\"event\"} pairs for recorded events; no server needed",
            [](const RulesOptions& at) { return match(at); });
    matching
        ->add_option("--events", options->events,
                     "JSON lines of sigma-events, packed or not, or - for standard input")
        ->required();
    add_rule_backtest(*rules, session);
    add_scheduled_rules(*rules, session);
}

}  // namespace fieldwatch::app
