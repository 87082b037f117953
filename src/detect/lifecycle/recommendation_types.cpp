// The catalogue of recommendations, spec/recommendations.md sections 2 to 5: names as published, misspellings
// included.
#include <algorithm>

#include "base/assert.hpp"
#include "detect/lifecycle/recommendation_book.hpp"

namespace fieldwatch::detect {

namespace {

using model::Severity;
constexpr std::string_view kAgent = "Agent", kHub = "IoT Hub";
constexpr std::string_view kExposure = "Device exposure", kHardening = "Device hardening",
                           kIdentity = "Identity and credentials", kNetwork = "Hub network exposure",
                           kCommunication = "Communication between device and IoT Hub is not optimized",
                           kEdge = "Edge configuration", kVisibility = "Visibility",
                           kConfiguration = "Agent configuration";
constexpr bool kTwinData = true, kExtension = true, kSnapshot = true;

constexpr RecommendationType kTypes[] = {
    {"IoT_OpenPorts", "Open Ports on device", "The device listens on addresses that other hosts can reach.",
     kAgent, kExposure, Severity::Medium,
     "Find which service listens\nStop it, bind it to loopback, or limit it in the firewall", !kTwinData,
     !kExtension, kSnapshot},
    {"IoT_PermissiveFirewallPolicy", "Permissive firewall policy found in one of the chains.",
     "The firewall lets through what no rule speaks of.", kAgent, kExposure, Severity::Medium,
     "Deny by default\nAdd rules for the traffic that is needed", !kTwinData, !kExtension, kSnapshot},
    {"IoT_PermissiveInputFirewallRules", "Permissive firewall rule in the input chain was found",
     "A rule lets in traffic from a wide range of addresses or to a wide range of ports.", kAgent, kExposure,
     Severity::Medium, "Narrow the sources and ports of the rule", !kTwinData, !kExtension, kSnapshot},
    {"IoT_PermissiveOutputFirewallRules", "Permissive firewall rule in the output chain was found",
     "A rule lets out traffic to a wide range of addresses or ports.", kAgent, kExposure, Severity::Medium,
     "Narrow the destinations and ports of the rule", !kTwinData, !kExtension, kSnapshot},
    {"IoT_Baseline", "Operation system baseline validation has failed",
     "The device's system does not pass all checks of its security baseline.", kAgent, kHardening,
     Severity::Medium, "Follow the remediation of each failed check", !kTwinData, !kExtension, kSnapshot},
    {"IoT_AgentSendsUnutilizedMessages", "Agent sends unutilized messages",
     "Ten per cent or more of the security messages of the last 24 hours were smaller than 4 KB.", kAgent,
     kCommunication, Severity::Low,
     "Lengthen the sending intervals\nRaise the message size\nLower the priority of events, so that "
     "messages are fuller"},
    {"IoT_SecurityTwinConfigurationNotOptimal", "Security twin configuration not optimal",
     "The agent says that its configuration in the security module's twin is not optimal.", kAgent,
     kConfiguration, Severity::Low, "Edit the twin of the security module"},
    {"IoT_SecurityTwinConfigurationConflict", "Security twin configuration conflict",
     "The agent says that its configuration in the security module's twin contradicts itself.", kAgent,
     kConfiguration, Severity::Low, "Remove the contradiction from the twin of the security module"},
    {"IoT_SharedCredentials", "Same authentication credentials used by multiple devices",
     "Several identities authenticate with the same key or certificate: who holds one is all of them.", kHub,
     kIdentity, Severity::High, "Give each device a key or certificate of its own\nRotate the shared one",
     kTwinData},
    {"IoT_PrivilegedDockerOptions",
     "High level permissions configured in IoT Edge model twin for IoT Edge module",
     "A module of the gateway runs with rights over the host.", kHub, kEdge, Severity::High,
     "Drop privileged mode, capabilities and the host's network from the module's create options", kTwinData},
    {"IoT_ACRAuthentication", "Service principal not used with ACR repository",
     "The gateway fetches images with an account that is no service principal.", kHub, kEdge,
     Severity::Medium, "Use a service principal with the right to pull only", kTwinData},
    {"IoT_VulnerableTLSCipherSuite", "TLS cipher suite upgrade needed",
     "Connections with weak transport security are allowed, or were made.", kHub, kNetwork, Severity::Medium,
     "Upgrade the client\nSet the hub's minimum TLS version to 1.2"},
    {"IoT_IPFilter_DenyAll", "Default IP filter policy should be deny",
     "The hub's address filter accepts whom no rule speaks of.", kHub, kNetwork, Severity::Medium,
     "End the filter with a rule that rejects everything\nAdd accepting rules for the known ranges"},
    {"IoT_IPFilter_PermissiveRule", "IP filter rule includes a large IP range",
     "A rule of the hub's address filter accepts more than 65,536 addresses.", kHub, kNetwork,
     Severity::Medium, "Replace the rule by the narrowest ranges that are needed"},
    {"IoT_RecommendedIpRulesByBaseLine", "Recommended Rules for ip filter",
     "The hub's address filter accepts addresses that no device has connected from.", kHub, kNetwork,
     Severity::Medium, "Apply the proposed rules"},
    {"IoT_InconsistentModuleSettings", "SecurityGroup has inconsistent module settings",
     "A module of this gateway is set up otherwise than on most of its security group.", kHub, kEdge,
     Severity::Medium, "Align the deployment, or move the device to another security group", kTwinData},
    {"IoT_EdgeHubMemOptimize", "IoT Edge Hub memory can be optimized",
     "The gateway's hub listens for protocols that nobody uses.", kHub, kEdge, Severity::Low,
     "Switch off the protocol heads that are not used", kTwinData},
    {"IoT_EdgeLoggingOptions", "No logging configured for IoT Edge module",
     "A module of the gateway writes no logs.", kHub, kVisibility, Severity::Low,
     "Configure a log driver in the module's create options", kTwinData},
    {"IoT_InstallAgent", "Install the Azure Security of Things Agent",
     "Nothing on the device reports its security events.", kHub, kVisibility, Severity::Low,
     "Create the security module's identity\nInstall an agent", kTwinData},
    {"IoT_DiagnosticsLogsDisabled", "Enable diagnostics logs in IoT Hub",
     "The hub's logs are not kept, or not for long enough.", kHub, kVisibility, Severity::Low,
     "Add a diagnostic setting that sends at least connections and device telemetry to a destination"},
    {"IoT_X_OutdatedAgent", "Outdated security agent",
     "The security agent is older than the version that is asked for.", kAgent, kConfiguration, Severity::Low,
     "Update the agent", !kTwinData, kExtension},
    {"IoT_X_DroppedEvents", "Agent drops events",
     "The agent lost five per cent or more of the events of a queue within 24 hours.", kAgent, kConfiguration,
     Severity::Low,
     "Enlarge the agent's cache\nShorten the sending intervals, or switch off events that nobody needs",
     !kTwinData, kExtension},
    {"IoT_X_VulnerablePackage", "Known-vulnerable package installed",
     "A package of the device has a known vulnerability that a newer version mends.", kAgent, kHardening,
     Severity::Medium, "Update the package", !kTwinData, kExtension},
};

}  // namespace

std::span<const RecommendationType> recommendation_types() {
    return kTypes;
}

const RecommendationType& recommendation_type(std::string_view type) {
    const auto* const found = std::ranges::find(kTypes, type, &RecommendationType::type);
    FIELDWATCH_ASSERT(found != std::end(kTypes));
    return *found;
}

}  // namespace fieldwatch::detect
