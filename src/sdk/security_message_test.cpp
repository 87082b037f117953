// The C++ layer over the core.
#include "fieldwatch/security_message.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

namespace {

using fieldwatch::security::Message;
using nlohmann::json;

const std::string kAgent = "01234567-89ab-4cde-8f01-23456789abcd";

TEST(CppMessage, IsThatOfTheCore) {
    Message message("door 1.0", kAgent);
    const auto when = std::chrono::system_clock::time_point(std::chrono::milliseconds(1'774'211'092'123));
    message.event(FIELDWATCH_CUSTOM, when).text("Name", "opened").extra("door", 3).extra("by", "key").end();
    message.event(FIELDWATCH_LOCAL_USERS)
        .text("UserName", "a")
        .text("UserId", "1")
        .text("GroupNames", "a")
        .text("GroupIds", "1")
        .next_payload()
        .text("UserName", "b")
        .text("UserId", "2")
        .text("GroupNames", "b")
        .text("GroupIds", "2");  // ends with its expression
    message.empty(FIELDWATCH_LISTENING_PORTS);
    const auto body = message.finish();
    ASSERT_TRUE(body) << fieldwatch::security::describe(body.status());
    const auto parsed = json::parse(*body);
    ASSERT_EQ(parsed["Events"].size(), 3U);
    EXPECT_EQ(parsed["AgentId"], kAgent);
    EXPECT_EQ(parsed["AgentVersion"], "door 1.0");
    const auto& first = parsed["Events"][0];
    EXPECT_EQ(first["TimestampUTC"], "2026-03-22T20:24:52.123Z");
    EXPECT_EQ(first["Payload"][0]["ExtraDetails"], (json{{"door", "3"}, {"by", "key"}}));
    EXPECT_EQ(parsed["Events"][1]["Payload"].size(), 2U);
    EXPECT_TRUE(parsed["Events"][2]["IsEmpty"]);
    EXPECT_NE(first["Id"], parsed["Events"][1]["Id"]);
    EXPECT_EQ(body.billing_units(), 1U);
}

TEST(CppMessage, TellsTheFirstThingThatWasWrong) {
    Message unknown("door 1.0", kAgent);
    unknown.event(FIELDWATCH_CUSTOM).text("Nam", "opened");
    EXPECT_EQ(unknown.status(), FIELDWATCH_SCHEMA_VIOLATION);
    const auto none = unknown.finish();
    EXPECT_FALSE(none);
    EXPECT_EQ(none.status(), FIELDWATCH_SCHEMA_VIOLATION);
    EXPECT_EQ(none.billing_units(), 0U);

    Message small("door 1.0", kAgent, 200);
    small.event(FIELDWATCH_CUSTOM).text("Name", std::string(300, 'x'));
    EXPECT_EQ(small.finish().status(), FIELDWATCH_TOO_LARGE);

    Message nobody("door 1.0", "no GUID");
    nobody.event(FIELDWATCH_CUSTOM).text("Name", "opened");
    EXPECT_EQ(nobody.finish().status(), FIELDWATCH_SCHEMA_VIOLATION);

    Message nested("door 1.0", kAgent);
    auto first = nested.event(FIELDWATCH_CUSTOM);
    first.text("Name", "opened");
    auto second = nested.event(FIELDWATCH_CUSTOM);
    EXPECT_EQ(nested.finish().status(), FIELDWATCH_INVALID_ARGUMENT);
}

}  // namespace
