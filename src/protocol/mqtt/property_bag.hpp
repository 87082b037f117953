// The property bag at the end of an IoT Hub topic: `%24.mid=id%201&k%201=v%261`.
// Source: spec/iot-hub-protocols.md section 3.4.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace fieldwatch::mqtt {

struct Property {
    std::string name;   ///< decoded; a system property keeps its "$." prefix
    std::string value;  ///< decoded; "" also for a key alone
    bool has_value = true;

    bool is_system() const { return name.starts_with("$."); }
    friend bool operator==(const Property&, const Property&) = default;
};

/// Pairs in the order sent; of a repeated name the last value, at the place of the first. A leading `?` and
/// one trailing `/` are tolerated. Errors: TooLarge above limits::properties_per_message; Malformed if a name
/// or value is not UTF-8 after decoding.
Result<std::vector<Property>> parse_property_bag(std::string_view bag);

std::string encode_property_bag(std::span<const Property> properties);

/// "message-id" for "$.mid"; "" for a name that stands for nothing. Takes the decoded name with its prefix.
std::string_view system_property(std::string_view bag_key);

}  // namespace fieldwatch::mqtt
