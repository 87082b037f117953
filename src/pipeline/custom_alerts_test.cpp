// Every custom rule type over recorded input: at its bounds, past them, late, moved.
#include <map>

#include "pipeline/custom_log_test.hpp"

namespace fieldwatch::pipeline {
namespace {

TEST(CustomAlerts, EveryCountedTypeFiresAboveItsMaximumAndNotAtIt) {
    for (const auto& [type, repeat] : kCases) {
        const auto& rule = detect::info(type);
        const auto text = settings({{"default", {count_rule(type, 0, 4)}}});
        CustomLog at_bound, above, split;
        repeat(at_bound, 60, 4);
        EXPECT_TRUE(alerts(at_bound, text).empty()) << rule.name;
        repeat(above, 60, 6);
        const auto found = alerts(above, text);
        ASSERT_EQ(found.size(), 1u) << rule.name;
        EXPECT_EQ(found[0]["AlertType"], "IoT_CA_" + std::string(rule.name));
        EXPECT_EQ(found[0]["AlertSeverity"], "Low");
        EXPECT_EQ(found[0]["DisplayName"], rule.alert_name);
        EXPECT_EQ(found[0]["StartTime"], to_iso8601(Timestamp::from_unix_seconds(kStart)));
        EXPECT_EQ(found[0]["EndTime"], to_iso8601(Timestamp::from_unix_seconds(kStart + kQuarter)));
        const Json expected{{"DeviceId", "d"},
                            {"SecurityGroup", "default"},
                            {"RuleType", rule.name},
                            {"MinThreshold", 0},
                            {"MaxThreshold", 4},
                            {"Count", 6},
                            {"TimeWindowSize", "PT15M"},
                            {"WindowStart", found[0]["StartTime"]},
                            {"WindowEnd", found[0]["EndTime"]}};
        EXPECT_EQ(found[0]["ExtendedProperties"], expected) << rule.name;
        // The same number over two windows is within the range of each.
        repeat(split, kQuarter - 100, 3);
        repeat(split, kQuarter + 100, 3);
        EXPECT_TRUE(alerts(split, text).empty()) << rule.name;
    }
}

TEST(CustomAlerts, EveryCountedTypeFiresBelowItsMinimumWhenItsWindowHasClosed) {
    for (const auto& [type, repeat] : kCases) {
        const auto& rule = detect::info(type);
        const auto lateness = rule.is_agent ? 5 * 3'600 + 600 : 120;
        const auto text = settings({{"default", {count_rule(type, 3, 100)}}});
        CustomLog enough, few, none, unclosed;
        repeat(enough.identity(-10, "create"), 60, 3);
        enough.time(kQuarter + lateness + 60);
        EXPECT_TRUE(alerts(enough, text).empty()) << rule.name;
        repeat(few.identity(-10, "create"), 60, 2);
        few.time(kQuarter + lateness + 60);
        auto found = alerts(few, text);
        ASSERT_EQ(found.size(), rule.is_agent ? 1u : 1u) << rule.name;
        EXPECT_EQ(found[0]["ExtendedProperties"]["Count"], 2) << rule.name;
        EXPECT_EQ(found[0]["StartTime"], to_iso8601(Timestamp::from_unix_seconds(kStart)));
        none.identity(-10, "create").time(kQuarter + lateness + 60);
        found = alerts(none, text);
        ASSERT_EQ(found.size(), 1u) << rule.name;
        EXPECT_EQ(found[0]["ExtendedProperties"]["Count"], 0);
        EXPECT_EQ(found[0]["Evidence"], Json::array({1}));
        unclosed.identity(-10, "create").time(kQuarter + lateness - 60);
        EXPECT_TRUE(alerts(unclosed, text).empty()) << rule.name;  // the end of input is no silence
    }
}

TEST(CustomAlerts, WindowsOfTheHubPushOutNoneOfTheAgent) {
    constexpr std::int64_t kMinute = 60;
    constexpr std::int64_t kHours = 9 * 3'600;
    const auto text = settings({{"default",
                                 {count_rule(RuleType::ActiveConnections, 1, 100, "PT1M"),
                                  count_rule(RuleType::DirectMethodInvokes, 1, 100, "PT1M"),
                                  count_rule(RuleType::TwinUpdates, 1, 100, "PT1M"),
                                  count_rule(RuleType::FileUploads, 1, 100, "PT1M")}}});
    CustomLog log;
    log.identity(-10, "create");
    for (std::int64_t at = 0; at <= kHours; at += kMinute)
        log.time(at);
    std::map<std::string, int> counts;
    for (const auto& alert : alerts(log, text))
        ++counts[alert["ExtendedProperties"]["RuleType"].get<std::string>()];
    // All that was silent is told: what the agent would have said is judged five hours and ten minutes later.
    EXPECT_EQ(counts["DirectMethodInvokesNotInAllowedRange"], kHours / kMinute - 2);
    EXPECT_EQ(counts["ActiveConnectionsNotInAllowedRange"], (kHours - 5 * 3'600 - 600) / kMinute);
}

TEST(CustomAlerts, CountsAnAggregateByItsHitsInTheWindowsThatItSpans) {
    const auto text = settings({{"default", {count_rule(RuleType::ActiveConnections, 0, 15)}}});
    const auto aggregate = [](int hits) {
        return Json{{"RemoteAddress", "203.0.113.9"},
                    {"RemotePort", "443"},
                    {"Direction", "Out"},
                    {"Protocol", "tcp"},
                    {"ProcessId", 0},
                    {"Executable", "/usr/bin/app"},
                    {"ExtraDetails",
                     {{"HitCount", std::to_string(hits)},
                      {"StartTimeUtc", iso(600)},
                      {"EndTimeUtc", iso(600 + 1'800)}}}};
    };
    CustomLog within, above;
    within.event(2'400, "ConnectionCreate", aggregate(30));  // 5, 15 and 10
    EXPECT_TRUE(alerts(within, text).empty());
    above.event(2'400, "ConnectionCreate", aggregate(40));  // 7, 20 and 13
    const auto found = alerts(above, text);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0]["ExtendedProperties"]["Count"], 20);
}

TEST(CustomAlerts, CountsWhatArrivesLateAndUpwardOnly) {
    const auto text = settings({{"default", {count_rule(RuleType::ActiveConnections, 2, 3)}}});
    CustomLog log;
    log.identity(-10, "create");
    connections(log, 60, 1);
    log.time(kQuarter + 5 * 3'600 + 700);  // closed with one
    ASSERT_EQ(alerts(log, text).size(), 1u);
    const Json payload{{"RemoteAddress", "203.0.113.9"},
                       {"RemotePort", "443"},
                       {"Direction", "Out"},
                       {"Protocol", "tcp"},
                       {"ProcessId", 9},
                       {"Executable", "/usr/bin/app"}};
    log.events(100, "ConnectionCreate", Json::array({payload, payload, payload}), kQuarter + 5 * 3'600 + 800);
    const auto found = alerts(log, text);
    ASSERT_EQ(found.size(), 1u);  // one alert a window: it now says four
    EXPECT_EQ(found[0]["ExtendedProperties"]["Count"], 4);
}

TEST(CustomAlerts, GivesAnOpenWindowToTheGroupAtItsStart) {
    const auto text = settings({{"a", {count_rule(RuleType::DirectMethodInvokes, 0, 2)}},
                                {"b", {count_rule(RuleType::DirectMethodInvokes, 0, 100)}}});
    const auto call = operations<kMethods, kSend, kMqtt>;
    CustomLog out_of_a;
    out_of_a.tag(0, "a").operation(5, "Connections", "deviceConnect");
    call(out_of_a, 10, 1);
    out_of_a.tag(60, "B");  // names know no case
    call(out_of_a, 100, 2);
    call(out_of_a, kQuarter + 10, 3);
    const auto found = alerts(out_of_a, text);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0]["ExtendedProperties"]["SecurityGroup"], "a");
    EXPECT_EQ(found[0]["ExtendedProperties"]["Count"], 3);
    CustomLog into_a;
    call(into_a.tag(0, "b"), 10, 1);
    call(into_a.tag(60, "a"), 100, 9);
    EXPECT_TRUE(alerts(into_a, text).empty());
    call(into_a, kQuarter + 10, 3);
    EXPECT_EQ(alerts(into_a, text).size(), 1u);
}

TEST(CustomAlerts, TakesTheModulesTagBeforeTheDevicesAndDefaultForUnknownOnes) {
    const auto text = settings({{"default", {count_rule(RuleType::DirectMethodInvokes, 0, 0)}},
                                {"lax", {count_rule(RuleType::DirectMethodInvokes, 0, 9)}}});
    const auto call = operations<kMethods, kSend, kMqtt>;
    CustomLog module, unknown, none;
    call(module.tag(0, "default").tag(1, "lax", "azureiotsecurity"), 10, 3);
    EXPECT_TRUE(alerts(module, text).empty());
    call(unknown.tag(0, "nonsense"), 10, 1);
    ASSERT_EQ(alerts(unknown, text).size(), 1u);
    EXPECT_EQ(alerts(unknown, text)[0]["ExtendedProperties"]["SecurityGroup"], "default");
    call(none, 10, 1);
    EXPECT_EQ(alerts(none, text).size(), 1u);
}

TEST(CustomAlerts, AsksNothingOfDevicesThatWereNotThereThroughoutTheWindow) {
    const auto text = settings({{"default", {count_rule(RuleType::MqttD2CMessages, 1, 100)}},
                                {"b", {count_rule(RuleType::MqttD2CMessages, 1, 100)}}});
    CustomLog created, disabled, removed, moved;
    EXPECT_TRUE(alerts(created.identity(10, "create").time(kQuarter + 200), text).empty());
    disabled.identity(-10, "create").identity(100, "update", "disabled").time(3 * kQuarter);
    EXPECT_TRUE(alerts(disabled, text).empty());
    removed.identity(-10, "create").identity(100, "delete").time(3 * kQuarter);
    EXPECT_TRUE(alerts(removed, text).empty());
    moved.tag(-20, "b")
        .operation(-10, "Connections", "deviceConnect")
        .tag(100, "default")
        .time(2 * kQuarter + 200);
    const auto found = alerts(moved, text);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0]["StartTime"], to_iso8601(Timestamp::from_unix_seconds(kStart + kQuarter)));
}

TEST(CustomAlerts, RulesOfShortWindowsLeaveOthersTheirShareOfWhatADeviceHolds) {
    std::vector<Json> rules{count_rule(RuleType::ActiveConnections, 1, 100, "PT1H")};
    for (const auto type : {RuleType::MqttD2CMessages, RuleType::AmqpD2CMessages, RuleType::HttpD2CMessages,
                            RuleType::MqttC2DMessages, RuleType::AmqpC2DMessages, RuleType::HttpC2DMessages})
        rules.push_back(count_rule(type, 1, 100, "PT1M"));
    CustomLog log;
    log.identity(-20, "create");
    for (std::int64_t at = 0; at < 8 * 3'600; at += 60)
        log.time(at + 30);
    std::map<std::string, int> found;
    for (const auto& alert : alerts(log, settings({{"default", rules}})))
        ++found[alert["AlertType"].get<std::string>()];
    EXPECT_EQ(found.size(), rules.size());
    for (const auto& [type, times] : found)
        EXPECT_GE(times, 2) << type;  // the first two hours, whose agents may have said so by now
}

TEST(CustomAlerts, AreOffWhileTwinDataIs) {
    const auto text = settings({{"default", {count_rule(RuleType::DirectMethodInvokes, 0, 0)}}});
    CustomLog log;
    operations<kMethods, kSend, kMqtt>(log.hub(0, false), 10, 3);
    EXPECT_TRUE(alerts(log, text).empty());
    operations<kMethods, kSend, kMqtt>(log.hub(60, true), 100, 1);
    EXPECT_EQ(alerts(log, text).size(), 1u);
}

TEST(CustomAlerts, NameConnectionsToAddressesThatAreNotAllowed) {
    const auto text = settings(
        {{"default", {list_rule(RuleType::ConnectionToIpNotAllowed, {"192.168.0.1/16", "2001:db8::/32"})}}});
    CustomLog log;
    log.event(0, "ConnectionCreate", connection("192.168.7.9", "Out"))
        .event(1, "ConnectionCreate", connection("2001:db8::5", "Out"))
        .event(2, "ConnectionCreate", connection("127.0.0.1", "Out"))
        .event(3, "ConnectionCreate", connection("fe80::1", "Out"))
        .event(4, "ConnectionCreate", connection("203.0.113.9", "In"));
    EXPECT_TRUE(alerts(log, text).empty());
    log.event(5, "ConnectionCreate", connection("203.0.113.9", "Out"))
        .event(65, "ConnectionCreate", connection("203.0.113.9", "Out"))
        .event(66, "ConnectionCreate", connection("203.0.113.10", "Out"))
        .event(5 + 3'700, "ConnectionCreate", connection("203.0.113.9", "Out"));
    const auto found = alerts(log, text);
    ASSERT_EQ(found.size(), 3u);  // two addresses, one of them again after the hour
    EXPECT_EQ(found[0]["AlertType"], "IoT_CA_ConnectionToIpNotAllowed");
    EXPECT_EQ(found[0]["DisplayName"],
              "Custom alert - outbound connection created to an IP that isn't allowed");
    EXPECT_EQ(found[0]["HitCount"], 2);
    EXPECT_EQ(found[0]["ExtendedProperties"]["Value"], "203.0.113.9");
    EXPECT_EQ(found[0]["ExtendedProperties"]["ValueType"], "IpCidr");
    EXPECT_EQ(found[0]["ExtendedProperties"]["Remote Port"], "443");
}

TEST(CustomAlerts, NameUsersAndProcessesThatAreNotAllowed) {
    const auto text =
        settings({{"default",
                   {list_rule(RuleType::LocalUserNotAllowed, {"pi"}),
                    list_rule(RuleType::ProcessNotAllowed, {"app", "/usr/sbin/cron", "lib*"})}}});
    const auto process = [](const char* path) {
        return Json{{"Executable", path},
                    {"ProcessId", 7},
                    {"ParentProcessId", 1},
                    {"UserId", "0"},
                    {"CommandLine", path}};
    };
    CustomLog log;
    log.event(0, "Login", login("pi", "Success", 1)).event(10, "Login", login("root", "Fail", 2));
    log.event(20, "ProcessCreate", process("/opt/app")).event(21, "ProcessCreate", process("/usr/sbin/cron"));
    log.event(22, "ProcessCreate", process("/x/library"));
    EXPECT_TRUE(alerts(log, text).empty());
    log.event(30, "Login", login("Pi", "Success", 3)).event(40, "ProcessCreate", process("/tmp/cron"));
    const auto found = alerts(log, text);
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0]["AlertType"], "IoT_CA_LocalUserNotAllowed");
    EXPECT_EQ(found[0]["ExtendedProperties"]["Value"], "Pi");
    EXPECT_EQ(found[1]["AlertType"], "IoT_CA_ProcessNotAllowed");
    EXPECT_EQ(found[1]["ExtendedProperties"]["CommandLine"], "/tmp/cron");
}

TEST(CustomAlerts, AnEmptyAllowListForbidsEverything) {
    const auto text = settings({{"default", {list_rule(RuleType::LocalUserNotAllowed, {})}}});
    CustomLog log;
    EXPECT_EQ(alerts(log.event(0, "Login", login("pi", "Success", 1)), text).size(), 1u);
}

TEST(CustomAlerts, ExtensionsDenyAndCountPorts) {
    const auto text = settings(
        {{"default",
          {list_rule(RuleType::ConnectionToIpDenied, {"203.0.113.0/24"}),
           list_rule(RuleType::LocalUserDenied, {"root"}), list_rule(RuleType::ProcessDenied, {"telnetd"}),
           count_rule(RuleType::OpenPortsCount, 1, 2)}}});
    const auto port = [](int number) {
        return Json{
            {"Protocol", "tcp"}, {"LocalAddress", "127.0.0.1"}, {"LocalPort", std::to_string(number)}};
    };
    CustomLog log;
    log.event(0, "ConnectionCreate", connection("198.51.100.1", "Out"))
        .event(1, "Login", login("pi", "Success", 1));
    log.events(2, "ListeningPorts", Json::array({port(1), port(2)}));
    EXPECT_TRUE(alerts(log, text).empty());
    log.event(10, "ConnectionCreate", connection("203.0.113.1", "Out"))
        .event(20, "Login", login("root", "Success", 2));
    log.event(30, "ProcessCreate",
              {{"Executable", "/usr/sbin/telnetd"},
               {"ProcessId", 7},
               {"ParentProcessId", 1},
               {"UserId", "0"},
               {"CommandLine", "telnetd"}});
    log.events(40, "ListeningPorts", Json::array({port(1), port(2), port(3)}));
    const auto found = alerts(log, text);
    ASSERT_EQ(found.size(), 4u);
    EXPECT_EQ(found[0]["AlertType"], "IoT_CA_ConnectionToIpDenied");
    EXPECT_EQ(found[1]["AlertType"], "IoT_CA_LocalUserDenied");
    EXPECT_EQ(found[2]["AlertType"], "IoT_CA_ProcessDenied");
    EXPECT_EQ(found[3]["AlertType"], "IoT_CA_OpenPortsCountNotInAllowedRange");
    EXPECT_EQ(found[3]["ExtendedProperties"]["Count"], 3);
}

TEST(CustomAlerts, CountADeliveryThatIsCompletedOnce) {
    const auto text = settings({{"default", {count_rule(RuleType::MqttC2DMessages, 0, 2)}}});
    CustomLog log;
    for (int i = 0; i < 2; ++i)
        log.operation(i * 10, "C2DCommands", "deliver", {{"protocol", "Mqtt"}})
            .operation(i * 10 + 1, "C2DCommands", "complete", {{"protocol", "Mqtt"}});
    EXPECT_TRUE(alerts(log, text).empty());
}

}  // namespace
}  // namespace fieldwatch::pipeline
