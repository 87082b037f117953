// Any bytes as a batch of telemetry: messages within their bounds, or an error.
#include <cstdint>

#include "base/assert.hpp"
#include "base/limits.hpp"
#include "hub/https/batch.hpp"

using namespace fieldwatch;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto batch = hub::read_batch({reinterpret_cast<const char*>(data), size});
    if (!batch) return 0;
    std::size_t bytes = 0;
    for (const auto& message : *batch)
        bytes += message.body.size();
    FIELDWATCH_ASSERT(!batch->empty() && bytes <= limits::message_bytes);
    return 0;
}
