#include "model/event.hpp"

#include <array>

namespace fieldwatch::model {

namespace {
constexpr std::array<std::string_view, 22> kNames{"ProcessCreate",
                                                  "ProcessTerminate",
                                                  "ConnectionCreate",
                                                  "Login",
                                                  "ListeningPorts",
                                                  "LocalUsers",
                                                  "FirewallConfiguration",
                                                  "ConnectedHardware",
                                                  "SystemInformation",
                                                  "OSBaseline",
                                                  "Diagnostic",
                                                  "ConfigurationError",
                                                  "DroppedEventsStatistics",
                                                  "MessageStatistics",
                                                  "Heartbeat",
                                                  "FileSystem",
                                                  "Peripheral",
                                                  "SBoM",
                                                  "Custom",
                                                  "Operation",
                                                  "ControlPlane",
                                                  "SigmaEvent"};
}

std::string_view to_string(EventKind kind) {
    return kNames[std::to_underlying(kind)];
}

std::optional<EventKind> event_kind_from(std::string_view name) {
    for (std::size_t i = 0; i < kNames.size(); ++i) {
        if (kNames[i] == name) return static_cast<EventKind>(i);
    }
    return std::nullopt;
}

std::string_view find(StringMap map, std::string_view key) {
    for (const auto& [name, value] : map) {
        if (name == key) return value;
    }
    return {};
}

}  // namespace fieldwatch::model
