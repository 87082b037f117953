// What the small detector classes share: what they see of the content, and where their findings go.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "detect/lifecycle/alert_book.hpp"
#include "detect/settings.hpp"
#include "model/event.hpp"
#include "model/finding.hpp"

namespace fieldwatch::detect {

class IntelSnapshot;

/// Handed to a detector for one call.
struct Context {
    const Settings& settings;
    const IntelSnapshot& intel;
    AlertBook& book;
    Timestamp now;  ///< log time
    std::vector<model::Finding>& out;
};

/// Names of a built-in alert type that is not a rule: spec/alerts.md section 7.
struct AlertType {
    std::string_view rule_id, type, display_name, description, intent;
    model::Severity severity;
    std::string_view techniques, remediation;  ///< techniques joined by commas; one remediation step
};

/// An alert of a device about one item: names, entity, times, hit count and evidence filled in.
model::Alert device_alert(const AlertType& type, const model::Event& event,
                          const model::LogPosition& evidence);

/// `hub NUL device`: the key of a device's state.
std::string device_key(std::string_view hub, std::string_view device);

}  // namespace fieldwatch::detect
