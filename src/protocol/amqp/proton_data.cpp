#include "protocol/amqp/proton_data.hpp"

#include <proton/disposition.h>

#include <algorithm>

namespace fieldwatch::amqp {

namespace {
constexpr ssize_t kBytesMax = 65'536;  // one frame holds an attach whole
}

Value value_of(pn_data_t* data) {
    if (data == nullptr || pn_data_size(data) == 0) return {};
    pn_data_rewind(data);
    const auto size = pn_data_encoded_size(data);
    if (size <= 0 || size > kBytesMax) return {};
    Bytes bytes(static_cast<std::size_t>(size));
    if (pn_data_encode(data, reinterpret_cast<char*>(bytes.data()), bytes.size()) < 0) return {};
    ByteView input(bytes);
    auto value = decode_value(input);
    return value ? std::move(*value) : Value{};
}

bool has_symbol(const Value& value, std::string_view symbol) {
    if (value.is_text()) return value.text == symbol;
    return std::any_of(value.items.begin(), value.items.end(),
                       [&](const Value& item) { return item.text == symbol; });
}

std::string text_of(const char* text) {
    return text == nullptr ? std::string() : std::string(text);
}

Condition condition_of(pn_condition_t* condition) {
    return {.name = text_of(pn_condition_get_name(condition)),
            .description = text_of(pn_condition_get_description(condition))};
}

void set_condition(pn_condition_t* to, const Condition& condition) {
    if (condition.name.empty()) return;
    pn_condition_set_name(to, condition.name.c_str());
    pn_condition_set_description(to, condition.description.c_str());
}

std::uint64_t disposition_of(Outcome outcome) {
    switch (outcome) {
        case Outcome::Accepted:
            return PN_ACCEPTED;
        case Outcome::Rejected:
            return PN_REJECTED;
        case Outcome::Released:
            return PN_RELEASED;
        case Outcome::Modified:
            return PN_MODIFIED;
    }
    return PN_REJECTED;
}

}  // namespace fieldwatch::amqp
