#include "protocol/mqtt/property_bag.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/bytes.hpp"
#include "base/limits.hpp"

namespace fieldwatch::mqtt {

namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 15> kSystemNames{{
    {"$.mid", "message-id"},
    {"$.cid", "correlation-id"},
    {"$.uid", "user-id"},
    {"$.to", "to"},
    {"$.exp", "absolute-expiry-time"},
    {"$.ct", "content-type"},
    {"$.ce", "content-encoding"},
    {"$.ifid", "iothub-interface-id"},
    {"$.on", "iothub-outputname"},
    {"$.sub", "dt-subject"},
    {"$.ctime", "iothub-creation-time-utc"},
    {"$.diagid", "diagnostic-id"},
    {"$.diagctx", "diagnostic-context"},
    {"$.cdid", "iothub-original-device-id"},
    {"$.cmid", "iothub-original-module-id"},
}};

}  // namespace

Result<std::vector<Property>> parse_property_bag(std::string_view bag) {
    std::vector<Property> properties;
    if (bag.starts_with('?')) bag.remove_prefix(1);
    if (bag.ends_with('/')) bag.remove_suffix(1);
    while (!bag.empty()) {
        const auto end = std::min(bag.find('&'), bag.size());
        const auto pair = bag.substr(0, end);
        bag.remove_prefix(std::min(end + 1, bag.size()));
        if (pair.empty()) continue;
        const auto equals = pair.find('=');
        Property property;
        property.name = percent_decode(pair.substr(0, equals));
        property.has_value = equals != std::string_view::npos;
        if (property.has_value) property.value = percent_decode(pair.substr(equals + 1));
        if (!is_utf8(property.name) || !is_utf8(property.value)) {
            return fail(Errc::Malformed, "a message property is not UTF-8");
        }
        const auto same = std::find_if(properties.begin(), properties.end(), [&](const Property& earlier) {
            return earlier.name == property.name;
        });
        if (same != properties.end()) {
            *same = std::move(property);
        } else if (properties.size() == limits::properties_per_message) {
            return fail(Errc::TooLarge, "more than 512 message properties");
        } else {
            properties.push_back(std::move(property));
        }
    }
    return properties;
}

std::string encode_property_bag(std::span<const Property> properties) {
    std::string bag;
    for (const auto& property : properties) {
        if (!bag.empty()) bag += '&';
        if (property.is_system()) {
            // Only the dollar is encoded: some clients look for this very spelling (trap 8).
            bag += "%24.";
            bag += percent_encode(std::string_view(property.name).substr(2));
        } else {
            bag += percent_encode(property.name);
        }
        if (!property.has_value) continue;
        bag += '=';
        bag += percent_encode(property.value);
    }
    return bag;
}

std::string_view system_property(std::string_view bag_key) {
    const auto* const found = std::find_if(kSystemNames.begin(), kSystemNames.end(),
                                           [&](const auto& entry) { return entry.first == bag_key; });
    return found == kSystemNames.end() ? std::string_view{} : found->second;
}

}  // namespace fieldwatch::mqtt
