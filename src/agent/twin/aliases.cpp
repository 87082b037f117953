#include "agent/twin/aliases.hpp"

#include <charconv>
#include <nlohmann/json.hpp>

namespace fieldwatch::agent {

using nlohmann::json;

namespace {

struct Collector {
    const char* name;
    fieldwatch_kind kinds[2];
};
constexpr fieldwatch_kind kNone = static_cast<fieldwatch_kind>(0);
constexpr Collector kCollectors[] = {
    {"Baseline", {FIELDWATCH_OS_BASELINE, kNone}},
    {"SystemInformation", {FIELDWATCH_SYSTEM_INFORMATION, kNone}},
    {"SBoM", {FIELDWATCH_SBOM, kNone}},
    {"Heartbeat", {FIELDWATCH_HEARTBEAT, kNone}},
    {"Login", {FIELDWATCH_LOGIN, kNone}},
    {"NetworkActivity", {FIELDWATCH_CONNECTION_CREATE, kNone}},
    {"Process", {FIELDWATCH_PROCESS_CREATE, FIELDWATCH_PROCESS_TERMINATE}},
    {"LogCollector", {FIELDWATCH_DIAGNOSTIC, kNone}},
    {"FileSystem", {FIELDWATCH_FILE_SYSTEM, kNone}},
    {"Peripheral", {FIELDWATCH_PERIPHERAL, FIELDWATCH_CONNECTED_HARDWARE}},
    {"Statistics", {FIELDWATCH_DROPPED_EVENTS_STATISTICS, FIELDWATCH_MESSAGE_STATISTICS}},
};
constexpr const char* kIntegersWithoutEffect[] = {"NetworkActivity_CacheSize",
                                                  "Process_CacheSize",
                                                  "FileSystem_CacheSize",
                                                  "Peripheral_CacheSize",
                                                  "Statistics_CacheSize",
                                                  "NetworkActivity_PacketBufferSize",
                                                  "Process_Mode",
                                                  "Process_PollingInterval",
                                                  "IothubModule_MessageTimeout"};

/// The value of a property: as it is, or wrapped as `{"value": …}`, which some tools write. nullptr: absent
/// or null.
const json* value_of(const json& desired, const std::string& name) {
    const auto found = desired.find(name);
    if (found == desired.end() || found->is_null()) return nullptr;
    if (found->is_object() && found->contains("value")) return &*found->find("value");
    return &*found;
}

/// `30,120,1440`: minutes of High, Medium, Low, each at least one and none shorter than the one before.
bool read_intervals(const std::string& text, Settings& settings) {
    std::int64_t minutes[3] = {};
    const char* at = text.data();
    const char* end = at + text.size();
    std::int64_t before = 1;
    for (int i = 0; i < 3; ++i) {
        const auto [stop, error] = std::from_chars(at, end, minutes[i]);
        if (error != std::errc{} || minutes[i] < before || minutes[i] > 366 * 24 * 60) return false;
        before = minutes[i];
        at = stop;
        if (i < 2 && (at == end || *at++ != ',')) return false;
    }
    if (at != end) return false;
    settings.high_frequency = std::chrono::minutes(minutes[0]);
    settings.low_frequency = std::chrono::minutes(minutes[2]);
    return true;
}

std::vector<std::string> split_paths(const std::string& text) {
    std::vector<std::string> out;
    std::size_t begin = 0;
    while (begin < text.size() && out.size() < 64) {
        const auto end = std::min(text.find(',', begin), text.size());
        if (end > begin) out.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return out;
}

}  // namespace

bool apply_aliases(const json& desired, Settings& settings, std::vector<std::string>& invalid) {
    bool any = false;
    const auto set = [&](const Collector& collector, fieldwatch_priority priority) {
        for (const auto kind : collector.kinds) {
            if (kind == kNone) continue;
            auto& now = settings.priority[static_cast<std::size_t>(kind)];
            const bool operational =
                fieldwatch_kind_default_priority(kind) == FIELDWATCH_PRIORITY_OPERATIONAL;
            now = operational && priority != FIELDWATCH_PRIORITY_OFF ? FIELDWATCH_PRIORITY_OPERATIONAL
                                                                     : priority;
        }
    };
    for (const auto& collector : kCollectors) {
        const auto frequency = std::string(collector.name) + "_MessageFrequency";
        if (const auto* given = value_of(desired, frequency)) {
            any = true;
            if (*given == "High") {
                set(collector, FIELDWATCH_PRIORITY_HIGH);
            } else if (*given == "Medium" || *given == "Low") {
                set(collector, FIELDWATCH_PRIORITY_LOW);
            } else {
                invalid.push_back(frequency);
            }
        }
        const auto disabled = std::string(collector.name) + "_Disabled";
        if (const auto* given = value_of(desired, disabled)) {
            any = true;
            if (!given->is_boolean()) {
                invalid.push_back(disabled);
            } else if (given->get<bool>()) {
                set(collector, FIELDWATCH_PRIORITY_OFF);
            }
        }
    }
    if (const auto* given = value_of(desired, "CollectorsCore_PriorityIntervals")) {
        any = true;
        if (!given->is_string() || !read_intervals(given->get<std::string>(), settings))
            invalid.emplace_back("CollectorsCore_PriorityIntervals");
    }
    if (const auto* given = value_of(desired, "FileSystem_Paths")) {
        any = true;
        if (given->is_string()) {
            settings.watched_paths = split_paths(given->get<std::string>());
        } else {
            invalid.emplace_back("FileSystem_Paths");
        }
    }
    if (const auto* given = value_of(desired, "FileSystem_Recursive")) {
        any = true;
        if (given->is_boolean()) {
            settings.watch_recursive = given->get<bool>();
        } else {
            invalid.emplace_back("FileSystem_Recursive");
        }
    }
    for (const auto* name : kIntegersWithoutEffect) {
        const auto* given = value_of(desired, name);
        any = any || given;
        if (given && (!given->is_number_integer() || given->get<std::int64_t>() < 1))
            invalid.emplace_back(name);
    }
    return any;
}

}  // namespace fieldwatch::agent
