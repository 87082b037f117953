#include "detect/custom/security_group.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace fieldwatch::detect {
namespace {

std::string problem(std::string_view json, bool extensions = false, std::string_view name = "pumps") {
    const auto group = parse_security_group(name, json, extensions);
    return group ? "" : group.error().code;
}
std::string window_rule(std::string_view type, std::string_view rest) {
    return R"({"timeWindowRules":[{"ruleType":")" + std::string(type) + R"(","isEnabled":true,)" +
           std::string(rest) + "}]}";
}

TEST(SecurityGroup, AlwaysShowsAllPublishedTypes) {
    const auto group =
        parse_security_group("pumps",
                             window_rule("MqttD2CMessagesNotInAllowedRange",
                                         R"("minThreshold":4,"maxThreshold":40,"timeWindowSize":"PT05M")"),
                             false);
    ASSERT_TRUE(group.has_value());
    const auto json = nlohmann::json::parse(properties_json(*group, false));
    EXPECT_EQ(json["timeWindowRules"].size(), 16u);
    EXPECT_EQ(json["allowlistRules"].size(), 3u);
    EXPECT_EQ(json["denylistRules"].size(), 0u);
    EXPECT_EQ(json["thresholdRules"].size(), 0u);
    const auto& set = json["timeWindowRules"][8];
    EXPECT_EQ(set["ruleType"], "MqttD2CMessagesNotInAllowedRange");
    EXPECT_EQ(set["timeWindowSize"], "PT05M");
    EXPECT_EQ(set["isEnabled"], true);
    const auto& unset = json["timeWindowRules"][0];
    EXPECT_EQ(unset["isEnabled"], false);
    EXPECT_EQ(unset["minThreshold"], 0);
    EXPECT_EQ(unset["maxThreshold"], 0);
    EXPECT_EQ(unset["timeWindowSize"], "PT15M");
    EXPECT_EQ(unset["displayName"], "Number of active connections is not in allowed range");
    EXPECT_EQ(json["allowlistRules"][0]["valueType"], "IpCidr");
    EXPECT_EQ(json["allowlistRules"][0]["allowlistValues"].size(), 0u);
    const auto whole = nlohmann::json::parse(properties_json(*group, true));
    EXPECT_EQ(whole["denylistRules"].size(), 3u);
    EXPECT_EQ(whole["thresholdRules"].size(), 1u);
}

TEST(SecurityGroup, NamesWhatIsWrong) {
    const auto type = "TwinUpdatesNotInAllowedRange";
    EXPECT_EQ(problem(window_rule(type, R"("minThreshold":5,"maxThreshold":4,"timeWindowSize":"PT5M")")),
              "InvalidThresholds");
    EXPECT_EQ(problem(window_rule(type, R"("minThreshold":-1,"maxThreshold":4,"timeWindowSize":"PT5M")")),
              "InvalidThresholds");
    EXPECT_EQ(
        problem(window_rule(type, R"("minThreshold":0,"maxThreshold":2147483648,"timeWindowSize":"PT5M")")),
        "InvalidThresholds");
    EXPECT_EQ(problem(window_rule(type, R"("maxThreshold":4,"timeWindowSize":"PT5M")")), "InvalidThresholds");
    for (const auto* const size : {"PT59S", "P1DT1S", "P1M", "P0Y", "5", ""}) {
        EXPECT_EQ(problem(window_rule(type, R"("minThreshold":0,"maxThreshold":4,"timeWindowSize":")" +
                                                std::string(size) + "\"")),
                  "InvalidTimeWindowSize")
            << size;
    }
    for (const auto* const size : {"PT1M", "P1D", "PT24H", "PT05M"}) {
        EXPECT_EQ(problem(window_rule(type, R"("minThreshold":0,"maxThreshold":4,"timeWindowSize":")" +
                                                std::string(size) + "\"")),
                  "")
            << size;
    }
    EXPECT_EQ(problem(window_rule("Nonsense", R"("minThreshold":0)")), "UnknownRuleType");
    EXPECT_EQ(
        problem(
            R"({"allowlistRules":[{"ruleType":"ConnectionToIpNotAllowed","isEnabled":true,"allowlistValues":["10.0.0.0/33"]}]})"),
        "InvalidAllowlistValue");
    EXPECT_EQ(problem(R"({"allowlistRules":[{"ruleType":"ConnectionToIpNotAllowed","isEnabled":true}]})"),
              "InvalidAllowlistValue");
    EXPECT_EQ(
        problem(
            R"({"allowlistRules":[{"ruleType":"LocalUserNotAllowed","isEnabled":false,"allowlistValues":[]},
                                            {"ruleType":"LocalUserNotAllowed","isEnabled":false,"allowlistValues":[]}]})"),
        "DuplicateRuleType");
    const std::string deny =
        R"({"denylistRules":[{"ruleType":"LocalUserDenied","isEnabled":true,"denylistValues":["a"]}]})";
    EXPECT_EQ(problem(deny), "UnknownRuleType");
    EXPECT_EQ(problem(deny, true), "");
    EXPECT_EQ(problem("{}", false, "a b"), "InvalidGroupName");
    EXPECT_EQ(problem("[]"), "InvalidRequest");
}

