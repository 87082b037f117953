// Text inside a query: what comes from outside must stay a value.
#pragma once

#include <string>
#include <string_view>

namespace fieldwatch {

/// A KQL string literal, with its quotes.
std::string kql_string(std::string_view value);

}  // namespace fieldwatch
