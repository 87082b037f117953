// One shape for findings in the API: the list, the stream of news and the command line show the same members.
#pragma once

#include <string>

#include "workspace/rows.hpp"

namespace fieldwatch::portal {

/// docs/api.md, "Alert in a list"; the same members that alerts_api reads from the table.
std::string alert_json(const workspace::AlertRow& row);
std::string recommendation_json(const workspace::RecommendationRow& row);

}  // namespace fieldwatch::portal
