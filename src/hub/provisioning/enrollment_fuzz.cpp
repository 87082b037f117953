// Any text is an enrollment or a sentence about what is wrong with it; an enrollment comes back from its
// document.
#include <nlohmann/json.hpp>

#include "base/assert.hpp"
#include "hub/provisioning/documents.hpp"

using namespace fieldwatch;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    SeededRandom random(1);
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    for (const bool is_group : {false, true}) {
        const auto enrollment = hub::parse_enrollment(text, is_group, random);
        if (!enrollment) continue;
        const auto again = hub::enrollment_of(
            {.id = enrollment->id, .json = hub::document_of(*enrollment), .created = {}, .updated = {}},
            is_group);
        FIELDWATCH_ASSERT(again && again->keys.primary == enrollment->keys.primary &&
                          again->certificates == enrollment->certificates && again->hubs == enrollment->hubs);
        static_cast<void>(hub::to_json(*enrollment, hub::EnrollmentForm::Shown).dump());
    }
    return 0;
}
