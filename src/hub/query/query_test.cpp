#include "hub/query/query.hpp"

#include <gtest/gtest.h>

namespace fieldwatch::hub::query {
namespace {

const Json kRow = Json::parse(R"({"deviceId":"d1","status":"enabled","connectionState":"Connected",
  "tags":{"site":{"floor":3,"name":"Plant North"},"odd-name":"x","list":[1,2],"nothing":null,"hex":255},
  "properties":{"reported":{"fw":"1.2.3","temp":21.5,"ok":true,"digits":"42"}},"capabilities":{"iotEdge":false}})");

bool matches(const std::string& where) {
    const auto query = parse_query("SELECT * FROM devices WHERE " + where);
    EXPECT_TRUE(query) << where << ": " << query.error().message;
    return query && selects(*query, kRow);
}

TEST(HubQuery, ComparesByType) {
    EXPECT_TRUE(matches("tags.site.floor = 3"));
    EXPECT_TRUE(matches("tags.site.floor >= 2.5 AND tags.site.floor < 4"));
    EXPECT_FALSE(matches("tags.site.floor = '3'"));
    EXPECT_TRUE(matches("tags.site.floor != '3'"));
    EXPECT_FALSE(matches("tags.site.floor > 'a'"));
    EXPECT_FALSE(matches("tags.missing = 1"));
    EXPECT_FALSE(matches("tags.site.name"));  // true only for boolean true
    EXPECT_TRUE(matches("properties.reported.ok"));
    EXPECT_TRUE(matches("tags.nothing = null"));
    EXPECT_TRUE(matches("capabilities.iotEdge = false"));
    EXPECT_TRUE(matches("tags.hex = 0xFF"));
    EXPECT_TRUE(matches("devices.deviceId = \"d1\""));
    EXPECT_TRUE(matches("tags.[[odd-name]] = 'x' and tags.odd-name = 'x'"));
}

TEST(HubQuery, KnowsLogicListsAndArithmetic) {
    EXPECT_TRUE(matches("NOT status = 'disabled' AND (deviceId = 'zz' OR deviceId IN ['d0', 'd1'])"));
    EXPECT_TRUE(matches("deviceId NIN ['d2']"));
    EXPECT_FALSE(matches("deviceId IN []"));
    EXPECT_TRUE(matches("tags.site.floor * 2 + 1 = 7 and -tags.site.floor = 0 - 3 and 7 % 4 = 3"));
    EXPECT_FALSE(matches("tags.site.name + 1 = 1"));
    EXPECT_FALSE(matches("1 / 0 = 1"));
}

TEST(HubQuery, CallsFunctions) {
    for (const auto* condition : {"IS_DEFINED(tags.site)",
                                  "NOT is_defined(tags.x)",
                                  "IS_NULL(tags.nothing)",
                                  "IS_ARRAY(tags.list)",
                                  "IS_OBJECT(tags.site)",
                                  "IS_STRING(deviceId)",
                                  "IS_NUMBER(tags.site.floor)",
                                  "IS_BOOL(properties.reported.ok)",
                                  "IS_PRIMITIVE(deviceId)",
                                  "STARTS_WITH(deviceId, 'd')",
                                  "ENDS_WITH(tags.site.name, 'North')",
                                  "CONTAINS(tags.site.name, 't N')",
                                  "LENGTH(deviceId) = 2",
                                  "LOWER(tags.site.name) = 'plant north'",
                                  "UPPER('a') = 'A'",
                                  "SUBSTRING(tags.site.name, 6) = 'North'",
                                  "SUBSTRING('abc', 1, 1) = 'b'",
                                  "INDEX_OF(deviceId, '1') = 1",
                                  "CONCAT('a', 'b', 'c') = 'abc'",
                                  "ABS(-2) = 2",
                                  "EXP(0) = 1",
                                  "POWER(2, 10) = 1024",
                                  "SQUARE(3) = 9",
                                  "CEILING(1.2) = 2",
                                  "FLOOR(1.8) = 1",
                                  "SIGN(-3) = -1",
                                  "SQRT(9) = 3",
                                  "AS_NUMBER(properties.reported.digits) = 42"}) {
        EXPECT_TRUE(matches(condition)) << condition;
    }
}

TEST(HubQuery, ProjectsAndAggregates) {
    const auto projected = *parse_query("SELECT TOP 5 deviceId AS id, properties.reported.temp FROM devices");
    EXPECT_EQ(projected.top, 5u);
    EXPECT_EQ(project(projected, kRow), Json::parse(R"({"id":"d1","temp":21.5})"));
    const auto grouped = *parse_query(
        "SELECT status, COUNT() AS n, AVG(tags.site.floor) AS a, MAX(tags.site.floor) AS m FROM devices "
        "GROUP BY status");
    Aggregation groups(grouped);
    auto other = kRow;
    other["tags"]["site"]["floor"] = 5;
    ASSERT_TRUE(groups.add(kRow) && groups.add(other));
    other["status"] = "disabled";
    ASSERT_TRUE(groups.add(other));
    EXPECT_EQ(Json(groups.rows()), Json::parse(R"([{"status":"disabled","n":1,"a":5.0,"m":5},
                                                   {"status":"enabled","n":2,"a":4.0,"m":5}])"));
    const auto count = *parse_query("select count() as n from devices.modules m where m.moduleId = 'x'");
    EXPECT_EQ(count.source, Source::Modules);
    EXPECT_EQ(Json(Aggregation(count).rows()), Json::parse(R"([{"n":0}])"));
}

TEST(HubQuery, RefusesWhatItDoesNotKnowWithThePlace) {
    for (const auto* text :
         {"", "SELECT", "SELECT * FROM tables", "SELECT * FROM devices WHERE", "DELETE FROM devices",
          "SELECT * FROM devices WHERE a =", "SELECT * FROM devices WHERE nofunction(1)",
          "SELECT * FROM devices WHERE LENGTH()", "SELECT * FROM devices WHERE 'open",
          "SELECT deviceId, COUNT() FROM devices", "SELECT * FROM devices GROUP BY",
          "SELECT * FROM devices; DROP", "SELECT * FROM devices WHERE a IN 1"}) {
        EXPECT_FALSE(parse_query(text)) << text;
    }
    const std::string deep(200, '(');
    EXPECT_EQ(parse_query("SELECT * FROM devices WHERE " + deep).error().code, Errc::TooLarge);
    EXPECT_EQ(parse_query(std::string(20'000, 'x')).error().code, Errc::TooLarge);
}

TEST(HubQuery, ConditionsOfRoutesSeeTheMessage) {
    const Resolve message = [](const Path& path) -> Value {
        if (path == Path{"$body", "temp"}) return Json(40);
        if (path == Path{"level"}) return Json("storage");
        return std::nullopt;
    };
    EXPECT_TRUE(holds(*parse_condition("$body.temp > 30 AND level = 'storage'"), message));
    EXPECT_TRUE(holds(*parse_condition(""), message));
    EXPECT_TRUE(holds(*parse_condition("true"), message));
    EXPECT_FALSE(holds(*parse_condition("$connectionDeviceId = 'd'"), message));
}

}  // namespace
}  // namespace fieldwatch::hub::query
