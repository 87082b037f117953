#include "hub/defender.hpp"

#include <set>

#include "hub/hub_fixture_test.hpp"
#include "protocol/defender/cbor.hpp"

namespace fieldwatch::hub {
namespace {

using Json = nlohmann::json;

defender::Report report_of(std::string_view json) {
    std::optional<std::int64_t> id;
    const auto report = defender::parse_report(as_bytes(json), defender::Format::Json, id);
    EXPECT_TRUE(report) << report.error().message;
    return *report;
}

constexpr std::string_view kReport =
    R"({"hed":{"rid":7,"v":"1.0"},"met":{"tp":{"pts":[{"pt":22,"if":"eth0"}],"t":3},"up":{"pts":[],"t":0},)"
    R"("ns":{"bi":910,"bo":77},"tc":{"ec":{"cs":[{"rad":"203.0.113.9:6667","lp":40112},)"
    R"({"rad":"198.51.100.4:50000","lp":22}],"t":2}}},"cmet":{"fan":[{"number":11.5}],"on":[{"string_list":["a","b"]}]}})";
const model::Identity kPump{{"plant"}, {"pump"}, {}};

TEST(Defender, PortsThatAreCountedAndNotNamedAreNotClosed) {
    const auto told = [](std::string_view ports) {
        const auto json = R"({"hed":{"rid":7,"v":"1.0"},"met":{"tp":)" + std::string(ports) + "}}";
        const auto report = report_of(json);
        const auto text =
            to_security_message(report, kPump, Timestamp::from_unix_seconds(1'700'000'000), nullptr);
        return text && text->find("ListeningPorts") != std::string::npos;
    };
    EXPECT_TRUE(told(R"({"pts":[],"t":0})"));
    EXPECT_FALSE(told(R"({"pts":[],"t":3})"));
}

TEST(Defender, AReportIsPortsConnectionsAndNumbers) {
    const auto report = report_of(kReport);
    const auto now = Timestamp::from_unix_seconds(1'700'000'000);
    const auto text = to_security_message(report, kPump, now, nullptr);
    ASSERT_TRUE(text);
    const auto message = Json::parse(*text);
    ASSERT_EQ(message["Events"].size(), 3u);
    const auto& ports = message["Events"][0];
    EXPECT_EQ(ports["Name"], "ListeningPorts");
    EXPECT_EQ(
        ports["Payload"],
        Json::parse(
            R"([{"Protocol":"tcp","LocalPort":"22","ExtraDetails":{"Interface":"eth0","Truncated":"true"}}])"));
    const auto& connections = message["Events"][1]["Payload"];
    ASSERT_EQ(connections.size(), 2u);
    EXPECT_EQ(connections[0]["RemoteAddress"], "203.0.113.9");
    EXPECT_EQ(connections[0]["Direction"], "Out");
    EXPECT_EQ(connections[1]["Direction"], "In") << "its local port listens";
    const auto& numbers = message["Events"][2]["Payload"][0]["ExtraDetails"];
    EXPECT_EQ(numbers["awsdd.bytes_in"], "910");
    EXPECT_EQ(numbers["awsdd.listening_tcp_ports"], "3");
    EXPECT_EQ(numbers["custom.fan"], "11.5");
    EXPECT_EQ(numbers["custom.on"], "a,b");
    EXPECT_EQ(to_security_message(report, kPump, now, nullptr), text) << "ids are named, not drawn";
}

TEST(Defender, OnlyConnectionsThatAreNewAreTold) {
    const auto report = report_of(kReport);
    auto before = marks_of(report);
    const auto now = Timestamp::from_unix_seconds(1'700'000'000);
    auto message = Json::parse(*to_security_message(report, kPump, now, &before));
    EXPECT_EQ(message["Events"].size(), 2u);
    before.erase(before.begin());
    message = Json::parse(*to_security_message(report, kPump, now, &before));
    EXPECT_EQ(message["Events"][1]["Payload"].size(), 1u);
}

TEST(Defender, AnEventsIdDependsOnItsReportAlone) {
    const auto report = report_of(kReport);
    const auto before = marks_of(report);
    const auto now = Timestamp::from_unix_seconds(1'700'000'000);
    const auto first = Json::parse(*to_security_message(report, kPump, now, nullptr));
    const auto again = Json::parse(*to_security_message(report, kPump, now, &before));
    EXPECT_EQ(again["Events"][1]["Name"], "Custom") << "its connections are known";
    EXPECT_EQ(again["Events"][1]["Id"], first["Events"][2]["Id"]);
    std::set<std::string> ids;
    for (const auto& event : first["Events"])
        ids.insert(event["Id"].get<std::string>());
    EXPECT_EQ(ids.size(), 3u);
}

TEST(DefenderTable, TheSameReportIsNeitherEarlyNorNew) {
    using Verdict = DefenderTable::Verdict;
    using std::chrono::seconds;
    DefenderTable table(seconds(270));
    EXPECT_EQ(table.standing(kPump, 7, seconds(1)).verdict, Verdict::Evaluate);
    table.taken(kPump, 7, seconds(1));
    EXPECT_EQ(table.standing(kPump, 7, seconds(2)).verdict, Verdict::Evaluate) << "is it durable?";
    EXPECT_EQ(table.standing(kPump, 8, seconds(2)).verdict, Verdict::Throttled);
    EXPECT_TRUE(table.kept(kPump, 7, {1, 2}));
    EXPECT_FALSE(table.kept(kPump, 7, {})) << "counted once";
    EXPECT_EQ(table.standing(kPump, 7, seconds(3)).verdict, Verdict::Repeated);
    const auto next = table.standing(kPump, 8, seconds(271));
    EXPECT_EQ(next.verdict, Verdict::Evaluate);
    EXPECT_EQ(next.before, (ConnectionMarks{1, 2}));
}

TEST(DefenderTable, IsBoundedInDevicesAndInConnectionsAndForgetsTheOldest) {
    using std::chrono::seconds;
    DefenderTable table(seconds(270), {.devices_max = 3, .marks_max = 5});
    const auto device = [](std::string name) { return model::Identity{{"plant"}, {std::move(name)}, {}}; };
    const auto knows = [&](std::string name) {
        return table.standing(device(std::move(name)), 2, seconds(9)).has_before;
    };
    table.kept(device("a"), 1, {1, 2});
    table.kept(device("b"), 1, {1, 2});
    EXPECT_TRUE(knows("a"));  // so that b is the oldest
    table.kept(device("c"), 1, {1, 2});
    EXPECT_FALSE(knows("b")) << "six connections are one too many";
    EXPECT_TRUE(knows("a") && knows("c"));
    table.kept(device("c"), 2, {});
    table.kept(device("d"), 1, {1, 2, 3});
    EXPECT_TRUE(knows("a") && knows("c") && knows("d"));
    table.kept(device("e"), 1, {});
    EXPECT_FALSE(knows("a")) << "four devices are one too many";
    EXPECT_TRUE(knows("c") && knows("d") && knows("e"));
    table.kept(device("f"), 1, {1, 2, 3, 4, 5, 6});
    EXPECT_TRUE(knows("f")) << "the newest stays, whatever it holds";
    EXPECT_FALSE(knows("e"));
}

TEST(Defender, AnEmptyListIsSaidAndAnAbsentOneIsNot) {
    const auto now = Timestamp::from_unix_seconds(1'700'000'000);
    const auto empty = report_of(R"({"hed":{"rid":7,"v":"1.0"},"met":{"tp":{"pts":[],"t":0}}})");
    const auto message = Json::parse(*to_security_message(empty, kPump, now, nullptr));
    EXPECT_EQ(message["Events"][0]["IsEmpty"], true);
    const auto absent = report_of(R"({"hed":{"rid":7,"v":"1.0"},"met":{}})");
    EXPECT_EQ(to_security_message(absent, kPump, now, nullptr).value(), "");
}

class DefenderSessionTest : public HubTest {
  protected:
    static constexpr std::string_view kTopic = "$aws/things/d1/defender/metrics/json";

    struct Answer {
        std::string topic;
        Json body;
    };
    Answer answer(Client& client) {
        const auto packet = client.receive();
        EXPECT_TRUE(packet && packet->type() == mqtt::PacketType::Publish);
        const auto publish = *mqtt::decode_publish(packet->frame());
        Answer out{.topic = std::string(publish.topic), .body = {}};
        out.body = Json::parse(out.topic.find("/cbor/") == std::string::npos
                                   ? std::string(as_text(publish.payload))
                                   : *defender::cbor_to_json(publish.payload, 4'096));
        return out;
    }
    std::vector<MemoryJournal::Entry> messages(std::size_t count) {
        return journal_.wait(count, [](const model::RecordView& record) {
            return record.kind == model::RecordKind::SecurityMessage;
        });
    }
};

TEST_F(DefenderSessionTest, AReportIsAnsweredWhenItIsDurable) {
    start();
    auto client = connected();
    client.subscribe("$aws/things/d1/defender/metrics/json/accepted");
    client.subscribe("$aws/things/d1/defender/metrics/json/rejected");
    journal_.manual = true;
    client.publish(kTopic, kReport, 5);
    EXPECT_EQ(messages(1).size(), 1u);
    journal_.commit();
    EXPECT_EQ(client.puback(), 5);
    const auto reply = answer(client);
    EXPECT_EQ(reply.topic, "$aws/things/d1/defender/metrics/json/accepted");
    EXPECT_EQ(reply.body["status"], "ACCEPTED");
    EXPECT_EQ(reply.body["reportId"], 7);
    EXPECT_EQ(reply.body["thingName"], "d1");
    journal_.manual = false;
    // The same once more (it did not hear us) is accepted and not told twice; another comes too early.
    client.publish(kTopic, kReport, 6);
    EXPECT_EQ(client.puback(), 6);
    EXPECT_EQ(answer(client).body["status"], "ACCEPTED");
    client.publish(kTopic, R"({"hed":{"rid":8,"v":"1.0"},"met":{"ns":{"bi":1}}})", 7);
    EXPECT_EQ(client.puback(), 7);
    const auto early = answer(client);
    EXPECT_EQ(early.topic, "$aws/things/d1/defender/metrics/json/rejected");
    EXPECT_EQ(early.body["statusDetails"]["ErrorCode"], "Throttled");
    client.publish(kTopic, "{", 8);
    EXPECT_EQ(client.puback(), 8);
    EXPECT_EQ(answer(client).body["statusDetails"]["ErrorCode"], "InvalidPayload");
    EXPECT_EQ(messages(1).size(), 1u);
    operations("ingress", "429001");
    operations("ingress", "400004");
}

TEST_F(DefenderSessionTest, AReportThatIsSentAgainBeforeItIsDurableIsAnsweredLikeTheFirst) {
    start();
    auto client = connected();
    client.subscribe("$aws/things/d1/defender/metrics/json/+");
    journal_.manual = true;
    client.publish(kTopic, kReport, 5);
    client.publish(kTopic, kReport, 6);
    const auto entries = messages(2);
    ASSERT_EQ(entries.size(), 2u);
    std::set<std::string> ids;  // the pipeline sees them once
    for (const auto& entry : entries) {
        const auto message = Json::parse(model::decode_record(entry.bytes)->body);
        for (const auto& event : message["Events"])
            ids.insert(event["Id"].get<std::string>());
    }
    EXPECT_EQ(ids.size(), 3u);
    journal_.commit();
    for (const std::uint16_t id : {std::uint16_t{5}, std::uint16_t{6}}) {
        EXPECT_EQ(client.puback(), id);
        EXPECT_EQ(answer(client).body["status"], "ACCEPTED");
    }
    EXPECT_EQ(metrics_.counter("fieldwatch_hub_defender_reports_total", "").value(), 1u);
    journal_.manual = false;
    journal_.commit();
}

TEST_F(DefenderSessionTest, RefusedReportsOfAMinuteAreTwoRecords) {
    start();
    auto client = connected();
    for (std::uint16_t id = 1; id <= 5; ++id) {
        client.publish(kTopic, "{", id);
        EXPECT_EQ(client.puback(), id);
    }
    client.disconnect();
    server_->stop();
    const auto log = operations("ingress", "400004");
    ASSERT_EQ(log.size(), 2u);
    EXPECT_EQ(log[0]["properties"]["messageCount"], 1);
    EXPECT_NE(log[0]["resultDescription"], log[1]["resultDescription"]) << "the first says what was wrong";
    EXPECT_EQ(log[1]["properties"]["messageCount"], 4);
    EXPECT_EQ(metrics_.counter("fieldwatch_hub_defender_rejected_total", "").value(), 5u);
}

TEST_F(DefenderSessionTest, CborIsAnsweredInCborAndQos0Too) {
    start();
    auto client = connected();
    client.subscribe("$aws/things/d1/defender/metrics/cbor/+");
    Bytes report;
    defender::CborWriter writer(report);
    writer.begin_map(2).text("hed").begin_map(2).member("rid", 9).member("v", "1.0");
    writer.text("met").begin_map(1).text("ns").begin_map(1).member("bi", 5);
    client.publish("$aws/things/d1/defender/metrics/cbor", as_text(report));
    const auto reply = answer(client);
    EXPECT_EQ(reply.topic, "$aws/things/d1/defender/metrics/cbor/accepted");
    EXPECT_EQ(reply.body["reportId"], 9);
}

TEST_F(DefenderSessionTest, AnotherThingsTopicEndsTheConnection) {
    start();
    auto client = connected();
    client.publish("$aws/things/off/defender/metrics/json", kReport, 5);
    EXPECT_FALSE(client.receive());
    operations("deviceDisconnect", "401002");
}

}  // namespace
}  // namespace fieldwatch::hub
