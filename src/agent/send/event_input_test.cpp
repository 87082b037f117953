#include "agent/send/event_input.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace fieldwatch::agent {
namespace {

Result<std::vector<std::string>> read(std::string_view line) {
    SeededRandom random(1);
    return read_events(line, system_clock(), random);
}

std::string problem(std::string_view line) {
    const auto events = read(line);
    return events ? "none" : events.error().message;
}

TEST(EventInput, CompletesAnEventOfNameAndPayload) {
    const auto events =
        read(R"({"Name":"Custom","Payload":{"Name":"door","ExtraDetails":{"open":true,"count":3}}})");
    ASSERT_TRUE(events) << events.error().message;
    const auto event = nlohmann::json::parse(events->front());
    EXPECT_EQ(event["Id"].get<std::string>().size(), 36U);
    EXPECT_EQ(event["PayloadSchemaVersion"], "2.0");
    EXPECT_EQ(event["Payload"][0]["ExtraDetails"]["open"], "true");
    EXPECT_EQ(event["Payload"][0]["ExtraDetails"]["count"], "3");
}

TEST(EventInput, KeepsIdAndTimeOfAWholeMessage) {
    const auto events = read(
        R"({"Events":[{"Id":"6f9619ff-8b86-4d01-b42d-00cf4fc964ff","Name":"LocalUsers","TimestampUTC":"2026-01-02T03:04:05.000Z","IsEmpty":true,"Payload":[]}]})");
    ASSERT_TRUE(events) << events.error().message;
    const auto event = nlohmann::json::parse(events->front());
    EXPECT_EQ(event["Id"], "6f9619ff-8b86-4d01-b42d-00cf4fc964ff");
    EXPECT_EQ(event["TimestampUTC"], "2026-01-02T03:04:05.000Z");
    EXPECT_EQ(event["IsEmpty"], true);
}

TEST(EventInput, NamesWhatIsWrong) {
    EXPECT_EQ(problem("[]"), "no JSON object");
    EXPECT_EQ(problem(R"({"Name":"Nothing"})"), "/Name: no kind of event: Nothing");
    EXPECT_EQ(problem(R"({"Name":"ProcessCreate","Payload":[{"Executable":"/x"}]})"),
              "/Payload/0: a required field is missing");
    EXPECT_EQ(
        problem(R"({"Events":[{"Name":"ConnectionCreate","Payload":[{"RemotePort":80}]}]})").substr(0, 31),
        "/Events/0/Payload/0/RemotePort:");
    EXPECT_EQ(problem(R"({"Name":"Login","Payload":[]})"), "/Payload: must not be empty");
}

TEST(EventInput, RefusesWhatTheHubWouldOfAWholeEvent) {
    const auto with = [](std::string_view members) {
        return problem(R"({"Name":"Custom","Payload":[{"Name":"door"}],)" + std::string(members) + "}");
    };
    EXPECT_EQ(with(R"("Category":"Triggered","EventType":"Security","IsEmpty":false)"), "none");
    EXPECT_EQ(with(R"("PayloadSchemaVersion":"2.0","TimestampLocal":"2026-01-02T03:04:05+01:00")"), "none");
    EXPECT_EQ(with(R"("More":1)"), "/More: there is no such member");
    EXPECT_EQ(with(R"("Id":7)"), "/Id: must be of type string");
    EXPECT_EQ(with(R"("Id":"")"), "/Id: must have 36 characters");
    EXPECT_EQ(with(R"("IsEmpty":"false")"), "/IsEmpty: must be of type boolean");
    EXPECT_EQ(with(R"("IsEmpty":true)"), "/IsEmpty: must be false");
    EXPECT_EQ(with(R"("Category":"Periodic")"), "/Category: must be \"Triggered\"");
    EXPECT_EQ(with(R"("EventType":"Operational")"), "/EventType: must be \"Security\"");
    EXPECT_EQ(with(R"("PayloadSchemaVersion":"1.0")"), "/PayloadSchemaVersion: must be \"2.0\"");
    EXPECT_TRUE(with(R"("TimestampLocal":"2026-13-02T03:04:05Z")").starts_with("/TimestampLocal: "));
    EXPECT_TRUE(with(R"("TimestampUTC":"")").starts_with("/TimestampUTC: "));
    const auto message = [](std::string_view members) {
        return problem(R"({"Events":[{"Name":"Heartbeat"}],)" + std::string(members) + "}");
    };
    EXPECT_EQ(message(R"("AgentVersion":"1","MessageSchemaVersion":"1.0")"), "none");
    EXPECT_EQ(message(R"("AgentVersion":1)"), "/AgentVersion: must be of type string");
    EXPECT_EQ(message(R"("More":1)"), "/More: there is no such member");
    EXPECT_EQ(message(R"("MessageSchemaVersion":"2.0")"), "/MessageSchemaVersion: must be \"1.0\"");
    EXPECT_EQ(message(R"("AgentId":"x")"), "/AgentId: must have 36 characters");
    EXPECT_TRUE(
        problem(
            R"({"Name":"ProcessTerminate","Payload":{"Executable":"/x","ProcessId":1,"ExitStatus":9223372036854775808}})")
            .starts_with("/Payload/0/ExitStatus: "));
}

TEST(EventInput, BracesWithinATextAreNoNesting) {
    const auto events = read(
        R"({"Name":"Custom","Payload":{"Name":"\"[[","ExtraDetails":{"[[[[[[[[[[[[[[[[[[":"{{{{{{{{"}}})");
    ASSERT_TRUE(events) << events.error().message;
    EXPECT_TRUE(read(events->front()));
    EXPECT_EQ(problem(R"({"Name":"Custom","Payload":)" + std::string(20, '[') + std::string(20, ']') + "}"),
              "nested too deeply");
}

}  // namespace
}  // namespace fieldwatch::agent
