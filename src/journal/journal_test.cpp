#include "journal/journal.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/simulated_file_system.hpp"

namespace fieldwatch::journal {
namespace {

using namespace std::chrono_literals;

/// Counts confirmations, and waits for them.
class Confirmations {
  public:
    Writer::Durable next() {
        {
            const std::lock_guard lock(mutex_);
            ++asked_;
        }
        return [this](const Result<void>& outcome) {
            const std::lock_guard lock(mutex_);
            (outcome ? good_ : bad_) += 1;
            if (!outcome) last_error_ = outcome.error();
            changed_.notify_all();
        };
    }
    void wait() {
        std::unique_lock lock(mutex_);
        ASSERT_TRUE(changed_.wait_for(lock, 20s, [&] { return good_ + bad_ == asked_; }));
    }
    int good() const { return good_; }
    int bad() const { return bad_; }
    Error last_error() const { return last_error_; }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int asked_ = 0;
    int good_ = 0;
    int bad_ = 0;
    Error last_error_;
};

class JournalTest : public testing::Test {
  protected:
    static Options options() {
        Options out;
        out.directory = "/data/journal";
        out.partition_count = 2;
        out.disk_free_bytes_min = 0;
        return out;
    }
    std::unique_ptr<Journal> open(const Options& wanted) {
        auto journal = journal::open(wanted, disk_, clock_, metrics_);
        EXPECT_TRUE(journal) << journal.error().message;
        return journal ? std::move(*journal) : nullptr;
    }
    std::unique_ptr<Journal> open() { return open(options()); }

