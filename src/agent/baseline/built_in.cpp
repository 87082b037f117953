#include <cstdint>

#include "agent/baseline/check.hpp"

namespace {

/// As tools/embed writes it.
struct EmbeddedFile {
    const char* name;
    const char* data;
    std::uintptr_t size;
};

}  // namespace

extern "C" const EmbeddedFile fieldwatch_embedded_baseline[];

namespace fieldwatch::agent {

std::string_view built_in_checks() {
    return {fieldwatch_embedded_baseline[0].data, fieldwatch_embedded_baseline[0].size};
}

}  // namespace fieldwatch::agent
