// fieldwatch serve: the server itself.
#include <memory>

#include "app/cli/command.hpp"
#include "app/server.hpp"

namespace fieldwatch::app {

namespace {

struct ServeOptions {
    ServerConfig config;
    std::string config_file;
    std::string roles;
    std::uint32_t ports_offset = 0;
    std::uint32_t hub_port = 0, amqp_port = 0, https_port = 0, page_port = 0;
};

}  // namespace

void add_serve(CLI::App& app, Session& session) {
    const auto options = std::make_shared<ServeOptions>();
    auto* const command = app.add_subcommand("serve", "Run the server: hub, pipeline, workspace, page");
    command
        ->add_option("--data", options->config.data_directory,
                     "The folder that holds all state; made when it is not there")
        ->required();
    command->add_option("--config", options->config_file, "Settings as YAML; the command line wins over it");
    auto* const hub_port = command
                               ->add_option("--hub-port", options->hub_port,
                                            "MQTT over TLS; 0 lets the kernel choose (default 8883)")
                               ->check(CLI::Range(0, 65535));
    auto* const amqp_port =
        command
            ->add_option("--amqp-port", options->amqp_port,
                         "AMQP over TLS, devices, services and event readers (default 5671)")
            ->check(CLI::Range(0, 65535));
    auto* const https_port =
        command
            ->add_option(
                "--https-port", options->https_port,
                "HTTPS and WebSockets of the hub; 0 lets the kernel choose (default 443 if it may be taken; "
                "0 with --hub-port 0)")
            ->check(CLI::Range(0, 65535));
    auto* const page_port = command
                                ->add_option("--page-port", options->page_port,
                                             "Page and API; 0 lets the kernel choose (default 7780)")
                                ->check(CLI::Range(0, 65535));
    command->add_option("--listen", options->config.listen,
                        "Address of the hub's listeners (default 127.0.0.1)");
    command->add_option(
        "--ports-offset", options->ports_offset,
        "Add this to every port that is not 0. With another port than 443 these cannot connect, for "
        "it is built into them: Node's device SDK over HTTP and WebSocket, Node's service SDK, the C "
        "and Python SDKs (these need 8883 too)");
    command->add_option(
        "--roles", options->roles,
        "Which parts run here: hub,pipeline,portal; one process on the embedded stores runs all");
    command->callback([=, &session] {
        const auto run_server = [&]() -> Result<void> {
            if (!options->roles.empty() && options->roles != "hub,pipeline,portal" &&
                options->roles != "all") {
                return fail(Errc::InvalidArgument,
                            "--roles splits the server over stores that several processes can share; the "
                            "embedded ones (SQLite, segments, "
                            "DuckDB) belong to one process: leave --roles out");
            }
            auto config = options->config;
            if (!options->config_file.empty())
                config = FIELDWATCH_TRY(read_config(options->config_file, config));
            if (hub_port->count() > 0) config.hub_port = static_cast<std::uint16_t>(options->hub_port);
            if (amqp_port->count() > 0) config.amqp_port = static_cast<std::uint16_t>(options->amqp_port);
            // A server whose ports the kernel chooses stands beside others: it takes no fixed one.
            if (config.hub_port == 0) config.https_port = 0;
            if (https_port->count() > 0) config.https_port = static_cast<std::uint16_t>(options->https_port);
            if (page_port->count() > 0) config.page_port = static_cast<std::uint16_t>(options->page_port);
            FIELDWATCH_TRY(shift_ports(config, options->ports_offset));
            return serve(config);
        };
        const auto done = run_server();
        session.exit_status = done ? kDone : report(done.error());
    });
}

}  // namespace fieldwatch::app