    /// Appends one record and waits until it is durable.
    void append(Journal& journal, std::string_view text, Stream stream = Stream::Security,
                std::uint32_t partition = 0) {
        Confirmations confirmations;
        const auto place = journal.writer().append(stream, partition, as_bytes(text), confirmations.next());
        ASSERT_TRUE(place) << place.error().message;
        confirmations.wait();
        ASSERT_EQ(confirmations.good(), 1) << confirmations.last_error().message;
    }
    static std::vector<std::string> read_all(Journal& journal, Place from = {}) {
        std::vector<std::string> out;
        while (true) {
            const auto batch = journal.reader().read(from, 7, 1'000);
            if (!batch) ADD_FAILURE() << batch.error().message;
            if (!batch || batch->records.empty()) return out;
            for (const auto& record : batch->records) {
                EXPECT_EQ(record.offset, from.offset++);
                out.emplace_back(as_text(record.bytes));
            }
            EXPECT_EQ(batch->next_offset, from.offset);
        }
    }

    SimulatedFileSystem disk_{7};
    ManualClock clock_{Timestamp::from_unix_seconds(1'700'000'000)};
    Metrics metrics_;
};

TEST_F(JournalTest, ReadsWhatWasAppendedInOrder) {
    const auto journal = open();
    append(*journal, "one");
    append(*journal, "");
    append(*journal, "other", Stream::Telemetry, 1);
    append(*journal, std::string(5'000, 'x'));
    EXPECT_THAT(read_all(*journal), testing::ElementsAre("one", "", std::string(5'000, 'x')));
    EXPECT_THAT(read_all(*journal, {Stream::Telemetry, 1, 0}), testing::ElementsAre("other"));
    EXPECT_EQ(journal->reader().end_offset(Stream::Security, 0), 3u);
    EXPECT_EQ(journal->reader().end_offset(Stream::Security, 1), 0u);
}

TEST_F(JournalTest, ConfirmsManyInOrderAndKeepsThemThroughARestart) {
    constexpr int kCount = 20'000;
    std::vector<std::uint64_t> confirmed;
    {
        const auto journal = open();
        Confirmations all;
        for (int i = 0; i < kCount; ++i) {
            auto done = all.next();
            const auto text = std::to_string(i);
            ASSERT_TRUE(journal->writer().append(
                Stream::Security, 0, as_bytes(text),
                [&confirmed, i, done = std::move(done)](Result<void> outcome) mutable {
                    confirmed.push_back(static_cast<std::uint64_t>(i));
                    done(std::move(outcome));
                }));
        }
        all.wait();
        EXPECT_EQ(all.good(), kCount);
        EXPECT_TRUE(std::is_sorted(confirmed.begin(), confirmed.end()));
    }
    const auto journal = open();
    EXPECT_EQ(read_all(*journal, {Stream::Security, 0, kCount - 2}),
              (std::vector<std::string>{"19998", "19999"}));
    EXPECT_EQ(read_all(*journal).size(), std::size_t{kCount});
    append(*journal, "next");
    EXPECT_EQ(journal->reader().end_offset(Stream::Security, 0), kCount + 1u);
}

TEST_F(JournalTest, CommitsOnCloseWhatWasAppended) {
    Confirmations confirmations;
    {
        const auto journal = open();
        ASSERT_TRUE(journal->writer().append(Stream::Security, 0, as_bytes("last"), confirmations.next()));
    }
    EXPECT_EQ(confirmations.good(), 1);
    EXPECT_THAT(read_all(*open()), testing::ElementsAre("last"));
}

TEST_F(JournalTest, ReadsAcrossSegmentsFromAnyOffset) {
    auto small = options();
    small.segment_bytes = 4'096;
    const auto text = [](int i) { return std::to_string(i) + std::string(300, '.'); };
    {
        const auto journal = open(small);
        for (int i = 0; i < 60; ++i)
            append(*journal, text(i));
    }
    EXPECT_GT(disk_.list("/data/journal")->size(), 6u);
    const auto journal = open(small);
    for (int from = 0; from < 60; ++from) {
        const auto batch =
            journal->reader().read({Stream::Security, 0, static_cast<std::uint64_t>(from)}, 1, 1);
        ASSERT_TRUE(batch) << batch.error().message;
        ASSERT_EQ(batch->records.size(), 1u);
        EXPECT_EQ(as_text(batch->records[0].bytes), text(from));
    }
    EXPECT_EQ(read_all(*journal).size(), 60u);
}

TEST_F(JournalTest, WaitingEndsWithTheRecordOrTheTime) {
    const auto journal = open();
    EXPECT_FALSE(journal->reader().wait({}, 1ms));
    std::thread writer([&] { append(*journal, "x"); });
    EXPECT_TRUE(journal->reader().wait({}, 20s));
    writer.join();
    EXPECT_TRUE(journal->reader().wait({}, 0ms));
}

TEST_F(JournalTest, RefusesWhatItCannotTake) {
    auto narrow = options();
    narrow.record_bytes_max = 10;
    const auto journal = open(narrow);
    EXPECT_EQ(journal->writer().append(Stream::Security, 0, as_bytes("12345678901"), {}).error().code,
              Errc::TooLarge);
    append(*journal, "1234567890");
    auto other = options();
    other.partition_count = 3;
    EXPECT_EQ(journal::open(other, disk_, clock_, metrics_).error().code, Errc::Conflict);
}

TEST_F(JournalTest, FullCommitBufferRefusesAndThenCallsBack) {
    auto narrow = options();
    narrow.commit_buffer_bytes = 4'096;
    const auto journal = open(narrow);
    Confirmations confirmations;
    int refused = 0;
    for (int i = 0; i < 2'000; ++i) {
        auto durable = confirmations.next();
        const auto place = journal->writer().append(Stream::Security, 0, as_bytes(std::string(500, 'x')),
                                                    [](Result<void>) {});
        durable(Result<void>{});
        if (place) continue;
        ASSERT_EQ(place.error().code, Errc::Exhausted);
        ++refused;
        Confirmations space;
        journal->writer().on_space([done = space.next()]() mutable { done({}); });
        space.wait();
    }
    EXPECT_GT(refused, 0);
}

TEST_F(JournalTest, RefusesAllAfterTheDiskFailedAndKeepsWhatWasConfirmed) {
    {
        const auto journal = open();
        append(*journal, "kept");
        disk_.fail_at(disk_.steps() + 2, Errc::Io);  // the sync of the next commit
        Confirmations confirmations;
        ASSERT_TRUE(journal->writer().append(Stream::Security, 0, as_bytes("lost"), confirmations.next()));
        confirmations.wait();
        EXPECT_EQ(confirmations.bad(), 1);
        EXPECT_EQ(journal->writer().append(Stream::Security, 1, as_bytes("x"), {}).error().code, Errc::Io);
        EXPECT_THAT(read_all(*journal), testing::ElementsAre("kept"));
    }
    disk_.cut_power();
    disk_.restart();
    EXPECT_EQ(read_all(*open()).front(), "kept");
}

TEST_F(JournalTest, GoesOnAfterAFullDiskWithoutAGapInTheOffsets) {
    auto small = options();
    small.segment_bytes = 4'096;
    const auto journal = open(small);
    append(*journal, "before");
    disk_.set_capacity(0);
    Confirmations confirmations;
    for (int i = 0; i < 10; ++i) {
        static_cast<void>(journal->writer().append(Stream::Telemetry, 0, as_bytes(std::string(600, 'x')),
                                                   confirmations.next()));
    }
    confirmations.wait();
    EXPECT_GT(confirmations.bad(), 0);
    EXPECT_EQ(confirmations.last_error().code, Errc::Exhausted);
    disk_.set_capacity(UINT64_MAX);
    const auto kept = journal->reader().end_offset(Stream::Telemetry, 0);
    append(*journal, "after", Stream::Telemetry, 0);
    const auto all = read_all(*journal, {Stream::Telemetry, 0, 0});
    EXPECT_EQ(all.size(), kept + 1);
    EXPECT_EQ(all.back(), "after");
}

TEST_F(JournalTest, RefusesAppendsWhenTheDiskIsNearlyFull) {
    auto careful = options();
    careful.disk_free_bytes_min = 1'000;
    const auto journal = open(careful);
    disk_.set_capacity(0);
    ASSERT_TRUE(journal->enforce_retention());
    EXPECT_EQ(journal->writer().append(Stream::Security, 0, as_bytes("x"), {}).error().code, Errc::Exhausted);
    disk_.set_capacity(UINT64_MAX);
    ASSERT_TRUE(journal->enforce_retention());
    append(*journal, "x");
}

class RetentionTest : public JournalTest {
  protected:
    RetentionTest() {
        small_.segment_bytes = 2'048;
        small_.security = {24h, 1u << 30};
        small_.telemetry = {24h, 1u << 30};
    }
    void fill(Journal& journal, Stream stream) {
        for (int i = 0; i < 40; ++i)
            append(journal, std::string(200, 'x'), stream);
    }
    Options small_ = options();
};

TEST_F(RetentionTest, DeletesWhatIsTooOldAndSaysSoToReaders) {
    const auto journal = open(small_);
    fill(*journal, Stream::Security);
    ASSERT_TRUE(journal->enforce_retention());
    EXPECT_EQ(journal->reader().first_offset(Stream::Security, 0), 0u);
    clock_.advance(std::chrono::duration_cast<Ticks>(48h));
    ASSERT_TRUE(journal->enforce_retention());
    const auto first = journal->reader().first_offset(Stream::Security, 0);
    EXPECT_GT(first, 25u);
    const auto gone = journal->reader().read({}, 1, 1);
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().code, Errc::NotFound);
    EXPECT_EQ(read_all(*journal, {Stream::Security, 0, first}).size(), 40 - first);
}

TEST_F(RetentionTest, NeverOutrunsAConsumerEvenAfterARestart) {
    {
        const auto journal = open(small_);
        fill(*journal, Stream::Security);
        ASSERT_TRUE(journal->keep_from("pipeline", {Stream::Security, 0, 12}));
        ASSERT_TRUE(journal->keep_from("export", {Stream::Security, 0, 30}));
    }
    disk_.cut_power();
    disk_.restart();
    small_.security = {1s, 1};
    clock_.advance(std::chrono::duration_cast<Ticks>(48h));
    const auto journal = open(small_);
    ASSERT_TRUE(journal->enforce_retention());
    const auto first = journal->reader().first_offset(Stream::Security, 0);
    EXPECT_GT(first, 0u);
    EXPECT_LE(first, 12u);
    ASSERT_TRUE(journal->keep_from("pipeline", {Stream::Security, 0, 40}));
    ASSERT_TRUE(journal->enforce_retention());
    EXPECT_GT(journal->reader().first_offset(Stream::Security, 0), first);
    EXPECT_LE(journal->reader().first_offset(Stream::Security, 0), 30u);
}

TEST_F(RetentionTest, AConsumerFindsItsPlaceAgainAndHoldsNothingOnceForgotten) {
    {
        const auto journal = open(small_);
        fill(*journal, Stream::Security);
        ASSERT_TRUE(journal->keep_from("route/b", {Stream::Security, 0, 3}));
        ASSERT_TRUE(journal->keep_from("pipeline", {Stream::Security, 0, 40}));
        ASSERT_TRUE(journal->keep_from("pipeline", {Stream::Telemetry, 0, 7}));
    }
    disk_.cut_power();
    disk_.restart();
    small_.security = {1s, 1};
    clock_.advance(std::chrono::duration_cast<Ticks>(48h));
    const auto journal = open(small_);
    EXPECT_EQ(journal->consumers(), (std::vector<std::string>{"pipeline", "route/b"}));
    EXPECT_EQ(journal->kept_from("route/b", Stream::Security, 0), 3u);
    EXPECT_EQ(journal->kept_from("pipeline", Stream::Telemetry, 0), 7u);
    EXPECT_FALSE(journal->kept_from("route/b", Stream::Telemetry, 0));
    ASSERT_TRUE(journal->enforce_retention());
    EXPECT_LE(journal->reader().first_offset(Stream::Security, 0), 3u);
    ASSERT_TRUE(journal->forget("route/b"));
    EXPECT_TRUE(journal->forget("route/b")) << "nobody is forgotten twice";
    EXPECT_FALSE(journal->kept_from("route/b", Stream::Security, 0));
    ASSERT_TRUE(journal->enforce_retention());
    EXPECT_GT(journal->reader().first_offset(Stream::Security, 0), 3u);
}

TEST_F(RetentionTest, AFullDiskTakesTelemetryFirstAndCountsIt) {
    small_.disk_free_bytes_min = 1'000'000;
    const auto journal = open(small_);
    fill(*journal, Stream::Security);
    fill(*journal, Stream::Telemetry);
    const auto used = UINT64_MAX - *disk_.free_bytes("/data/journal");
    disk_.set_capacity(used + 1'000'000 - 3'000);  // two segments too many
    ASSERT_TRUE(journal->enforce_retention());
    EXPECT_GT(journal->reader().first_offset(Stream::Telemetry, 0), 0u);
    EXPECT_EQ(journal->reader().first_offset(Stream::Security, 0), 0u);
    EXPECT_THAT(metrics_.prometheus_text(),
                testing::HasSubstr("fieldwatch_journal_telemetry_shed_records_total " +
                                   std::to_string(journal->reader().first_offset(Stream::Telemetry, 0))));
}

TEST_F(RetentionTest, AQuietSegmentAgesOutToo) {
    const auto journal = open(small_);
    append(*journal, "only");
    clock_.advance(std::chrono::duration_cast<Ticks>(25h));
    ASSERT_TRUE(journal->enforce_retention());
    for (int i = 0; i < 2'000 && disk_.list("/data/journal")->size() < 6; ++i)
        std::this_thread::sleep_for(1ms);  // the committer begins the new segment on its own thread
    clock_.advance(std::chrono::duration_cast<Ticks>(25h));
    ASSERT_TRUE(journal->enforce_retention());
    EXPECT_EQ(journal->reader().first_offset(Stream::Security, 0), 1u);
    append(*journal, "second");
    EXPECT_EQ(read_all(*journal, {Stream::Security, 0, 1}).size(), 1u);
}

}  // namespace
}  // namespace fieldwatch::journal
