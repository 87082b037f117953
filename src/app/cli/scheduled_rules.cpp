// fieldwatch rules scheduled: queries that run by themselves.
#include <fmt/format.h>

#include <cstdio>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "app/cli/command.hpp"
#include "app/cli/rule_set.hpp"
#include "base/bytes.hpp"
#include "base/file_system.hpp"

namespace fieldwatch::app {

namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kRuleBytesMax = 512u << 10;

struct ScheduledOptions {
    std::string id, file = "-";
};

std::string rule_target(const Session& session, std::string_view id, std::string_view what = "") {
    auto out = fmt::format("/api/v1/hubs/{}/scheduled-rules", session.hub);
    if (!id.empty()) out += "/" + percent_encode(id);
    return out.append(what);
}

std::string health_text(const Json& rule) {
    if (!rule.value("enabled", true)) return "off";
    const auto health = rule.value("health", Json::object());
    if (health.value("healthy", true))
        return health.value("lastRun", Json()).is_null() ? "not asked yet" : "healthy";
    return printable("unhealthy: " + health.value("problem", std::string()));
}

void print_rules(const Session& session, const Json& rules) {
    TextTable table(
        {"RULE", "SEVERITY", "EVERY", "OVER", "MORE THAN", "FINDINGS", "LAST WINDOW", "STATE", "NAME"});
    for (const auto& rule : rules) {
        const auto health = rule.value("health", Json::object());
        table.add({text_of(rule, "id"), coloured_severity(text_of(rule, "severity")), text_of(rule, "period"),
                   text_of(rule, "window"), text_of(rule, "threshold"), text_of(health, "findings"),
                   short_time(health, "lastWindowEnd"), health_text(rule), text_of(rule, "name")});
    }
    session.format == "csv" ? table.print_csv() : table.print();
}

/// What a rule found, or would raise, in one window.
void print_trial(const Session& session, const Json& trial) {
    TextTable table({"ROWS", "ENTITIES", "FIRST ROW"});
    for (const auto& finding : trial["findings"]) {
        std::string entities;
        for (const auto& [kind, value] : finding["entities"].items())
            entities += fmt::format("{}{}={}", entities.empty() ? "" : ", ", kind,
                                    printable(value.get<std::string>()));
        const auto& sample = finding["sample"];
        table.add({finding["rows"].dump(), entities, sample.empty() ? "" : printable(sample[0].dump())});
    }
    session.format == "csv" ? table.print_csv() : table.print();
    if (session.format == "table")
        std::fprintf(stderr, "%s rows from %s to %s; %zu alerts would be raised\n",
                     trial["rows"].dump().c_str(), short_time(trial, "from").c_str(),
                     short_time(trial, "to").c_str(), trial["findings"].size());
}

Result<void> list_scheduled(const Session& session) {
    const auto answer = FIELDWATCH_TRY(call(session, "GET", rule_target(session, "")));
    if (session.format == "json") {
        std::puts(answer.dump(2).c_str());
    } else {
        print_rules(session, answer["value"]);
    }
    return {};
}

Result<void> show_scheduled(const Session& session, const std::string& id) {
    const auto answer = FIELDWATCH_TRY(call(session, "GET", rule_target(session, id)));
    std::puts(answer.dump(2).c_str());
    return {};
}

Result<void> add_scheduled(const Session& session, const ScheduledOptions& options) {
    const auto text = options.file == "-" ? std::string(std::istreambuf_iterator<char>(std::cin), {})
                                          : std::string(as_text(FIELDWATCH_TRY(read_file(
                                                posix_file_system(), options.file, kRuleBytesMax))));
    const auto body = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!body.is_object()) return fail(Errc::Malformed, options.file + ": not a JSON object");
    const auto answer = FIELDWATCH_TRY(call(session, "PUT", rule_target(session, options.id), &body));
    if (session.format == "json") {
        std::puts(answer.dump(2).c_str());
        return {};
    }
    print_rules(session, Json::array({answer}));
    print_trial(session, answer["trial"]);
    return {};
}

Result<void> run_scheduled(const Session& session, const std::string& id) {
    const auto body = Json::object();
    const auto answer = FIELDWATCH_TRY(call(session, "POST", rule_target(session, id, "/run"), &body));
    if (session.format == "json") {
        std::puts(answer.dump(2).c_str());
    } else {
        print_trial(session, answer);
    }
    return {};
}

}  // namespace

void add_scheduled_rules(CLI::App& rules, Session& session) {
    auto* const scheduled =
        rules.add_subcommand("scheduled", "Queries that run by themselves and raise alerts");
    scheduled->require_subcommand(1);
    const auto options = std::make_shared<ScheduledOptions>();
    const auto add = [&](const char* name, const char* what, auto work) {
        auto* const command = scheduled->add_subcommand(name, what);
        add_session_options(*command, session);
        add_hub_option(*command, session);
        command->callback(
            [options, work, &session] { run(session, [&] { return work(session, *options); }); });
        return command;
    };
    add("list", "All of a hub, how often they are asked, and how they fare",
        [](const Session& at, const ScheduledOptions&) { return list_scheduled(at); });
    auto* const show =
        add("show", "One as JSON, with its health",
            [](const Session& at, const ScheduledOptions& o) { return show_scheduled(at, o.id); });
    auto* const adding =
        add("add", "Write one, or its next version; its query has to run",
            [](const Session& at, const ScheduledOptions& o) { return add_scheduled(at, o); });
    auto* const remove = add("remove", "Take one away; its alerts stay",
                             [](const Session& at, const ScheduledOptions& o) -> Result<void> {
                                 static_cast<void>(FIELDWATCH_TRY(call(at, "DELETE", rule_target(at, o.id))));
                                 return {};
                             });
    auto* const running =
        add("run", "Ask one for its newest whole window: what it would raise; it raises nothing",
            [](const Session& at, const ScheduledOptions& o) { return run_scheduled(at, o.id); });
    for (auto* const command : {show, adding, remove, running})
        command->add_option("ID", options->id, "1 to 64 letters, digits, - and _")->required();
    adding->add_option("FILE", options->file, "The rule as JSON; - or nothing reads standard input");
    adding->footer(
        "A rule is like\n"
        "  {\"name\":\"Many failed logins\",\"severity\":\"High\",\"period\":\"PT5M\",\"window\":\"PT1H\",\n"
        "   \"threshold\":9,\"suppression\":\"PT6H\",\"entities\":{\"device\":\"DeviceId\",\"ip\":\"Src\"},\n"
        "   \"query\":\"SecurityIoTRawEvent | where RawEventName == 'Login' | extend "
        "E=parse_json(EventDetails)\n"
        "             | where tostring(E.Result) =~ 'fail' | project DeviceId, "
        "Src=tostring(E.RemoteAddress)\"}\n"
        "Rows about the same entities are counted; more than `threshold` of them in the window are an "
        "alert.");
}

}  // namespace fieldwatch::app
