// Any bytes in place of the kernel's answer end in a bounded list of rules that follow the schema.
#include <cstdint>
#include <cstdlib>
#include <span>

#include "agent/firewall/nftables.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwatch;
    const auto rules = agent::read_nftables(std::as_bytes(std::span(data, size)));
    SeededRandom random(1);
    for (const auto& rule : rules) {
        if (!agent::encode_event(rule.kind, {&rule}, {.time_unix_ms = 1}, random, 1 << 20)) std::abort();
    }
    return 0;
}
