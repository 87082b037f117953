// Any bytes end in events and refusals, never in anything else; what is stored of an accepted event is JSON
// again.
#include <cstdint>
#include <cstdlib>

#include "pipeline/decode/security_message.hpp"
#include "protocol/json/json.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwatch;
    static pipeline::SecurityMessageDecoder decoder;
    static json::Reader reader;
    const model::RecordView record{.kind = model::RecordKind::SecurityMessage,
                                   .received = Timestamp::from_unix_seconds(1'800'000'000),
                                   .hub = "h",
                                   .device = "d",
                                   .module = "m",
                                   .properties = {},
                                   .body = {reinterpret_cast<const char*>(data), size}};
    for (const bool strict : {false, true}) {
        const auto& decoded = decoder.decode(record, {}, {.strict = strict, .whole_message = false});
        for (const auto& event : decoded.events) {
            for (const auto& item : event.items) {
                if (!reader.parse(item.details_json, {.bytes_max = 8u << 20, .depth_max = 17})) std::abort();
            }
            if (event.items.empty() && !reader.parse(event.details_json)) std::abort();
        }
        if (decoded.events.empty() && decoded.refusals.empty() && decoded.benign == 0) std::abort();
    }
    return 0;
}
