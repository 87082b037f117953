#include "base/printable.hpp"

namespace fieldwatch {

namespace {

void append_escaped(std::string& out, unsigned char byte) {
    static constexpr char kDigits[] = "0123456789abcdef";
    out.append({'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]});
}

}  // namespace

std::string printable(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
        if (byte == 0xc2 && next >= 0x80 && next < 0xa0) {  // U+0080 to U+009F
            append_escaped(out, byte);
            append_escaped(out, static_cast<unsigned char>(next));
            ++i;
        } else if (byte < 0x20 || byte == 0x7f) {
            append_escaped(out, byte);
        } else {
            out.push_back(text[i]);
        }
    }
    return out;
}

}  // namespace fieldwatch
