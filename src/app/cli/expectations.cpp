// fieldwatch expectations: what people expect of devices, which the models of behaviour then keep quiet
// about, or tell earlier.
#include <cstdio>
#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/cli/command.hpp"

namespace fieldwatch::app {

namespace {

using ExpectationJson = nlohmann::json;

struct ExpectationOptions {
    std::string verdict, until, of_hub, device, type, cause, note, id;
};

std::string or_any(const ExpectationJson& line, const char* key) {
    const auto text = text_of(line, key);
    return text.empty() ? "any" : printable(text);
}

void print_lines(const Session& session, const ExpectationJson& lines) {
    if (session.format == "json") {
        std::puts(lines.dump(2).c_str());
        return;
    }
    TextTable table({"ID", "VERDICT", "UNTIL", "HUB", "DEVICE", "TYPE", "CAUSE", "ALERTS", "BY", "NOTE"});
    for (const auto& line : lines) {
        table.add({text_of(line, "id"), text_of(line, "verdict"),
                   short_time(line, "until") + (line.value("over", false) ? " (over)" : ""),
                   or_any(line, "hub"), or_any(line, "device"), or_any(line, "type"), or_any(line, "cause"),
                   text_of(line, "alerts"), printable(text_of(line, "by")),
                   printable(text_of(line, "note"))});
    }
    session.format == "csv" ? table.print_csv() : table.print();
}

Result<void> list_lines(const Session& session) {
    const auto answer = FIELDWATCH_TRY(call(session, "GET", "/api/v1/expectations"));
    if (session.format == "table" && answer["value"].empty()) {
        std::puts("Nobody has said what is expected.");
        return {};
    }
    print_lines(session, answer["value"]);
    return {};
}

Result<void> add_line(const Session& session, const ExpectationOptions& options) {
    ExpectationJson body{{"verdict", options.verdict}, {"until", options.until}};
    for (const auto& [name, value] : {std::pair{"hub", &options.of_hub}, std::pair{"device", &options.device},
                                      std::pair{"type", &options.type}, std::pair{"cause", &options.cause},
                                      std::pair{"note", &options.note}})
        if (!value->empty()) body[name] = *value;
    const auto line = FIELDWATCH_TRY(call(session, "POST", "/api/v1/expectations", &body));
    if (session.format == "table")
        std::printf("%s: holds until %s\n", text_of(line, "id").c_str(), short_time(line, "until").c_str());
    else
        print_lines(session, ExpectationJson::array({line}));
    return {};
}

Result<void> withdraw_line(const Session& session, const ExpectationOptions& options) {
    FIELDWATCH_TRY(call(session, "DELETE", "/api/v1/expectations/" + percent_encode(options.id)));
    if (session.format == "table") std::printf("%s: withdrawn\n", options.id.c_str());
    return {};
}

}  // namespace

void add_expectations(CLI::App& app, Session& session) {
    auto* const group = app.add_subcommand(
        "expectations", "What people expect of devices: the models keep quiet about it, or tell it earlier");
    group->require_subcommand(1);
    const auto options = std::make_shared<ExpectationOptions>();
    auto* const list = group->add_subcommand("list", "Every line, and how many alerts of 30 days it covers");
    add_session_options(*list, session);
    list->callback([&session] { run(session, [&] { return list_lines(session); }); });

    auto* const add =
        group->add_subcommand("add", "Say that something is expected, or never is, until a time");
    add->add_option("VERDICT", options->verdict, "expected: nothing is told; unexpected: it is told earlier")
        ->required()
        ->check(CLI::IsMember({"expected", "unexpected"}));
    add->add_option("--until", options->until, "Its end: 2026-12-04T18:00:00Z")->required();
    add->add_option("--of-hub", options->of_hub, "Devices of this hub; any without it");
    add->add_option("--device", options->device, "A device, or camera-* for all that begin so");
    add->add_option("--type", options->type, "Of alert: IoT_X_UnusualMetric, IoT_X_RareLogin, …");
    add->add_option("--cause", options->cause, "The alert's Metric, or its Cause, letter by letter");
    add->add_option("--note", options->note, "Why, for readers");
    add_session_options(*add, session);
    add->footer(
        "A later line that covers the same thing decides. It holds for what the models of behaviour find and "
        "for "
        "nothing else.\n"
        "Example:\n"
        "  fieldwatch expectations add expected --device 'oven-*' --type IoT_X_UnusualMetric --cause celsius "
        "\\\n"
        "    --until 2026-12-04T18:00:00Z --note 'they are being cleaned'");
    add->callback([options, &session] { run(session, [&] { return add_line(session, *options); }); });

    auto* const withdraw = group->add_subcommand("withdraw", "Take a line back");
    withdraw->add_option("ID", options->id, "As list shows it")->required();
    add_session_options(*withdraw, session);
    withdraw->callback(
        [options, &session] { run(session, [&] { return withdraw_line(session, *options); }); });
}

}  // namespace fieldwatch::app
