// What detection says: alerts (something happened), recommendations (a weak state), dead letters (input that
// does not conform).
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "base/uuid.hpp"
#include "model/ids.hpp"

namespace fieldwatch::model {

enum class Severity : std::uint8_t { Informational, Low, Medium, High };
std::string_view to_string(Severity severity);
std::optional<Severity> severity_from(std::string_view text);

enum class AlertStatus : std::uint8_t { New, InProgress, Resolved, Dismissed };
std::string_view to_string(AlertStatus status);
std::optional<AlertStatus> alert_status_from(std::string_view text);

/// Where a rule comes from; travels into every alert (DRL 1.1 asks for the author).
struct RuleOrigin {
    std::string id, title, author, license;
    std::vector<std::string> references;
};

/// One state of one alert: the first row, or a later row about the same SystemAlertId.
struct Alert {
    Uuid id;           ///< SystemAlertId, name-based: design 3a
    std::string type;  ///< AlertType, byte for byte as published
    std::string display_name;
    Severity severity = Severity::Low;
    std::string description;
    std::string component;                ///< "Agent" or "IoT Hub"
    std::string intent;                   ///< kill-chain words joined by commas, spec/alerts.md 2.1
    std::vector<std::string> techniques;  ///< ATT&CK ids
    std::vector<std::string> remediation;
    HubName hub;
    std::string compromised_entity;  ///< device id, or hub name for control-plane alerts
    std::string discriminator;       ///< part of the alert key, spec/alerts.md section 5.3
    Timestamp start, end;            ///< first and last contributing event time
    std::int64_t hit_count = 1;
    AlertStatus status = AlertStatus::New;
    RuleOrigin rule;
    std::vector<LogPosition> evidence;  ///< bounded: the first 32 positions; the last is always the newest
    std::string entities_json;          ///< JSON array, spec/alerts.md 2.2
    std::string extended_json;          ///< JSON object; DeviceId always present for device alerts
    Timestamp processed;  ///< hub time at which this row was decided (from the log, not a clock)
    bool update = false;  ///< false for the first row of this id
};

enum class RecommendationState : std::uint8_t { Active, Resolved, Dismissed };
std::string_view to_string(RecommendationState state);

struct Recommendation {
    Uuid id;           ///< stable per (hub, type, device)
    std::string type;  ///< RecommendationName, IoT_OpenPorts
    std::string display_name, description, component, control;
    Severity severity = Severity::Medium;
    RecommendationState state = RecommendationState::Active;
    HubName hub;
    std::string device;  ///< empty for hub-level ones
    Timestamp discovered, first_evaluated, changed;
    std::optional<Timestamp> resolved;
    std::vector<std::string> remediation;
    std::string
        additional_json;  ///< RecommendationAdditionalData: values are strings, nested data JSON text inside
    bool is_snapshot = false;
    std::vector<LogPosition> evidence;
    Timestamp processed;
};

/// Input that does not conform: bounded, counted per device, visible.
struct DeadLetter {
    LogPosition position;
    HubName hub;
    std::string device, module;
    std::string reason;  ///< sentence with JSON pointer
    Timestamp received;
};

using Finding = std::variant<Alert, Recommendation, DeadLetter>;

}  // namespace fieldwatch::model
