// Any bytes are a pattern or an error with a sentence.
#include <cstdint>
#include <string_view>

#include "base/assert.hpp"
#include "detect/intel/stix_pattern.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto values = fieldwatch::detect::pattern_values({reinterpret_cast<const char*>(data), size});
    if (!values) {
        FIELDWATCH_ASSERT(!values.error().message.empty());
        return 0;
    }
    for (const auto& value : *values)
        FIELDWATCH_ASSERT(value.path.find(':') != std::string::npos);
    return 0;
}
