// The routes of a hub on the command line: what `hub create` and `hub update` take, and `hub routes`.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "app/cli/command.hpp"

namespace fieldwatch::app {

struct RouteOptions {
    std::vector<std::string>
        routes;  ///< NAME=[SOURCE] [where CONDITION] to ENDPOINT[,ENDPOINT…], or NAME=none
    std::vector<std::string> endpoints;  ///< NAME=https://host/path, kafka://…, nats://…, file, none
    std::string fallback;                ///< on or off
};
void add_route_options(CLI::App& command, RouteOptions& options);

/// A merge patch of the member `routing` (docs/routes.md), empty when nothing was said. Errors:
/// InvalidArgument with what is expected.
Result<nlohmann::json> routing_patch(const RouteOptions& options);

/// `hub` outlives the command.
void add_endpoint_secret(CLI::App& command, const std::string& hub, Session& session);
/// `name` outlives the command.
void add_hub_routes(CLI::App& command, const std::string& name, Session& session);

}  // namespace fieldwatch::app
