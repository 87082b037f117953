// Any text is a bag or an error; a bag encoded and parsed again is the same bag.
#include "base/assert.hpp"
#include "base/bytes.hpp"
#include "protocol/mqtt/property_bag.hpp"

using namespace fieldwatch;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto bag = mqtt::parse_property_bag(text);
    if (!bag) return 0;
    bool nameless = false;  // "=v" and "%": an empty name alone has no text of its own
    for (const auto& property : *bag)
        nameless = nameless || (property.name.empty() && !property.has_value);
    const auto again = mqtt::parse_property_bag(mqtt::encode_property_bag(*bag));
    FIELDWATCH_ASSERT(again.has_value());
    FIELDWATCH_ASSERT(nameless || *again == *bag);
    return 0;
}
