// fieldwatch rules backtest: what rules would have said of the server's history.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "app/cli/command.hpp"
#include "app/cli/rule_set.hpp"
#include "app/detection_content.hpp"
#include "detect/rules/rule_diff.hpp"

namespace fieldwatch::app {

namespace {

using Json = nlohmann::json;
constexpr std::chrono::milliseconds kPoll{200};

struct BacktestOptions {
    RuleSetOptions set;
    std::string from = "P1D", to = "PT0S", hub;
    int against = -1;
};

/// Waits for the end, saying how far it is where somebody looks.
Result<Json> wait(const Session& session, const std::string& id) {
    const bool shown = on_terminal();
    for (;;) {
        auto job = FIELDWATCH_TRY(call(session, "GET", "/api/v1/rules/backtests/" + id));
        const auto state = job.value("state", "");
        const auto of = job["progress"].value("of", std::uint64_t{0});
        const auto records = job["progress"].value("records", std::uint64_t{0});
        if (shown && of > 0)
            std::fprintf(stderr, "\r%llu of %llu records, %.0f %%   ",
                         static_cast<unsigned long long>(records), static_cast<unsigned long long>(of),
                         100.0 * static_cast<double>(records) / static_cast<double>(of));
        if (state != "running") {
            if (shown && of > 0) std::fputs("\n", stderr);
            if (state == "done") return job;
            return fail(Errc::Unavailable, job.value("error", "the backtest " + state));
        }
        std::this_thread::sleep_for(kPoll);
    }
}

std::string alerts_per_day(const Json& count) {
    return count.is_null() ? "-" : fmt::format("{:.1f}", count.value("alertsPerDay", 0.0));
}

void print_alerts(const char* heading, const Json& rules, const char* member) {
    bool first = true;
    for (const auto& rule : rules) {
        for (const auto& alert : rule[member]) {
            if (std::exchange(first, false)) std::printf("\n%s\n", heading);
            auto time = alert.value("time", "").substr(0, 19);
            if (time.size() > 10) time[10] = ' ';
            std::printf("  %s  %s  %s  %s\n", time.c_str(), printable(alert.value("device", "")).c_str(),
                        printable(rule.value("title", "")).c_str(),
                        printable(alert.value("what", "")).c_str());
        }
    }
}

void print_report(const Session& session, const Json& job, const std::set<std::string>& own) {
    const auto& report = job["report"];
    TextTable table({"ALERTS/DAY", "BEFORE", "ALERTS", "DEVICES", "HITS", "COST ns", "CHANGE", "RULE"});
    Json shown = Json::array();
    std::size_t silent = 0;
    for (const auto& rule : report["value"]) {
        const bool moved = !rule["gained"].empty() || !rule["lost"].empty();
        if (!own.contains(rule.value("id", "")) && rule.value("change", "") == "same" && !moved) {
            ++silent;
            continue;
        }
        shown.push_back(rule);
        table.add({alerts_per_day(rule), alerts_per_day(rule["before"]), rule["alerts"].dump(),
                   rule["devices"].dump(), rule["hits"].dump(),
                   rule["costNs"].is_null() ? "" : rule["costNs"].dump(), rule.value("change", ""),
                   printable(rule.value("title", ""))});
    }
    session.format == "csv" ? table.print_csv() : table.print();
    if (session.format == "csv") return;
    print_alerts("Alerts that are new:", shown, "gained");
    print_alerts("Alerts that are gone:", shown, "lost");
    const auto& covered = report["covered"];
    std::fprintf(
        stderr,
        "\n%llu events of %s to %s (%.2f days of history) in %.1f s, against version %s; %zu other rules "
        "say the same as before\n",
        static_cast<unsigned long long>(report.value("events", std::uint64_t{0})),
        covered.value("from", "").substr(0, 19).c_str(), covered.value("to", "").substr(0, 19).c_str(),
        covered.value("days", 0.0), report.value("seconds", 0.0), job["against"].dump().c_str(), silent);
}

Result<void> backtest(const Session& session, const BacktestOptions& options) {
    auto set = FIELDWATCH_TRY(read_rule_set(options.set));
    set["from"] = FIELDWATCH_TRY(absolute_time(options.from));
    set["to"] = FIELDWATCH_TRY(absolute_time(options.to));
    if (options.against >= 0) set["against"] = options.against;
    if (!options.hub.empty()) set["hub"] = options.hub;
    const auto started = FIELDWATCH_TRY(post_rule_set(session, "/api/v1/rules/backtest", set));
    const auto job = FIELDWATCH_TRY(wait(session, started.value("id", "")));
    if (session.format == "json") {
        std::puts(job.dump(2).c_str());
        return {};
    }
    std::set<std::string> own;
    const auto pack = FIELDWATCH_TRY(base_rules(options.set.directory));  // with all word lists
    for (const auto& rule : detect::rule_texts(pack))
        own.insert(rule.id);
    print_report(session, job, own);
    return {};
}

}  // namespace

void add_rule_backtest(CLI::App& rules, Session& session) {
    const auto options = std::make_shared<BacktestOptions>();
    auto* const command = rules.add_subcommand(
        "backtest",
        "What a folder of rules would have said of the server's history: alerts a day, devices, cost");
    add_rule_set_options(*command, options->set);
    command->add_option("--from", options->from, "ISO 8601 time, or duration before now")
        ->capture_default_str();
    command->add_option("--to", options->to, "ISO 8601 time, or duration before now")->capture_default_str();
    command->add_option("--against", options->against,
                        "The version to compare with; default: the one in force; 0: the pack alone");
    command->add_option("--hub", options->hub, "Only of this hub; default: all");
    add_session_options(*command, session);
    command->callback([options, &session] { run(session, [&] { return backtest(session, *options); }); });
}

}  // namespace fieldwatch::app
