// Any bytes of a feed's server are a page, a manifest, an event, or an error with a sentence; and what is
// kept of them is read again.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.hpp"
#include "detect/intel/indicator.hpp"
#include "feed/misp_feed.hpp"
#include "feed/taxii.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwatch;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    feed::StixObjects objects;
    if (const auto page = objects.take(text); !page) FIELDWATCH_ASSERT(!page.error().message.empty());
    const auto bundle = objects.bundle(Timestamp::from_unix_seconds(1'800'000'000));
    FIELDWATCH_ASSERT(bundle && feed::StixObjects().take(*bundle));
    const auto manifest = feed::parse_manifest(text);
    auto events = feed::MispEvents::of(text);
    const std::string uuid = "11111111-1111-4111-8111-111111111111";
    static_cast<void>(events.take(uuid, "1", text));
    if (manifest) events.keep_only(*manifest);
    const auto kept = events.text();
    FIELDWATCH_ASSERT(kept && feed::MispEvents::of(*kept).size() == events.size());
    FIELDWATCH_ASSERT(detect::parse_indicators("feed", *kept));
    return 0;
}
