#include "detect/posture/open_ports.hpp"

#include <algorithm>

#include "base/ip_address.hpp"
#include "base/json_text.hpp"

namespace fieldwatch::detect {

namespace {

/// `0.0.0.0:80` or `[::]:80`; empty for a socket that no other host can reach.
std::string endpoint_of(const model::ListeningPort& port) {
    const auto protocol = lower_case(port.protocol);
    const bool known = protocol == "tcp" || protocol == "tcp6" || protocol == "udp" || protocol == "udp6";
    if (!known) return {};
    IpAddress address;  // an absent address is the wildcard
    address.is_v4 = !protocol.ends_with('6');
    if (!port.local_address.empty()) {
        const auto parsed = parse_ip(port.local_address);
        if (!parsed) return {};
        address = *parsed;
    }
    if (address.is_loopback()) return {};
    const auto text = address.text();
    return (address.is_v4 ? text : "[" + text + "]") + ":" + std::string(port.local_port);
}

bool is_allowed(const Settings& settings, const model::ListeningPort& port, const std::string& endpoint) {
    if (settings.allowed_ports.empty()) return false;
    const auto protocol = lower_case(port.protocol).substr(0, 3) + "/" + std::string(port.local_port);
    return std::any_of(settings.allowed_ports.begin(), settings.allowed_ports.end(),
                       [&](const std::string& allowed) {
                           return allowed == port.local_port || allowed == protocol || allowed == endpoint;
                       });
}

/// Devices that report samples: spec/aws-device-defender.md.
bool is_truncated(const model::Item& item) {
    return model::find(item.extra_details, "Truncated") == "true";
}

}  // namespace

bool OpenPorts::is_exposed(const RecommendationBook& posture, std::string_view hub, std::string_view device) {
    return posture.is_active("IoT_OpenPorts", hub, device);
}

void OpenPorts::observe(const model::Event& event, Context& context) {
    if (event.kind != model::EventKind::ListeningPorts) return;
    std::vector<std::string> endpoints;
    for (const auto& item : event.items) {
        const auto* const port = std::get_if<model::ListeningPort>(&item.payload);
        if (port == nullptr) continue;
        auto endpoint = endpoint_of(*port);
        if (!endpoint.empty() && !is_allowed(context.settings, *port, endpoint))
            endpoints.push_back(std::move(endpoint));
    }
    // Of a list that was cut short nothing is closed.
    if (endpoints.empty() && std::ranges::any_of(event.items, is_truncated)) return;
    std::sort(endpoints.begin(), endpoints.end());
    endpoints.erase(std::unique(endpoints.begin(), endpoints.end()), endpoints.end());
    if (endpoints.size() > kEndpointsMax) endpoints.resize(kEndpointsMax);
    RecommendationBook::Assessment found{.type = "IoT_OpenPorts",
                                         .hub = event.hub,
                                         .device = event.device,
                                         .health = endpoints.empty() ? Health::Healthy : Health::Unhealthy,
                                         .time = event.time,
                                         .additional_json = {},
                                         .evidence = {event.position}};
    JsonWriter(found.additional_json).begin_object().member("Endpoints", json_list(endpoints)).end_object();
    context.posture.assess(std::move(found), context.settings, context.now, context.out);
}

}  // namespace fieldwatch::detect
