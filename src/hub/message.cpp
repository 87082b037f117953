#include "hub/message.hpp"

#include <algorithm>
#include <array>

#include "base/limits.hpp"

namespace fieldwatch::hub {

namespace {

std::string lower(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return result;
}

class PropertyFiller {
  public:
    explicit PropertyFiller(model::Record& record) : properties_(record.properties) {}
    void add(std::string_view name, std::string_view value) {
        if (used_ == properties_.size()) properties_.emplace_back();
        auto& [its_name, its_value] = properties_[used_++];
        its_name.assign(name);
        its_value.assign(value);
    }
    void done() { properties_.resize(used_); }

  private:
    std::vector<std::pair<std::string, std::string>>& properties_;
    std::size_t used_ = 0;
};

}  // namespace

// Names under which the hub itself, or a system property, speaks: an application property of that name would
// pass for it downstream.
bool is_system_property(std::string_view name) {
    static constexpr std::array<std::string_view, 14> kReserved{"message-id",
                                                                "correlation-id",
                                                                "user-id",
                                                                "to",
                                                                "content-type",
                                                                "content-encoding",
                                                                "dt-subject",
                                                                "dt-dataschema",
                                                                "diagnostic-id",
                                                                "diagnostic-context",
                                                                "absolute-expiry-time",
                                                                "iothub-enqueuedtime",
                                                                "iothub-message-source",
                                                                "iothub-interface-id"};
    const auto text = lower(name);
    return text.starts_with("iothub-connection-") || text.starts_with("iothub-original-") ||
           std::find(kReserved.begin(), kReserved.end(), text) != kReserved.end();
}

bool is_security_message(std::span<const mqtt::Property> properties) {
    return std::any_of(properties.begin(), properties.end(), [](const mqtt::Property& property) {
        return property.name == "$.ifid" && lower(property.value) == lower(model::kSecurityInterface);
    });
}

Result<std::size_t> fill_record(model::Record& record, const Message& message, const Stamps& stamps) {
    PropertyFiller filler(record);
    std::size_t dropped = 0;
    std::size_t size = message.body.size();
    for (const auto& [name, value] : stamps)
        filler.add(name, value);
    filler.add("iothub-enqueuedtime", to_iso8601(message.received));
    for (const auto& property : message.properties) {
        if (!property.is_system()) continue;
        const auto name = mqtt::system_property(property.name);
        size += property.value.size();
        if (!name.empty()) filler.add(name, property.value);
    }
    for (const auto& property : message.properties) {
        if (property.is_system()) continue;
        size += property.name.size() + property.value.size();
        if (is_system_property(property.name))
            ++dropped;
        else
            filler.add(property.name, property.value);
    }
    if (message.retain) filler.add("mqtt-retain", "true");
    if (message.will) filler.add("iothub-MessageType", "Will");
    filler.done();
    if (size > limits::message_bytes) return fail(Errc::TooLarge, "a message above 262144 bytes");
    record.kind = is_security_message(message.properties) ? model::RecordKind::SecurityMessage
                                                          : model::RecordKind::Telemetry;
    record.received = message.received;
    record.body.assign(message.body);
    return dropped;
}

}  // namespace fieldwatch::hub
