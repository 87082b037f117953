// Any bytes are a security group or a problem with a code and a sentence; what was read is written whole and
// reads back as the same group.
#include <cstdint>
#include <string_view>

#include "base/assert.hpp"
#include "detect/custom/security_group.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwatch::detect;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto group = parse_security_group("fuzz", text, true);
    if (!group) {
        FIELDWATCH_ASSERT(!group.error().code.empty() && !group.error().message.empty());
        return 0;
    }
    const auto again = parse_security_group("fuzz", properties_json(*group, true), true);
    FIELDWATCH_ASSERT(again.has_value());
    for (std::size_t i = 0; i < kRuleTypes; ++i)
        FIELDWATCH_ASSERT(again->rules[i].same_as(group->rules[i]));
    return 0;
}
