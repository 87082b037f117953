// Any bytes are a bundle or an error with a sentence; what is one can be packed again, and says the same.
#include <cstdint>
#include <string_view>

#include "base/assert.hpp"
#include "feed/bundle.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwatch::feed;
    const auto bundle = parse_bundle({reinterpret_cast<const char*>(data), size});
    if (!bundle) {
        FIELDWATCH_ASSERT(!bundle.error().message.empty());
        return 0;
    }
    FIELDWATCH_ASSERT(!bundle->files.empty() && bundle->version > 0);
    FIELDWATCH_ASSERT(!bundle->is_signed_by({}));
    const auto packed = pack_bundle(*bundle, "");
    FIELDWATCH_ASSERT(packed.has_value());
    FIELDWATCH_ASSERT(parse_bundle(*packed)->files == bundle->files);
    return 0;
}
