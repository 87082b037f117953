#include "agent/spool/spool.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "agent/spool/outbox.hpp"
#include "base/hash.hpp"
#include "base/simulated_file_system.hpp"

namespace fieldwatch::agent {
namespace {

class SpoolTest : public ::testing::Test {
  protected:
    SpoolTest() {
        char name[] = "/tmp/fieldwatch-spool-XXXXXX";
        directory_ = ::mkdtemp(name);
    }
    ~SpoolTest() override { std::filesystem::remove_all(directory_); }

    std::unique_ptr<Spool> open(Spool::Recovered& recovered) {
        recovered = {};
        auto spool = Spool::open(posix_file_system(), directory_, recovered);
        EXPECT_TRUE(spool) << spool.error().message;
        return std::move(*spool);
    }
    static WaitingEvent event(std::uint64_t number, const std::string& json, Queue queue = Queue::High) {
        return {number, queue, true, 0, json};
    }
    std::string directory_;
};

TEST_F(SpoolTest, GivesBackAfterARestartWhatWasNotAcknowledged) {
    Spool::Recovered recovered;
    auto spool = open(recovered);
    for (std::uint64_t i = 1; i <= 4; ++i)
        ASSERT_TRUE(spool->append(event(i, "{\"e\":" + std::to_string(i) + "}")));
    spool->forget(2);
    ASSERT_TRUE(spool->sync());
    spool.reset();
    spool = open(recovered);
    ASSERT_EQ(recovered.events.size(), 3U);
    EXPECT_EQ(recovered.events[0].json, "{\"e\":1}");
    EXPECT_EQ(recovered.events[1].json, "{\"e\":3}");
    EXPECT_EQ(recovered.events[0].queue, Queue::High);
    EXPECT_EQ(recovered.torn_bytes, 0U);
}

TEST_F(SpoolTest, ATornEndCostsTheLastRecordOnly) {
    Spool::Recovered recovered;
    auto spool = open(recovered);
    spool->append(event(1, "first"));
    spool->append(event(2, "second"));
    ASSERT_TRUE(spool->sync());
    spool.reset();
    const auto file = std::filesystem::directory_iterator(directory_)->path();
    std::ifstream in(file, std::ios::binary);
    const std::string whole{std::istreambuf_iterator<char>(in), {}};
    constexpr std::size_t kFirst = 36 + 41;  // the segment's beginning, then the first event
    for (std::size_t size = kFirst; size < whole.size();
         ++size) {  // power lost at every byte of the second record
        std::ofstream(file, std::ios::binary | std::ios::trunc)
            .write(whole.data(), static_cast<std::streamsize>(size));
        open(recovered);
        ASSERT_EQ(recovered.events.size(), 1U) << size;
        EXPECT_EQ(recovered.events[0].json, "first");
        EXPECT_EQ(recovered.torn_bytes, size - kFirst);
        EXPECT_EQ(recovered.breaks, 0U);
    }
}

TEST_F(SpoolTest, AnyFlippedBitIsNoticed) {
    Spool::Recovered recovered;
    auto spool = open(recovered);
    spool->append(event(1, "first"));
    ASSERT_TRUE(spool->sync());
    spool.reset();
    const auto file = std::filesystem::directory_iterator(directory_)->path();
    std::ifstream in(file, std::ios::binary);
    const std::string whole{std::istreambuf_iterator<char>(in), {}};
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
        auto damaged = whole;
        damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
        std::ofstream(file, std::ios::binary | std::ios::trunc)
            .write(damaged.data(), static_cast<std::streamsize>(damaged.size()));
        open(recovered);
        EXPECT_TRUE(recovered.events.empty()) << bit;
    }
}

TEST_F(SpoolTest, ARecordThatWasRewrittenWithItsChecksumIsNoticed) {
    Spool::Recovered recovered;
    auto spool = open(recovered);
    for (std::uint64_t i = 1; i <= 3; ++i)
        ASSERT_TRUE(spool->append(event(i, "event" + std::to_string(i))));
    ASSERT_TRUE(spool->sync());
    spool.reset();
    const auto file = std::filesystem::directory_iterator(directory_)->path();
    std::ifstream in(file, std::ios::binary);
    std::string whole{std::istreambuf_iterator<char>(in), {}};
    const auto at = whole.find("event2") - 36;
    whole[at + 36] = 'E';
    const auto crc = crc32c(as_bytes(std::string_view(whole).substr(at + 8, 36 - 8 + 6)));
    std::memcpy(whole.data() + at + 4, &crc, sizeof crc);
    std::ofstream(file, std::ios::binary | std::ios::trunc)
        .write(whole.data(), static_cast<std::streamsize>(whole.size()));
    spool = open(recovered);
    EXPECT_EQ(recovered.events.size(), 3U);
    EXPECT_EQ(recovered.breaks, 1U);
    EXPECT_EQ(recovered.torn_bytes, 0U);
    ASSERT_TRUE(spool->append(event(4, "after")));  // the chain goes on from what is there
    ASSERT_TRUE(spool->sync());
    open(recovered);
    EXPECT_EQ(recovered.breaks, 1U);
}

TEST_F(SpoolTest, ASegmentThatWasTakenAwayIsNoticed) {
    Spool::Recovered recovered;
    auto spool = open(recovered);
    const std::string big(100'000, 'x');
    for (std::uint64_t i = 1; i <= 9; ++i)
        ASSERT_TRUE(spool->append(event(i, big)));
    ASSERT_TRUE(spool->sync());
    spool.reset();
    std::vector<std::filesystem::path> segments(std::filesystem::directory_iterator(directory_), {});
    std::ranges::sort(segments);
    ASSERT_EQ(segments.size(), 3U);
    open(recovered);
    EXPECT_EQ(recovered.breaks, 0U);
    std::filesystem::remove(segments[1]);
    open(recovered);
    EXPECT_EQ(recovered.breaks, 1U);
    EXPECT_EQ(recovered.events.size(), 6U);
}

TEST_F(SpoolTest, ReadsASegmentOfTheFirstRelease) {
    // docs/formats/spool.md of 0.1: size, checksum, type, queue, 0, number, body.
    std::string record("\2\0\0\0____\1\0\0\0\1\0\0\0\0\0\0\0{}", 22);
    const auto crc = crc32c(as_bytes(std::string_view(record).substr(8)));
    std::memcpy(record.data() + 4, &crc, sizeof crc);
    std::ofstream(directory_ + "/0000000001.spool", std::ios::binary) << record;
    Spool::Recovered recovered;
    auto spool = open(recovered);
    ASSERT_EQ(recovered.events.size(), 1U);
    EXPECT_EQ(recovered.events[0].json, "{}");
    EXPECT_EQ(recovered.breaks, 0U);
    spool->forget(1);
    ASSERT_TRUE(spool->sync());
    EXPECT_FALSE(std::filesystem::exists(directory_ + "/0000000001.spool"));
}

TEST_F(SpoolTest, SegmentsGoWhenNothingWaitsInThem) {
    Spool::Recovered recovered;
    auto spool = open(recovered);
    const std::string big(50'000, 'x');
    for (std::uint64_t i = 1; i <= 40; ++i)
        ASSERT_TRUE(spool->append(event(i, big)));
    ASSERT_TRUE(spool->sync());
    EXPECT_GT(spool->bytes(), 1'900'000U);
    for (std::uint64_t i = 1; i <= 40; ++i)
        spool->forget(i);
    ASSERT_TRUE(spool->sync());
    EXPECT_EQ(spool->bytes(), 0U);
    EXPECT_TRUE(std::filesystem::is_empty(directory_));
    ASSERT_TRUE(spool->append(event(41, "after")));  // and it goes on
    ASSERT_TRUE(spool->sync());
    spool.reset();
    open(recovered);
    ASSERT_EQ(recovered.events.size(), 1U);
}

TEST_F(SpoolTest, AnEventThatWaitsForLongDoesNotKeepAllThatCameAfterIt) {
    Spool::Recovered recovered;
    auto spool = open(recovered);
    const auto waiting = event(1, "waits for a day", Queue::Operational);
    ASSERT_TRUE(spool->append(waiting));
    const std::string big(50'000, 'x');
    for (std::uint64_t i = 2; i <= 500; ++i) {  // 25 MB that come and are dropped
        ASSERT_TRUE(spool->append(event(i, big)));
        spool->forget(i);
        if (i % 10 != 0) continue;
        if (spool->bytes() >= 1'000'000) {
            const auto kept = spool->open_oldest();
            ASSERT_TRUE(kept);
            for (const auto number : *kept) {
                EXPECT_EQ(number, 1U);
                ASSERT_TRUE(spool->append(waiting));
            }
        }
        ASSERT_TRUE(spool->sync());
        EXPECT_LT(spool->bytes(), 2'000'000U);
    }
    spool.reset();
    open(recovered);
    ASSERT_EQ(recovered.events.size(), 1U);
    EXPECT_EQ(recovered.events[0].json, "waits for a day");
    EXPECT_EQ(recovered.breaks, 0U);
}

/// A spool in use, as far as `disk` lets it: what was surely on disk and surely done with when it ended.
struct SpoolUse {
    std::vector<std::uint64_t> kept, done;

    explicit SpoolUse(SimulatedFileSystem& disk) {
        Spool::Recovered recovered;
        auto opened = Spool::open(disk, "spool", recovered);
        if (!opened) return;
        auto& spool = **opened;
        const std::string big(100'000, 'x');
        for (std::uint64_t i = 1; i <= 12; ++i) {
            const WaitingEvent event{i, Queue::High, true, 0, big};
            const bool ends_first = i > 3;  // of three that wait the oldest is done with
            if (!spool.append(event)) return;
            if (ends_first) spool.forget(i - 3);
            if (i == 8) {
                const auto oldest = spool.open_oldest();
                if (!oldest) return;
                for (const auto number : *oldest) {
                    if (!spool.append({number, Queue::High, true, 0, big})) return;
                }
            }
            if (!spool.sync()) return;
            kept.push_back(i);
            if (!ends_first) continue;
            std::erase(kept, i - 3);
            done.push_back(i - 3);
        }
    }
};

TEST(SpoolPower, LostAtAnyStepCostsNothingThatWasSyncedAndLooksLikeNoTampering) {
    SimulatedFileSystem whole(1);
    const SpoolUse undisturbed(whole);
    ASSERT_EQ(undisturbed.kept.size(), 3U);
    ASSERT_EQ(undisturbed.done.size(), 9U);
    for (std::uint64_t step = 1; step <= whole.steps(); ++step) {
        for (std::uint64_t seed = 1; seed <= 20; ++seed) {
            SimulatedFileSystem disk(seed);
            disk.cut_power_at(step);
            const SpoolUse use(disk);
            disk.restart();
            Spool::Recovered recovered;
            ASSERT_TRUE(Spool::open(disk, "spool", recovered));
            std::vector<std::uint64_t> numbers;
            for (const auto& event : recovered.events)
                numbers.push_back(event.number);
            for (const auto number : use.kept)
                // The step that was under way may have been what ended it.
                EXPECT_TRUE(std::ranges::count(numbers, number) == 1 || number == use.done.size() + 1)
                    << "event " << number << ", step " << step << ", seed " << seed;
            for (const auto number : use.done)
                EXPECT_EQ(std::ranges::count(numbers, number), 0)
                    << "event " << number << ", step " << step << ", seed " << seed;
            EXPECT_EQ(recovered.breaks, 0U) << "step " << step << ", seed " << seed;
        }
    }
}

TEST(SpoolPower, AFullDiskGivesRoomAgainForWhatIsDone) {
    SimulatedFileSystem disk(1);
    disk.set_capacity(600'000);
    Spool::Recovered recovered;
    auto spool = std::move(*Spool::open(disk, "spool", recovered));
    const std::string big(100'000, 'x');
    std::uint64_t number = 0;
    while (spool->append({number + 1, Queue::High, true, 0, big}))
        ++number;
    EXPECT_GE(number, 5U);
    disk.set_capacity(1);  // somebody else took the rest: not even a note goes down
    for (std::uint64_t i = 1; i <= number; ++i)
        spool->forget(i);
    (void)spool->sync();
    EXPECT_EQ(spool->bytes(), 0U);
    disk.set_capacity(600'000);
    EXPECT_TRUE(spool->append({100, Queue::High, true, 0, big}));
    ASSERT_TRUE(spool->sync());
    spool.reset();
    ASSERT_TRUE(Spool::open(disk, "spool", recovered));
    ASSERT_EQ(recovered.events.size(), 1U);
    EXPECT_EQ(recovered.events[0].number, 100U);
    EXPECT_EQ(recovered.breaks, 0U);
}

TEST(Outbox, GivesWayToTheNumbersOfASpoolThatIsFoundLate) {
    Outbox outbox({});
    for (const auto* json : {"{1}", "{2}", "{3}"})
        outbox.add(Queue::High, json, 0);
    (void)outbox.take(Queue::High, 84);
    outbox.add(Queue::Low, "{4}", 0);
    outbox.renumber_unspooled(7);
    outbox.restore({2, Queue::High, true, 0, "{found}"});
    std::vector<std::uint64_t> numbers;
    outbox.each([&](const WaitingEvent& event) { numbers.push_back(event.number); });
    std::ranges::sort(numbers);
    EXPECT_EQ(numbers, (std::vector<std::uint64_t>{2, 8, 9, 10, 11}));
    outbox.add(Queue::Low, "{5}", 0);
    EXPECT_EQ(outbox.next_number(), 13U);
}

TEST(Outbox, AnEventLeavesOnlyWhenItsMessageIsAcknowledged) {
    Outbox outbox({});
    std::vector<std::uint64_t> gone;
    outbox.on_gone = [&](const WaitingEvent& event) { gone.push_back(event.number); };
    outbox.add(Queue::High, "{1}", 0);
    outbox.add(Queue::High, "{2}", 0);
    auto batch = outbox.take(Queue::High, 100);
    ASSERT_EQ(batch.events.size(), 2U);
    EXPECT_TRUE(gone.empty());
    outbox.lost(batch.id);
    batch = outbox.take(Queue::High, 100);
    ASSERT_EQ(batch.events.size(), 2U);
    EXPECT_EQ(batch.events[0]->json, "{1}");
    outbox.acknowledged(batch.id);
    EXPECT_EQ(gone, (std::vector<std::uint64_t>{1, 2}));
    EXPECT_EQ(outbox.bytes(), 0U);
}

TEST(Outbox, AFloodOfLowEventsDoesNotPushOutHighOnes) {
    Outbox outbox({.cache_bytes = 10'000, .message_bytes = 8'192});
    for (int i = 0; i < 30; ++i)
        outbox.add(Queue::High, std::string(100, 'h'), 0);
    outbox.add(Queue::Operational, std::string(500, 'o'), 0);
    for (int i = 0; i < 1'000; ++i)
        outbox.add(Queue::Low, std::string(100, 'l'), 0);
    EXPECT_LE(outbox.bytes(), 10'000U);
    EXPECT_EQ(outbox.counters(Queue::High).dropped_full, 0U);
    EXPECT_EQ(outbox.counters(Queue::Operational).dropped_full, 0U);
    const auto low = outbox.counters(Queue::Low);
    EXPECT_EQ(low.collected, 1'000U);
    EXPECT_EQ(low.dropped_full, 1'000U - (10'000U - 3'500U) / 100U);
}

TEST(Outbox, PadsAMessageFromTheOtherQueueUpToItsBlock) {
    Outbox outbox({});
    outbox.add(Queue::High, std::string(1'000, 'h'), 0);
    for (int i = 0; i < 100; ++i)
        outbox.add(Queue::Low, std::string(500, 'l'), 0);
    const auto batch = outbox.take(Queue::High, 100);
    EXPECT_LE(100 + batch.bytes, 4'096U);
    EXPECT_GT(100 + batch.bytes, 4'096U - 501U);
    EXPECT_TRUE(outbox.take(Queue::High, 100).events.empty());  // Low alone does not answer a High trigger
}

TEST(Outbox, WhatMessagesHaveBecomeTooSmallForIsCountedAndKeepsNothingWaiting) {
    Outbox outbox({.cache_bytes = 1'000'000, .message_bytes = 204'800});
    std::size_t gone = 0;
    outbox.on_gone = [&](const WaitingEvent&) { ++gone; };
    outbox.add(Queue::High, "\"" + std::string(20'000, 'h') + "\"", 0);
    outbox.add(Queue::High, "\"small\"", 0);
    outbox.set_options({.cache_bytes = 1'000'000, .message_bytes = 8'192});
    const auto batch = outbox.take(Queue::High, 100);
    ASSERT_EQ(batch.events.size(), 1U);
    EXPECT_EQ(batch.events[0]->json, "\"small\"");
    EXPECT_EQ(outbox.counters(Queue::High).dropped_large, 1U);
    EXPECT_EQ(gone, 1U);
    EXPECT_TRUE(outbox.empty(Queue::High));
}

TEST(Outbox, NoMessageExceedsItsBoundAndTooLargeEventsAreCounted) {
    Outbox outbox({.cache_bytes = 1'000'000, .message_bytes = 8'192});
    outbox.add(Queue::High, std::string(9'000, 'h'), 0);
    EXPECT_EQ(outbox.counters(Queue::High).dropped_large, 1U);
    for (int i = 0; i < 200; ++i)
        outbox.add(Queue::High, "\"" + std::string(700, 'h') + "\"", 0);
    const std::string id(36, 'a');
    std::size_t events = 0;
    for (;;) {
        const auto batch = outbox.take(Queue::High, envelope_bytes("1.0", id));
        if (batch.events.empty()) break;
        const auto body = build_message("1.0", id, batch.events);
        ASSERT_TRUE(body);
        EXPECT_LE(body->size(), 8'192U);
        events += nlohmann::json::parse(*body)["Events"].size();
        outbox.acknowledged(batch.id);
    }
    EXPECT_EQ(events, 200U);
}

}  // namespace
}  // namespace fieldwatch::agent
