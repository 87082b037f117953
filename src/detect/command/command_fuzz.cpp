// Any bytes are a command line: parsing ends, stays in bounds, and every list can be made.
#include <cstdint>
#include <string_view>

#include "base/assert.hpp"
#include "detect/command/command.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwatch::detect;
    static CommandLine line;
    line.parse({reinterpret_cast<const char*>(data), size}, "/tmp");
    FIELDWATCH_ASSERT(line.segments().size() <= CommandLine::kSegmentsMax);
    std::vector<std::string_view> values;
    for (const auto& segment : line.segments()) {
        FIELDWATCH_ASSERT(segment.depth <= CommandLine::kDepthMax);
        values.clear();
        for (int list = 0; list <= static_cast<int>(CommandList::Assignments); ++list)
            line.list(segment, static_cast<CommandList>(list), values);
        line.text(segment);
    }
    return 0;
}
