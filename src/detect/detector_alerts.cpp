#include "detect/detector_alerts.hpp"

#include <algorithm>
#include <array>

namespace fieldwatch::detect {

namespace {

constexpr std::string_view kLogins = "logins of a device";
constexpr std::string_view kUsers = "differences between snapshots of local users";
constexpr std::string_view kPresence = "whether a device reports";
constexpr std::string_view kNetwork = "connections of a device over time";
constexpr std::string_view kStandard = "deviation from a device's standard behaviour";

constexpr std::array kAlerts = std::to_array<DetectorAlert>({
    {"fieldwatch-a06", "IoT_Bruteforce_Success", kLogins,
     "It needs Login events: at least `bruteforce.minFailures` that failed from one address within the "
     "window, then "
     "one that succeeded from the same address no later than a window after."},
    {"fieldwatch-a07", "IoT_SucessfulLocalLogin", kLogins,
     "It needs a Login event that succeeded, from the device itself: no remote address."},
    {"fieldwatch-a17", "IoT_FailedLocalLogin", kLogins,
     "It needs a Login event that failed, from the device itself: no remote address."},
    {"fieldwatch-a36", "IoT_Bruteforce_Fail", kLogins,
     "It needs Login events: at least `bruteforce.minFailures` that failed from one address within the "
     "window, and "
     "none that succeeded within the window after."},
    {"fieldwatch-a21", "IoT_AgentConfigurationError", "errors of an agent's configuration",
     "It needs a ConfigurationError event whose ErrorType is TypeMismatch."},
    {"fieldwatch-a22", "IoT_LinuxReconnaissance", "commands that look around on a device",
     "It needs ProcessCreate events: several different commands of the reconnaissance set by one user within "
     "the "
     "window, or two chained in one line."},
    {"fieldwatch-a24", "IoT_LinuxBackdoor", "downloads that are run afterwards",
     "It needs two ProcessCreate events: a command that downloads to a file, then, within the window, "
     "another command "
     "that runs the file."},
    {"fieldwatch-a25", "IoT_EgressData", "files that leave a device",
     "It needs a ProcessCreate event whose command sends a file or archive to an address outside."},
    {"fieldwatch-a33", "IoT_TiConnection", "addresses that intelligence names",
     "It needs a ConnectionCreate event, or a connection in the hub's log with address collection on, whose "
     "remote "
     "address an indicator in force names with enough confidence, and no warning-list."},
    {"fieldwatch-a47", "IoT_MaliciousNameQueriesDetection", "names that intelligence names",
     "It needs a ConnectionCreate event with a DNS name that, or a parent of which, an indicator in force "
     "names."},
    {"fieldwatch-x-malicious-file", "IoT_X_MaliciousFile", "hashes that intelligence names",
     "It needs a ProcessCreate event, or one of a file or component, with a hash (MD5, SHA-1, SHA-256) that "
     "an "
     "indicator in force names with enough confidence, and no warning-list."},
    {"fieldwatch-x-known-indicator-in-history", "IoT_X_KnownIndicatorInHistory",
     "stored history, when indicators are new",
     "It needs an indicator that came into force after the rows that have it were stored, at most 31 days "
     "ago."},
    {"fieldwatch-a35", "IoT_DeviceSilent", kPresence,
     "It needs an enabled device that reported once, then nothing of it for 72 hours of running log."},
    {"fieldwatch-a49", "IoT_DeviceOnboarded", kPresence,
     "It needs the first valid security message ever of the device."},
    {"fieldwatch-a37", "IoT_LocalUserAddedToGroup", kUsers,
     "It needs two LocalUsers events of which the newer has a user in more groups, or a command that adds "
     "one."},
    {"fieldwatch-a38", "IoT_LocalUserRemovedFromGroup", kUsers,
     "It needs two LocalUsers events of which the newer has a user in fewer groups, or a command that "
     "removes one."},
    {"fieldwatch-a39", "IoT_LocalUserDeleted", kUsers,
     "It needs two complete LocalUsers events of which the newer lacks a user, or a command that deletes "
     "one."},
    {"fieldwatch-x-network-scan", "IoT_X_NetworkScan", kNetwork,
     "It needs connections of one source to unusually many hosts or ports within minutes.", true},
    {"fieldwatch-x-flood", "IoT_X_Flood", kNetwork,
     "It needs far more connections to one destination within minutes than the device ever made.", true},
    {"fieldwatch-x-password-guessing", "IoT_X_PasswordGuessing", kNetwork,
     "It needs many short connections in a row to one login service.", true},
    {"fieldwatch-x-beacon", "IoT_X_Beacon", kNetwork,
     "It needs connections to one outside address at intervals that are regular for long enough.", true},
    {"fieldwatch-x-exfiltration", "IoT_X_Exfiltration", kNetwork,
     "It needs a network that is new to a device known for half a day, and within an hour eight times the "
     "bytes that it ever sent to one address.",
     true},
    {"fieldwatch-x-rare-destination", "IoT_X_RareDestination", kStandard,
     "It needs a destination that neither the device nor its peers used while they were learnt.", true},
    {"fieldwatch-x-rare-process", "IoT_X_RareProcess", kStandard,
     "It needs a program that neither the device nor its peers ran while they were learnt: three hours at "
     "least.",
     true},
    {"fieldwatch-x-rare-login", "IoT_X_RareLogin", kStandard,
     "It needs a login by a user or from an address that is new to the device and its peers.", true},
    {"fieldwatch-x-volume-anomaly", "IoT_X_VolumeAnomaly", kStandard,
     "It needs a window of five minutes with far more events than is usual for the device at that time of "
     "day.",
     true},
    {"fieldwatch-x-unusual-metric", "IoT_X_UnusualMetric", kStandard,
     "It needs a number that an application sent for a day and 200 times, and then one that is nothing like "
     "those.",
     true},
    {"fieldwatch-x-fleet-change", "IoT_X_FleetChange", kStandard,
     "It needs the same change on at least five devices and 30 % of a hub in one window of five minutes.",
     true},
});

constexpr DetectorAlert kCustom{{},
                                {},
                                "custom alerts of security groups",
                                "It needs the device to be in a security group that has the rule switched "
                                "on, and what the rule counts to leave its "
                                "limits within the rule's window, or a value outside its list."};

}  // namespace

std::optional<DetectorAlert> find_detector_alert(std::string_view wanted) {
    const auto* const found = std::ranges::find_if(
        kAlerts, [&](const DetectorAlert& one) { return one.rule_id == wanted || one.type == wanted; });
    if (found != kAlerts.end()) return *found;
    if (!wanted.starts_with("IoT_CA_")) return std::nullopt;
    auto out = kCustom;
    out.rule_id = out.type = wanted;
    return out;
}

}  // namespace fieldwatch::detect
