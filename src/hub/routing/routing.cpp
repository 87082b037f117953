#include "hub/routing/routing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "bus/bus.hpp"
#include "hub/query/query.hpp"
#include "net/http_client.hpp"

namespace fieldwatch::hub {

namespace {

using RoutingJson = nlohmann::json;

constexpr std::size_t kRouteNameMax = 50;
constexpr std::size_t kWebhookUrlMax = 2'048;
constexpr std::size_t kWebhookCaMax = 64u << 10;

std::unexpected<Error> wrong_routing(std::string_view what) {
    return fail(Errc::InvalidArgument, "routing: " + std::string(what));
}

bool is_route_name(std::string_view name) {
    return !name.empty() && name.size() <= kRouteNameMax && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    });
}

/// The member of that type, or `otherwise` when it is absent.
template <class Value>
Result<Value> routing_member(const RoutingJson& object, std::string_view owner, const char* name,
                             Value otherwise) {
    const auto found = object.find(name);
    if (found == object.end()) return otherwise;
    constexpr bool is_number = std::is_same_v<Value, std::int64_t>;
    const bool fits = is_number                     ? found->is_number_integer()
                      : std::is_same_v<Value, bool> ? found->is_boolean()
                                                    : found->is_string();
    if (!fits)
        return wrong_routing(fmt::format("\"{}\" of {} is not {}", name, owner,
                                         is_number                     ? "a whole number"
                                         : std::is_same_v<Value, bool> ? "true or false"
                                                                       : "a text"));
    return found->template get<Value>();
}

Result<std::int64_t> bounded_member(const RoutingJson& object, std::string_view owner, const char* name,
                                    std::int64_t otherwise, std::pair<std::int64_t, std::int64_t> range) {
    const auto value = FIELDWATCH_TRY(routing_member(object, owner, name, otherwise));
    if (value < range.first || value > range.second)
        return wrong_routing(
            fmt::format("\"{}\" of {} is from {} to {}", name, owner, range.first, range.second));
    return value;
}

std::optional<RouteEndpoint::Kind> endpoint_kind_of(std::string_view name) {
    using enum RouteEndpoint::Kind;
    for (const auto kind : {File, Webhook, Kafka, Nats}) {
        if (to_string(kind) == name) return kind;
    }
    return std::nullopt;
}

/// What the address of an endpoint must be like, by its kind.
Result<void> check_address(const RouteEndpoint& endpoint, std::string_view owner) {
    if (endpoint.kind == RouteEndpoint::Kind::File) {
        if (endpoint.url.empty() && endpoint.ca_pem.empty()) return {};
        return wrong_routing(fmt::format("{} is a file: it lies in the server's data directory", owner));
    }
    const bool plain =
        std::all_of(endpoint.url.begin(), endpoint.url.end(), [](char c) { return c > ' ' && c < 0x7F; });
    if (endpoint.url.size() > kWebhookUrlMax || !plain)
        return wrong_routing(fmt::format("\"url\" of {} is no address", owner));
    if (endpoint.ca_pem.size() > kWebhookCaMax)
        return wrong_routing(fmt::format("\"caPem\" of {} is above 65536 bytes", owner));
    if (endpoint.kind == RouteEndpoint::Kind::Webhook) {
        if (net::parse_url(endpoint.url)) return {};
        return wrong_routing(fmt::format("\"url\" of {} is like https://host/path", owner));
    }
    const auto address = bus::parse_address(endpoint.url);
    if (!address) return wrong_routing(fmt::format("\"url\" of {}: {}", owner, address.error().message));
    if ((address->kind == bus::Kind::Kafka) != (endpoint.kind == RouteEndpoint::Kind::Kafka))
        return wrong_routing(fmt::format("\"type\" of {} is another than that of its url", owner));
    return {};
}

