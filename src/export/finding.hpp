// A finding on its way out: what the outbox holds of an alert or a recommendation, read once and in one shape
// for all renderers. The namespace is `exports`, because the folder's name is a keyword.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "base/uuid.hpp"
#include "model/finding.hpp"
#include "workspace/rows.hpp"

namespace fieldwatch::exports {

enum class Kind : std::uint8_t { Alert, Recommendation };

/// What a finding names and others may look up.
struct Observable {
    enum class What : std::uint8_t {
        IpAddress,
        DomainName,
        Url,
        FilePath,
        UserName,
        CommandLine,
        ImageId
    } what;
    std::string value;
    friend auto operator<=>(const Observable&, const Observable&) = default;
};

/// Texts are UTF-8 and may hold anything else a device sent: each renderer escapes for its own form.
struct Finding {
    Kind kind = Kind::Alert;
    std::string id;           ///< SystemAlertId or RecommendationId
    std::string delivery_id;  ///< by which a receiver tells repeats: the same for the same state of a finding
    std::string type, title, description;
    model::Severity severity = model::Severity::Low;
    std::string state;        ///< Status of an alert, RecommendationState
    bool later = false;       ///< of an alert: this state is not its first
    std::string incident;     ///< of an alert: the incident that it is known to belong to, "" = none yet
    std::string hub, device;  ///< device: the compromised entity; "" where it is a hub
    Timestamp first, last;    ///< contributing events; of a recommendation: discovered, changed
    Timestamp decided;        ///< hub time; what waits is old by it
    std::int64_t hits = 1;
    std::string component;                ///< "Agent", "IoT Hub"
    std::string tactics;                  ///< kill-chain words joined by commas
    std::vector<std::string> techniques;  ///< ATT&CK ids
    std::vector<std::string> remediation;
    std::string rule_id, rule_title;
    std::vector<Observable> observables;  ///< without repeats, at most 64
    std::string json;                     ///< the finding as an object, docs/exports.md
};

/// Errors: Malformed for a row that holds no finding.
Result<Finding> read_finding(const workspace::OutboxRow& row);

/// What `fieldwatch export test` sends: an alert of the type Fieldwatch_ExportTest, informational.
Finding test_finding(Timestamp now, Random& random);

}  // namespace fieldwatch::exports
