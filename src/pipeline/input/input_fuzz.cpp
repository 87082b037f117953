// The first byte chooses the format; the rest are lines.
#include <cstddef>
#include <cstdint>

#include "pipeline/input/input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwatch::pipeline;
    if (size == 0) return 0;
    std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    const auto format = data[0] == 'r' ? InputFormat::Diagnostics : static_cast<InputFormat>(data[0] % 4);
    const auto reader = make_input_reader(format, {});
    const RecordSink sink = [](const fieldwatch::model::RecordView& record, std::uint64_t) {
        // What a reader hands over is what the pipeline bounds its own messages to, or close to it.
        if (record.body.size() > (8u << 20)) __builtin_trap();
    };
    std::uint64_t number = 0;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        guess_input_format(text.substr(0, end));
        reader->read(text.substr(0, end), ++number, sink);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    reader->finish(sink);
    return 0;
}
