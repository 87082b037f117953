// MUD files, as strangers write them.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "detect/profile/mud.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto lines =
        fieldwatch::detect::mud_lines(std::string_view(reinterpret_cast<const char*>(data), size));
    if (!lines) return 0;
    // What was read compares equal to itself.
    const auto diff = fieldwatch::detect::diff_lines(*lines, *lines);
    if (!diff.added.empty() || !diff.gone.empty()) __builtin_trap();
    return 0;
}
