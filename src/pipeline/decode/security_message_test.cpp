// The verdict table of spec/security-messages.md section 7, and what normalisation leaves.
#include "pipeline/decode/security_message.hpp"

#include <gtest/gtest.h>

namespace fieldwatch::pipeline {
namespace {

constexpr std::string_view kProcess =
    R"({"Executable":"/bin/sh","ProcessId":10,"ParentProcessId":9,"UserId":"0","UserName":"root","CommandLine":"sh -c id","ExtraDetails":{"Hash":""}})";
constexpr std::string_view kConnection =
    R"({"RemoteAddress":"203.0.113.7","RemotePort":"443","LocalPort":"50000","Direction":"Out","Protocol":"tcp","ProcessId":5,"Executable":"/usr/bin/curl"})";
constexpr std::string_view kLogin =
    R"({"ProcessId":7,"UserId":"1000","UserName":"pi","Operation":"login","Executable":"/bin/login","Result":"Fail"})";

std::string event(std::string_view name, std::string_view payload, std::string_view category = "Triggered",
                  std::string_view type = "Security", bool empty = false, std::string_view version = "1.0") {
    std::string out =
        R"({"Id":"11111111-2222-3333-4444-555555555555","TimestampLocal":"2026-01-02T04:04:05.000+01:00","TimestampUTC":"2026-01-02T03:04:05.000Z","Category":")";
    out.append(category).append(R"(","Name":")").append(name).append(R"(","EventType":")").append(type);
    out.append(R"(","IsEmpty":)").append(empty ? "true" : "false");
    out.append(R"(,"PayloadSchemaVersion":")")
        .append(version)
        .append(R"(","Payload":[)")
        .append(payload)
        .append("]}");
    return out;
}
std::string message(std::string_view events) {
    std::string out =
        R"({"AgentVersion":"1.0.0","AgentId":"aaaaaaaa-2222-3333-4444-555555555555","MessageSchemaVersion":"1.0","Events":[)";
    return out.append(events).append("]}");
}
std::string replaced(std::string text, std::string_view from, std::string_view to) {
    const auto at = text.find(from);
    EXPECT_NE(at, text.npos) << from;
    return text.replace(at, from.size(), to);
}

class SecurityMessage : public testing::Test {
  protected:
    const DecodedMessage& decode(std::string body, DecodeOptions options = {}) {
        body_ = std::move(body);
        record_ = {.kind = model::RecordKind::SecurityMessage,
                   .received = Timestamp::from_unix_seconds(1'800'000'000),
                   .hub = "hub",
                   .device = "d1",
                   .module = "azureiotsecurity",
                   .properties = {},
                   .body = body_};
        return decoder_.decode(record_, {.partition = 1, .offset = 7, .item = 0}, options);
    }
    bool conforms(std::string body, bool strict) {
        const auto& decoded = decode(std::move(body), {.strict = strict});
        return decoded.refusals.empty() && !decoded.events.empty();
    }
    bool strict(std::string body) { return conforms(std::move(body), true); }
    bool compat(std::string body) { return conforms(std::move(body), false); }
    std::string process(std::string_view from, std::string_view to) {
        return message(event("ProcessCreate", replaced(std::string(kProcess), from, to)));
    }
    std::string connection(std::string_view from, std::string_view to) {
        return message(event("ConnectionCreate", replaced(std::string(kConnection), from, to)));
    }

    SecurityMessageDecoder decoder_;
    model::RecordView record_;
    std::string body_;
};

TEST_F(SecurityMessage, AcceptsWhatThePublishedSchemaAccepts) {
    EXPECT_TRUE(strict(message(event("ProcessCreate", kProcess))));
    EXPECT_TRUE(strict(message(event("ConnectionCreate", kConnection))));
    EXPECT_TRUE(strict(message(event("Login", kLogin))));
    EXPECT_TRUE(strict(connection("203.0.113.7", "2001:0db8:0000:0000:0000:0000:0000:0001")));
    EXPECT_TRUE(strict(process(R"("UserName":"root",)", "")));
    EXPECT_TRUE(strict(process(R"("Hash":"")", R"("$ref":"#/definitions/x")")));
    EXPECT_TRUE(strict(replaced(message(event("Login", kLogin)), "aaaaaaaa-2222", "not-a-guid at")));
    EXPECT_TRUE(strict(message(event("ListeningPorts", "", "Periodic", "Security", true))));
    EXPECT_TRUE(strict(
        replaced(message(event("Login", kLogin)), "2026-01-02T03:04:05.000Z", "2026-01-02 03:04:05Z")));
}

TEST_F(SecurityMessage, RefusesWhatThePublishedSchemaRefuses) {
    const std::string bad[] = {
        process(R"("Hash":"")", R"("Hash":7)"),
        connection(R"("443")", "443"),
        connection("203.0.113.7", "example.org"),
        connection("203.0.113.7", "*"),
        connection(R"("Out")", R"("out")"),
        process(R"("UserId":"0","UserName":"root",)", ""),
        message(event("Login", replaced(std::string(kLogin), R"("UserId":"1000","UserName":"pi",)", ""))),
        replaced(message(event("Login", kLogin)), "aaaaaaaa-2222", "aaaaaaaa222"),
        replaced(message(event("Login", kLogin)), R"("Events")", R"("More":1,"Events")"),
        replaced(message(event("Login", kLogin)), R"("Category")", R"("IsOperational":true,"Category")"),
        process(R"("ProcessId")", R"("Surprise":1,"ProcessId")"),
        replaced(message(event("Login", kLogin)), R"("MessageSchemaVersion":"1.0")",
                 R"("MessageSchemaVersion":"2.0")"),
        message(event("Login", kLogin, "Periodic")),
        message(event("Login", kLogin, "Triggered", "Operational")),
        message(event("Logon", kLogin)),
        message(event("Login", kLogin, "Triggered", "Security", true)),
        message(event("ListeningPorts", "", "Periodic", "Security", false)),
        replaced(message(event("Login", kLogin)), "2026-01-02T03:04:05.000Z", "yesterday"),
        message(""),
        "[]",
        "{}",
        "\"text\"",
        "",
        "\xff",
    };
    for (const auto& body : bad) {
        EXPECT_FALSE(compat(body)) << body;
        EXPECT_FALSE(strict(body)) << body;
    }
}

TEST_F(SecurityMessage, TakesWhatFieldAgentsSendUnlessStrict) {
    const std::string odd[] = {
        message(event("ProcessCreate", kProcess, "Aggregated")),
        process(R"("Hash":"")", R"("HitCount":12)"),
        connection(R"("443")", "0"),
        process(R"("UserId":"0",)", ""),
        message(event("DroppedEventsStatistics",
                      R"({"Queue":"Operational","CollectedEvents":1,"DroppedEvents":0})", "Periodic",
                      "Operational")),
        message(event("Heartbeat", "", "Periodic", "Security", true)),
        message(event("ConnectedHardware", R"({"ConnectedHardware":"USB stick"})", "Periodic")),
        message(
            event("OSBaseline",
                  R"({"Description":"d","CceId":"CCE-1","Result":"FAIL","Error":"e","Severity":"Critical"})",
                  "Periodic")),
        message(event("FileSystem", R"({"Mask":"Created","Path":"/etc/x","HitCount":3})", "Triggered",
                      "Security", false, "2.0")),
        message(event("Custom", R"({"Name":"door","ExtraDetails":{"open":"yes"}})", "Triggered", "Security",
                      false, "2.0")),
    };
    for (const auto& body : odd) {
        EXPECT_TRUE(compat(body)) << body << decode(body).refusals.size();
        EXPECT_FALSE(strict(body)) << body;
    }
}

TEST_F(SecurityMessage, TakesTheQuestionMarkOfALoginForAnUnknownAddress) {
    constexpr std::string_view kUnknown =
        R"({"ProcessId":7,"UserName":"pi","Operation":"login","Executable":"/bin/login","RemoteAddress":"?","Result":"Fail"})";
    const auto first = message(event("Login", std::string(kUnknown)));
    const auto second =
        message(event("Login", R"({"Operation":"LoginFailed","UserName":"pi","RemoteAddress":"?"})",
                      "Triggered", "Security", false, "2.0"));
    for (const auto& body : {first, second}) {
        EXPECT_FALSE(strict(body)) << body;
        const auto& decoded = decode(body);
        ASSERT_EQ(decoded.events.size(), 1u) << body;
        EXPECT_EQ(std::get<model::Login>(decoded.events[0].items.at(0).payload).remote_address, "");
    }
    EXPECT_FALSE(compat(replaced(first, R"("?")", R"("??")")));
    EXPECT_FALSE(compat(replaced(message(event("ConnectionCreate", kConnection)), "203.0.113.7", "?")));
}

TEST_F(SecurityMessage, RefusesTheSecondGenerationOfAKindThatHasNone) {
    EXPECT_FALSE(compat(message(event("ProcessCreate", kProcess, "Triggered", "Security", false, "2.0"))));
}

TEST_F(SecurityMessage, VoidsOneBadEventAndKeepsTheOthers) {
    const auto bad = event("ConnectionCreate", replaced(std::string(kConnection), "203.0.113.7", "host"));
    const auto body = message(event("Login", kLogin) + "," + bad + "," + event("ProcessCreate", kProcess));
    const auto& decoded = decode(body);
    ASSERT_EQ(decoded.events.size(), 2u);
    EXPECT_EQ(decoded.events[1].items[0].position, (model::LogPosition{1, 7, 1}));
    ASSERT_EQ(decoded.refusals.size(), 1u);
    EXPECT_EQ(decoded.refusals[0].reason,
              "/Events/1/Payload/0/RemoteAddress: is not exactly one IPv4 or IPv6 address");
    EXPECT_TRUE(decode(body, {.whole_message = true}).events.empty());
}

TEST_F(SecurityMessage, ReportsEveryError) {
    decode(message(
        event("Login", R"({"ProcessId":"x","Operation":1,"Executable":"/e","Result":"Maybe","Foo":{}})")));
    EXPECT_EQ(decoder_.decode(record_, {}, {}).problems->fatal(),
              5u);  // three types or choices, Foo, no user
}

TEST_F(SecurityMessage, StoresDetailsCompactAndStrict) {
    const auto& decoded = decode(message(event(
        "ConnectionCreate",
        R"({"RemoteAddress":"203.0.113.7", "RemotePort":0,"LocalPort":"","Direction":"In","Protocol":"tcp","ProcessId":0,"Executable":"/e","ExtraDetails":{"HitCount":3,"StartTimeUtc":"01/02/2026 02:00:00","EndTimeUtc":"2026-01-02T03:00:00Z"}})",
        "Aggregated")));
    ASSERT_EQ(decoded.events.size(), 1u);
    const auto& e = decoded.events[0];
    EXPECT_EQ(e.category, "Triggered");
    EXPECT_EQ(e.hit_count, 3);
    EXPECT_EQ(to_iso8601(e.window_start, 0), "2026-01-02T02:00:00Z");
    EXPECT_EQ(to_iso8601(e.window_end, 0), "2026-01-02T03:00:00Z");
    EXPECT_EQ(
        e.items[0].details_json,
        R"({"RemoteAddress":"203.0.113.7","RemotePort":"0","Direction":"In","Protocol":"tcp","ProcessId":0,"Executable":"/e",)"
        R"("ExtraDetails":{"HitCount":"3","StartTimeUtc":"2026-01-02T02:00:00Z","EndTimeUtc":"2026-01-02T03:00:00Z"},)"
        R"("EventId":"11111111-2222-3333-4444-555555555555","TimestampLocal":"2026-01-02T04:04:05.000+01:00","TimestampUTC":"2026-01-02T03:04:05.000Z"})");
}

TEST_F(SecurityMessage, FindsTheTrueOffsetBehindAFalseZ) {
    auto body = message(event("Login", kLogin));
    body = replaced(body, "2026-01-02T04:04:05.000+01:00", "2026-01-02T05:34:05Z");
    EXPECT_NE(decode(body).events[0].items[0].details_json.find(
                  R"("TimestampLocal":"2026-01-02T05:34:05.000+02:30")"),
              std::string_view::npos);
}

TEST_F(SecurityMessage, DropsTheEmptyConfigurationErrorOfTheCAgentSilently) {
    const auto& decoded = decode(message(event("ConfigurationError", "", "Triggered", "Operational", true)));
    EXPECT_TRUE(decoded.events.empty());
    EXPECT_TRUE(decoded.refusals.empty());
    EXPECT_EQ(decoded.benign, 1u);
}

TEST_F(SecurityMessage, KeepsAnEmptySnapshotAsOneRow) {
    const auto& decoded = decode(message(event("ListeningPorts", "", "Periodic", "Security", true)));
    ASSERT_EQ(decoded.events.size(), 1u);
    EXPECT_TRUE(decoded.events[0].is_empty);
    EXPECT_TRUE(decoded.events[0].items.empty());
    EXPECT_TRUE(decoded.events[0].details_json.starts_with(R"({"EventId":"11111111)"));
    EXPECT_EQ(decoded.item_count, 1u);
}

}  // namespace
}  // namespace fieldwatch::pipeline
