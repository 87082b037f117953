// fieldwatch alerts why: what became of a device's events in the eyes of one rule.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/cli/command.hpp"
#include "app/cli/rule_set.hpp"
#include "base/bytes.hpp"

namespace fieldwatch::app {

namespace {

using Json = nlohmann::json;

struct WhyOptions {
    std::string device, rule, at = "PT0S", within = "PT1M";
};

void print_event(const Json& event) {
    auto time = event.value("time", "").substr(0, 23);
    if (time.size() > 10) time[10] = ' ';
    std::printf("\n%s  %s  %s\n", time.c_str(), printable(event.value("name", "")).c_str(),
                event.value("stage", "").c_str());
    std::printf("  %s\n", printable(event.value("sentence", "")).c_str());
    for (const auto& clause : event["clauses"]) {
        std::printf("  %s %s%s%s\n", clause.value("held", false) ? "holds " : "fails ",
                    clause.value("search", "").empty() ? "" : (clause.value("search", "") + ": ").c_str(),
                    printable(clause.value("clause", "")).c_str(),
                    clause.value("decides", false) ? "   <- decides" : "");
        for (const auto& [field, values] : clause["values"].items()) {
            for (const auto& value : values)
                std::printf("           %s = %s\n", printable(field).c_str(),
                            printable(value.get<std::string>()).c_str());
        }
    }
}

Result<void> why(const Session& session, const WhyOptions& options) {
    const auto target = fmt::format(
        "/api/v1/hubs/{}/devices/{}/why?rule={}&at={}&within={}", percent_encode(session.hub),
        percent_encode(options.device), percent_encode(options.rule),
        percent_encode(FIELDWATCH_TRY(absolute_time(options.at))), percent_encode(options.within));
    const auto answer = FIELDWATCH_TRY(call(session, "GET", target));
    if (session.format == "json") {
        std::puts(answer.dump(2).c_str());
        return {};
    }
    std::printf("%s, rule %s (%s), at %s\n%s: %s\n", printable(answer.value("device", "")).c_str(),
                printable(answer["rule"].value("title", "")).c_str(),
                printable(answer["rule"].value("id", "")).c_str(),
                answer.value("at", "").substr(0, 19).c_str(), answer.value("stage", "").c_str(),
                printable(answer.value("sentence", "")).c_str());
    for (const auto& event : answer["events"])
        print_event(event);
    return {};
}

}  // namespace

void add_why(CLI::App& alerts, Session& session) {
    const auto options = std::make_shared<WhyOptions>();
    auto* const command = alerts.add_subcommand(
        "why", "Why a rule raised an alert of a device, or none: the stage, and the clause that decided");
    command->add_option("DEVICE", options->device, "The device")->required();
    command->add_option("--rule", options->rule, "The rule: its id, name, title, or alert type")->required();
    command->add_option("--at", options->at, "When it happened: ISO 8601 time, or duration before now")
        ->capture_default_str();
    command->add_option("--within", options->within, "How far from then events are looked at, up to PT1H")
        ->capture_default_str();
    add_hub_option(*command, session);
    add_session_options(*command, session);
    command->callback([options, &session] { run(session, [&] { return why(session, *options); }); });
}

}  // namespace fieldwatch::app
