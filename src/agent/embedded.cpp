#include "agent/embedded.hpp"

#include <cstdint>

namespace {

/// As tools/embed writes it; the last has no name.
struct EmbeddedFile {
    const char* name;
    const char* data;
    std::uintptr_t size;
};

}  // namespace

extern "C" const EmbeddedFile fieldwatch_embedded_agent[];

namespace fieldwatch::agent {

std::string_view embedded_file(std::string_view name) {
    for (const auto* file = fieldwatch_embedded_agent; file->name; ++file) {
        if (name == file->name) return {file->data, file->size};
    }
    return {};
}

}  // namespace fieldwatch::agent