Result<RouteEndpoint> read_endpoint(const std::string& name, const RoutingJson& json) {
    const auto owner = fmt::format("the endpoint \"{}\"", name);
    if (!is_route_name(name) || name == Routing::kEvents)
        return wrong_routing(
            "an endpoint's name is 1 to 50 lower-case letters, digits and -; events is built in");
    if (!json.is_object()) return wrong_routing(owner + " is an object");
    RouteEndpoint out{.name = name};
    const auto type = FIELDWATCH_TRY(routing_member(json, owner, "type", std::string()));
    const auto kind = endpoint_kind_of(type);
    if (!kind) return wrong_routing(fmt::format("\"type\" of {} is file, webhook, kafka or nats", owner));
    out.kind = *kind;
    out.url = FIELDWATCH_TRY(routing_member(json, owner, "url", std::string()));
    out.ca_pem = FIELDWATCH_TRY(routing_member(json, owner, "caPem", std::string()));
    FIELDWATCH_TRY(check_address(out, owner));
    const auto file_mib = FIELDWATCH_TRY(bounded_member(json, owner, "fileMegabytes", 64, {1, 1'024}));
    out.file_bytes_max = static_cast<std::uint64_t>(file_mib) << 20;
    out.files_max =
        static_cast<std::size_t>(FIELDWATCH_TRY(bounded_member(json, owner, "files", 16, {2, 1'000})));
    out.keep = std::chrono::hours(FIELDWATCH_TRY(bounded_member(json, owner, "keepHours", 24, {1, 168})));
    return out;
}

Result<MessageRoute> read_route(const std::string& name, const RoutingJson& json,
                                const std::vector<RouteEndpoint>& endpoints) {
    const auto owner = fmt::format("the route \"{}\"", name);
    if (!is_route_name(name))
        return wrong_routing("a route's name is 1 to 50 lower-case letters, digits and -");
    if (!json.is_object()) return wrong_routing(owner + " is an object");
    MessageRoute out{.name = name};
    const auto source =
        route_source_of(FIELDWATCH_TRY(routing_member(json, owner, "source", std::string("DeviceMessages"))));
    if (!source)
        return wrong_routing(
            fmt::format("\"source\" of {} is DeviceMessages, TwinChangeEvents, "
                        "DeviceLifecycleEvents or DeviceConnectionStateEvents",
                        owner));
    out.source = *source;
    out.enabled = FIELDWATCH_TRY(routing_member(json, owner, "enabled", true));
    auto condition =
        query::parse_condition(FIELDWATCH_TRY(routing_member(json, owner, "condition", std::string())));
    if (!condition)
        return wrong_routing(fmt::format("the condition of {}: {}", owner, condition.error().message));
    out.condition = std::move(*condition);
    const auto named = json.find("endpoints");
    if (named == json.end() || !named->is_array() || named->empty())
        return wrong_routing(fmt::format("\"endpoints\" of {} lists one endpoint at least", owner));
    for (const auto& one : *named) {
        const auto text = one.is_string() ? one.get<std::string>() : std::string();
        const bool built_in = text == Routing::kEvents;
        const bool known = std::any_of(endpoints.begin(), endpoints.end(),
                                       [&](const RouteEndpoint& endpoint) { return endpoint.name == text; });
        if (!built_in && !known)
            return wrong_routing(
                fmt::format("{} names the endpoint \"{}\", which there is not", owner, text));
        if (built_in && out.source != RouteSource::DeviceMessages)
            return wrong_routing(fmt::format("{}: only DeviceMessages can go to events", owner));
        out.endpoints.push_back(text);
    }
    return out;
}

/// An object of names; one that is absent is empty.
Result<RoutingJson> routing_names(const RoutingJson& routing, const char* name, std::size_t count_max) {
    const auto found = routing.find(name);
    if (found == routing.end()) return RoutingJson::object();
    if (!found->is_object()) return wrong_routing(fmt::format("\"{}\" is an object of names", name));
    if (found->size() > count_max) return wrong_routing(fmt::format("at most {} {}", count_max, name));
    return *found;
}

}  // namespace

std::string_view to_string(RouteEndpoint::Kind kind) {
    switch (kind) {
        case RouteEndpoint::Kind::File:
            return "file";
        case RouteEndpoint::Kind::Webhook:
            return "webhook";
        case RouteEndpoint::Kind::Kafka:
            return "kafka";
        case RouteEndpoint::Kind::Nats:
            return "nats";
    }
    return "";
}

bool MessageRoute::takes(const RoutedMessage& message) const {
    return enabled && source == message.source &&
           query::holds(condition, [&](const query::Path& path) { return message.resolve(path); });
}

bool MessageRoute::leads_to(std::string_view endpoint) const {
    return enabled && std::find(endpoints.begin(), endpoints.end(), endpoint) != endpoints.end();
}

Result<Routing> Routing::parse(std::string_view configuration_json) {
    Routing out;
    const auto configuration = RoutingJson::parse(configuration_json, nullptr, false);
    if (!configuration.is_object()) return out;
    const auto routing = configuration.find("routing");
    if (routing == configuration.end()) return out;
    if (!routing->is_object()) return wrong_routing("it is an object");
    out.text_ = routing->dump();
    out.fallback_ = FIELDWATCH_TRY(routing_member(*routing, "routing", "fallbackToEvents", true));
    const auto endpoints = FIELDWATCH_TRY(routing_names(*routing, "endpoints", kEndpointsMax));
    for (const auto& [name, json] : endpoints.items())
        out.endpoints_.push_back(FIELDWATCH_TRY(read_endpoint(name, json)));
    const auto routes = FIELDWATCH_TRY(routing_names(*routing, "routes", kRoutesMax));
    for (const auto& [name, json] : routes.items())
        out.routes_.push_back(FIELDWATCH_TRY(read_route(name, json, out.endpoints_)));
    return out;
}

bool Routing::selects_events() const {
    return !fallback_ || std::any_of(routes_.begin(), routes_.end(), [](const MessageRoute& route) {
        return route.enabled && route.source == RouteSource::DeviceMessages;
    });
}

bool Routing::to_events(const RoutedMessage& message) const {
    bool taken = false;
    for (const auto& route : routes_) {
        if (!route.takes(message)) continue;
        if (route.leads_to(kEvents)) return true;
        taken = true;
    }
    return !taken && fallback_;
}

std::vector<std::string_view> Routing::routes_to(std::string_view endpoint,
                                                 const RoutedMessage& message) const {
    std::vector<std::string_view> out;
    for (const auto& route : routes_) {
        if (route.leads_to(endpoint) && route.takes(message)) out.push_back(route.name);
    }
    return out;
}

bool Routing::reads_messages(std::string_view endpoint) const {
    return std::any_of(routes_.begin(), routes_.end(), [&](const MessageRoute& route) {
        return route.source == RouteSource::DeviceMessages && route.leads_to(endpoint);
    });
}

bool Routing::reads_hub_events(std::string_view endpoint) const {
    return std::any_of(routes_.begin(), routes_.end(), [&](const MessageRoute& route) {
        return route.source != RouteSource::DeviceMessages && route.leads_to(endpoint);
    });
}

}  // namespace fieldwatch::hub
