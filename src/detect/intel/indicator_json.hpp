// Indicators in JSON: STIX 2.0 and 2.1, MISP events, MISP warning-lists, and objects of our own. Internal to
// intel.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "detect/intel/indicator.hpp"

namespace fieldwatch::detect {

/// `{"value", "category", "source", "confidence", "validUntil", "firstSeen", "lastSeen", "tlp"}` by these or
/// the names of other feeds (indicator_fields.hpp), or a text that is the value.
void read_indicator_object(const nlohmann::json& object, std::string_view name, std::size_t line,
                           IndicatorFile& out);

/// A whole document of any of the forms; false when it is none of them.
bool read_json_document(const nlohmann::json& document, std::string_view name, IndicatorFile& out);

/// A STIX bundle, a TAXII envelope (`objects` alone) or one STIX object; false when it is none.
bool read_stix(const nlohmann::json& document, std::string_view name, IndicatorFile& out);
/// A MISP event: bare, `{"Event"}`, `{"response": […]}` or a list of them; false when it is none.
bool read_misp(const nlohmann::json& document, std::string_view name, IndicatorFile& out);

std::string not_one(std::string_view value);  ///< the sentence about a value that is none
std::string text_of(const nlohmann::json& object, const char* key);  ///< "" when absent or no text

}  // namespace fieldwatch::detect
