#include "app/cli/hub_routes.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <iostream>
#include <iterator>
#include <memory>

#include "base/bytes.hpp"
#include "base/file_system.hpp"
#include "base/text.hpp"

namespace fieldwatch::app {

namespace {

using RoutesJson = nlohmann::json;

struct Named {
    std::string name, value;
};
Result<Named> named_value(std::string_view text, std::string_view expected) {
    const auto equals = text.find('=');
    if (equals == std::string_view::npos || equals == 0)
        return fail(Errc::InvalidArgument, std::string(expected));
    return Named{std::string(text.substr(0, equals)), std::string(trimmed(text.substr(equals + 1)))};
}

/// `[SOURCE] [where CONDITION] to ENDPOINT[,ENDPOINT…]`: the last "to" counts, a condition may hold others.
Result<RoutesJson> route_of(std::string_view text) {
    constexpr std::string_view kExpected =
        "--route is NAME=[SOURCE] [where CONDITION] to ENDPOINT[,ENDPOINT], or NAME=none";
    const auto padded = ' ' + std::string(text);
    const auto to = padded.rfind(" to ");
    if (to == std::string::npos) return fail(Errc::InvalidArgument, std::string(kExpected));
    std::string_view what = std::string_view(padded).substr(0, to);
    std::string_view endpoints = std::string_view(padded).substr(to + 4);
    std::string_view condition;
    if (const auto where = what.find(" where "); where != std::string_view::npos) {
        condition = trimmed(what.substr(where + 7));
        what = what.substr(0, where);
    }
    RoutesJson out{{"condition", condition}, {"endpoints", RoutesJson::array()}};
    const auto source = trimmed(what);
    out["source"] = source.empty() ? std::string_view("DeviceMessages") : source;
    while (!endpoints.empty()) {
        const auto end = std::min(endpoints.find(','), endpoints.size());
        out["endpoints"].push_back(trimmed(endpoints.substr(0, end)));
        endpoints.remove_prefix(std::min(end + 1, endpoints.size()));
    }
    return out;
}

void print_routes(const RoutesJson& hub, const RoutesJson& status) {
    const auto configuration = hub.value("configuration", RoutesJson::object());
    const auto routing = configuration.value("routing", RoutesJson::object());
    TextTable routes({"ROUTE", "SOURCE", "CONDITION", "ENDPOINTS", "ENABLED"});
    const auto all = routing.value("routes", RoutesJson::object());
    for (const auto& [name, route] : all.items()) {
        std::string endpoints;
        const auto named = route.value("endpoints", RoutesJson::array());
        for (const auto& one : named)
            endpoints += (endpoints.empty() ? "" : ",") + one.get<std::string>();
        routes.add({name, route.value("source", "DeviceMessages"), route.value("condition", ""), endpoints,
                    route.value("enabled", true) ? "yes" : "no"});
    }
    routes.print();
    TextTable endpoints(
        {"ENDPOINT", "TYPE", "STATE", "DELIVERED", "BEHIND", "REFUSED", "DROPPED", "LAST ERROR"});
    for (const auto& one : status["value"]) {
        const auto number = [&](const char* name) {
            return std::to_string(one.value(name, std::uint64_t{0}));
        };
        endpoints.add({one.value("name", ""), one.value("type", ""),
                       one.value("healthy", true) ? "well" : "unhealthy", number("delivered"),
                       number("behind"), number("refused"), number("dropped"), one.value("lastError", "")});
    }
    endpoints.print();
}

}  // namespace

void add_route_options(CLI::App& command, RouteOptions& options) {
    const auto many = [&](const char* name, std::vector<std::string>& values, const char* what) {
        command.add_option(name, values, what)
            ->expected(1)
            ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    };
    many("--endpoint", options.endpoints,
         "Where routes lead besides events: NAME=https://host/path, NAME=kafka://host:9092/topic, "
         "NAME=nats://host:4222/subject (kafkas and natss over TLS), or NAME=file for a folder of the "
         "server's; "
         "NAME=none removes it");
    many("--route", options.routes,
         "What goes where: NAME=[SOURCE] [where CONDITION] to ENDPOINT[,ENDPOINT], such as "
         "'hot=where $body.temp > 30 to alarms,events'; NAME=none removes it");
    command
        .add_option("--route-fallback", options.fallback,
                    "Messages that no route takes go to events: on or off")
        ->check(CLI::IsMember({"on", "off"}));
}

Result<nlohmann::json> routing_patch(const RouteOptions& options) {
    RoutesJson out = RoutesJson::object();
    for (const auto& text : options.endpoints) {
        const auto one =
            FIELDWATCH_TRY(named_value(text,
                                       "--endpoint is NAME=https://host/path, NAME=kafka://host:9092/topic, "
                                       "NAME=nats://host:4222/subject, NAME=file or NAME=none"));
        auto& endpoint = out["endpoints"][one.name];
        const auto scheme = one.value.substr(0, one.value.find("://"));
        const bool kafka = scheme == "kafka" || scheme == "kafkas";
        if (kafka || scheme == "nats" || scheme == "natss")
            endpoint = {{"type", kafka ? "kafka" : "nats"}, {"url", one.value}};
        else if (one.value == "file")
            endpoint = {{"type", "file"}, {"url", nullptr}, {"caPem", nullptr}};
        else if (one.value != "none")
            endpoint = {{"type", "webhook"}, {"url", one.value}};
    }
    for (const auto& text : options.routes) {
        const auto one = FIELDWATCH_TRY(named_value(
            text, "--route is NAME=[SOURCE] [where CONDITION] to ENDPOINT[,ENDPOINT], or NAME=none"));
        auto& route = out["routes"][one.name];
        if (one.value != "none") route = FIELDWATCH_TRY(route_of(one.value));
    }
    if (!options.fallback.empty()) out["fallbackToEvents"] = options.fallback == "on";
    return out;
}

void add_endpoint_secret(CLI::App& command, const std::string& hub, Session& session) {
    struct Given {
        std::string endpoint, user, password_file;
        bool none = false;
    };
    const auto given = std::make_shared<Given>();
    command.add_option("ENDPOINT", given->endpoint, "An endpoint of the hub's routes: Kafka or NATS")
        ->required();
    command.add_option("--user", given->user, "Who we are there");
    command.add_option("--password-file", given->password_file,
                       "Its password, in a file; - reads standard input");
    command.add_flag("--none", given->none, "Forget both");
    command.callback([given, &hub, &session] {
        run(session, [&]() -> Result<void> {
            const auto target =
                fmt::format("/api/v1/hubs/{}/routes/{}/secret", hub, percent_encode(given->endpoint));
            if (given->none) {
                static_cast<void>(FIELDWATCH_TRY(call(session, "DELETE", target)));
                return {};
            }
            if (given->user.empty() || given->password_file.empty())
                return fail(Errc::InvalidArgument, "give --user and --password-file, or --none");
            std::string password;
            if (given->password_file == "-") {
                password.assign(std::istreambuf_iterator<char>(std::cin), {});
            } else {
                const auto bytes =
                    FIELDWATCH_TRY(read_file(posix_file_system(), given->password_file, 64u << 10));
                password = as_text(bytes);
            }
            const RoutesJson body{{"user", given->user}, {"password", trimmed(password)}};
            static_cast<void>(FIELDWATCH_TRY(call(session, "PUT", target, &body)));
            return {};
        });
    });
}

void add_hub_routes(CLI::App& command, const std::string& name, Session& session) {
    command.callback([&name, &session] {
        run(session, [&]() -> Result<void> {
            const auto status =
                FIELDWATCH_TRY(call(session, "GET", fmt::format("/api/v1/hubs/{}/routes", name)));
            if (session.format == "json") {
                std::puts(status.dump(2).c_str());
                return {};
            }
            print_routes(FIELDWATCH_TRY(call(session, "GET", "/api/v1/hubs/" + name)), status);
            return {};
        });
    });
}

}  // namespace fieldwatch::app
