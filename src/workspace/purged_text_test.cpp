#include "workspace/purged_text.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace fieldwatch::workspace {
namespace {

std::string purged(std::string_view text, std::string_view name) {
    return without_name(text, name).value_or("unchanged");
}

TEST(PurgedTextTest, TakesANameOutOfPlainTextAsAWholeWord) {
    EXPECT_EQ(purged("su - bob; bobby bob", "bob"), "su - (purged); bobby (purged)");
    EXPECT_EQ(purged("pid 4711", "4711"), "pid (purged)");
    EXPECT_EQ(purged(R"j(curl -d {"user":"CORP\\alice"} for CORP\alice)j", R"j(CORP\alice)j"),
              R"j(curl -d {"user":"(purged)"} for (purged))j");
    EXPECT_EQ(purged("nobody", "bob"), "unchanged");
    EXPECT_EQ(purged("", "bob"), "unchanged");
    EXPECT_EQ(purged("bob", ""), "unchanged");
}

TEST(PurgedTextTest, FindsANameHoweverJsonEscapesIt) {
    EXPECT_EQ(
        purged(R"j({"UserName":"CORP\\alice","CommandLine":"runas \/user:CORP\\alice"})j", R"j(CORP\alice)j"),
        R"j({"UserName":"(purged)","CommandLine":"runas /user:(purged)"})j");
    EXPECT_EQ(purged(R"j(["o\"brien","o\u0022brien"])j", R"j(o"brien)j"), R"j(["(purged)","(purged)"])j");
    EXPECT_EQ(purged(R"j(["J\u00fcrgen","Jürgen"])j", "Jürgen"), R"j(["(purged)","(purged)"])j");
    EXPECT_EQ(purged(R"j(["J\u00fcrgen"])j", "bob"), "unchanged");
    EXPECT_EQ(purged(R"j(["\u0062ob"])j", "bob"), R"j(["(purged)"])j");
}

TEST(PurgedTextTest, LeavesWhatIsNoStringOfJson) {
    EXPECT_EQ(purged(R"j({ "ProcessId": 4711,"4711" : "kill 4711" ,"a":[4711, -4711.0]})j", "4711"),
              R"j({ "ProcessId": 4711,"4711" : "kill (purged)" ,"a":[4711, -4711.0]})j");
    for (const auto* name : {"true", "false", "null", "a", "1"})
        EXPECT_EQ(purged(R"j({"a":true,"b":false,"c":null,"d":1})j", name), "unchanged") << name;
}

TEST(PurgedTextTest, LooksIntoJsonInsideOfStrings) {
    const nlohmann::json inner{{"Pid", 4711}, {"User", R"j(CORP\4711)j"}};
    const nlohmann::json outer{{"Extended", nlohmann::json{{"Sample", inner.dump()}}.dump()}};
    const auto done = nlohmann::json::parse(purged(outer.dump(), R"j(CORP\4711)j"));
    const auto middle = nlohmann::json::parse(done["Extended"].get<std::string>());
    EXPECT_EQ(middle["Sample"], R"j({"Pid":4711,"User":"(purged)"})j");
    EXPECT_EQ(without_name(outer.dump(), "Pid"), std::nullopt);
}

TEST(PurgedTextTest, TakesWhatIsNotQuiteJsonAsText) {
    EXPECT_EQ(purged(R"j({"User":"bob")j", "bob"), R"j({"User":"(purged)")j");
    EXPECT_EQ(purged(R"j({"User":"CORP\\alice")j", R"j(CORP\alice)j"), R"j({"User":"(purged)")j");
    EXPECT_EQ(purged("[bob] said", "bob"), "[(purged)] said");
    EXPECT_EQ(purged("{\"a\":\"bob\xff\"}", "bob"), "{\"a\":\"(purged)\xff\"}");
}

}  // namespace
}  // namespace fieldwatch::workspace
