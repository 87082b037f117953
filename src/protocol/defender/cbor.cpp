#include "protocol/defender/cbor.hpp"

#include <bit>
#include <cmath>

#include "base/json_text.hpp"
#include "base/limits.hpp"

namespace fieldwatch::defender {

namespace {

enum Major : std::uint8_t { Unsigned, Negative, ByteString, Text, Array, Map, Tag, Simple };

constexpr std::uint8_t kIndefinite = 31;

/// IEEE 754 binary16, RFC 8949 appendix D.
double half(std::uint64_t bits) {
    const auto exponent = static_cast<int>(bits >> 10 & 31);
    const auto fraction = static_cast<double>(bits & 1'023);
    const double size = exponent == 0    ? std::ldexp(fraction, -24)
                        : exponent == 31 ? (fraction == 0 ? INFINITY : NAN)
                                         : std::ldexp(fraction + 1'024, exponent - 25);
    return (bits & 0x8000) != 0 ? -size : size;
}

class Converter {
  public:
    Converter(ByteView input, std::size_t json_bytes_max, std::string& out)
        : input_(input), json_bytes_max_(json_bytes_max), text_(out), json_(out) {}

    Result<void> item(std::size_t depth) {
        if (depth > limits::json_depth) return fail(Errc::TooLarge, "CBOR nested too deep");
        if (text_.size() > json_bytes_max_) return fail(Errc::TooLarge, "CBOR above its bound as text");
        const auto head = FIELDWATCH_TRY(read_head());
        switch (head.major) {
            case Unsigned:
                return number(head.value, false);
            case Negative:
                return number(head.value, true);
            case Text: {
                const auto value = FIELDWATCH_TRY(read_text(head));
                json_.string(value);
                return {};
            }
            case Array:
                json_.begin_array();
                FIELDWATCH_TRY(members(head, [&] { return item(depth + 1); }));
                json_.end_array();
                return {};
            case Map:
                json_.begin_object();
                FIELDWATCH_TRY(members(head, [&] { return pair(depth); }));
                json_.end_object();
                return {};
            case Tag:
                return item(depth + 1);
            case Simple:
                return simple(head);
            default:
                return fail(Errc::Malformed, "a CBOR byte string");
        }
    }

    bool is_done() const { return input_.empty(); }

  private:
    struct Head {
        std::uint8_t major = 0, info = 0;
        std::uint64_t value = 0;
        bool is_indefinite() const { return info == kIndefinite; }
    };

    Result<ByteView> take(std::uint64_t size) {
        if (size > input_.size()) return fail(Errc::Malformed, "CBOR that ends too early");
        const auto out = input_.first(static_cast<std::size_t>(size));
        input_ = input_.subspan(static_cast<std::size_t>(size));
        return out;
    }

    Result<void> pair(std::size_t depth) {
        const auto key = FIELDWATCH_TRY(read_head());
        if (key.major != Text) return fail(Errc::Malformed, "a CBOR map key that is no text");
        const auto name = FIELDWATCH_TRY(read_text(key));
        json_.key(name);
        return item(depth + 1);
    }

    Result<Head> read_head() {
        const auto first = std::to_integer<std::uint8_t>(FIELDWATCH_TRY(take(1))[0]);
        Head head{.major = static_cast<std::uint8_t>(first >> 5),
                  .info = static_cast<std::uint8_t>(first & 31)};
        if (head.info < 24) {
            head.value = head.info;
        } else if (head.info < 28) {
            for (const auto byte : FIELDWATCH_TRY(take(1u << (head.info - 24))))
                head.value = head.value << 8 | std::to_integer<std::uint8_t>(byte);
        } else if (head.info != kIndefinite || head.major < ByteString || head.major == Tag) {
            return fail(Errc::Malformed, "a CBOR length that there is not");
        }
        return head;
    }

    /// A text may come in chunks, each of a definite length.
    Result<std::string> read_text(const Head& head) {
        const auto chunk = [&](const Head& one) -> Result<std::string> {
            return std::string(as_text(FIELDWATCH_TRY(take(one.value))));
        };
        std::string out;
        if (!head.is_indefinite()) {
            out = FIELDWATCH_TRY(chunk(head));
        } else {
            while (!FIELDWATCH_TRY(take_break())) {
                const auto next = FIELDWATCH_TRY(read_head());
                if (next.major != Text || next.is_indefinite())
                    return fail(Errc::Malformed, "a CBOR text with a chunk that is none");
                out += FIELDWATCH_TRY(chunk(next));
            }
        }
        if (!is_utf8(out)) return fail(Errc::Malformed, "a CBOR text that is not UTF-8");
        return out;
    }

    Result<bool> take_break() {
        if (input_.empty()) return fail(Errc::Malformed, "CBOR that ends too early");
        if (input_[0] != std::byte{0xFF}) return false;
        input_ = input_.subspan(1);
        return true;
    }

    /// A member costs at least one byte, so that no length is believed beyond what is there.
    template <class Each>
    Result<void> members(const Head& head, Each each) {
        if (head.is_indefinite()) {
            while (!FIELDWATCH_TRY(take_break()))
                FIELDWATCH_TRY(each());
            return {};
        }
        if (head.value > input_.size()) return fail(Errc::Malformed, "CBOR that ends too early");
        for (std::uint64_t i = 0; i < head.value; ++i)
            FIELDWATCH_TRY(each());
        return {};
    }

    Result<void> number(std::uint64_t value, bool negative) {
        constexpr std::uint64_t kMax = INT64_MAX;
        if (value > kMax)
            json_.real(negative ? -1.0 - static_cast<double>(value) : static_cast<double>(value));
        else
            json_.integer(negative ? -1 - static_cast<std::int64_t>(value)
                                   : static_cast<std::int64_t>(value));
        return {};
    }

    Result<void> simple(const Head& head) {
        double value = 0;
        switch (head.info) {
            case 20:
            case 21:
                json_.boolean(head.info == 21);
                return {};
            case 22:
            case 23:
                json_.null();
                return {};
            case 25:
                value = half(head.value);
                break;
            case 26:
                value = std::bit_cast<float>(static_cast<std::uint32_t>(head.value));
                break;
            case 27:
                value = std::bit_cast<double>(head.value);
                break;
            default:
                return fail(Errc::Malformed, "a CBOR value that there is not");
        }
        if (!std::isfinite(value)) return fail(Errc::Malformed, "a number without finite value");
        json_.real(value);
        return {};
    }

    ByteView input_;
    std::size_t json_bytes_max_;
    std::string& text_;
    JsonWriter json_;
};

}  // namespace

Result<std::string> cbor_to_json(ByteView input, std::size_t json_bytes_max) {
    std::string out;
    Converter converter(input, json_bytes_max, out);
    FIELDWATCH_TRY(converter.item(0));
    if (!converter.is_done()) return fail(Errc::Malformed, "bytes behind the CBOR item");
    if (out.size() > json_bytes_max) return fail(Errc::TooLarge, "CBOR above its bound as text");
    return out;
}

CborWriter& CborWriter::head(std::uint8_t major, std::uint64_t value) {
    const auto put = [&](std::uint64_t byte) { out_.push_back(static_cast<std::byte>(byte)); };
    const int size = value < 24 ? 0 : value < 1u << 8 ? 1 : value < 1u << 16 ? 2 : value < 1ull << 32 ? 4 : 8;
    const std::uint8_t info = size == 0   ? static_cast<std::uint8_t>(value)
                              : size == 1 ? 24
                              : size == 2 ? 25
                              : size == 4 ? 26
                                          : 27;
    put(static_cast<std::uint64_t>(major) << 5 | info);
    for (int i = size - 1; i >= 0; --i)
        put(value >> (8 * i) & 0xFF);
    return *this;
}

CborWriter& CborWriter::begin_map(std::uint64_t members) {
    return head(Map, members);
}

CborWriter& CborWriter::text(std::string_view value) {
    head(Text, value.size());
    const auto bytes = as_bytes(value);
    out_.insert(out_.end(), bytes.begin(), bytes.end());
    return *this;
}

CborWriter& CborWriter::number(std::uint64_t value) {
    return head(Unsigned, value);
}

}  // namespace fieldwatch::defender
