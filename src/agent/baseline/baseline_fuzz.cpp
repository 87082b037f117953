// Any bytes as a file of checks end in checks or an error, and every check that was taken can be run.
#include <cstdint>
#include <string_view>

#include "agent/baseline/engine.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwatch::agent;
    const auto checks = parse_checks({reinterpret_cast<const char*>(data), size});
    if (!checks) return 0;
    static const BaselineEngine engine("/nonexistent");
    (void)engine.findings(*checks);
    return 0;
}
