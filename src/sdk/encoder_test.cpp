#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "fieldwatch/security_message.h"

namespace {

using nlohmann::json;

const std::string kId = "01234567-89ab-4cde-8f01-23456789abcd";

int append(void* out, const char* data, std::size_t size) {
    static_cast<std::string*>(out)->append(data, size);
    return 0;
}

class Encoder : public ::testing::Test {
  protected:
    Encoder() { fieldwatch_encoder_init(&encoder_, append, &out_, 0); }
    fieldwatch_event_header header(bool empty = false) { return {kId.c_str(), 1'774'211'092'123, 60, empty}; }
    fieldwatch_status text(const char* name, const std::string& value) {
        return fieldwatch_field_text(&encoder_, name, value.data(), value.size());
    }
    void process(const std::string& command_line) {
        fieldwatch_payload_begin(&encoder_);
        text("Executable", "/bin/sh");
        fieldwatch_field_integer(&encoder_, "ProcessId", 7);
        fieldwatch_field_integer(&encoder_, "ParentProcessId", 1);
        text("UserId", "0");
        text("CommandLine", command_line);
    }
    std::string out_;
    fieldwatch_encoder encoder_{};
};

TEST_F(Encoder, WritesAWholeMessageOfTheSchema) {
    fieldwatch_message_begin(&encoder_, "1.2.3", kId.c_str());
    const auto head = header();
    fieldwatch_event_begin(&encoder_, FIELDWATCH_PROCESS_CREATE, &head);
    process("sh -c \"echo\"");
    fieldwatch_extra_text(&encoder_, "ParentExecutable", "/sbin/init", 10);
    fieldwatch_extra_integer(&encoder_, "Sequence", -5);
    fieldwatch_payload_end(&encoder_);
    fieldwatch_event_end(&encoder_);
    ASSERT_EQ(fieldwatch_message_end(&encoder_), FIELDWATCH_OK);
    const auto parsed = json::parse(out_);
    const auto& event = parsed["Events"][0];
    EXPECT_EQ(parsed["MessageSchemaVersion"], "1.0");
    EXPECT_EQ(event["TimestampUTC"], "2026-03-22T20:24:52.123Z");
    EXPECT_EQ(event["TimestampLocal"], "2026-03-22T21:24:52.123+01:00");
    EXPECT_EQ(event["Category"], "Triggered");
    EXPECT_EQ(event["Payload"][0]["CommandLine"], "sh -c \"echo\"");
    EXPECT_EQ(event["Payload"][0]["ExtraDetails"]["Sequence"], "-5");
    EXPECT_EQ(fieldwatch_encoder_bytes(&encoder_), out_.size());
}

TEST_F(Encoder, AnEmptySnapshotHasNoPayload) {
    const auto head = header(true);
    fieldwatch_event_begin(&encoder_, FIELDWATCH_LISTENING_PORTS, &head);
    ASSERT_EQ(fieldwatch_event_end(&encoder_), FIELDWATCH_OK);
    const auto event = json::parse(out_);
    EXPECT_TRUE(event["IsEmpty"]);
    EXPECT_TRUE(event["Payload"].empty());
}

TEST_F(Encoder, RefusesATriggeredEventThatIsEmpty) {
    const auto head = header(true);
    EXPECT_EQ(fieldwatch_event_begin(&encoder_, FIELDWATCH_LOGIN, &head), FIELDWATCH_SCHEMA_VIOLATION);
}

TEST_F(Encoder, RefusesAPeriodicEventWithoutPayloadThatIsNotEmpty) {
    const auto head = header();
    fieldwatch_event_begin(&encoder_, FIELDWATCH_LOCAL_USERS, &head);
    EXPECT_EQ(fieldwatch_event_end(&encoder_), FIELDWATCH_SCHEMA_VIOLATION);
}

TEST_F(Encoder, RefusesAPayloadThatLacksARequiredField) {
    const auto head = header();
    fieldwatch_event_begin(&encoder_, FIELDWATCH_PROCESS_CREATE, &head);
    fieldwatch_payload_begin(&encoder_);
    text("Executable", "/bin/sh");
    EXPECT_EQ(fieldwatch_payload_end(&encoder_), FIELDWATCH_SCHEMA_VIOLATION);
}

TEST_F(Encoder, RefusesUnknownRepeatedAndMistypedFieldsAndKeepsTheFirstError) {
    for (const auto& attempt : {0, 1, 2, 3, 4}) {
        out_.clear();
        fieldwatch_encoder_init(&encoder_, append, &out_, 0);
        const auto head = header();
        fieldwatch_event_begin(&encoder_, FIELDWATCH_CONNECTION_CREATE, &head);
        fieldwatch_payload_begin(&encoder_);
        switch (attempt) {
            case 0:
                text("Colour", "red");
                break;
            case 1:
                text("Protocol", "tcp");
                text("Protocol", "tcp");
                break;
            case 2:
                fieldwatch_field_integer(&encoder_, "RemotePort", 443);
                break;
            case 3:
                text("RemoteAddress", "example.org");
                break;
            default:
                text("Direction", "in");
                break;
        }
        EXPECT_EQ(fieldwatch_encoder_status(&encoder_), FIELDWATCH_SCHEMA_VIOLATION) << attempt;
        EXPECT_EQ(text("Executable", "/bin/x"), FIELDWATCH_SCHEMA_VIOLATION) << attempt;
    }
}

TEST_F(Encoder, ALoginNeedsAUserIdOrAUserName) {
    for (const bool named : {false, true}) {
        out_.clear();
        fieldwatch_encoder_init(&encoder_, append, &out_, 0);
        const auto head = header();
        fieldwatch_event_begin(&encoder_, FIELDWATCH_LOGIN, &head);
        fieldwatch_payload_begin(&encoder_);
        fieldwatch_field_integer(&encoder_, "ProcessId", 1);
        text("Operation", "login");
        text("Executable", "/usr/sbin/sshd");
        text("Result", "Fail");
        if (named) text("UserName", "root");
        EXPECT_EQ(fieldwatch_payload_end(&encoder_), named ? FIELDWATCH_OK : FIELDWATCH_SCHEMA_VIOLATION);
    }
}

TEST_F(Encoder, StopsAtTheBoundOfTheCallersArena) {
    char room[100];
    fieldwatch_arena arena{room, sizeof room, 0};
    fieldwatch_encoder_init(&encoder_, fieldwatch_arena_write, &arena, 0);
    const auto head = header();
    EXPECT_EQ(fieldwatch_event_begin(&encoder_, FIELDWATCH_PROCESS_CREATE, &head), FIELDWATCH_TOO_LARGE);
    EXPECT_LE(arena.size, sizeof room);
}

TEST(Text, InvalidBytesBecomeReplacementCharactersAndAreCounted) {
    std::string out;
    fieldwatch_encoder encoder{};
    fieldwatch_encoder_init(&encoder, append, &out, 0);
    const fieldwatch_event_header head{kId.c_str(), 0, 0, 0};
    fieldwatch_event_begin(&encoder, FIELDWATCH_MESSAGE_STATISTICS, &head);
    fieldwatch_payload_begin(&encoder);
    for (const auto* name : {"MessagesSent", "MessagesUnder4KB", "TotalFailed"}) {
        fieldwatch_field_integer(&encoder, name, INT64_MIN);
    }
    fieldwatch_extra_text(&encoder, "k", "a\xff\xed\xa0\x80z", 6);
    fieldwatch_payload_end(&encoder);
    ASSERT_EQ(fieldwatch_event_end(&encoder), FIELDWATCH_OK);
    EXPECT_EQ(fieldwatch_encoder_replaced(&encoder), 4U);
    EXPECT_EQ(json::parse(out)["Payload"][0]["MessagesSent"], INT64_MIN);
}

RC_GTEST_PROP(Text, AnyBytesGiveValidJsonAndValidTextSurvives, (const std::string& value)) {
    std::string out;
    fieldwatch_encoder encoder{};
    fieldwatch_encoder_init(&encoder, append, &out, 0);
    const fieldwatch_event_header head{kId.c_str(), 1, 0, 0};
    fieldwatch_event_begin(&encoder, FIELDWATCH_DIAGNOSTIC, &head);
    fieldwatch_payload_begin(&encoder);
    fieldwatch_field_text(&encoder, "Severity", "Error", 5);
    fieldwatch_field_text(&encoder, "Message", value.data(), value.size());
    fieldwatch_field_integer(&encoder, "ProcessId", 1);
    fieldwatch_field_integer(&encoder, "ThreadId", 1);
    fieldwatch_extra_text(&encoder, "k", value.data(), value.size());
    fieldwatch_payload_end(&encoder);
    RC_ASSERT(fieldwatch_event_end(&encoder) == FIELDWATCH_OK);
    const auto parsed = json::parse(out, nullptr, false);
    RC_ASSERT(!parsed.is_discarded());
    if (fieldwatch_encoder_replaced(&encoder) == 0) RC_ASSERT(parsed["Payload"][0]["Message"] == value);
}

TEST(Time, WritesTheCalendarAsRfc3339) {
    char out[FIELDWATCH_TIME_TEXT_SIZE];
    fieldwatch_format_time(951'782'400'000, 0, out);
    EXPECT_STREQ(out, "2000-02-29T00:00:00.000Z");
    fieldwatch_format_time(-1, -90, out);
    EXPECT_STREQ(out, "1969-12-31T22:29:59.999-01:30");
    EXPECT_LT(fieldwatch_format_time(INT64_MAX, 840, out), sizeof out);
    EXPECT_LT(fieldwatch_format_time(INT64_MIN, -840, out), sizeof out);
}

TEST(Address, IsOneLiteralOfEitherFamily) {
    for (const std::string good : {"0.0.0.0", "255.1.2.3", "::", "::1", "fe80::1", "1:2:3:4:5:6:7:8",
                                   "::ffff:1.2.3.4", "2001:0db8:0000:0000:0000:0000:0000:0001", "1::"}) {
        EXPECT_TRUE(fieldwatch_is_ip(good.data(), good.size())) << good;
    }
    for (const std::string bad : {"", "*", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "a", ":", ":::",
                                  "1::2::3", "1:2:3:4:5:6:7:8:9", "0.0.0.0/0", "12345::", "1:2:3:4:5:6:7:"}) {
        EXPECT_FALSE(fieldwatch_is_ip(bad.data(), bad.size())) << bad;
    }
}

TEST(Kinds, NamesGoBothWays) {
    for (unsigned i = 1; i <= FIELDWATCH_KIND_COUNT; ++i) {
        const std::string name = fieldwatch_kind_name(static_cast<fieldwatch_kind>(i));
        EXPECT_EQ(fieldwatch_kind_from_name(name.data(), name.size()), static_cast<fieldwatch_kind>(i));
    }
    EXPECT_EQ(fieldwatch_kind_name(static_cast<fieldwatch_kind>(FIELDWATCH_KIND_COUNT + 1)), nullptr);
}

TEST(Kinds, OfTheNewerGenerationSayTheirSchemaVersion) {
    std::string out;
    fieldwatch_encoder encoder;
    const auto write = [](void* into, const char* data, std::size_t size) {
        static_cast<std::string*>(into)->append(data, size);
        return 0;
    };
    const fieldwatch_event_header header{"6f9619ff-8b86-4d01-b42d-00cf4fc964ff", 0, 0, 1};
    fieldwatch_encoder_init(&encoder, write, &out, 0);
    EXPECT_EQ(fieldwatch_event_begin(&encoder, FIELDWATCH_HEARTBEAT, &header), FIELDWATCH_OK);
    EXPECT_EQ(fieldwatch_event_end(&encoder), FIELDWATCH_OK);
    EXPECT_NE(out.find(R"("PayloadSchemaVersion":"2.0","Payload":[])"), std::string::npos);
    auto full = header;
    full.is_empty = 0;  // a heartbeat carries nothing
    fieldwatch_encoder_init(&encoder, write, &out, 0);
    EXPECT_EQ(fieldwatch_event_begin(&encoder, FIELDWATCH_HEARTBEAT, &full), FIELDWATCH_SCHEMA_VIOLATION);
}

TEST(Id, HasVersionAndVariantOfRfc4122) {
    const std::uint8_t ones[16] = {255, 255, 255, 255, 255, 255, 255, 255,
                                   255, 255, 255, 255, 255, 255, 255, 255};
    char out[FIELDWATCH_ID_TEXT_SIZE];
    fieldwatch_format_id(ones, out);
    EXPECT_STREQ(out, "ffffffff-ffff-4fff-bfff-ffffffffffff");
}

}  // namespace
