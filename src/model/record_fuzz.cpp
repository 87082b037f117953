// Any bytes are a record or an error; what decodes has one byte form, the one that was read.
#include <algorithm>
#include <cstdint>

#include "base/assert.hpp"
#include "model/record.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwatch;
    const ByteView input(reinterpret_cast<const std::byte*>(data), size);
    const auto view = model::decode_record(input);
    if (!view) return 0;
    model::Record record{
        .kind = view->kind,
        .received = view->received,
        .sender = {{std::string(view->hub)}, {std::string(view->device)}, {std::string(view->module)}},
        .properties = {},
        .body = std::string(view->body)};
    for (const auto& [name, value] : view->properties)
        record.properties.emplace_back(name, value);
    FIELDWATCH_ASSERT(std::ranges::equal(model::encode(record), input));
    return 0;
}
