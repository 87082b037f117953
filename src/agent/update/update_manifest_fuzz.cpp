// Whatever a twin says, a manifest is read or refused; one that is read is bounded, has one spelling and says
// nothing of paths.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/update/manifest.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwatch::agent;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto manifest = parse_manifest(text);
    if (!manifest) return 0;
    if (manifest->text != text || !text.starts_with(manifest->signed_text)) std::abort();
    if (manifest->image_bytes() > std::uint64_t{2} * Manifest::kProgramBytesMax) std::abort();
    if (Version::parse(manifest->version.text()) != manifest->version) std::abort();
    (void)manifest->check_for({{0, 1, 0}});
    (void)manifest->is_signed_by({});
    return 0;
}
