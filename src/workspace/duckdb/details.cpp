#include "workspace/duckdb/details.hpp"

#include <simdjson.h>

#include "base/text.hpp"

namespace fieldwatch::workspace {
namespace {

namespace json = simdjson::ondemand;

/// nullopt also for a value that does not parse.
std::optional<std::string_view> text_of(json::value value) {
    json::json_type type;
    if (value.type().get(type)) return std::nullopt;
    std::string_view text;
    switch (type) {
        case json::json_type::null:
            return std::nullopt;
        case json::json_type::string:
            if (value.get_string().get(text)) return std::nullopt;
            return text;
        case json::json_type::object: {
            json::object object;
            if (value.get_object().get(object) || object.raw_json().get(text)) return std::nullopt;
            return trimmed(text);
        }
        case json::json_type::array: {
            json::array array;
            if (value.get_array().get(array) || array.raw_json().get(text)) return std::nullopt;
            return trimmed(text);
        }
        default:
            return trimmed(value.raw_json_token());
    }
}

}  // namespace

struct DetailReader::Parser {
    json::parser parser;
    std::string padded;
};

DetailReader::DetailReader(std::span<const DetailPath> paths)
    : parser_(std::make_unique<Parser>()), paths_(paths), values_(paths.size()) {}
DetailReader::~DetailReader() = default;

std::span<const std::optional<std::string_view>> DetailReader::read(std::string_view text) {
    for (auto& value : values_)
        value.reset();
    parser_->padded.assign(text);
    parser_->padded.append(simdjson::SIMDJSON_PADDING, ' ');
    json::document document;
    json::object object;
    if (parser_->parser.iterate(parser_->padded.data(), text.size(), parser_->padded.size()).get(document) ||
        document.get_object().get(object)) {
        return values_;
    }
    std::size_t missing = paths_.size();
    for (auto field : object) {
        std::string_view key;
        if (field.unescaped_key().get(key)) break;
        for (std::size_t i = 0; i < paths_.size(); ++i) {
            if (key != paths_[i].path || values_[i]) continue;
            values_[i] = text_of(field.value());
            if (values_[i]) --missing;
            break;
        }
        if (missing == 0) break;
    }
    return values_;
}

}  // namespace fieldwatch::workspace
