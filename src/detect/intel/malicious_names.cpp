#include "detect/intel/malicious_names.hpp"

#include "detect/intel/domain_name.hpp"
#include "detect/intel/intel.hpp"

namespace fieldwatch::detect {

namespace {

constexpr AlertType kName{"fieldwatch-a47",
                          "IoT_MaliciousNameQueriesDetection",
                          "Malicious Domain Name Request",
                          "The device asked for a name that threat intelligence knows as malicious.",
                          "CommandAndControl",
                          model::Severity::Medium,
                          "T1071.004",
                          "Take the source off the network; do incident response"};

/// As the resolver asks: small letters, other alphabets in punycode, neither the root's dot nor a port.
std::string asked(std::string_view name) {
    if (const auto colon = name.find(':'); name.find(':', colon + 1) == std::string_view::npos)
        name = name.substr(0, colon);
    if (name.ends_with('.')) name.remove_suffix(1);
    return lower_case(ascii_name(name).value_or(std::string(name)));
}

}  // namespace

void MaliciousNames::observe(const model::Event& event, Context& context) {
    if (event.kind != model::EventKind::ConnectionCreate || context.intel.size() == 0) return;
    for (const auto& item : event.items) {
        const auto* const flow = std::get_if<model::ConnectionCreate>(&item.payload);
        if (flow == nullptr || flow->dns_name.empty()) continue;
        const auto name = asked(flow->dns_name);
        const auto known = context.intel.find_domain(name, context.now);
        if (!known) continue;
        auto alert = device_alert(kName, event, item.position);
        alert.discriminator = name;
        JsonWriter json(alert.extended_json);
        write_indicator(write_ends(json.begin_object().member("Domain Name", name), *flow), *known)
            .member_if("Executable", flow->executable)
            .member_if("CommandLine", flow->command_line)
            .member("DeviceId", event.device)
            .end_object();
        EntityWriter(alert.entities_json, event.hub, event.device)
            .add("dns", {{"DomainName", name}})
            .add("ip", {{"Address", flow->remote_address}})
            .end();
        context.book.raise(std::move(alert), context.settings.dedup_window, context.now, context.out);
    }
}

}  // namespace fieldwatch::detect
