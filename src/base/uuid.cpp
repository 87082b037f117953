#include "base/uuid.hpp"

#include <algorithm>

#include "base/hash.hpp"

namespace fieldwatch {

std::string Uuid::text() const {
    const auto digits = hex(std::as_bytes(std::span(bytes)));
    return digits.substr(0, 8) + "-" + digits.substr(8, 4) + "-" + digits.substr(12, 4) + "-" +
           digits.substr(16, 4) + "-" + digits.substr(20);
}

Uuid Uuid::random(Random& random) {
    Uuid out;
    random.fill(std::as_writable_bytes(std::span(out.bytes)));
    out.bytes[6] = static_cast<std::uint8_t>((out.bytes[6] & 0x0F) | 0x40);
    out.bytes[8] = static_cast<std::uint8_t>((out.bytes[8] & 0x3F) | 0x80);
    return out;
}

Uuid Uuid::named(const Uuid& name_space, std::string_view name) {
    Bytes input;
    ByteWriter writer(input);
    writer.bytes(std::as_bytes(std::span(name_space.bytes)));
    writer.bytes(as_bytes(name));
    const auto digest = sha1(input);
    Uuid out;
    std::transform(digest.begin(), digest.begin() + 16, out.bytes.begin(),
                   [](std::byte byte) { return std::to_integer<std::uint8_t>(byte); });
    out.bytes[6] = static_cast<std::uint8_t>((out.bytes[6] & 0x0F) | 0x50);
    out.bytes[8] = static_cast<std::uint8_t>((out.bytes[8] & 0x3F) | 0x80);
    return out;
}

Result<Uuid> Uuid::parse(std::string_view text) {
    const auto malformed = [] {
        return fail(Errc::Malformed, "a UUID is 32 hexadecimal digits written 8-4-4-4-12");
    };
    if (text.size() != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-')
        return malformed();
    std::string digits;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (i != 8 && i != 13 && i != 18 && i != 23) digits += text[i];
    }
    const auto bytes = from_hex(digits);
    if (!bytes) return malformed();
    Uuid out;
    std::transform(bytes->begin(), bytes->end(), out.bytes.begin(),
                   [](std::byte byte) { return std::to_integer<std::uint8_t>(byte); });
    return out;
}

}  // namespace fieldwatch
