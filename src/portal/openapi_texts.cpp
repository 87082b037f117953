#include <cstdint>

#include "portal/openapi.hpp"

extern "C" {
/// Written by tools/embed; ends with an entry of zeros.
struct FieldwatchEmbeddedText {
    const char* name;
    const char* bytes;
    std::uint64_t size;
};
extern const FieldwatchEmbeddedText fieldwatch_embedded_openapi[];
}

namespace fieldwatch::portal {

ApiTexts api_texts() {
    ApiTexts out;
    for (const auto* entry = fieldwatch_embedded_openapi; entry->name != nullptr; ++entry) {
        const std::string_view text(entry->bytes, entry->size);
        (std::string_view(entry->name) == "operations.json" ? out.operations : out.schemas) = text;
    }
    return out;
}

}  // namespace fieldwatch::portal
