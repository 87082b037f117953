// The description of this API for programs (OpenAPI 3.1), made of the route table: paths, roles and refusals
// come from the routes, sentences and shapes from openapi/*.json. Internal to portal.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "portal/context.hpp"

namespace fieldwatch::portal {

inline constexpr std::string_view kOpenApiPath = "/api/v1/openapi.json";

/// openapi/operations.json and openapi/schemas.json, embedded at build.
struct ApiTexts {
    std::string_view operations, schemas;
};
ApiTexts api_texts();

/// The document, whose order is that of names. Errors: Internal, naming a route without a description, a
/// description without a route, a schema that is not there.
Result<std::string> openapi_json(const std::vector<Route>& routes, const ApiTexts& texts,
                                 std::string_view version);

}  // namespace fieldwatch::portal
