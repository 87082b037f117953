#include "app/embedded.hpp"

extern "C" {
/// Written by tools/embed; ends with an entry of zeros.
struct FieldwatchEmbeddedEntry {
    const char* name;
    const char* bytes;
    std::uint64_t size;
};
extern const FieldwatchEmbeddedEntry fieldwatch_embedded_rules[];
}

namespace fieldwatch::app {

std::vector<EmbeddedFile> embedded_rules() {
    std::vector<EmbeddedFile> out;
    for (const auto* entry = fieldwatch_embedded_rules; entry->name != nullptr; ++entry) {
        out.push_back({entry->name, {entry->bytes, entry->size}});
    }
    return out;
}

}  // namespace fieldwatch::app
