// The first byte chooses a method; whatever the payload is, the answer is a JSON object with a status.
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string_view>

#include "agent/response/methods.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwatch::agent;
    static constexpr const char* kNames[] = {"killProcess", "blockAddress", "isolate",
                                             "restore",     "snapshot",     "x"};
    if (size == 0) return 0;
    Methods methods({.allowed = ~0U,
                     .socket = -1,
                     .take_snapshot = [] {},
                     .hub_addresses = [] { return std::vector{NetworkAddress{4, {192, 0, 2, 1}}}; },
                     .isolated = [](std::chrono::seconds) { std::abort(); }});  // nobody could have done it
    const auto answer = methods.call(kNames[data[0] % std::size(kNames)],
                                     {reinterpret_cast<const char*>(data) + 1, size - 1}, true);
    if (answer.status < 200 || answer.status > 500 || !nlohmann::json::parse(answer.body).is_object())
        std::abort();
    return 0;
}
