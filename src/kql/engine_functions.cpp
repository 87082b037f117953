#include "kql/engine_functions.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <set>
#include <vector>

#include <fmt/format.h>
#include <xxhash.h>
#include <nlohmann/json.hpp>

#include "base/ip_address.hpp"
#include "base/unicode.hpp"
#include "kql/kql.hpp"
#include "kql/series_math.hpp"
#include "kql/xml.hpp"

namespace fieldwatch::kql {
namespace {

template <class Number>
std::optional<Number> number_of(std::string_view text) {
    Number value{};
    const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
    if (end.ec != std::errc{} || end.ptr != text.data() + text.size()) return std::nullopt;
    return value;
}

std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> words;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find(' ', at), text.size());
        words.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return words;
}

/// xxHash64 of `s` and a text, `l` and a whole number, or `r` and a real: of the text's bytes, or of the
/// eight bytes of the number, the lowest first.
std::optional<std::string> hash(std::string_view argument) {
    static_assert(std::endian::native == std::endian::little);
    if (argument.empty()) return std::nullopt;
    const auto text = argument.substr(1);
    std::uint64_t bytes = 0;
    if (argument[0] == 'l') {
        const auto value = number_of<std::int64_t>(text);
        if (!value) return std::nullopt;
        bytes = std::bit_cast<std::uint64_t>(*value);
    } else if (argument[0] == 'r') {
        const auto value = number_of<double>(text);
        if (!value) return std::nullopt;
        bytes = std::bit_cast<std::uint64_t>(*value);
    }
    const auto digest =
        argument[0] == 's' ? XXH64(text.data(), text.size(), 0) : XXH64(&bytes, sizeof bytes, 0);
    return std::to_string(std::bit_cast<std::int64_t>(digest));
}

constexpr std::size_t kJsonDepthMax = 200;  // what works on the values calls itself at each level

bool is_too_deep(std::string_view json) {
    std::size_t depth = 0;
    bool quoted = false;
    for (std::size_t at = 0; at < json.size(); ++at) {
        const char c = json[at];
        if (quoted && c == '\\')
            ++at;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '[' || c == '{') && ++depth > kJsonDepthMax)
            return true;
        else if (!quoted && (c == ']' || c == '}') && depth > 0)
            --depth;
    }
    return false;
}

/// nullopt where it is no JSON, or nested too deeply.
template <class Json>
std::optional<Json> json_value(std::string_view text) {
    if (is_too_deep(text)) return std::nullopt;
    auto value = Json::parse(text, nullptr, false);
    if (value.is_discarded()) return std::nullopt;
    return value;
}

