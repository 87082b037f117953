// Two texts of a device, split at the first zero byte: a document is merged from the first and then patched.
#include <cstdint>
#include <cstdlib>

#include "registry/twin_document.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwatch::registry;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto split = text.find('\0');
    const auto first = replace_twin(text.substr(0, split), 32'768);
    if (!first || split == std::string_view::npos) return 0;
    const auto second = merge_twin(first->document_json, text.substr(split + 1), 32'768);
    // Merging is idempotent: RFC 7396 section 2.
    if (second && merge_twin(second->document_json, second->patch_json, 32'768)->document_json !=
                      second->document_json) {
        std::abort();
    }
    return 0;
}
