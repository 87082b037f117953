// The tuning of detection: a part of the content version, so that the log says which values decided.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "detect/behaviour/expectation.hpp"

namespace fieldwatch::detect {

class GroupSet;

/// Defaults: spec/alerts.md section 6, "Tuning keys". Names in comments are the keys of the settings
/// document.
struct Settings {
    Ticks bruteforce_window = std::chrono::minutes(10);  ///< bruteforce.window, ISO 8601 duration
    std::int64_t bruteforce_failures = 10;               ///< bruteforce.minFailures, 1 to 1,000
    Ticks backdoor_window = std::chrono::hours(1);       ///< backdoor.window
    Ticks dedup_window = std::chrono::hours(1);          ///< dedup.window
    std::int64_t intel_confidence = 50;                  ///< intel.minConfidence, 0 to 100
    bool ip_collection = false;  ///< ipCollection: unmasked hub-side addresses may be used
    bool behaviour = false;      ///< behaviour: models of what is standard for each device raise alerts
    std::vector<Expectation> expectations;  ///< behaviour.expectations, in their order
    bool test_mode = false;                 ///< testMode: documentation ranges count as external
    std::vector<std::string>
        allowed_ports;  ///< allowedPorts: "22", "tcp/22" or "10.0.0.1:22"; R01 leaves them out
    std::shared_ptr<const GroupSet> groups;  ///< securityGroups: docs/formats/security-groups.md; never null
    bool custom_extensions = false;  ///< custom.extensions: deny-lists and thresholds are rule types too
    bool count_security_messages = false;          ///< custom.countSecurityMessages
    std::vector<std::string> local_suffixes;       ///< localSuffixes: host names under them are not external
    Ticks silent_after = std::chrono::hours(72);   ///< silent.after, up to 30 days
    Ticks recon_window = std::chrono::minutes(1);  ///< recon.window
    std::int64_t recon_distinct = 3;               ///< recon.minDistinct, 2 to 100
    std::int64_t egress_bytes = 0;                 ///< egress.maxBytesOut of one flow; 0 = no limit
    Ticks snapshot_freshness = std::chrono::hours(48);  ///< posture.freshness: an older snapshot says nothing
    bool diagnostics_require_all = true;                ///< diag.requireAll, R20
    bool extensions = true;  ///< posture.extensions: R21 to R23; strict mode switches them off
    std::vector<std::string> disabled_recommendations;  ///< recommendationsConfiguration: types, Disabled
    std::vector<std::string> registry_suffixes = {".azurecr.io"};  ///< registrySuffixes, R11
    std::vector<std::string> security_modules;  ///< securityModules: further names of security modules
    std::string agent_minimum;                  ///< agent.minimumVersion of the classic agent
    std::string micro_agent_minimum;            ///< agent.minimumMicroVersion
    struct Vulnerability {
        std::string package, fixed, id;
    };
    std::vector<Vulnerability> vulnerabilities;  ///< vulnerabilities: [{package, fixed, id}], by package
};

/// Reads a settings document. Unknown keys belong to other parts and are let be.
/// Errors: Malformed, InvalidArgument with the key.
Result<Settings> parse_settings(std::string_view json);

}  // namespace fieldwatch::detect
