#include "registry/twin_document.hpp"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "base/limits.hpp"

namespace fieldwatch::registry {

namespace {

using Json = nlohmann::json;

// spec/iot-hub-protocols.md section 7.4.
constexpr std::int64_t kIntegerMax = 4'503'599'627'370'495;
constexpr std::int64_t kIntegerMin = -4'503'599'627'370'496;

/// Nesting of the raw text, so that no recursion ever meets a deep document.
std::size_t nesting(std::string_view text) {
    std::size_t depth = 0;
    std::size_t deepest = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\') ++i;
            if (c == '"') in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            deepest = std::max(deepest, ++depth);
        } else if ((c == '}' || c == ']') && depth > 0) {
            --depth;
        }
    }
    return deepest;
}

Result<void> check_name(const std::string& name) {
    if (name.empty() || name.size() > kTwinNameBytes) {
        return fail(Errc::InvalidArgument, "a twin member's name has 1 to 1024 bytes");
    }
    const bool bad = std::any_of(name.begin(), name.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '.' || c == '$' || c == ' ';
    });
    if (bad) {
        return fail(Errc::InvalidArgument,
                    "the twin member \"" + name + "\" holds a control character, a space, '.' or '$'");
    }
    return {};
}

/// Checks names and values, and counts as IoT Hub does: names and strings by their bytes, numbers 8,
/// booleans 4. Depth is bounded by nesting().
Result<std::size_t> counted_bytes(const Json& value) {
    std::size_t sum = 0;
    if (value.is_object()) {
        for (const auto& [name, member] : value.items()) {
            FIELDWATCH_TRY(check_name(name));
            sum += name.size() + FIELDWATCH_TRY(counted_bytes(member));
        }
    } else if (value.is_array()) {
        for (const auto& item : value)
            sum += FIELDWATCH_TRY(counted_bytes(item));
    } else if (value.is_string()) {
        sum = value.get_ref<const std::string&>().size();
        if (sum > kTwinStringBytes) {
            return fail(Errc::InvalidArgument, "a string in a twin has at most 4096 bytes");
        }
    } else if (value.is_boolean()) {
        sum = 4;
    } else if (value.is_number()) {
        sum = 8;
        const bool too_large =
            value.is_number_unsigned() ? value.get<std::uint64_t>() > std::uint64_t{kIntegerMax}
            : value.is_number_integer()
                ? value.get<std::int64_t>() > kIntegerMax || value.get<std::int64_t>() < kIntegerMin
                : false;
        if (too_large) {
            return fail(Errc::InvalidArgument,
                        "an integer in a twin lies in -4503599627370496 to 4503599627370495");
        }
    }
    return sum;
}

// Depth is bounded by nesting(), which the patch has passed.
void stamp_object(Json& metadata, const Json& patch, const Json& stamp) {
    metadata.update(stamp);
    for (const auto& [name, value] : patch.items()) {
        if (value.is_null()) {
            metadata.erase(name);
            continue;
        }
        auto& member = metadata[name];
        if (!member.is_object() || !value.is_object()) member = Json::object();
        stamp_object(member, value.is_object() ? value : Json::object(), stamp);
    }
}

}  // namespace

std::string stamp_metadata(std::string_view metadata_json, std::string_view patch_json,
                           const MetadataStamp& stamp) {
    auto metadata = stamp.replaces ? Json::object() : Json::parse(metadata_json, nullptr, false);
    if (!metadata.is_object()) metadata = Json::object();
    Json marks{{"$lastUpdated", to_iso8601(stamp.now)}};
    if (stamp.version) marks["$lastUpdatedVersion"] = *stamp.version;
    stamp_object(metadata, Json::parse(patch_json, nullptr, false), marks);
    return metadata.dump();
}

Result<MergedTwin> merge_twin(std::string_view document_json, std::string_view patch_json,
                              std::size_t bytes_max) {
    if (patch_json.size() > kTwinPatchBytes) return fail(Errc::TooLarge, "a twin patch of over 128000 bytes");
    if (nesting(patch_json) > limits::twin_depth) {
        return fail(Errc::TooLarge, "a twin is nested at most 10 levels deep");
    }
    auto patch = Json::parse(patch_json, nullptr, false);
    if (patch.is_discarded() || !patch.is_object()) {
        return fail(Errc::Malformed, "a twin section is a JSON object");
    }
    patch.erase("$version");
    patch.erase("$metadata");
    static_cast<void>(FIELDWATCH_TRY(counted_bytes(patch)));
    auto document = Json::parse(document_json, nullptr, false);
    if (document.is_discarded() || !document.is_object()) {
        return fail(Errc::Corrupt, "a stored twin section is not a JSON object");
    }
    document.merge_patch(patch);
    if (const auto bytes = FIELDWATCH_TRY(counted_bytes(document)); bytes > bytes_max) {
        return fail(Errc::TooLarge, "the twin section would have " + std::to_string(bytes) +
                                        " bytes; at most " + std::to_string(bytes_max) + " are kept");
    }
    return MergedTwin{document.dump(), patch.dump()};
}

}  // namespace fieldwatch::registry
