// fieldwatch export: where findings go.
#include <fmt/format.h>

#include <cstdio>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>

#include "app/cli/operations.hpp"
#include "base/bytes.hpp"
#include "base/file_system.hpp"
#include "base/text.hpp"

namespace fieldwatch::app {

namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kExportFileMax = 64u << 10;  ///< a secret, or certificates

struct ExportOptions {
    std::string name, to, as, severity, states, group, quiet, ca, secret_file, authorization_file, user,
        password_file, from;
    std::vector<std::string> findings, hubs, recipients;
    std::optional<std::uint32_t> digest;
    std::uint32_t keep_days = 0;
};

std::string export_target(const std::string& name) {
    return "/api/v1/exports/" + percent_encode(name);
}

Result<Json> destination_of(const ExportOptions& options) {
    Json out{{"to", options.to}};
    if (!options.as.empty()) out["format"] = options.as;
    if (!options.severity.empty()) out["minimumSeverity"] = options.severity;
    if (!options.findings.empty()) out["findings"] = options.findings;
    if (!options.hubs.empty()) out["hubs"] = options.hubs;
    if (!options.states.empty()) out["states"] = options.states;
    if (!options.group.empty()) out["group"] = options.group;
    if (!options.quiet.empty()) out["quietHours"] = options.quiet;
    if (options.keep_days > 0) out["keepDays"] = options.keep_days;
    if (!options.ca.empty()) out["ca"] = FIELDWATCH_TRY(text_in(options.ca)) + "\n";
    if (!options.secret_file.empty()) out["secret"] = FIELDWATCH_TRY(text_in(options.secret_file));
    if (!options.authorization_file.empty())
        out["authorization"] = FIELDWATCH_TRY(text_in(options.authorization_file));
    if (!options.user.empty()) out["user"] = options.user;
    if (!options.password_file.empty()) out["password"] = FIELDWATCH_TRY(text_in(options.password_file));
    if (!options.from.empty()) out["from"] = options.from;
    if (!options.recipients.empty()) out["recipients"] = options.recipients;
    if (options.digest) out["digestMinutes"] = *options.digest;
    return out;
}

Result<void> add_destination(const Session& session, const ExportOptions& options) {
    const auto body = FIELDWATCH_TRY(destination_of(options));
    const auto answer = FIELDWATCH_TRY(call(session, "PUT", export_target(options.name), &body));
    if (session.format == "json") {
        std::puts(answer.dump(2).c_str());
        return {};
    }
    std::printf("%s: findings go to %s as %s\n", options.name.c_str(),
                printable(text_of(answer, "to")).c_str(), text_of(answer, "format").c_str());
    if (answer.contains("secret"))
        std::printf("secret of the signature, shown this once: %s\n", text_of(answer, "secret").c_str());
    return {};
}

Result<void> list_destinations(const Session& session, const ExportOptions&) {
    const auto answer = FIELDWATCH_TRY(call(session, "GET", "/api/v1/exports"));
    if (session.format == "json") {
        std::puts(answer.dump(2).c_str());
        return {};
    }
    TextTable table({"NAME", "TO", "FORMAT", "FROM", "STATE", "DELIVERED", "WAITING", "DROPPED", "LAST"});
    for (const auto& one : answer["value"]) {
        const auto& status = one["status"];
        table.add({text_of(one, "name"), printable(text_of(one, "to")), text_of(one, "format"),
                   text_of(one, "minimumSeverity"), text_of(status, "state"), status["delivered"].dump(),
                   status["waiting"].dump(), status["dropped"].dump(), short_time(status, "lastDelivered")});
    }
    session.format == "csv" ? table.print_csv() : table.print();
    return {};
}

Result<void> show_destination(const Session& session, const ExportOptions& options) {
    const auto answer = FIELDWATCH_TRY(call(session, "GET", export_target(options.name)));
    if (session.format == "json") {
        std::puts(answer.dump(2).c_str());
        return {};
    }
    TextTable table({"PROPERTY", "VALUE"});
    for (const auto& [key, value] : answer.items()) {
        if (key == "status") continue;
        table.add({key, value.is_string() ? printable(value.get<std::string>()) : value.dump()});
    }
    for (const auto& [key, value] : answer["status"].items()) {
        if (value.is_null() || value == "") continue;
        table.add({key, value.is_string() ? printable(value.get<std::string>()) : value.dump()});
    }
    session.format == "csv" ? table.print_csv() : table.print();
    return {};
}

Result<void> test_destination(const Session& session, const ExportOptions& options) {
    const auto answer = FIELDWATCH_TRY(call(session, "POST", export_target(options.name) + "/test"));
    if (session.format == "json") std::puts(answer.dump(2).c_str());
    if (!answer.value("delivered", false))
        return fail(Errc::Unavailable, printable(text_of(answer, "problem")));
    if (session.format != "json") std::printf("%s took a test finding\n", options.name.c_str());
    return {};
}

Result<void> remove_destination(const Session& session, const ExportOptions& options) {
    static_cast<void>(FIELDWATCH_TRY(call(session, "DELETE", export_target(options.name))));
    return {};
}

using Chosen = std::shared_ptr<ExportOptions>;

template <class Work>
CLI::App* verb(CLI::App& parent, const char* name, const char* help, const Chosen& options, Session& session,
               Work work) {
    auto* const command = parent.add_subcommand(name, help);
    add_session_options(*command, session);
    command->callback([options, &session, work] { run(session, [&] { return work(session, *options); }); });
    return command;
}

void name_option(CLI::App& command, const Chosen& options) {
    command.add_option("NAME", options->name, "As `list` shows it")->required();
}

void add_options(CLI::App& command, const Chosen& options) {
    command.add_option("NAME", options->name, "Small letters, digits, dashes; one that is there is replaced")
        ->required();
    command
        .add_option("--to", options->to,
                    "https://host/path, tcp://host:port, tls://host:port, udp://host:port,\n"
                    "kafka://host:port/topic, nats://host:port/subject (kafkas, natss over TLS),\n"
                    "smtp://host, smtps://host, file")
        ->required();
    command.add_option(
        "--as", options->as,
        "json, ocsf, stix (https, kafka, nats, file); syslog, cef (tcp, tls, udp); cef (file); mail is text. "
        "Default json or syslog");
    command.add_option("--minimum-severity", options->severity,
                       "Informational (default), Low, Medium or High");
    command.add_option("--findings", options->findings, "alerts, recommendations; both when it is not given")
        ->delimiter(',');
    command.add_option("--for-hub", options->hubs, "Only of this hub; several may be given");
    command
        .add_option("--states", options->states,
                    "new (the default); all: also when an alert is in progress, resolved, dismissed")
        ->check(CLI::IsMember({"new", "all"}));
    command
        .add_option(
            "--group", options->group,
            "none (the default, but for mail); incident: of an incident its first alert, and those more "
            "severe")
        ->check(CLI::IsMember({"none", "incident"}));
    command.add_option(
        "--quiet-hours", options->quiet,
        "Nothing leaves in them, it waits: 22:00-06:00 in UTC, 22:00-06:00+01:00 by a clock ahead of it");
    command.add_option("--keep-days", options->keep_days,
                       "What waits longer is dropped and counted: 1 to 30, default 7");
    command.add_option("--ca", options->ca, "PEM file of whom to trust instead of the system's authorities");
    command.add_option(
        "--secret-file", options->secret_file,
        "File with the key of the signature, - for standard input; made and shown once otherwise");
    command.add_option("--authorization-file", options->authorization_file,
                       "File with what the Authorization header says, as \"Bearer …\"; - for standard input");
    command.add_option("--user", options->user, "Who logs in at a mail server, Kafka or NATS");
    command.add_option(
        "--password-file", options->password_file,
        "File with its password, - for standard input; it stays as it is for the same receiver");
    command.add_option("--from", options->from, "Mail: the sender's address");
    command.add_option("--recipients", options->recipients, "Mail: to whom; up to 32 addresses")
        ->delimiter(',');
    command.add_option(
        "--digest", options->digest,
        "Mail: one in so many minutes at most, with what was found meanwhile; 0 (the default) = "
        "at once, one a finding");
    command.footer(
        "A webhook carries X-Fieldwatch-Timestamp and X-Fieldwatch-Signature: v1=HMAC-SHA256(secret,\n"
        "timestamp.body). Findings may come twice, with the same Idempotency-Key: docs/exports.md.");
}

}  // namespace

Result<std::string> text_in(const std::string& path) {
    if (path == "-") return std::string(trimmed(std::string(std::istreambuf_iterator<char>(std::cin), {})));
    const auto bytes = FIELDWATCH_TRY(read_file(posix_file_system(), path, kExportFileMax));
    return std::string(trimmed(as_text(bytes)));
}

void add_export(CLI::App& app, Session& session) {
    auto* const parent = app.add_subcommand("export", "Where alerts and recommendations go");
    parent->require_subcommand(1);
    const auto options = std::make_shared<ExportOptions>();
    verb(*parent, "list", "All destinations, and how they do", options, session, list_destinations);
    add_options(*verb(*parent, "add", "A destination, from what is found from now on", options, session,
                      add_destination),
                options);
    name_option(*verb(*parent, "show", "One, with what went wrong last", options, session, show_destination),
                options);
    name_option(*verb(*parent, "test", "Send a test finding now; exit status 1 when it is not taken", options,
                      session, test_destination),
                options);
    name_option(*verb(*parent, "remove", "No more from now on; what waits for it is gone", options, session,
                      remove_destination),
                options);
}

}  // namespace fieldwatch::app
