#include "detect/custom/counted.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <numeric>

namespace fieldwatch::detect {
namespace {

constexpr auto kWindow = Ticks(std::chrono::minutes(15));
Timestamp at(std::int64_t seconds) {
    return Timestamp::from_unix_seconds(1'800'000'000 + seconds);  // on a quarter of an hour
}

TEST(Spread, GivesEachWindowItsShareAndTheLargestRemaindersTheRest) {
    const auto shares = spread(10, at(600), at(600 + 1'800), kWindow);  // 5, 15 and 10 minutes
    ASSERT_EQ(shares.size(), 3u);
    EXPECT_EQ(shares[0].start, at(0).ticks);
    EXPECT_EQ(shares[0].amount, 2);  // 1.67
    EXPECT_EQ(shares[1].amount, 5);
    EXPECT_EQ(shares[2].amount, 3);  // 3.33
}

TEST(Spread, LosesNothingAndInventsNothing) {
    EXPECT_TRUE(
        rc::check([](std::uint32_t amount, std::int32_t from, std::uint16_t length, std::uint8_t minutes) {
            const Ticks size = std::chrono::minutes(1 + minutes);
            const auto start = at(from % 1'000'000);
            const auto shares = spread(amount, start, start + Ticks(std::chrono::seconds(length)), size);
            std::int64_t sum = 0;
            for (const auto& share : shares) {
                RC_ASSERT(share.amount >= 0);
                RC_ASSERT(share.start % size.count() == 0);
                sum += share.amount;
            }
            RC_ASSERT(sum == static_cast<std::int64_t>(amount));
        }));
}

model::Operation operation(std::string_view category, std::string_view name, std::string_view protocol = "") {
    model::Operation out;
    out.category = category;
    out.operation_name = name;
    out.protocol = protocol;
    out.level = "Information";
    return out;
}

std::vector<std::pair<RuleType, std::int64_t>> count(const model::Operation& operation,
                                                     CountingOptions options = {}) {
    model::Event event;
    event.kind = model::EventKind::Operation;
    model::Item item{.payload = operation};
    const auto list = counted(event, item, options);
    std::vector<std::pair<RuleType, std::int64_t>> out;
    for (std::size_t i = 0; i < list.size; ++i)
        out.emplace_back(list.items[i].rule, list.items[i].amount);
    return out;
}
using Counts = std::vector<std::pair<RuleType, std::int64_t>>;

TEST(Counted, TellsProtocolsApartWithTheirWebSockets) {
    using enum RuleType;
    EXPECT_EQ(count(operation("C2DCommands", "deliver", "Amqp")), (Counts{{AmqpC2DMessages, 1}}));
    EXPECT_EQ(count(operation("C2DCommands", "deliver", "AmqpWs")), (Counts{{AmqpC2DMessages, 1}}));
    EXPECT_EQ(count(operation("C2DCommands", "deliver", "MqttWs")), (Counts{{MqttC2DMessages, 1}}));
    EXPECT_EQ(count(operation("C2DCommands", "deliver", "Https")), (Counts{{HttpC2DMessages, 1}}));
    EXPECT_EQ(count(operation("C2DCommands", "reject", "Http")), (Counts{{HttpC2DRejected, 1}}));
    EXPECT_EQ(count(operation("C2DCommands", "send", "Mqtt")), Counts{});
    EXPECT_EQ(count(operation("C2DCommands", "purge")), (Counts{{QueuePurges, 1}}));
}

TEST(Counted, CountsMessagesNotBatchesAndNotItsOwnTraffic) {
    auto ingress = operation("DeviceTelemetry", "ingress", "Mqtt");
    ingress.message_count = 12;
    EXPECT_EQ(count(ingress), (Counts{{RuleType::MqttD2CMessages, 12}}));
    ingress.is_security_message = true;
    EXPECT_EQ(count(ingress), Counts{});
    EXPECT_EQ(count(ingress, {.security_messages = true}), (Counts{{RuleType::MqttD2CMessages, 12}}));
    ingress.is_security_message = false;
    ingress.level = "Error";
    EXPECT_EQ(count(ingress), Counts{});
}

TEST(Counted, CountsTwinWritesOfBothSidesAndNoReads) {
    const Counts update{{RuleType::TwinUpdates, 1}};
    EXPECT_EQ(count(operation("C2DTwinOperations", "update")), update);
    EXPECT_EQ(count(operation("C2DTwinOperations", "replace")), update);
    EXPECT_EQ(count(operation("D2CTwinOperations", "update")), update);
    EXPECT_EQ(count(operation("C2DTwinOperations", "read")), Counts{});
    EXPECT_EQ(count(operation("D2CTwinOperations", "subscribe")), Counts{});
}

TEST(Counted, CountsFinishedUploadsOnly) {
    EXPECT_EQ(count(operation("FileUploadOperations", "initiate")), Counts{});
    EXPECT_EQ(count(operation("FileUploadOperations", "complete")), (Counts{{RuleType::FileUploads, 1}}));
}

TEST(Counted, CountsMethodsThatFailedTooAnd401ButNot403) {
    auto method = operation("DirectMethods", "send");
    method.level = "Error";
    method.status_code = "404103";
    EXPECT_EQ(count(method), (Counts{{RuleType::DirectMethodInvokes, 1}}));
    auto connect = operation("Connections", "deviceConnect", "Mqtt");
    connect.status_code = "401003";
    EXPECT_EQ(count(connect), (Counts{{RuleType::UnauthorizedOperations, 1}}));
    connect.status_code = "403004";
    EXPECT_EQ(count(connect), Counts{});
}

}  // namespace
}  // namespace fieldwatch::detect
