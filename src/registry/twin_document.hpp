// The JSON of a twin section: bounds, and RFC 7396 merge patch. Pure; the text comes from devices.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"

namespace fieldwatch::registry {

inline constexpr std::size_t kTagsBytes = 8'192;         ///< IoT Hub: tags 8 KB
inline constexpr std::size_t kTwinStringBytes = 4'096;   ///< IoT Hub: a string value
inline constexpr std::size_t kTwinNameBytes = 1'024;     ///< IoT Hub: a member name
inline constexpr std::size_t kTwinPatchBytes = 128'000;  ///< text of one patch, before anything is parsed

struct MergedTwin {
    std::string document_json;
    std::string patch_json;  ///< as applied: `$version` and `$metadata` left out, nulls kept
};

/// Applies `patch_json` to `document_json` (ours: trusted). Errors: Malformed (not a JSON object), TooLarge
/// (text, result above `bytes_max` counted as IoT Hub counts, depth above limits::twin_depth),
/// InvalidArgument (names, strings or numbers that IoT Hub does not take).
Result<MergedTwin> merge_twin(std::string_view document_json, std::string_view patch_json,
                              std::size_t bytes_max);
/// The same onto nothing.
inline Result<MergedTwin> replace_twin(std::string_view document_json, std::size_t bytes_max) {
    return merge_twin("{}", document_json, bytes_max);
}

/// When each object and value of a section last changed: `metadata_json` after `patch_json` was applied to
/// the section (or, when it `replaces`, became the section). Both are checked documents.
struct MetadataStamp {
    Timestamp now;
    std::optional<std::uint64_t> version;  ///< `$lastUpdatedVersion`, desired properties only
    bool replaces = false;
};
std::string stamp_metadata(std::string_view metadata_json, std::string_view patch_json,
                           const MetadataStamp& stamp);

}  // namespace fieldwatch::registry
