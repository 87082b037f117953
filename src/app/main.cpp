// The binary: server, command line, offline engine. Each subcommand adds itself; this file only chooses.
#include <CLI/CLI.hpp>
#include <csignal>

#include "app/cli/command.hpp"

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
    add_doctor(app, session);
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& success) {
        return app.exit(success);
    } catch (const CLI::ParseError& error) {
        app.exit(error);
        return kUsedWrongly;
    }
    return session.exit_status;
}
