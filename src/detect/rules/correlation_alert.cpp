// The alert of a correlation: the rule's names, the group as properties, every event as evidence.
#include <nlohmann/json.hpp>

#include "detect/rules/correlator.hpp"

namespace fieldwatch::detect {
namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// An entity for each grouped value whose field says what it is (spec/alerts.md 2.2).
Json entities_of(const Correlator::Found& found) {
    Json list = Json::array();
    const auto add = [&](const char* type, const char* key, const std::string& value) {
        list.push_back({{"$id", std::to_string(list.size() + 1)}, {"Type", type}, {key, value}});
    };
    if (!found.device.empty()) {
        add("iotdevice", "DeviceId", found.device);
        list.back()["IoTHub"] = found.hub;
        list.back()["DeviceName"] = found.device;
    }
    for (const auto& device : found.devices) {
        add("iotdevice", "DeviceId", device);
        list.back()["IoTHub"] = found.hub;
        list.back()["DeviceName"] = device;
    }
    for (const auto& [name, value] : found.values) {
        const std::string_view field(name);
        if (field.ends_with("Ip") || field.ends_with("_ip") || field.ends_with("address")) {
            add("ip", "Address", value);
        } else if (field == "User" || field == "TargetUserName" || field == "SubjectUserName") {
            add("account", "Name", value);
        }
    }
    return list;
}

}  // namespace

model::Alert make_correlation_alert(const RuleMeta& meta, const Correlation& rule,
                                    const Correlator::Found& found) {
    auto alert = alert_of(meta);
    alert.hub.value = found.hub;
    alert.compromised_entity = found.device.empty() ? found.hub : found.device;
    alert.start = found.start;
    alert.end = found.end;
    alert.hit_count = found.hits;
    alert.evidence = found.evidence;
    Json extended;
    for (const auto& [name, value] : found.values) {
        extended[name] = value;
        alert.discriminator += value;
        alert.discriminator += '\0';
    }
    Json names = Json::array();
    for (const auto& name : rule.names)
        names.push_back(name);
    extended["CorrelatedRules"] = text_of(names);
    extended["Measured"] = text_of(Json(found.measured));
    extended["Timespan"] = to_iso8601_duration(rule.timespan);
    if (!found.device.empty()) extended["DeviceId"] = found.device;
    if (!found.devices.empty()) {
        extended["Devices"] = text_of(Json(found.devices));
        extended["DeviceCount"] = std::to_string(found.device_count);
    }
    alert.extended_json = text_of(extended);
    alert.entities_json = text_of(entities_of(found));
    return alert;
}

}  // namespace fieldwatch::detect
