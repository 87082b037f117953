// The binary: server, command line, offline engine. Each subcommand adds itself; this file only chooses.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <string>

#include "app/cli/command.hpp"
#include "app/cli/operations.hpp"

namespace {

/// One sentence for a wrong command line: what is wrong, what there is, where to read more.
std::string usage_sentence(const CLI::App& app, const CLI::ParseError& error) {
    const CLI::App* at = &app;
    std::string words = app.get_name();
    while (!at->get_subcommands().empty()) {
        at = at->get_subcommands().front();
        words += " " + at->get_name();
    }
    const auto all = at->get_subcommands([](const CLI::App*) { return true; });
    std::string sentence = error.what();
    if (!all.empty()) {
        const auto rest = at->remaining();
        sentence = rest.empty() ? words + " needs a command: "
                                : words + " has no command \"" + rest.front() + "\"; there are ";
        for (const auto* one : all)
            sentence += (one == all.front() ? "" : ", ") + one->get_name();
    }
    return "fieldwatch: " + sentence + " (" + words + " --help says more)\n";
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    using namespace fieldwatch::app;
    CLI::App app{"Fieldwatch: open, self-hosted security for fleets of IoT devices", "fieldwatch"};
    app.set_version_flag("--version", "fieldwatch " FIELDWATCH_VERSION);
    app.require_subcommand(1);
    app.set_help_all_flag("--help-all", "Help of every command");
    Session session;
    add_serve(app, session);
    add_hub(app, session);
    add_device(app, session);
    add_alerts(app, session);
    add_recommendations(app, session);
    add_query(app, session);
    add_detect(app, session);
    add_rules(app, session);
    add_intel(app, session);
    add_vulnerabilities(app, session);
    add_groups(app, session);
    add_enrollment(app, session);
    add_risk(app, session);
    add_profile(app, session);
    add_expectations(app, session);
    add_backup(app, session);
    add_keys(app, session);
    add_purge(app, session);
    add_export(app, session);
    add_update(app, session);
    add_user(app, session);
    add_token(app, session);
    add_replay(app, session);
    add_simulate(app, session);
    add_doctor(app, session);
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& success) {
        return app.exit(success);
    } catch (const CLI::ParseError& error) {
        std::fputs(usage_sentence(app, error).c_str(), stderr);
        return kUsedWrongly;
    }
    return session.exit_status;
}
