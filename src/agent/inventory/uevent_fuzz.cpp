// Any bytes on the uevent socket end in a value or in nothing, and what is described follows the schema.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "agent/inventory/hardware.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwatch;
    const std::string message(reinterpret_cast<const char*>(data), size);
    const auto uevent = agent::parse_uevent(message);
    if (!uevent) return 0;
    const auto event = agent::describe_peripheral(*uevent, 1'700'000'000'000);
    if (!event) return 0;
    SeededRandom random(1);
    const auto json = agent::encode_event(event->kind, {&*event}, {.time_unix_ms = 1}, random, 65'536);
    if (!json) std::abort();
    return 0;
}
