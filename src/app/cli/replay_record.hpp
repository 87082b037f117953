// One line of recorded input as something that a device sends again.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"

namespace fieldwatch::app {

struct ReplayRecord {
    Timestamp time;
    std::string device, module, kind;
    nlohmann::json body;

    /// Devices send security messages and telemetry; the rest is what a hub writes of itself.
    bool can_be_sent() const {
        return !device.empty() && (kind == "security-message" || kind == "telemetry");
    }
};

/// Errors: Malformed for a line that is no record, saying what it lacks.
Result<ReplayRecord> read_replay_record(std::string_view line);

/// Moves the stamps of a security message's events, and gives them other ids: the same thing happening
/// again, not the same message coming twice. The same shift gives the same ids.
void shift_events(nlohmann::json& body, Ticks by);

}  // namespace fieldwatch::app