TEST(ValueList, TakesRangesWithHostBitsAndBareAddresses) {
    const auto list = ValueList::ranges({"192.168.0.1/8", "203.0.113.7", "2001:db8::/32"}).value();
    EXPECT_TRUE(list.has_address(*parse_ip("192.1.2.3")));
    EXPECT_TRUE(list.has_address(*parse_ip("::ffff:203.0.113.7")));
    EXPECT_FALSE(list.has_address(*parse_ip("203.0.113.8")));
    EXPECT_TRUE(list.has_address(*parse_ip("2001:db8:ffff::1")));
    EXPECT_FALSE(list.has_address(*parse_ip("2001:db9::1")));
    EXPECT_TRUE(ValueList::ranges({"0.0.0.0/0"}).value().has_address(*parse_ip("8.8.8.8")));
}

TEST(ValueList, MatchesProcessesByNameByPathAndByPattern) {
    const auto list = ValueList::texts({"sh", "/usr/bin/env", "python3*", "/opt/*/bin/*"});
    EXPECT_TRUE(list.has_process("/bin/sh"));
    EXPECT_TRUE(list.has_process("sh"));
    EXPECT_TRUE(list.has_process("/usr/bin/env"));
    EXPECT_FALSE(list.has_process("/tmp/env"));
    EXPECT_TRUE(list.has_process("/usr/bin/python3.11"));
    EXPECT_FALSE(list.has_process("/usr/bin/xpython3"));
    EXPECT_TRUE(list.has_process("/opt/app/1/bin/run"));
    EXPECT_FALSE(list.has_process("/usr/opt/app/bin/run"));
}

TEST(ValueList, KnowsTheNamesOfProcessesOnWindows) {
    const auto list = ValueList::texts({"notepad.exe", "python*.exe", R"(C:\Windows\System32\cmd.exe)",
                                        R"(C:\Tools\*)", "Pump Control.exe"});
    EXPECT_TRUE(list.has_process(R"(C:\Windows\notepad.exe)"));
    EXPECT_TRUE(list.has_process(R"(C:\Windows\Notepad.EXE)"));  // names have no case there
    EXPECT_TRUE(list.has_process(R"(C:\Python\python3.exe)"));
    EXPECT_TRUE(list.has_process(R"(c:\windows\system32\CMD.exe)"));
    EXPECT_TRUE(list.has_process(R"(C:/Windows/notepad.exe)"));
    EXPECT_TRUE(list.has_process(R"(\\share\bin\notepad.exe)"));
    EXPECT_TRUE(list.has_process(R"(C:\tools\a\b.exe)"));
    EXPECT_TRUE(list.has_process(R"(C:\Program Files\Pump Control.exe)"));
    EXPECT_FALSE(list.has_process(R"(C:\Temp\cmd.exe)"));
    EXPECT_FALSE(list.has_process(R"(/tmp/x\notepad.exe)"));  // there it is a letter of the name
    EXPECT_FALSE(list.has_process("/usr/bin/Notepad.exe"));
}

TEST(GroupSet, FallsBackToDefaultForATagThatNamesNothing) {
    const auto groups =
        parse_group_set(R"([{"name":"default"},{"name":"Pumps"},{"name":"default","hub":"b"}])", false)
            .value();
    EXPECT_EQ(groups.find("a", "PUMPS")->name, "Pumps");
    EXPECT_EQ(groups.find("a", "unknown")->hub, "");
    EXPECT_EQ(groups.find("b", "unknown")->hub, "b");
    EXPECT_FALSE(parse_group_set(R"([{"name":"x"},{"name":"X"}])", false));
    EXPECT_TRUE(parse_group_set(R"({"pumps":{"timeWindowRules":[]}})", false)->find("a", "pumps"));
}

}  // namespace
}  // namespace fieldwatch::detect
