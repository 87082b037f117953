// What a person says of an alert: the AlertState record of the log.
#pragma once

#include <optional>
#include <string>

#include "model/finding.hpp"

namespace fieldwatch::model {

/// The record's body is JSON: alertId or aggregate, then these; texts may be empty.
struct AlertDecision {
    std::optional<AlertStatus> status;  ///< none: the alert stays as it is
    std::string by, reason, comment, feedback;
    Timestamp at;                                        ///< hub time at which it was received
    std::optional<std::string> assignee = std::nullopt;  ///< whose it is from now on; "" = nobody's

    bool says_something() const {
        return !reason.empty() || !comment.empty() || !feedback.empty() || assignee.has_value();
    }
};

}  // namespace fieldwatch::model
