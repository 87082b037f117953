// The API's description says of every route what the route does.
#include "portal/openapi.hpp"

#include <set>

#include "base/text.hpp"
#include "portal/access_test.hpp"

namespace fieldwatch::portal {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;
using testing::AccessTest;

Json document() {
    const auto text = openapi_json(all_routes(), api_texts(), "0.1.0");
    EXPECT_TRUE(text) << text.error().message;
    return text ? Json::parse(*text) : Json::object();
}

std::string lower(std::string_view method) {
    std::string out(method);
    for (auto& c : out)
        c = static_cast<char>(c + 32);
    return out;
}

void collect_references(const Json& json, std::set<std::string>& into) {
    if (json.is_object() && json.contains("$ref")) into.insert(json["$ref"].get<std::string>());
    if (!json.is_structured()) return;
    for (const auto& part : json)
        collect_references(part, into);
}

std::set<std::string> names_in(std::string_view pattern) {
    std::set<std::string> out;
    for (auto open = pattern.find('{'); open != std::string_view::npos; open = pattern.find('{', open + 1))
        out.emplace(pattern.substr(open + 1, pattern.find('}', open) - open - 1));
    return out;
}

TEST(OpenApi, WalksEveryRouteAndHasNoOther) {
    const auto paths = document()["paths"];
    std::size_t operations = 0;
    for (const auto& path : paths)
        operations += path.size();
    EXPECT_EQ(operations, all_routes().size());
    std::set<std::string> ids;
    for (const auto& route : all_routes()) {
        const auto where = fmt::format("{} {}", route.method, route.pattern);
        ASSERT_TRUE(paths.contains(route.pattern) && paths[route.pattern].contains(lower(route.method)))
            << where;
        const auto& operation = paths[std::string(route.pattern)][lower(route.method)];
        EXPECT_EQ(operation["x-fieldwatch-role"], to_string(route.role)) << where;
        EXPECT_EQ(operation["security"].empty(), route.role == Role::Public) << where;
        EXPECT_TRUE(operation["responses"].contains("401") || route.role == Role::Public) << where;
        EXPECT_FALSE(operation["summary"].get<std::string>().empty()) << where;
        EXPECT_TRUE(ids.insert(operation["operationId"]).second) << where << " shares its operationId";
        std::set<std::string> names;
        for (const auto& parameter : operation.value("parameters", Json::array())) {
            if (parameter["in"] == "path") names.insert(parameter["name"].get<std::string>());
        }
        EXPECT_EQ(names, names_in(route.pattern)) << where;
        bool success = false;
        for (const auto& [status, answer] : operation["responses"].items())
            success = success || status.starts_with('2') || status.starts_with('3');
        EXPECT_TRUE(success) << where;
    }
}

TEST(OpenApi, EveryReferenceLeadsSomewhere) {
    const auto json = document();
    std::set<std::string> references;
    collect_references(json, references);
    EXPECT_GT(references.size(), 100u);
    for (const auto& reference : references)
        EXPECT_TRUE(json.contains(Json::json_pointer(reference.substr(1)))) << reference;
}

TEST(OpenApi, ARouteThatNobodyDescribedAndADescriptionWithoutRouteAreSaid) {
    auto routes = all_routes();
    routes.push_back({"GET", "/api/v1/moon", Role::Reader, nullptr});
    auto refused = openapi_json(routes, api_texts(), "1");
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("no description of the route GET /api/v1/moon"));
    routes = {{"GET", "/healthz", Role::Public, nullptr}};
    refused = openapi_json(routes, api_texts(), "1");
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("there is no route "));
    refused = openapi_json(
        routes,
        {R"({"parameters":{},"operations":{"GET /healthz":{"says":"x","answers":{"200":"Moon"}}}})",
         R"({"Error":{}})"},
        "1");
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("no schema is named \"Moon\""));
}

TEST_F(AccessTest, TheDescriptionIsForEverybody) {
    const auto reply = with_token("GET", "/api/v1/openapi.json", "");
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(Json::parse(reply.body)["openapi"], "3.1.0");
}

/// What a handler says it takes, when it is given a member that nobody takes: "…; allowed are a, b".
std::set<std::string> allowed_in(const std::string& refusal) {
    std::set<std::string> out;
    const auto at = refusal.find("; allowed are ");
    if (at == std::string::npos) return out;
    for (const auto name : split(std::string_view(refusal).substr(at + 14), ','))
        out.emplace(trimmed(name));
    return out;
}

/// Bodies that other parts read, and that are tested where they are: shapes of other services, and files.
bool read_elsewhere(std::string_view pattern) {
    return pattern.find("/provisioning/") != std::string_view::npos ||
           pattern.find("eviceSecurityGroups") != std::string_view::npos ||
           pattern.find("/groups/") != std::string_view::npos ||
           pattern.find("/scheduled-rules/") != std::string_view::npos ||
           pattern.find("/exports/") != std::string_view::npos ||
           pattern.find("/intel/") != std::string_view::npos ||
           pattern.find("/connectors/") != std::string_view::npos || pattern.ends_with("/records") ||
           pattern.find("/snapshots/") != std::string_view::npos ||
           pattern.find("/alerts/") != std::string_view::npos ||
           pattern.find("/backups") != std::string_view::npos ||
           pattern.find("/rules/") != std::string_view::npos || pattern == "/api/v1/purge";
}

TEST_F(AccessTest, BodiesHaveTheMembersThatTheDescriptionNames) {
    const auto json = document();
    add_user("root", "administrator");
    const auto session = sign_in("root");
    ASSERT_TRUE(registry_->create({.identity = {.hub = {"plant"}, .device = {"pump"}, .module = {}}}));
    std::size_t compared = 0;
    for (const auto& route : all_routes()) {
        const auto& operation = json["paths"][std::string(route.pattern)][lower(route.method)];
        if (!operation.contains("requestBody") || read_elsewhere(route.pattern)) continue;
        const auto& content = operation["requestBody"]["content"];
        if (!content.contains("application/json")) continue;  // a file
        const auto& schema = content["application/json"]["schema"];
        ASSERT_TRUE(schema.contains("$ref")) << route.pattern;
        const auto& shape = json.at(Json::json_pointer(schema["$ref"].get<std::string>().substr(1)));
        EXPECT_EQ(shape.value("additionalProperties", Json()), Json(false)) << route.pattern;
        std::set<std::string> named;
        for (const auto& [name, value] : shape["properties"].items())
            named.insert(name);
        std::string path(route.pattern);
        for (const auto& [place, value] :
             {std::pair{"{hub}", "plant"}, std::pair{"{device}", "pump"},
              std::pair{"{key}", "detection.settings"}, std::pair{"{id}", "w1"}}) {
            if (const auto at = path.find(place); at != std::string::npos)
                path.replace(at, std::string_view(place).size(), value);
        }
        while (path.find('{') != std::string::npos)
            path.replace(path.find('{'), path.find('}') - path.find('{') + 1, "one");
        const auto reply = ask(std::string(route.method), path, R"({"nobody takes this":1})",
                               {{"cookie", session.cookie}, {std::string(kCsrfHeader), session.csrf}});
        EXPECT_EQ(reply.status, 400) << route.method << " " << path << " " << reply.body;
        EXPECT_EQ(allowed_in(message(reply)), named) << route.method << " " << route.pattern;
        ++compared;
    }
    EXPECT_GT(compared, 20u);
}

}  // namespace
}  // namespace fieldwatch::portal
