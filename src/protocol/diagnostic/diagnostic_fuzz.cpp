// Any lines become records whose bodies are JSON again, or refusals; a splitter never loses count.
#include "base/assert.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "protocol/diagnostic/records.hpp"

using namespace fieldwatch;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    diagnostic::RecordReader reader;
    diagnostic::DocumentSplitter splitter;
    json::Reader again;
    const diagnostic::Take take{
        .record =
            [&](const diagnostic::Record& record) {
                FIELDWATCH_ASSERT(record.body.size() <= limits::message_bytes);
                // What was joined from two places can name a member twice; nothing else can be wrong with it.
                const auto body =
                    again.parse(record.body, {.bytes_max = limits::message_bytes, .depth_max = 64});
                FIELDWATCH_ASSERT(body || body.error().code == Errc::Malformed);
            },
        .refused = [](const diagnostic::Refusal& refusal) { FIELDWATCH_ASSERT(!refusal.why.empty()); },
        .mask = [](std::string_view) { return std::string("x"); }};
    std::uint64_t number = 0;
    each_line(text, [&](std::string_view line) {
        static_cast<void>(splitter.add(line, ++number, [&](std::string_view document, std::uint64_t first) {
            FIELDWATCH_ASSERT(first > 0 && first <= number);
            static_cast<void>(reader.read(document, take));
        }));
    });
    return 0;
}
