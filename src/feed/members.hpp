// Members of JSON objects that strangers wrote. Internal to feed.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace fieldwatch::feed {

inline constexpr std::size_t kDepthMax = 64;  ///< of documents: both formats need ten

/// "" when absent or no text.
inline std::string text_in(const nlohmann::json& object, const char* name) {
    if (!object.is_object()) return {};
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// A text or a number, as text.
inline std::string cell_in(const nlohmann::json& object, const char* name) {
    if (!object.is_object()) return {};
    const auto found = object.find(name);
    if (found == object.end()) return {};
    return found->is_number_integer() ? found->dump()
           : found->is_string()       ? found->get<std::string>()
                                      : std::string();
}

}  // namespace fieldwatch::feed
