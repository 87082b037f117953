#include "agent/dns_names.hpp"

#include <algorithm>
#include <iterator>
#include <optional>

namespace fieldwatch::agent {

namespace {

constexpr std::size_t kHeadBytes = 12;
constexpr std::size_t kNameBytesMax = 253;  // RFC 1035 section 2.3.4, less the dots at its end
constexpr unsigned kAnswersMax = 64;
constexpr unsigned kTypeA = 1, kTypeAaaa = 28, kClassInternet = 1;

/// Bytes from the front; once there are too few, all that follows is nothing.
class Reader {
  public:
    explicit Reader(ByteView bytes) : rest_(bytes) {}

    std::optional<ByteView> take(std::size_t size) {
        if (size > rest_.size()) {
            rest_ = {};
            return std::nullopt;
        }
        const auto taken = rest_.first(size);
        rest_ = rest_.subspan(size);
        return taken;
    }
    std::optional<unsigned> number(std::size_t size) {
        const auto bytes = take(size);
        if (!bytes) return std::nullopt;
        unsigned out = 0;
        for (const auto byte : *bytes)
            out = out << 8 | std::to_integer<unsigned>(byte);
        return out;
    }

  private:
    ByteView rest_;
};

std::optional<char> host_character(std::byte byte) {
    const auto c = std::to_integer<char>(byte);
    if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
    const bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    return good ? std::optional(c) : std::nullopt;
}

/// A name written out, as questions have it; nothing for one that refers elsewhere or that no host has.
std::optional<std::string> read_name(Reader& reader) {
    std::string out;
    for (;;) {
        const auto size = reader.number(1);
        if (!size || *size > 63) return std::nullopt;
        if (*size == 0) break;
        const auto label = reader.take(*size);
        if (!label) return std::nullopt;
        if (!out.empty()) out.push_back('.');
        for (const auto byte : *label) {
            const auto c = host_character(byte);
            if (!c) return std::nullopt;
            out.push_back(*c);
        }
        if (out.size() > kNameBytesMax) return std::nullopt;
    }
    if (out.empty()) return std::nullopt;
    return out;
}

/// False where it does not end.
bool skip_name(Reader& reader) {
    for (std::size_t bytes = 0; bytes <= kNameBytesMax + 2;) {
        const auto size = reader.number(1);
        if (!size) return false;
        if (*size >= 0xc0) return reader.take(1).has_value();  // a reference ends it
        if (*size > 63) return false;
        if (*size == 0) return true;
        if (!reader.take(*size)) return false;
        bytes += *size + 1;
    }
    return false;
}

/// The address's bytes; an IPv4 address as a socket of IPv6 has it is one of IPv4.
std::string_view key_of(const std::uint8_t* address, std::uint8_t family) {
    static constexpr std::uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    const std::string_view bytes(reinterpret_cast<const char*>(address), family == 4 ? 4 : 16);
    const bool is_mapped = family != 4 && std::equal(std::begin(kMapped), std::end(kMapped), address);
    return is_mapped ? bytes.substr(sizeof kMapped) : bytes;
}

}  // namespace

std::string_view DnsNames::of(const std::uint8_t* address, std::uint8_t family) const {
    const auto* const name = names_.peek(key_of(address, family));
    return name ? std::string_view(*name) : std::string_view();
}

void DnsNames::take(ByteView answer) {
    if (answer.size() < kHeadBytes) return;
    const auto byte = [&](std::size_t at) { return std::to_integer<unsigned>(answer[at]); };
    const bool is_good_answer = (byte(2) & 0xf8) == 0x80 && (byte(3) & 0x0f) == 0;
    const auto questions = byte(4) << 8 | byte(5);
    const auto answers = std::min(byte(6) << 8 | byte(7), kAnswersMax);
    if (!is_good_answer || questions != 1) return;
    Reader reader(answer.subspan(kHeadBytes));
    const auto name = read_name(reader);
    if (!name || !reader.take(4)) return;
    for (unsigned i = 0; i < answers && skip_name(reader); ++i) {
        const auto type = reader.number(2);
        const auto of_class = reader.number(2);
        (void)reader.take(4);  // how long it may be kept: the connection was made with it, however old
        const auto size = reader.number(2);
        const auto data = size ? reader.take(*size) : std::nullopt;
        if (!data) return;
        const bool is_address = (*type == kTypeA && *size == 4) || (*type == kTypeAaaa && *size == 16);
        if (*of_class != kClassInternet || !is_address) continue;
        const auto* const address = reinterpret_cast<const std::uint8_t*>(data->data());
        names_.get(key_of(address, *type == kTypeA ? 4 : 6)) = *name;
    }
}

}  // namespace fieldwatch::agent
