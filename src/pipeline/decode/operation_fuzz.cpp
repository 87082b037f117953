// Operation, control-plane and recorded Sigma events from any bytes.
#include <cstdint>
#include <cstdlib>

#include "pipeline/decode/operation.hpp"
#include "protocol/json/json.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwatch;
    static pipeline::OperationDecoder decoder;
    static json::Reader reader;
    const model::RecordView record{.kind = model::RecordKind::Operation,
                                   .received = Timestamp::from_unix_seconds(1'800'000'000),
                                   .hub = "h",
                                   .device = {},
                                   .module = {},
                                   .properties = {},
                                   .body = {reinterpret_cast<const char*>(data), size}};
    if (const auto decoded = decoder.decode_operation(record, {})) {
        for (const auto& operation : *decoded) {
            if (!reader.parse(operation.row.properties_json, {.bytes_max = 8u << 20, .depth_max = 17}))
                std::abort();
            if (operation.event.time > record.received) std::abort();
        }
    }
    static_cast<void>(decoder.decode_control_plane(record, {}));
    static_cast<void>(decoder.decode_sigma_event(record, {}));
    return 0;
}
