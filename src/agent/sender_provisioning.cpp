// The sender's part in being provisioned: agent/provisioning/.
#include "agent/agent_log.hpp"
#include "agent/sender.hpp"

namespace fieldwatch::agent {

std::unique_ptr<Provisioner> Sender::make_provisioner(const AgentIdentity& identity) {
    const auto& service = config_.provisioning;
    if (service.registration_id.empty()) return nullptr;
    return std::make_unique<Provisioner>(
        ProvisioningOptions{.host = service.host,
                            .port = service.port,
                            .ca_file = config_.ca_file,
                            .ca_pem = config_.ca_pem,
                            .id_scope = service.id_scope,
                            .registration_id = service.registration_id,
                            .key_base64 = identity.names.shared_access_key,
                            .certificate = identity.certificate,
                            .private_key = identity.private_key},
        Provisioner::Handlers{
            .assigned = [this](const ProvisionedDevice& device,
                               const std::string& before) { assigned(device, before); },
            .asking =
                [this] {
                    say(Severity::Information, "provisioning: asking " + config_.provisioning.host);
                    next_status_ns_ = 0;
                },
            .failed =
                [this](const Error& error, std::chrono::seconds next) {
                    const auto& hub = hub_.host_name();
                    say(Severity::Warning, "provisioning: " + error.message + "; asked again in " +
                                               std::to_string(next.count()) + " s at the earliest" +
                                               (hub.empty() ? "" : "; " + hub + " stays the hub"));
                    next_status_ns_ = 0;
                }},
        Provisioner::Parts{.files = disk_, .clock = clock_, .random = random_});
}

void Sender::open_provisioning() {
    if (!provisioner_) return;
    const auto device = provisioner_->begin({hub_.host_name(), hub_.device_id()});
    if (!device.hub.empty()) hub_.move_to(device.hub, device.device_id);
}

void Sender::assigned(const ProvisionedDevice& device, const std::string& before) {
    const auto text = "provisioning: " +
                      (before == device.hub ? "the hub stays " + device.hub
                       : before.empty()     ? "the hub is " + device.hub
                                            : "moved from " + before + " to " + device.hub) +
                      ", as " + device.device_id;
    say(Severity::Information, text);
    // Who reads the new hub's events sees where they came from before.
    if (before != device.hub) writer_.diagnose("Warning", text);
    hub_.move_to(device.hub, device.device_id);
    next_status_ns_ = 0;
}

}  // namespace fieldwatch::agent
