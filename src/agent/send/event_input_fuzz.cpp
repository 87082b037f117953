// Any line ends in events or an error; what was taken is JSON that is taken again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/send/event_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwatch;
    SeededRandom random(1);
    const auto events =
        agent::read_events({reinterpret_cast<const char*>(data), size}, system_clock(), random);
    if (!events) return 0;
    for (const auto& event : *events) {
        if (!agent::read_events(event, system_clock(), random)) std::abort();
    }
    return 0;
}
