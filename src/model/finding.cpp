#include "model/finding.hpp"

#include <array>
#include <utility>

namespace fieldwatch::model {

namespace {
constexpr std::array<std::string_view, 4> kSeverities{"Informational", "Low", "Medium", "High"};
constexpr std::array<std::string_view, 4> kStatuses{"New", "InProgress", "Resolved", "Dismissed"};
constexpr std::array<std::string_view, 3> kStates{"Active", "Resolved", "Dismissed"};

template <class Enum, std::size_t count>
std::optional<Enum> from(const std::array<std::string_view, count>& names, std::string_view text) {
    for (std::size_t i = 0; i < count; ++i) {
        if (names[i] == text) return static_cast<Enum>(i);
    }
    return std::nullopt;
}
}  // namespace

std::string_view to_string(Severity severity) {
    return kSeverities[std::to_underlying(severity)];
}
std::string_view to_string(AlertStatus status) {
    return kStatuses[std::to_underlying(status)];
}
std::string_view to_string(RecommendationState state) {
    return kStates[std::to_underlying(state)];
}
std::optional<Severity> severity_from(std::string_view text) {
    return from<Severity>(kSeverities, text);
}
std::optional<AlertStatus> alert_status_from(std::string_view text) {
    return from<AlertStatus>(kStatuses, text);
}

}  // namespace fieldwatch::model
