// What a custom alert says: names, properties, remediation. spec/custom-alerts.md sections 2 and 3.7.
#pragma once

#include <string>
#include <string_view>

#include "detect/custom/security_group.hpp"
#include "model/event.hpp"
#include "model/finding.hpp"

namespace fieldwatch::detect {

/// Names, severity, remediation, the device as entity; times, evidence and properties are the caller's.
model::Alert custom_alert(RuleType type, std::string_view hub, std::string_view device);

/// ExtendedProperties of a rule that counts; a rule without windows leaves them out.
struct CountProperties {
    std::string_view device;
    const SecurityGroup& group;
    RuleType type;
    std::int64_t count = 0;
    Timestamp window_start, window_end;
};
std::string count_properties(const CountProperties& properties);

/// ExtendedProperties of a list rule: the value that is not allowed, and what the event says.
std::string value_properties(const model::Event& event, const model::Item& item, std::string_view group,
                             RuleType type, std::string_view value);

}  // namespace fieldwatch::detect
