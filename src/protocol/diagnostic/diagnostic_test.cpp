#include <gmock/gmock.h>

#include <vector>

#include "base/text.hpp"
#include "protocol/diagnostic/records.hpp"

namespace fieldwatch::diagnostic {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

struct Got {
    std::string hub, device, body;
    bool administrative = false, connected = false;
    std::int64_t seconds = 0;
};
struct All {
    std::vector<Got> records;
    std::vector<std::string> refused;
    std::string error;
};

All read_all(std::string_view document, std::string (*mask)(std::string_view) = nullptr) {
    All out;
    RecordReader reader;
    const auto done = reader.read(
        document,
        {.record =
             [&](const Record& record) {
                 out.records.push_back({std::string(record.hub), std::string(record.device),
                                        std::string(record.body), record.administrative, record.connected,
                                        record.time.unix_seconds()});
             },
         .refused =
             [&](const Refusal& refusal) { out.refused.push_back(refusal.where + ": " + refusal.why); },
         .mask = mask});
    if (!done) out.error = done.error().message;
    return out;
}

TEST(DiagnosticRecords, TakesABatchOfTheCloudApart) {
    const auto all = read_all(
        R"({"records":[
          {"time":" 2020-11-10T08:00:00.1234567Z","resourceId":"/SUBSCRIPTIONS/S/PROVIDERS/MICROSOFT.DEVICES/IOTHUBS/Plant-1",
           "operationName":"deviceConnect","category":"Connections","level":"Information","properties":
           "{\"deviceId\":\"pump\",\"protocol\":\"Mqtt\",\"authType\":\"{\\\"scope\\\":\\\"device\\\"}\",\"maskedIpAddress\":\"203.0.113.XXX\"}"},
          {"time":"2020-11-10T08:00:01Z","operationName":"deviceConnect","category":"Connections","level":"Error",
           "resultType":"401003","properties":{"deviceId":"pump"}}]})");
    ASSERT_EQ(all.records.size(), 2u) << all.error << (all.refused.empty() ? "" : all.refused[0]);
    EXPECT_EQ(all.records[0].hub, "plant-1");
    EXPECT_EQ(all.records[0].device, "pump");
    EXPECT_EQ(all.records[0].seconds, 1604995200);
    EXPECT_TRUE(all.records[0].connected);
    EXPECT_THAT(all.records[0].body, HasSubstr(R"("properties":{"deviceId":"pump","protocol":"Mqtt")"));
    EXPECT_FALSE(all.records[1].connected);
}

TEST(DiagnosticRecords, AnActivityNamesItsCallerByItsClaims) {
    const auto all = read_all(
        R"([{"time":"2020-11-10T08:00:00Z","resourceId":"/subscriptions/s/providers/microsoft.devices/iothubs/p",
            "operationName":"MICROSOFT.DEVICES/IOTHUBS/CERTIFICATES/WRITE","category":"Administrative","resultType":"Success",
            "identity":{"claims":{"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name":"eve@example.org"}},
            "properties":{"deviceId":"not-a-device"}}])");
    ASSERT_EQ(all.records.size(), 1u);
    EXPECT_TRUE(all.records[0].administrative);
    EXPECT_EQ(all.records[0].device, "");
    EXPECT_THAT(all.records[0].body, HasSubstr(R"("caller":"eve@example.org")"));
}

TEST(DiagnosticRecords, TheEarlierFormBecomesTheEnvelope) {
    const auto all = read_all(
        R"({"time":"2017-05-01T10:00:00Z","operationName":"connect","category":"Connections","level":"Error","statusCode":4,
            "statusType":401003,"statusDescription":"token expired","deviceId":"old","protocol":"Amqp","userAgent":"sdk/1"})");
    ASSERT_EQ(all.records.size(), 1u);
    EXPECT_EQ(all.records[0].device, "old");
    EXPECT_THAT(all.records[0].body, HasSubstr(R"("operationName":"deviceConnect","resultType":"401003")"));
    EXPECT_THAT(all.records[0].body, HasSubstr(R"("sdkVersion":"sdk/1")"));
    EXPECT_THAT(all.records[0].body, HasSubstr(R"("protocol":"Amqp")"));
}

TEST(DiagnosticRecords, WhatCannotBeUsedIsToldByItsNumber) {
    const auto all = read_all(R"({"records":[7,{"time":"2020-11-10T08:00:00Z"},{"operationName":"x"},
        {"operationName":"x","time":"yesterday"},{"operationName":"x","time":"2020-11-10T08:00:00Z","properties":"{"},
        {"operationName":"x","time":"2020-11-10T08:00:00Z"}]})");
    EXPECT_EQ(all.records.size(), 1u);
    ASSERT_EQ(all.refused.size(), 5u);
    EXPECT_EQ(all.refused[0], "record 1: an object is needed");
    EXPECT_THAT(all.refused[1], HasSubstr("record 2: /operationName"));
    EXPECT_THAT(all.refused[2], HasSubstr("record 3: /time"));
    EXPECT_THAT(all.refused[3], HasSubstr("record 4: /time"));
    EXPECT_THAT(all.refused[4], HasSubstr("record 5: /properties"));
    EXPECT_THAT(read_all(R"({"records":3})").error, HasSubstr("neither"));
    EXPECT_NE(read_all(R"({"records":[)").error, "");
}

TEST(DiagnosticRecords, AMaskedHubKeepsNoFullAddress) {
    const auto mask = [](std::string_view) { return std::string("203.0.113.XXX"); };
    const auto all = read_all(
        R"({"operationName":"deviceConnect","time":"2020-11-10T08:00:00Z","properties":{"deviceId":"d","ipAddress":"203.0.113.9"}})",
        mask);
    ASSERT_EQ(all.records.size(), 1u);
    EXPECT_THAT(all.records[0].body, Not(HasSubstr("203.0.113.9")));
    EXPECT_THAT(all.records[0].body, HasSubstr(R"("maskedIpAddress":"203.0.113.XXX")"));
}

TEST(DocumentSplitter, CutsLinesAndJoinsThem) {
    std::vector<std::string> got;
    DocumentSplitter splitter;
    std::uint64_t number = 0;
    each_line("{\"a\":\"}\\\"{\"} {\"b\":1},\n\n{\n \"c\": [1,\n 2]\n}\nxyz\n{\"d\":",
              [&](std::string_view line) {
                  const auto done =
                      splitter.add(line, ++number, [&](std::string_view document, std::uint64_t first) {
                          got.push_back(std::to_string(first) + " " + std::string(document));
                      });
                  EXPECT_EQ(done.has_value(), line != "xyz") << line;
              });
    EXPECT_THAT(got, ElementsAre("1 {\"a\":\"}\\\"{\"}", "1 {\"b\":1}", "3 {\n \"c\": [1,\n 2]\n}"));
    EXPECT_TRUE(splitter.waiting());
    EXPECT_EQ(splitter.first_line(), 8u);
}

}  // namespace
}  // namespace fieldwatch::diagnostic
