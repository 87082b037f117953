#include "export/selection.hpp"

#include <algorithm>

namespace fieldwatch::exports {

bool Selection::joins_what_left(const std::string& incident, model::Severity severity) const {
    const auto* const before = incidents_.peek(incident);
    if (before != nullptr && *before >= severity) return true;
    return std::ranges::any_of(
        batch_, [&](const Left& one) { return one.incident == incident && one.severity >= severity; });
}

bool Selection::said(const std::string& alert, const std::string& state) const {
    for (auto one = batch_.rbegin(); one != batch_.rend(); ++one)
        if (one->alert == alert) return one->state == state;
    const auto* const before = states_.peek(alert);
    return before != nullptr && *before == state;
}

bool Selection::left_before(const std::string& alert) const {
    return states_.peek(alert) != nullptr ||
           std::ranges::any_of(batch_, [&](const Left& one) { return one.alert == alert; });
}

bool Selection::wants(const Finding& finding, std::uint64_t sequence) {
    if (!destination_.wants(finding)) return false;
    if (finding.kind != Kind::Alert) return true;
    // An incident has the id of its first alert, which does not know of it yet.
    const auto incident = finding.incident.empty() ? finding.id : finding.incident;
    Left left{.sequence = sequence, .incident = {}, .alert = {}, .severity = finding.severity, .state = {}};
    if (finding.later) {
        if (!destination_.later_states || said(finding.id, finding.state)) return false;
        // Of an incident's alerts, those go on that it was begun by or that left for being worse.
        if (destination_.by_incident && incident != finding.id && !left_before(finding.id)) return false;
        left.alert = finding.id;
        left.state = finding.state;
    } else if (destination_.by_incident) {
        if (joins_what_left(incident, finding.severity)) return false;
        left.incident = incident;
        if (destination_.later_states) {
            left.alert = finding.id;
            left.state = finding.state;
        }
    }
    if (!left.alert.empty() || !left.incident.empty()) batch_.push_back(std::move(left));
    return true;
}

void Selection::settle(std::uint64_t up_to_sequence) {
    for (auto& one : batch_) {
        if (one.sequence > up_to_sequence) break;
        if (!one.alert.empty()) states_.get(one.alert) = std::move(one.state);
        if (!one.incident.empty()) {
            auto& severity = incidents_.get(one.incident);
            severity = std::max(severity, one.severity);
        }
    }
    batch_.clear();
}

}  // namespace fieldwatch::exports
