// Drives the C core with call orders and bytes of a stranger's choosing: it must never write what is not JSON
// when it says OK, and never write past the arena.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "fieldwatch/security_message.h"

namespace {

struct Input {
    const std::uint8_t* data;
    std::size_t size;
    std::uint8_t byte() { return size ? (--size, *data++) : 0; }
    std::string text() {
        const std::size_t length = std::min<std::size_t>(byte(), size);
        std::string out(reinterpret_cast<const char*>(data), length);
        data += length;
        size -= length;
        return out;
    }
};

const char* const kNames[] = {"Executable",  "ProcessId",     "ParentProcessId", "UserId",
                              "CommandLine", "Message",       "Severity",        "ThreadId",
                              "Queue",       "RemoteAddress", "Direction",       "Nonsense"};

void call(fieldwatch_encoder& encoder, Input& input) {
    const std::string id(36, 'a');
    const fieldwatch_event_header header{id.c_str(), input.byte() * 1'000'000'000LL, input.byte(),
                                         input.byte() & 1};
    const auto* const name = kNames[input.byte() % std::size(kNames)];
    switch (input.byte() % 9) {
        case 0:
            fieldwatch_message_begin(&encoder, "1", id.c_str());
            break;
        case 1:
            fieldwatch_event_begin(&encoder, static_cast<fieldwatch_kind>(input.byte() % 16), &header);
            break;
        case 2:
            fieldwatch_payload_begin(&encoder);
            break;
        case 3: {
            const auto text = input.text();
            fieldwatch_field_text(&encoder, name, text.data(), text.size());
            break;
        }
        case 4:
            fieldwatch_field_integer(&encoder, name, input.byte() - 128);
            break;
        case 5: {
            const auto key = input.text();
            const auto value = input.text();
            fieldwatch_extra_text(&encoder, key.c_str(), value.data(), value.size());
            break;
        }
        case 6:
            fieldwatch_payload_end(&encoder);
            break;
        case 7:
            fieldwatch_event_end(&encoder);
            break;
        default:
            fieldwatch_message_end(&encoder);
            break;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input{data, size};
    static char room[8192];
    fieldwatch_arena arena{room, sizeof room, 0};
    fieldwatch_encoder encoder;
    fieldwatch_encoder_init(&encoder, fieldwatch_arena_write, &arena, 0);
    for (int calls = 0; input.size && calls < 300; ++calls)
        call(encoder, input);
    // Close whatever is open; if all went well, the output must be one JSON document.
    fieldwatch_payload_end(&encoder);
    const bool was_ok = fieldwatch_encoder_status(&encoder) == FIELDWATCH_OK;
    if (was_ok) {
        fieldwatch_event_end(&encoder);
        if (encoder.in_message) fieldwatch_message_end(&encoder);
    }
    if (fieldwatch_encoder_status(&encoder) == FIELDWATCH_OK && arena.size &&
        nlohmann::json::parse(room, room + arena.size, nullptr, false).is_discarded()) {
        std::abort();
    }
    return 0;
}
