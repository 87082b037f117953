// fieldwatch hub: create, show, list, update.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/cli/command.hpp"
#include "app/cli/hub_connectors.hpp"
#include "app/cli/hub_retention.hpp"
#include "app/cli/hub_routes.hpp"

namespace fieldwatch::app {

namespace {

using Json = nlohmann::json;

struct HubOptions {
    std::string name;
    std::string security = "on";
    std::string store_raw, mask_addresses, twin_data;
    bool keys = false;
    std::vector<std::string> ip_filter;
    std::string tls_minimum, public_access, policy;
    std::string diagnostics;           ///< comma list
    std::vector<std::string> metrics;  ///< NAME=PATH
    RouteOptions routes;
};

/// `NAME=Accept:203.0.113.0/24`, in order; `none` clears the filter.
Result<Json> filter_rules(const std::vector<std::string>& texts) {
    Json rules = Json::array();
    if (texts.size() == 1 && texts.front() == "none") return rules;
    for (const auto& text : texts) {
        const auto equals = text.find('=');
        const auto colon = text.find(':', equals == std::string::npos ? 0 : equals);
        if (equals == std::string::npos || colon == std::string::npos)
            return fail(Errc::InvalidArgument,
                        "--ip-filter is NAME=Accept:ADDRESS/BITS or NAME=Reject:ADDRESS/BITS");
        rules.push_back({{"filterName", text.substr(0, equals)},
                         {"action", text.substr(equals + 1, colon - equals - 1)},
                         {"ipMask", text.substr(colon + 1)}});
    }
    return rules;
}

/// `NAME=$.path`, or `NAME=$.path where CONDITION`, in order; `none` clears them.
Result<Json> telemetry_metrics(const std::vector<std::string>& texts) {
    constexpr std::string_view kWhere = " where ";
    Json metrics = Json::array();
    if (texts.size() == 1 && texts.front() == "none") return metrics;
    for (const auto& text : texts) {
        const auto equals = text.find('=');
        if (equals == std::string::npos)
            return fail(Errc::InvalidArgument, "--metric is NAME=PATH, like celsius=$.room.celsius");
        Json metric{{"name", text.substr(0, equals)}};
        const auto where = text.find(kWhere, equals);
        metric["path"] = text.substr(equals + 1, where == std::string::npos ? where : where - equals - 1);
        if (where != std::string::npos) metric["where"] = text.substr(where + kWhere.size());
        metrics.push_back(std::move(metric));
    }
    return metrics;
}

/// Categories whose records are kept, in the hub's workspace; `off` = no setting at all.
Json diagnostic_settings(std::string_view categories) {
    if (categories == "off") return nullptr;
    Json logs = Json::array();
    while (!categories.empty()) {
        const auto end = std::min(categories.find(','), categories.size());
        logs.push_back({{"category", categories.substr(0, end)},
                        {"enabled", true},
                        {"retentionPolicy", {{"enabled", true}, {"days", 0}}}});
        categories.remove_prefix(std::min(end + 1, categories.size()));
    }
    return Json::array({{{"name", "fieldwatch"}, {"destination", "workspace"}, {"logs", logs}}});
}

std::string on_off(const Json& object, const char* key) {
    return object.value(key, false) ? "on" : "off";
}

void print_hub(const Session& session, const Json& hub) {
    if (session.format == "json") {
        std::puts(hub.dump(2).c_str());
        return;
    }
    TextTable table({"PROPERTY", "VALUE"});
    table.add({"name", hub.value("name", "")});
    table.add({"security", on_off(hub, "securityEnabled")});
    table.add({"raw events stored", on_off(hub, "storeRawEvents")});
    table.add({"addresses masked", on_off(hub, "maskAddresses")});
    table.add({"workspace", hub.value("workspace", "")});
    if (hub.contains("policies")) {
        for (const auto& [policy, key] : hub["policies"].items()) {
            table.add({"key of " + policy, key.is_string() ? key.get<std::string>() : key.dump()});
        }
    }
    table.print();
}

void set_switch(Json& body, const char* key, const std::string& value) {
    if (!value.empty()) body[key] = value == "on";
}

Result<Json> body_of(const HubOptions& options, bool creating) {
    Json body = Json::object();
    if (creating) body["name"] = options.name;
    set_switch(body, "securityEnabled", options.security);
    set_switch(body, "storeRawEvents", options.store_raw);
    set_switch(body, "maskAddresses", options.mask_addresses);
    set_switch(body, "twinData", options.twin_data);
    Json configuration = Json::object();
    if (!options.ip_filter.empty())
        configuration["ipFilterRules"] = FIELDWATCH_TRY(filter_rules(options.ip_filter));
    if (!options.tls_minimum.empty()) configuration["minTlsVersion"] = options.tls_minimum;
    if (!options.public_access.empty())
        configuration["publicNetworkAccess"] = options.public_access == "on" ? "Enabled" : "Disabled";
    if (!options.diagnostics.empty())
        configuration["diagnosticSettings"] = diagnostic_settings(options.diagnostics);
    if (!options.metrics.empty())
        configuration["telemetryMetrics"] = FIELDWATCH_TRY(telemetry_metrics(options.metrics));
    auto routing = FIELDWATCH_TRY(routing_patch(options.routes));
    if (!routing.empty()) configuration["routing"] = std::move(routing);
    if (!configuration.empty()) body["configuration"] = std::move(configuration);
    return body;
}

void add_switches(CLI::App& command, HubOptions& options) {
    const auto on_or_off = CLI::IsMember({"on", "off"});
    command.add_option("--security", options.security, "Analyse what this hub sees: on or off")
        ->check(on_or_off);
    command.add_option("--store-raw", options.store_raw, "Keep raw events in the workspace: on or off")
        ->check(on_or_off);
    command
        .add_option("--mask-addresses", options.mask_addresses,
                    "Hide the last part of device addresses: on or off")
        ->check(on_or_off);
    command
        .add_option("--ip-filter", options.ip_filter,
                    "Rules in order, the first that covers an address decides: NAME=Accept:203.0.113.0/24, "
                    "NAME=Reject:0.0.0.0/0; none clears them")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    command.add_option("--tls-minimum", options.tls_minimum, "The oldest TLS version let in: 1.2 or 1.3")
        ->check(CLI::IsMember({"1.2", "1.3"}));
    command.add_option("--public-access", options.public_access, "Let public addresses in: on or off")
        ->check(on_or_off);
    command.add_option(
        "--diagnostics", options.diagnostics,
        "Categories of the operation log that are kept (Connections, DeviceTelemetry, …); off for none");
    command
        .add_option(
            "--metric", options.metrics,
            "Numbers in the JSON of telemetry whose deviations are told, by JSONPath: "
            "NAME=$.room.celsius, NAME=$['a name'][0]; of some devices: \"NAME=$.t where $twin.tags.kind = "
            "'oven'\"; all there shall be, none clears them")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    add_route_options(command, options.routes);
    command.add_option("--twin-data", options.twin_data, "Use identities and twins for detection: on or off")
        ->check(on_or_off);
}

}  // namespace

void add_hub(CLI::App& app, Session& session) {
    auto* const hub = app.add_subcommand("hub", "Hubs: what devices connect to");
    hub->require_subcommand(1);
    const auto options = std::make_shared<HubOptions>();
    const auto named = [&](const char* name, const char* what) {
        auto* const command = hub->add_subcommand(name, what);
        command->add_option("NAME", options->name, "3 to 50 lower-case letters, digits and -")->required();
        add_session_options(*command, session);
        return command;
    };

    auto* const create = named("create", "Make a hub, Security on unless told otherwise");
    add_switches(*create, *options);
    create->callback([options, &session] {
        run(session, [&]() -> Result<void> {
            const auto body = FIELDWATCH_TRY(body_of(*options, true));
            print_hub(session, FIELDWATCH_TRY(call(session, "PUT", "/api/v1/hubs/" + options->name, &body)));
            return {};
        });
    });

    auto* const show = named("show", "A hub's settings; with --keys its access policies");
    show->add_flag("--keys", options->keys, "Show the shared access policies' primary keys too");
    show->callback([options, &session] {
        run(session, [&]() -> Result<void> {
            const auto target =
                fmt::format("/api/v1/hubs/{}{}", options->name, options->keys ? "?keys=true" : "");
            print_hub(session, FIELDWATCH_TRY(call(session, "GET", target)));
            return {};
        });
    });

    auto* const update = named("update", "Change a hub's settings; what is not named stays");
    add_switches(*update, *options);
    update->callback([options, update, &session] {
        if (update->count("--security") == 0) options->security.clear();
        run(session, [&]() -> Result<void> {
            const auto body = FIELDWATCH_TRY(body_of(*options, false));
            if (body.empty())
                return fail(Errc::InvalidArgument,
                            "nothing to change: name at least one setting (hub update --help)");
            print_hub(session,
                      FIELDWATCH_TRY(call(session, "PATCH", "/api/v1/hubs/" + options->name, &body)));
            return {};
        });
    });

    add_hub_routes(*named("routes", "A hub's routes, and how their endpoints are doing"), options->name,
                   session);

    add_hub_retention(
        *named("retention", "How long the hub's workspace keeps each table, and what they take"),
        options->name, session);

    add_endpoint_secret(*named("endpoint-secret", "User and password of a route's endpoint at Kafka or NATS"),
                        options->name, session);

    auto* const rotate =
        named("rotate-key", "Give a policy a new primary key; the old one stays as its secondary");
    rotate
        ->add_option("POLICY", options->policy,
                     "iothubowner, service, device, registryRead, registryReadWrite")
        ->required();
    rotate->callback([options, &session] {
        run(session, [&]() -> Result<void> {
            const auto answer = FIELDWATCH_TRY(
                call(session, "POST",
                     fmt::format("/api/v1/hubs/{}/policies/{}/rotate", options->name, options->policy)));
            std::puts(session.format == "json" ? answer.dump(2).c_str()
                                               : answer.value("primaryKey", "").c_str());
            return {};
        });
    });

    add_hub_connectors(*hub, session);

    auto* const list = hub->add_subcommand("list", "All hubs of this server");
    add_session_options(*list, session);
    list->callback([&session] {
        run(session, [&]() -> Result<void> {
            const auto answer = FIELDWATCH_TRY(call(session, "GET", "/api/v1/hubs"));
            if (session.format == "json") {
                std::puts(answer.dump(2).c_str());
                return {};
            }
            TextTable table({"NAME", "SECURITY", "RAW EVENTS", "WORKSPACE"});
            for (const auto& entry : answer["value"]) {
                table.add({entry.value("name", ""), on_off(entry, "securityEnabled"),
                           on_off(entry, "storeRawEvents"), entry.value("workspace", "")});
            }
            session.format == "csv" ? table.print_csv() : table.print();
            return {};
        });
    });
}

}  // namespace fieldwatch::app
