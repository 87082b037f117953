// fieldwatch alerts: list (and --follow), show, dismiss, assign.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/cli/command.hpp"
#include "app/cli/rule_set.hpp"
#include "base/bytes.hpp"
#include "net/http_client.hpp"

namespace fieldwatch::app {

namespace {

using Json = nlohmann::json;

struct AlertOptions {
    std::string id, status, severity, device, since, incident, assignee;
    bool follow = false, nobody = false;
};

/// What happened, in a few words: the command line, the address, or the description.
std::string gist(const Json& alert) {
    if (alert.contains("extendedProperties") && alert["extendedProperties"].is_object()) {
        for (const auto* key :
             {"CommandLine", "Remote Address", "Full Source Address", "Operation Name", "Operation"}) {
            const auto text = text_of(alert["extendedProperties"], key);
            if (!text.empty()) return text;
        }
    }
    return text_of(alert, "description");
}

void print_line(const Json& alert) {
    std::puts(to_end_of_line(fmt::format("{}  {}  {}  {}  ", short_time(alert, "startTime"),
                                         coloured_severity(text_of(alert, "severity")),
                                         text_of(alert, "device"), text_of(alert, "displayName")),
                             gist(alert))
                  .c_str());
    std::fflush(stdout);
}

std::string list_target(const Session& session, const AlertOptions& options) {
    auto target = fmt::format("/api/v1/alerts?hub={}", percent_encode(session.hub));
    const auto filter = [&](const char* name, const std::string& value) {
        if (!value.empty()) target += fmt::format("&{}={}", name, percent_encode(value));
    };
    filter("status", options.status);
    filter("severity", options.severity);
    filter("device", options.device);
    filter("since", options.since);
    filter("incident", options.incident);
    filter("assignee", options.assignee);
    if (options.nobody) target += "&assignee=";
    return target;
}

bool passes(const Json& alert, const AlertOptions& options) {
    const auto& more = alert.contains("extendedProperties") ? alert["extendedProperties"] : alert;
    return (options.severity.empty() || text_of(alert, "severity") == options.severity) &&
           (options.incident.empty() || text_of(more, "IncidentId") == options.incident) &&
           (options.assignee.empty() || text_of(more, "AssignedTo") == options.assignee) &&
           (!options.nobody || text_of(more, "AssignedTo").empty()) &&
           (options.device.empty() || text_of(alert, "device") == options.device);
}

Result<void> follow(const Session& session, const AlertOptions& options, std::uint64_t after) {
    net::HttpClient client({.url = FIELDWATCH_TRY(net::parse_url(session.server)),
                            .bearer_token = session.token,
                            .timeout = std::chrono::hours(24 * 365)});
    if (on_terminal()) std::fputs("watching for alerts; Ctrl+C ends it\n", stderr);
    return client.stream(
        fmt::format("/api/v1/stream?hub={}&after={}", percent_encode(session.hub), after),
        [&](std::string_view event, std::string_view data) {
            if (event != "alert") return true;
            const auto alert = Json::parse(data, nullptr, false);
            if (!alert.is_object() || alert.value("update", false) || !passes(alert, options)) return true;
            if (session.format == "json") {
                std::puts(alert.dump().c_str());
                std::fflush(stdout);
            } else {
                print_line(alert);
            }
            return true;
        });
}

Result<void> list(const Session& session, const AlertOptions& options) {
    const auto answer = FIELDWATCH_TRY(call(session, "GET", list_target(session, options)));
    if (session.format == "json" && !options.follow) {
        std::puts(answer.dump(2).c_str());
        return {};
    }
    if (!options.follow) {
        TextTable table(
            {"START", "SEVERITY", "DEVICE", "ALERT", "STATUS", "COUNT", "ID", "INCIDENT", "WHAT"});
        for (const auto& alert : answer["value"]) {
            table.add({short_time(alert, "startTime"), coloured_severity(text_of(alert, "severity")),
                       text_of(alert, "device"), text_of(alert, "displayName"), text_of(alert, "status"),
                       text_of(alert, "hitCount"), text_of(alert, "id"), text_of(alert, "incident"),
                       gist(alert)});
        }
        session.format == "csv" ? table.print_csv() : table.print();
        if (table.size() == 0 && session.format == "table") std::fputs("no alerts\n", stderr);
        return {};
    }
    for (auto entry = answer["value"].rbegin(); entry != answer["value"].rend(); ++entry) {
        session.format == "json" ? void(std::puts(entry->dump().c_str())) : print_line(*entry);
    }
    return follow(session, options, answer.value("sequence", std::uint64_t{0}));
}

void print_alert(const Json& alert) {
    TextTable table({"PROPERTY", "VALUE"});
    for (const auto& [key, value] : alert.items()) {
        if (key == "evidence") continue;
        if (value.is_object()) {
            for (const auto& [name, inner] : value.items())
                table.add({name, inner.is_string() ? printable(inner.get<std::string>()) : inner.dump()});
        } else {
            table.add({key, value.is_string() ? printable(value.get<std::string>()) : value.dump()});
        }
    }
    table.print();
    if (!alert.contains("evidence")) return;
    std::puts("\nEvidence:");
    for (const auto& row : alert["evidence"])
        std::printf("  %s\n", printable(row.dump()).c_str());
}

}  // namespace

void add_alerts(CLI::App& app, Session& session) {
    auto* const alerts = app.add_subcommand("alerts", "What happened: list, watch, look at, dismiss, assign");
    alerts->require_subcommand(1);
    const auto options = std::make_shared<AlertOptions>();

    auto* const all =
        alerts->add_subcommand("list", "Alerts, newest first; with --follow also those to come");
    all->add_flag("--follow", options->follow, "Stay, and print each new alert as it is raised");
    all->add_option("--status", options->status,
                    "open (the default), all, New, InProgress, Resolved or Dismissed")
        ->check(CLI::IsMember({"open", "all", "New", "InProgress", "Resolved", "Dismissed"}));
    all->add_option("--severity", options->severity, "High, Medium, Low or Informational")
        ->check(CLI::IsMember({"High", "Medium", "Low", "Informational"}));
    all->add_option("--device", options->device, "Only of this device");
    all->add_option("--incident", options->incident,
                    "Only of this incident: alerts of one device within an hour that share a process, user "
                    "or address; it has the id of its first alert");
    auto* const whose = all->add_option("--assigned-to", options->assignee, "Only of this user");
    all->add_flag("--unassigned", options->nobody, "Only those that are nobody's")->excludes(whose);
    all->add_option("--since", options->since,
                    "Only from this time on: ISO 8601 time, or duration before now (P7D); default P30D");
    add_hub_option(*all, session);
    add_session_options(*all, session);
    all->callback([options, &session] { run(session, [&] { return list(session, *options); }); });

    const auto with_id = [&](const char* name, const char* what) {
        auto* const command = alerts->add_subcommand(name, what);
        command->add_option("ID", options->id, "SystemAlertId, as `alerts list` shows it")->required();
        add_hub_option(*command, session);
        add_session_options(*command, session);
        return command;
    };
    auto* const show = with_id("show", "One alert with its evidence");
    show->callback([options, &session] {
        run(session, [&]() -> Result<void> {
            const auto alert =
                FIELDWATCH_TRY(call(session, "GET",
                                    fmt::format("/api/v1/alerts/{}?hub={}", percent_encode(options->id),
                                                percent_encode(session.hub))));
            session.format == "json" ? void(std::puts(alert.dump(2).c_str())) : print_alert(alert);
            return {};
        });
    });
    auto* const dismiss = with_id("dismiss", "Dismiss an alert for good");
    dismiss->callback([options, &session] {
        run(session, [&]() -> Result<void> {
            const auto body = Json::object();
            FIELDWATCH_TRY(call(session, "POST",
                                fmt::format("/api/v1/alerts/{}/dismiss?hub={}", percent_encode(options->id),
                                            percent_encode(session.hub)),
                                &body));
            return {};
        });
    });
    auto* const assign = with_id("assign", "Say whose an alert is");
    auto* const to =
        assign->add_option("--to", options->assignee, "A user who may query, as `user list` shows it");
    assign->add_flag("--nobody", options->nobody, "Nobody's any more")->excludes(to);
    assign->callback([options, &session] {
        if (options->assignee.empty() == !options->nobody) {
            session.exit_status = report({Errc::InvalidArgument, "give --to USER or --nobody"});
            return;
        }
        run(session, [&]() -> Result<void> {
            const Json body{{"assignee", options->assignee}};
            FIELDWATCH_TRY(call(session, "PATCH",
                                fmt::format("/api/v1/alerts/{}?hub={}", percent_encode(options->id),
                                            percent_encode(session.hub)),
                                &body));
            return {};
        });
    });
    add_why(*alerts, session);
}

void add_recommendations(CLI::App& app, Session& session) {
    auto* const recommendations =
        app.add_subcommand("recommendations", "Weak states of devices and hubs, and what to do");
    recommendations->require_subcommand(1);
    const auto id = std::make_shared<std::string>();
    const auto fetch = [](const Session& at) {
        return call(at, "GET", fmt::format("/api/v1/recommendations?hub={}", percent_encode(at.hub)));
    };

    auto* const all = recommendations->add_subcommand("list", "Active and resolved recommendations");
    add_hub_option(*all, session);
    add_session_options(*all, session);
    all->callback([fetch, &session] {
        run(session, [&]() -> Result<void> {
            const auto answer = FIELDWATCH_TRY(fetch(session));
            if (session.format == "json") {
                std::puts(answer.dump(2).c_str());
                return {};
            }
            TextTable table({"SEVERITY", "STATE", "DEVICE", "RECOMMENDATION", "CHANGED", "EVIDENCE"});
            for (const auto& entry : answer["value"]) {
                table.add({coloured_severity(text_of(entry, "severity")), text_of(entry, "state"),
                           text_of(entry, "device"), text_of(entry, "displayName"),
                           short_time(entry, "changed"), printable(text_of(entry, "additionalData"))});
            }
            session.format == "csv" ? table.print_csv() : table.print();
            if (table.size() == 0 && session.format == "table") std::fputs("no recommendations\n", stderr);
            return {};
        });
    });

    auto* const show = recommendations->add_subcommand("show", "One recommendation");
    show->add_option("ID", *id, "RecommendationId")->required();
    add_hub_option(*show, session);
    add_session_options(*show, session);
    show->callback([fetch, id, &session] {
        run(session, [&]() -> Result<void> {
            const auto answer = FIELDWATCH_TRY(fetch(session));
            for (const auto& entry : answer["value"]) {
                if (text_of(entry, "id") != *id) continue;
                session.format == "json" ? void(std::puts(entry.dump(2).c_str())) : print_alert(entry);
                return {};
            }
            return fail(Errc::NotFound, fmt::format("there is no recommendation {}; `fieldwatch "
                                                    "recommendations list --format json` has the ids",
                                                    *id));
        });
    });
}

}  // namespace fieldwatch::app
