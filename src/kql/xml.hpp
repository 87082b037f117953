// XML as JSON, as parse_xml() gives it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fieldwatch::kql {

/// A bag with the root element: attributes are `@name`, text beside them or beside elements `#text`, elements
/// of one name an array. Text that is a number is one. nullopt: over 1 MiB, nested deeper than 100, with a
/// document type (whose entities could grow without bound), or not well-formed.
std::optional<std::string> xml_to_json(std::string_view text);

}  // namespace fieldwatch::kql
