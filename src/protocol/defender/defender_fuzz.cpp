// Any bytes are a report or an error, in either format; what is CBOR is JSON.
#include "base/assert.hpp"
#include "protocol/defender/cbor.hpp"
#include "protocol/defender/report.hpp"
#include "protocol/json/json.hpp"

using namespace fieldwatch;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView input(reinterpret_cast<const std::byte*>(data), size);
    std::optional<std::int64_t> id;
    for (const auto format : {defender::Format::Json, defender::Format::Cbor}) {
        const auto report = defender::parse_report(input, format, id);
        FIELDWATCH_ASSERT(!report || (id && *id == report->id && report->id > 0));
    }
    if (const auto text = defender::cbor_to_json(input, 1u << 20)) {
        json::Reader reader;
        const auto value = reader.parse(*text, {.bytes_max = 1u << 20, .depth_max = 64});
        // A key that occurs twice is the one thing that CBOR can say and our JSON cannot.
        FIELDWATCH_ASSERT(value || value.error().code == Errc::Malformed);
    }
    return 0;
}
