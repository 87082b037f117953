// A query's answer and a query's error as people and machines read them, for the command that needs no
// server.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "workspace/workspace.hpp"

namespace fieldwatch::app {

/// The shape of the query API (spec/workspace.md section 4): tables with columns and rows.
nlohmann::json to_json(const workspace::QueryAnswer& answer);

/// `fieldwatch: SENTENCE (line 1, column 5)`, the line of the query, and a mark under the place.
std::string describe(const workspace::QueryError& error, std::string_view query);

}  // namespace fieldwatch::app
