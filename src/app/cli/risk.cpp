// fieldwatch risk: how much trouble each device is in, from what, and what it would be without.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/cli/command.hpp"

namespace fieldwatch::app {

namespace {

using Json = nlohmann::json;

struct RiskOptions {
    std::string device;
    std::vector<std::string> fixed;
    int days = 0;
};

void print_fleet(const Session& session, const Json& answer) {
    TextTable table({"DEVICE", "RISK", "A DAY AGO", "MOST OF IT"});
    for (const auto& device : answer["value"]) {
        const auto& points = device["points"];
        table.add({text_of(device, "device"), fmt::format("{:.0f}", device.value("risk", 0.0)),
                   fmt::format("{:.0f}", device.value("dayBefore", 0.0)),
                   points.empty() ? std::string() : text_of(points[0], "title")});
    }
    session.format == "csv" ? table.print_csv() : table.print();
    if (session.format == "table") std::printf("\nfleet: %.0f\n", answer.value("fleet", 0.0));
}

void print_device(const Session& session, const Json& device) {
    const auto risk = device.value("risk", 0.0);
    TextTable table({"POINTS", "KIND", "SEVERITY", "WHAT", "ID", "WITHOUT IT"});
    for (const auto& point : device["points"])
        table.add({fmt::format("{:.1f}", point.value("points", 0.0)), text_of(point, "kind"),
                   coloured_severity(text_of(point, "severity")), text_of(point, "title"),
                   text_of(point, "id"), fmt::format("{:.0f} -> {:.0f}", risk, point.value("without", 0.0))});
    if (session.format == "table")
        std::printf("%s: %.0f of 100, a day ago %.0f\n\n", text_of(device, "device").c_str(), risk,
                    device.value("dayBefore", 0.0));
    session.format == "csv" ? table.print_csv() : table.print();
}

void print_history(const Session& session, const Json& history) {
    TextTable table({"UNTIL", "RISK", ""});
    for (const auto& one : history) {
        const auto risk = one.value("risk", 0.0);
        table.add(
            {short_time(one, "at"), fmt::format("{:.0f}", risk),
             session.format == "csv" ? std::string() : std::string(static_cast<std::size_t>(risk / 2), '#')});
    }
    session.format == "csv" ? table.print_csv() : table.print();
}

Result<void> show(const Session& session, const RiskOptions& options) {
    auto target = fmt::format("/api/v1/risk?top=1000&hub={}&without={}", percent_encode(session.hub),
                              percent_encode(fmt::format("{}", fmt::join(options.fixed, ","))));
    if (!options.device.empty()) target += "&device=" + percent_encode(options.device);
    if (options.days > 0) target += fmt::format("&days={}", options.days);
    const auto answer = FIELDWATCH_TRY(call(session, "GET", target));
    if (options.device.empty()) {
        if (session.format == "json")
            std::puts(Json{{"fleet", answer["fleet"]}, {"devices", answer["value"]}}.dump(2).c_str());
        else
            print_fleet(session, answer);
        return {};
    }
    const auto& found = answer["value"];
    const Json calm{{"device", options.device}, {"risk", 0.0}, {"dayBefore", 0.0}, {"points", Json::array()}};
    auto device = found.empty() ? calm : found[0];
    if (options.days > 0) {
        if (session.format != "json") return print_history(session, answer["history"]), Result<void>{};
        device["history"] = answer["history"];
    }
    session.format == "json" ? void(std::puts(device.dump(2).c_str())) : print_device(session, device);
    return {};
}

}  // namespace

void add_risk(CLI::App& app, Session& session) {
    const auto options = std::make_shared<RiskOptions>();
    auto* const command =
        app.add_subcommand("risk", "How much trouble each device is in, 0 to 100, and from what");
    command->add_option("DEVICE", options->device, "One device, point by point; without it the fleet");
    command->add_option("--without", options->fixed,
                        "What if: these alerts or recommendations (ids) were gone");
    command
        ->add_option("--days", options->days,
                     "How the device's risk went: at the end of each of so many days (UTC), and now")
        ->check(CLI::Range(1, 90));
    add_session_options(*command, session);
    add_hub_option(*command, session);
    command->footer(
        "Points add up to the risk; each names the alert or recommendation that it comes from. An alert's "
        "points halve\n"
        "every week, a resolved one's every day; a dismissed one has none.\n"
        "Examples:\n"
        "  fieldwatch risk\n"
        "  fieldwatch risk camera-7\n"
        "  fieldwatch risk camera-7 --days 14\n"
        "  fieldwatch risk camera-7 --without 5b0c2f6e-2f0a-5d2e-8a51-0d3f5e1c9a77");
    command->callback([options, &session] { run(session, [&] { return show(session, *options); }); });
}

}  // namespace fieldwatch::app
