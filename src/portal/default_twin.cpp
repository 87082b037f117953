#include "portal/default_twin.hpp"

#include <array>

#include "base/json_text.hpp"
#include "model/ids.hpp"

namespace fieldwatch::portal {
namespace {

struct Property {
    std::string_view name;
    std::string_view real_time, classic;  ///< JSON
};

// spec/agent.md section 5.2. What is not here keeps its default there (hubResourceId, custom baseline
// checks).
constexpr std::array kProperties{
    Property{"highPriorityMessageFrequency", R"("PT2S")", R"("PT7M")"},
    Property{"lowPriorityMessageFrequency", R"("PT10S")", R"("PT5H")"},
    Property{"snapshotFrequency", R"("PT30S")", R"("PT13H")"},
    Property{"maxLocalCacheSizeInBytes", "2560000", "2560000"},
    Property{"maxMessageSizeInBytes", "204800", "204800"},
    Property{"eventPriorityConnectedHardware", R"("Low")", R"("Low")"},
    Property{"eventPriorityListeningPorts", R"("High")", R"("High")"},
    Property{"eventPriorityProcessCreate", R"("High")", R"("Low")"},
    Property{"eventPriorityProcessTerminate", R"("Low")", R"("Low")"},
    Property{"eventPrioritySystemInformation", R"("Low")", R"("Low")"},
    Property{"eventPriorityLocalUsers", R"("High")", R"("High")"},
    Property{"eventPriorityLogin", R"("High")", R"("High")"},
    Property{"eventPriorityConnectionCreate", R"("High")", R"("Low")"},
    Property{"eventPriorityFirewallConfiguration", R"("Low")", R"("Low")"},
    Property{"eventPriorityOSBaseline", R"("Low")", R"("Low")"},
    Property{"eventPriorityDiagnostic", R"("Low")", R"("Low")"},
    Property{"eventPriorityConfigurationError", R"("Low")", R"("Low")"},
    Property{"eventPriorityDroppedEventsStatistics", R"("Low")", R"("Low")"},
    Property{"eventPriorityMessageStatistics", R"("Low")", R"("Low")"},
    Property{"aggregationEnabledProcessCreate", "true", "true"},
    Property{"aggregationEnabledConnectionCreate", "true", "true"},
    Property{"aggregationEnabledProcessTerminate", "true", "true"},
    Property{"aggregationIntervalProcessCreate", R"("PT1M")", R"("PT1H")"},
    Property{"aggregationIntervalConnectionCreate", R"("PT1M")", R"("PT1H")"},
    Property{"aggregationIntervalProcessTerminate", R"("PT1M")", R"("PT1H")"},
};

}  // namespace

std::optional<AgentProfile> agent_profile_from(std::string_view name) {
    if (name == "real-time") return AgentProfile::RealTime;
    if (name == "classic") return AgentProfile::Classic;
    return std::nullopt;
}

std::string default_desired_json(AgentProfile profile) {
    std::string out;
    JsonWriter json(out);
    json.begin_object().key(model::kConfigurationObject).begin_object();
    for (const auto& property : kProperties) {
        json.key(property.name).begin_object().key("value");
        json.raw(profile == AgentProfile::RealTime ? property.real_time : property.classic).end_object();
    }
    json.end_object().end_object();
    return out;
}

}  // namespace fieldwatch::portal
