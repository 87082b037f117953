#include "protocol/json/json.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <vector>

#include "base/json_text.hpp"

namespace fieldwatch::json {

namespace {
/// Objects up to this size are searched pairwise for duplicates, larger ones by sorting.
constexpr std::size_t kPairwiseMax = 24;
}  // namespace

std::string_view to_string(Type type) {
    switch (type) {
        case Type::Null:
            return "null";
        case Type::Boolean:
            return "a boolean";
        case Type::Integer:
        case Type::Real:
            return "a number";
        case Type::String:
            return "a string";
        case Type::Array:
            return "an array";
        case Type::Object:
            return "an object";
    }
    return "a value";
}

const Value* Value::find(std::string_view key) const {
    for (const auto& member : members) {
        if (member.key == key) return &member.value;
    }
    return nullptr;
}

std::string_view Value::text_of(std::string_view key) const {
    const auto* const value = find(key);
    return value != nullptr && value->type == Type::String ? value->text : std::string_view{};
}

void append_pointer(std::string& pointer, std::string_view key) {
    pointer += '/';
    for (const char c : key) {
        if (c == '~') {
            pointer += "~0";
        } else if (c == '/') {
            pointer += "~1";
        } else {
            pointer += c;
        }
    }
}

/// Turns simdjson's tape into our tree; keeps the path only for errors.
struct Reader::Parser {
    simdjson::dom::parser dom;
    Arena arena;
    std::size_t depth_max = 0;
    std::vector<std::string_view> sorted;

    Result<void> convert(simdjson::dom::element from, Value& to, std::size_t depth) {
        using simdjson::dom::element_type;
        switch (from.type()) {
            case element_type::STRING:
                to.type = Type::String;
                to.text = from.get_string().value_unsafe();
                return {};
            case element_type::INT64:
                to.type = Type::Integer;
                to.integer = from.get_int64().value_unsafe();
                to.real = static_cast<double>(to.integer);
                return {};
            case element_type::UINT64:  // simdjson uses it only above 2^63 - 1
                to.type = Type::Real;
                to.real = static_cast<double>(from.get_uint64().value_unsafe());
                return {};
            case element_type::DOUBLE:
                to.type = Type::Real;
                to.real = from.get_double().value_unsafe();
                return {};
            case element_type::BOOL:
                to.type = Type::Boolean;
                to.boolean = from.get_bool().value_unsafe();
                return {};
            case element_type::NULL_VALUE:
                return {};
            case element_type::ARRAY:
                return convert_array(from, to, depth + 1);
            case element_type::OBJECT:
                return convert_object(from, to, depth + 1);
        }
        return fail(Errc::Internal, "a JSON element of unknown type");
    }

    Result<void> convert_array(simdjson::dom::element from, Value& to, std::size_t depth) {
        if (depth > depth_max) return too_deep();
        const simdjson::dom::array array = from.get_array().value_unsafe();
        to.type = Type::Array;
        const auto values = arena.allocate<Value>(count_of(array));
        std::size_t index = 0;
        for (const auto element : array) {
            if (auto done = convert(element, values[index], depth); !done)
                return at(fmt::format("/{}", index), std::move(done));
            ++index;
        }
        to.elements = values;
        return {};
    }

    Result<void> convert_object(simdjson::dom::element from, Value& to, std::size_t depth) {
        if (depth > depth_max) return too_deep();
        const simdjson::dom::object object = from.get_object().value_unsafe();
        to.type = Type::Object;
        const auto members = arena.allocate<Member>(count_of(object));
        std::size_t index = 0;
        for (const auto field : object) {
            members[index].key = field.key;
            if (auto done = convert(field.value, members[index].value, depth); !done) {
                std::string pointer;
                append_pointer(pointer, field.key);
                return at(pointer, std::move(done));
            }
            ++index;
        }
        to.members = members;
        return refuse_duplicates(members);
    }

    Result<void> refuse_duplicates(std::span<const Member> members) {
        if (members.size() <= kPairwiseMax) {
            for (std::size_t i = 1; i < members.size(); ++i) {
                for (std::size_t k = 0; k < i; ++k) {
                    if (members[i].key == members[k].key) return duplicate(members[i].key);
                }
            }
            return {};
        }
        sorted.clear();
        for (const auto& member : members)
            sorted.push_back(member.key);
        std::sort(sorted.begin(), sorted.end());
        const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
        return twice == sorted.end() ? Result<void>{} : duplicate(*twice);
    }

    static Result<void> duplicate(std::string_view key) {
        std::string pointer;
        append_pointer(pointer, key.substr(0, 100));
        return fail(Errc::Malformed, pointer + ": this key occurs twice in its object");
    }
    Result<void> too_deep() const {
        return fail(Errc::TooLarge, fmt::format(": nested deeper than {} levels", depth_max));
    }
    /// Puts the place in front of the pointer that an inner level began.
    static Result<void> at(std::string_view pointer, Result<void> done) {
        if (done.error().message.size() < 1'000) done.error().message.insert(0, pointer);
        return done;
    }
    template <class Container>
    static std::size_t count_of(const Container& container) {
        // The tape holds sizes up to 2^24 - 1, which `bytes_max` keeps us under.
        return container.size();
    }
};

Reader::Reader() : parser_(std::make_unique<Parser>()) {}
Reader::~Reader() = default;
Reader::Reader(Reader&&) noexcept = default;
Reader& Reader::operator=(Reader&&) noexcept = default;

Result<const Value*> Reader::parse(std::string_view text, Bounds bounds) {
    if (text.size() > bounds.bytes_max || text.size() >= (1u << 24)) {
        return fail(Errc::TooLarge, fmt::format("{} bytes of JSON; at most {} are allowed", text.size(),
                                                std::min<std::size_t>(bounds.bytes_max, (1u << 24) - 1)));
    }
    auto& parser = *parser_;
    parser.arena.reset();
    parser.depth_max = bounds.depth_max;
    if (text.empty()) return fail(Errc::Malformed, "an empty text is not JSON");
    simdjson::dom::element root;
    if (const auto error = parser.dom.parse(text.data(), text.size()).get(root)) {
        const auto code = error == simdjson::DEPTH_ERROR ? Errc::TooLarge : Errc::Malformed;
        return fail(code, fmt::format("not JSON: {}", simdjson::error_message(error)));
    }
    const auto value = parser.arena.allocate<Value>(1);
    FIELDWATCH_TRY(parser.convert(root, value[0], 0));
    return &value[0];
}

namespace {
void write(JsonWriter& out, const Value& value) {
    switch (value.type) {
        case Type::Null:
            out.null();
            return;
        case Type::Boolean:
            out.boolean(value.boolean);
            return;
        case Type::Integer:
            out.integer(value.integer);
            return;
        case Type::Real:
            out.real(value.real);
            return;
        case Type::String:
            out.string(value.text);
            return;
        case Type::Array:
            out.begin_array();
            for (const auto& element : value.elements)
                write(out, element);
            out.end_array();
            return;
        case Type::Object:
            out.begin_object();
            for (const auto& [key, member] : value.members)
                write(out.key(key), member);
            out.end_object();
            return;
    }
}
}  // namespace

void append(std::string& out, const Value& value) {
    JsonWriter writer(out);
    write(writer, value);
}

}  // namespace fieldwatch::json