/// A JSON text with the names of each bag in order.
std::optional<std::string> sorted_json(std::string_view text) {
    const auto value = json_value<nlohmann::json>(text);
    if (!value) return std::nullopt;
    return value->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

using Schema = nlohmann::ordered_json;

void merge_schema(Schema& schema, const Schema& value);

/// The schema of one name: one form, or a list of those that came.
void add_form(Schema& forms, const Schema& value) {
    const auto same_kind = [&](const Schema& form) { return form.is_object() == value.is_object(); };
    if (forms.is_null()) {
        forms = value;
    } else if (!forms.is_array()) {
        if (forms == value) return;
        if (forms.is_object() && value.is_object()) return merge_schema(forms, value);
        forms = Schema::array({forms, value});
    } else if (value.is_object()) {
        const auto there = std::ranges::find_if(forms, same_kind);
        if (there == forms.end()) return forms.push_back(value);
        merge_schema(*there, value);
    } else if (std::ranges::find(forms, value) == forms.end()) {
        forms.push_back(value);
    }
}

void merge_schema(Schema& schema, const Schema& value) {
    for (const auto& [name, form] : value.items()) {
        for (const auto& one : form.is_array() ? form : Schema::array({form}))
            add_form(schema[name], one);
    }
}

Schema schema_of(const Schema& value) {
    if (value.is_boolean()) return "bool";
    if (value.is_number_integer()) return "long";
    if (value.is_number()) return "double";
    if (value.is_string()) return "string";
    Schema schema = Schema::object();
    for (const auto& [name, member] : value.items()) {
        if (!member.is_null()) add_form(schema[value.is_array() ? "`indexer`" : name], schema_of(member));
    }
    return schema;
}

/// Of an array of values, the least schema that admits all of them.
std::optional<std::string> json_schema(std::string_view text) {
    const auto values = json_value<Schema>(text);
    if (!values || !values->is_array()) return std::nullopt;
    Schema schema;
    for (const auto& value : *values) {
        if (!value.is_null()) add_form(schema, schema_of(value));
    }
    return schema.dump(-1, ' ', false, Schema::error_handler_t::replace);
}

/// The greatest distances from a session's first value and from the value before, then the values in their
/// order, `-` for null; as an array what their sessions begin with.
std::optional<std::string> sessions(std::string_view argument) {
    const auto words = words_of(argument);
    if (words.size() < 2) return std::nullopt;
    const auto from_first = number_of<std::int64_t>(words[0]), between = number_of<std::int64_t>(words[1]);
    if (!from_first || !between) return std::nullopt;
    std::optional<__int128> first, before;
    std::string out = "[";
    for (const auto word : std::span(words).subspan(2)) {
        const auto value = number_of<std::int64_t>(word);
        const bool starts =
            !value || !first || !before || *value >= *first + *from_first || *value >= *before + *between;
        if (starts) first = value;
        before = value;
        out += (out.size() > 1 ? "," : "") +
               (first ? std::to_string(static_cast<std::int64_t>(*first)) : std::string("null"));
    }
    return out + "]";
}

/// Longitude, latitude and number of characters: bits of both in turn, five a character.
std::optional<std::string> geohash(std::string_view argument) {
    constexpr std::string_view kCharacters = "0123456789bcdefghjkmnpqrstuvwxyz";
    const auto words = words_of(argument);
    if (words.size() != 3) return std::nullopt;
    const auto longitude = number_of<double>(words[0]), latitude = number_of<double>(words[1]);
    const auto length = number_of<int>(words[2]);
    if (!longitude || !latitude || !length || *length < 1 || *length > 18) return std::nullopt;
    if (!(std::abs(*longitude) <= 180 && std::abs(*latitude) <= 90)) return std::nullopt;
    double low[] = {-180, -90}, high[] = {180, 90};
    const double wanted[] = {*longitude, *latitude};
    std::string out;
    unsigned bits = 0;
    for (int bit = 0; bit < *length * 5; ++bit) {
        const int axis = bit % 2;
        const auto middle = (low[axis] + high[axis]) / 2;
        const bool upper = wanted[axis] >= middle;
        (upper ? low : high)[axis] = middle;
        bits = bits << 1 | static_cast<unsigned>(upper);
        if (bit % 5 == 4) out.push_back(kCharacters[bits & 31]);
    }
    return out;
}

/// Adds the paths of a value's members that are not there yet; the elements of an array share one.
void add_paths(const Schema& value, const std::string& path, std::set<std::string>& seen, Schema& out) {
    for (const auto& [name, member] : value.items()) {
        const auto place = value.is_object() ? fmt::format("{}['{}']", path, name) : path + "[0]";
        if (seen.insert(place).second) out.push_back(place);
        if (member.is_structured()) add_paths(member, place, seen, out);
    }
}

std::optional<std::string> tree_paths(std::string_view text) {
    const auto value = json_value<Schema>(text);
    if (!value || !value->is_structured()) return std::nullopt;
    Schema out = Schema::array();
    std::set<std::string> seen;
    add_paths(*value, "", seen, out);
    return out.dump(-1, ' ', false, Schema::error_handler_t::replace);
}

/// Two addresses: the fewest networks that hold what lies between them.
std::optional<std::string> ipv4_networks(std::string_view argument) {
    const auto words = words_of(argument);
    if (words.size() != 2) return std::nullopt;
    const auto from = parse_ip(words[0]), to = parse_ip(words[1]);
    if (!from || !to || !from->is_v4 || !to->is_v4 || to->v4() < from->v4()) return std::nullopt;
    const std::uint64_t last = to->v4();
    std::string out = "[";
    for (std::uint64_t at = from->v4(); at <= last;) {
        int free_bits = at == 0 ? 32 : std::min(std::countr_zero(at), 32);
        while (at + (std::uint64_t{1} << free_bits) - 1 > last)
            --free_bits;
        out += fmt::format("{}\"{}.{}.{}.{}/{}\"", out.size() > 1 ? "," : "", at >> 24, at >> 16 & 255,
                           at >> 8 & 255, at & 255, 32 - free_bits);
        at += std::uint64_t{1} << free_bits;
    }
    return out + "]";
}

constexpr std::size_t kPunycodeBytesMax = 4096;

/// Of a text in UTF-8; none, or over 4 KiB: null.
std::optional<std::string> punycode_of(std::string_view text) {
    if (text.size() > kPunycodeBytesMax) return std::nullopt;
    const auto points = code_points(text);
    return points ? std::optional(to_punycode(*points)) : std::nullopt;
}

/// The text that punycode_of() was given.
std::optional<std::string> text_of_punycode(std::string_view text) {
    if (text.size() > kPunycodeBytesMax) return std::nullopt;
    const auto points = from_punycode(text);
    if (!points) return std::nullopt;
    std::string out;
    for (const auto point : *points)
        append_utf8(out, point);
    return out;
}

constexpr EngineFunction kFunctions[] = {{"kql_hash", hash},
                                         {"kql_xml", xml_to_json},
                                         {"kql_sorted_json", sorted_json},
                                         {"kql_json_schema", json_schema},
                                         {"kql_sessions", sessions},
                                         {"kql_geohash", geohash},
                                         {"kql_tree_paths", tree_paths},
                                         {"kql_ipv4_networks", ipv4_networks},
                                         {"kql_to_punycode", punycode_of},
                                         {"kql_from_punycode", text_of_punycode},
                                         {"kql_fourier", fourier_transform},
                                         {"kql_polynomial", fitted_polynomial}};

}  // namespace

std::span<const EngineFunction> engine_functions() {
    return kFunctions;
}

const char* Room::take(std::uint64_t bytes) {
    constexpr std::uint64_t kOneMax = 16u << 20, kTogetherMax = 64u << 20;
    if (bytes > kOneMax) return kTooLong.data();
    taken_ += bytes;
    return taken_ > kTogetherMax ? kTooMuch.data() : nullptr;
}

}  // namespace fieldwatch::kql
