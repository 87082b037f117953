// The manifest of a backup that anybody may have written.
#include <cstdint>
#include <cstdlib>

#include "backup/manifest.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwatch::backup;
    const auto manifest = parse_manifest({reinterpret_cast<const char*>(data), size});
    if (!manifest) return 0;
    const auto again = parse_manifest(to_json(*manifest));
    if (!again || again->files != manifest->files) std::abort();
    return 0;
}
