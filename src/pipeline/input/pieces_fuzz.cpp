// Bytes of a file: unpacked, then cut. What comes out keeps its bounds, whatever comes in.
#include <cstddef>
#include <cstdint>
#include <sstream>

#include "base/assert.hpp"
#include "pipeline/input/input.hpp"
#include "pipeline/input/pieces.hpp"
#include "pipeline/input/text_source.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwatch::pipeline;
    std::istringstream file(std::string(reinterpret_cast<const char*>(data), size));
    TextSource source(file);
    std::istream text(&source);
    Pieces pieces(text, {.line_bytes_max = 100, .document_bytes_max = 200});
    std::uint64_t number = 0;
    // A small packed file may hold much; a million pieces tell nothing that a thousand do not.
    while (const auto piece = pieces.next()) {
        FIELDWATCH_ASSERT(piece->number == ++number);
        FIELDWATCH_ASSERT(piece->line > 0 && piece->text.size() <= 200);
        static_cast<void>(guess_input_format(piece->text));
        if (number == 1'000) break;
    }
    return 0;
}
