#include "detect/posture/open_ports.hpp"

#include <algorithm>

#include "base/ip_address.hpp"
#include "base/json_text.hpp"

namespace fieldwatch::detect {

namespace {

constexpr Uuid kRecommendationNames{
    {0x9b, 0x60, 0x1c, 0x5e, 0x11, 0x0c, 0x4d, 0x5a, 0x8f, 0x02, 0x3c, 0x71, 0x0e, 0xd4, 0x66, 0x25}};
constexpr std::int64_t kTicksPerDay = 864'000'000'000;

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return out;
}

/// `0.0.0.0:80` or `[::]:80`; empty for a socket that no other host can reach.
std::string endpoint_of(const model::ListeningPort& port) {
    const auto protocol = lower(port.protocol);
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
    const auto protocol = lower(port.protocol).substr(0, 3) + "/" + std::string(port.local_port);
    return std::any_of(settings.allowed_ports.begin(), settings.allowed_ports.end(),
                       [&](const std::string& allowed) {
                           return allowed == port.local_port || allowed == protocol || allowed == endpoint;
                       });
}

}  // namespace

void OpenPorts::observe(const model::Event& event, Context& context) {
    auto& device = devices_.get(device_key(event.hub, event.device));
    const bool first = device.name.empty();
    if (!first && event.time < device.evaluated) return;  // an older snapshot says nothing about now
    if (first) {
        device.hub = event.hub;
        device.name = event.device;
        device.first_evaluated = event.time;
    }
    device.evaluated = event.time;
    std::vector<std::string> endpoints;
    for (const auto& item : event.items) {
        const auto* const port = std::get_if<model::ListeningPort>(&item.payload);
        if (port == nullptr) continue;
        auto endpoint = endpoint_of(*port);
        if (!endpoint.empty() && !is_allowed(context.settings, *port, endpoint))
            endpoints.push_back(std::move(endpoint));
    }
    std::sort(endpoints.begin(), endpoints.end());
    endpoints.erase(std::unique(endpoints.begin(), endpoints.end()), endpoints.end());
    if (endpoints.size() > kEndpointsMax) endpoints.resize(kEndpointsMax);
    if (endpoints == device.endpoints && device.active == !endpoints.empty()) return;
    device.evidence = event.position;
    device.changed = event.time;
    if (!device.active) device.discovered = event.time;
    device.active = !endpoints.empty();
    if (device.active) device.endpoints = endpoints;  // a resolved row still says what it was about
    context.out.emplace_back(make(device, context.now));
    device.endpoints = std::move(endpoints);
}

void OpenPorts::advance(Context& context) {
    const auto day = context.now.ticks / kTicksPerDay;
    if (day_ >= 0 && day > day_) {
        for (const auto& [key, device] : devices_) {
            if (!device.active) continue;
            auto row = make(device, context.now);
            row.is_snapshot = true;
            context.out.emplace_back(std::move(row));
        }
    }
    day_ = std::max(day_, day);
}

model::Recommendation OpenPorts::make(const Device& device, Timestamp now) const {
    model::Recommendation out;
    out.type = "IoT_OpenPorts";
    out.id = Uuid::named(kRecommendationNames, device.hub + "|" + out.type + "|" + device.name);
    out.display_name = "Open Ports on device";
    out.description = "The device listens on addresses that other hosts can reach.";
    out.component = "Agent";
    out.control = "Device exposure";
    out.severity = model::Severity::Medium;
    out.state = device.active ? model::RecommendationState::Active : model::RecommendationState::Resolved;
    out.hub.value = device.hub;
    out.device = device.name;
    out.discovered = device.discovered;
    out.first_evaluated = device.first_evaluated;
    out.changed = device.changed;
    if (!device.active) out.resolved = device.changed;
    out.remediation = {"Find which service listens",
                       "Stop it, bind it to loopback, or limit it in the firewall"};
    std::string list;
    JsonWriter endpoints(list);
    endpoints.begin_array();
    for (const auto& endpoint : device.endpoints)
        endpoints.string(endpoint);
    endpoints.end_array();
    JsonWriter(out.additional_json).begin_object().member("Endpoints", list).end_object();
    out.evidence = {device.evidence};
    out.processed = now;
    return out;
}

void OpenPorts::save(ByteWriter& out) const {
    out.i64(day_);
    out.u64(devices_.evictions());
    out.u32(static_cast<std::uint32_t>(devices_.size()));
    for (const auto& [key, device] : devices_) {
        out.text(device.hub);
        out.text(device.name);
        out.u8(device.active ? 1 : 0);
        for (const auto time : {device.evaluated, device.first_evaluated, device.discovered, device.changed})
            out.i64(time.ticks);
        write(out, device.endpoints);
        write(out, device.evidence);
    }
}

Result<void> OpenPorts::restore(ByteReader& in) {
    devices_.clear();
    day_ = FIELDWATCH_TRY(read_amount(in));
    devices_.set_evictions(FIELDWATCH_TRY(in.u64()));
    const auto count = FIELDWATCH_TRY(read_count(in, kDevicesMax));
    for (std::uint32_t i = 0; i < count; ++i) {
        auto hub = FIELDWATCH_TRY(read_text(in));
        auto name = FIELDWATCH_TRY(read_text(in));
        auto& device = devices_.get(device_key(hub, name));
        device.hub = std::move(hub);
        device.name = std::move(name);
        device.active = FIELDWATCH_TRY(in.u8()) != 0;
        for (auto* time : {&device.evaluated, &device.first_evaluated, &device.discovered, &device.changed})
            *time = FIELDWATCH_TRY(read_time(in));
        device.endpoints = FIELDWATCH_TRY(read_texts(in));
        device.evidence = FIELDWATCH_TRY(read_position(in));
    }
    return {};
}

}  // namespace fieldwatch::detect
