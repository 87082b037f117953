// What the network models say about a device, as alerts.
#pragma once

#include <string>

#include "detect/behaviour/flow.hpp"
#include "detect/detector.hpp"

namespace fieldwatch::detect {

inline constexpr AlertType kNetworkScan{
    "fieldwatch-x-network-scan",
    "IoT_X_NetworkScan",
    "Network scan from a device",
    "",
    "Discovery,LateralMovement",
    model::Severity::Medium,
    "T1046",
    "Isolate the device; look for the process that opens the connections"};
inline constexpr AlertType kFlood{"fieldwatch-x-flood",
                                  "IoT_X_Flood",
                                  "Traffic flood from a device",
                                  "",
                                  "Impact",
                                  model::Severity::Medium,
                                  "T1498",
                                  "Isolate the device; look for the process that sends"};
inline constexpr AlertType kGuessing{"fieldwatch-x-password-guessing",
                                     "IoT_X_PasswordGuessing",
                                     "A device tries to log in to another, again and again",
                                     "",
                                     "CredentialAccess,LateralMovement",
                                     model::Severity::Medium,
                                     "T1110",
                                     "Isolate the device; look for the process that opens the connections"};
inline constexpr AlertType kBeacon{"fieldwatch-x-beacon",
                                   "IoT_X_Beacon",
                                   "Regular contact with an address that is not standard for the device",
                                   "",
                                   "CommandAndControl",
                                   model::Severity::Medium,
                                   "T1071",
                                   "Find out what the address is; block it if nobody knows it"};
inline constexpr AlertType kExfiltration{
    "fieldwatch-x-exfiltration",
    "IoT_X_Exfiltration",
    "A device carries far more data out than it ever did",
    "",
    "Exfiltration",
    model::Severity::Medium,
    "T1048",
    "Find out what was sent to whom; isolate the device if nobody knows"};
inline constexpr AlertType kRareDestination{"fieldwatch-x-rare-destination",
                                            "IoT_X_RareDestination",
                                            "A device uses a service outside that it never used",
                                            "",
                                            "CommandAndControl",
                                            model::Severity::Low,
                                            "T1571",
                                            "Find out what the service is; mark it as expected if it is"};

struct NetworkAlert {
    const AlertType& type;
    std::string discriminator, description, feature;
    double observed = 0, expected_most = 0;
    Timestamp since;          ///< the first of what was counted
    bool one_address = true;  ///< it was counted of one address, not of all on the port
};

/// `learned`: the thresholds are the device's own; else those for devices that nobody knows yet.
model::Alert network_alert(const NetworkAlert& what, const model::Event& event, const model::Item& item,
                           const Flow& flow, bool learned);

}  // namespace fieldwatch::detect
