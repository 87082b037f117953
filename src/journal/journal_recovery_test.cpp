// What a journal holds after power cuts and damage: guarantee 1 of the design.
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <set>

#include "base/log.hpp"
#include "base/simulated_file_system.hpp"
#include "journal/journal.hpp"
#include "journal/segment_format.hpp"

namespace fieldwatch::journal {
namespace {

using namespace std::chrono_literals;

Options small_segments() {
    Options out;
    out.directory = "/data/journal";
    out.partition_count = 1;
    out.segment_bytes = 3'000;
    out.disk_free_bytes_min = 0;
    out.security = {1h, 8'000};
    return out;
}

std::string record_text(int number) {
    return std::to_string(number) + ":" + std::string(static_cast<std::size_t>(number * 37 % 700), 'r');
}

/// Appends in groups, registers a consumer and deletes, until the power goes. What it was promised.
class Script {
  public:
    explicit Script(SimulatedFileSystem& disk) : disk_(disk) {}

    void run(int rounds) {
        auto opened = open(small_segments(), disk_, clock_, metrics_);
        if (!opened) return;
        auto& journal = **opened;
        for (int round = 0; round < rounds && disk_.has_power(); ++round) {
            const int group = 1 + round % 4;
            {
                std::unique_lock lock(mutex_);
                waiting_ = 0;
            }
            for (int i = 0; i < group; ++i)
                append(journal);
            {
                std::unique_lock lock(mutex_);
                ASSERT_TRUE(answered_.wait_for(lock, 20s, [&] { return waiting_ == 0; }));
            }
            if (round % 5 == 4) {
                const Place lowest{Stream::Security, 0, acknowledged_.empty() ? 0 : *acknowledged_.rbegin()};
                if (journal.keep_from("reader", lowest)) kept_from_ = lowest.offset;
                static_cast<void>(journal.enforce_retention());
            }
        }
    }

    const std::set<std::uint64_t>& acknowledged() const { return acknowledged_; }

  private:
    void append(Journal& journal) {
        const auto number = static_cast<int>(next_);
        {
            const std::lock_guard lock(mutex_);
            ++waiting_;
        }
        const auto place = journal.writer().append(
            Stream::Security, 0, as_bytes(record_text(number)), [this, number](const Result<void>& outcome) {
                const std::lock_guard lock(mutex_);
                if (outcome) acknowledged_.insert(static_cast<std::uint64_t>(number));
                --waiting_;
                answered_.notify_all();
            });
        const std::lock_guard lock(mutex_);
        if (place) {
            EXPECT_EQ(place->offset, next_);
            ++next_;
        } else {
            --waiting_;
        }
    }

    SimulatedFileSystem& disk_;
    ManualClock clock_{Timestamp::from_unix_seconds(1'700'000'000)};
    Metrics metrics_;
    std::mutex mutex_;
    std::condition_variable answered_;
    int waiting_ = 0;
    std::uint64_t next_ = 0;
    std::uint64_t kept_from_ = 0;
    std::set<std::uint64_t> acknowledged_;
};

/// Every acknowledged record that retention left is there; offsets are dense; nothing else is.
void check(SimulatedFileSystem& disk, const Script& script, const std::string& where) {
    const ManualClock clock(Timestamp::from_unix_seconds(1'700'000'000));
    Metrics metrics;
    for (int again = 0; again < 2; ++again) {  // the repair itself must be repeatable
        auto journal = open(small_segments(), disk, clock, metrics);
        ASSERT_TRUE(journal) << where << ": " << journal.error().message;
        auto& reader = (*journal)->reader();
        auto offset = reader.first_offset(Stream::Security, 0);
        const auto end = reader.end_offset(Stream::Security, 0);
        while (offset < end) {
            const auto batch = reader.read({Stream::Security, 0, offset}, 10, 2'000);
            ASSERT_TRUE(batch) << where << ": " << batch.error().message;
            ASSERT_FALSE(batch->records.empty()) << where;
            for (const auto& record : batch->records) {
                ASSERT_EQ(record.offset, offset) << where;
                ASSERT_EQ(as_text(record.bytes), record_text(static_cast<int>(offset))) << where;
                ++offset;
            }
        }
        if (!script.acknowledged().empty()) {
            ASSERT_GT(end, *script.acknowledged().rbegin()) << where << ": an acknowledged record is gone";
            ASSERT_EQ(*script.acknowledged().rbegin() + 1, script.acknowledged().size()) << where;
        }
    }
}

TEST(PowerCut, LosesNothingAcknowledgedAtWhateverStep) {
    log::set_level(log::Level::Error);  // hundreds of torn tails, each with its line
    SimulatedFileSystem undisturbed(0);
    Script whole(undisturbed);
    whole.run(30);
    const auto steps = undisturbed.steps();
    ASSERT_GT(steps, 100u);
    ASSERT_GT(whole.acknowledged().size(), 50u);
    for (std::uint64_t cut = 1; cut <= steps; ++cut) {
        for (std::uint64_t seed = 0; seed < 4; ++seed) {
            SimulatedFileSystem disk(seed * 1'000'003 + cut);
            disk.cut_power_at(cut);
            Script script(disk);
            script.run(30);
            disk.cut_power();
            disk.restart();
            check(disk, script, "cut at step " + std::to_string(cut) + ", seed " + std::to_string(seed));
            if (HasFatalFailure()) return;
        }
    }
}

class Damage : public testing::Test {
  protected:
    void SetUp() override {
        script_.run(12);
        append_commits(3);
        const auto names = *disk_.list("/data/journal");
        for (const auto& name : names)
            if (name.starts_with("security")) newest_ = "/data/journal/" + name;
    }
    /// So many commits of one record each into the newest segment, however the script's were grouped.
    void append_commits(int count) {
        auto roomy = small_segments();
        roomy.segment_bytes = 1u << 20;
        const auto journal = *open(roomy, disk_, clock_, metrics_);
        for (int i = 0; i < count; ++i) {
            const auto end = journal->reader().end_offset(Stream::Security, 0);
            ASSERT_TRUE(journal->writer().append(Stream::Security, 0, as_bytes("more"), [](Result<void>) {}));
            ASSERT_TRUE(journal->reader().wait({Stream::Security, 0, end}, 20s));
        }
    }
    void flip(const std::string& path, std::uint64_t at) {
        const auto file = *disk_.open(path, OpenMode::ReadWrite);
        std::array<std::byte, 1> byte;
        ASSERT_EQ(file->read_at(at, byte), 1u);
        byte[0] ^= std::byte{0x40};
        ASSERT_TRUE(file->write_at(at, byte));
    }
    Errc open_error() {
        const auto journal = open(small_segments(), disk_, clock_, metrics_);
        return journal ? Errc::Internal : journal.error().code;
    }

    SimulatedFileSystem disk_{3};
    ManualClock clock_{Timestamp::from_unix_seconds(1'700'000'000)};
    Metrics metrics_;
    Script script_{disk_};
    std::string newest_;
};

TEST_F(Damage, InTheMiddleOfTheNewestSegmentIsCorruptionNotATornTail) {
    const auto content = *read_file(disk_, newest_, 10u << 20);
    ByteView rest = ByteView(content).subspan(kSegmentHeaderBytes);
    const auto salt = decode_segment_header(content)->salt;
    const auto first = parse_record(rest, salt, 1u << 20);
    ASSERT_EQ(first.state, ParsedRecord::State::Record);
    flip(newest_, kSegmentHeaderBytes + 3);  // its length
    EXPECT_EQ(open_error(), Errc::Corrupt);
    flip(newest_, kSegmentHeaderBytes + 3);
    flip(newest_, kSegmentHeaderBytes + kRecordHeaderBytes);  // its payload
    EXPECT_EQ(open_error(), Errc::Corrupt);
    flip(newest_, kSegmentHeaderBytes + kRecordHeaderBytes);
    EXPECT_EQ(open_error(), Errc::Internal);
}

TEST_F(Damage, InAHeaderOrTheDescriptionIsSaid) {
    flip(newest_, 17);
    EXPECT_EQ(open_error(), Errc::Corrupt);
    flip(newest_, 17);
    flip("/data/journal/meta", 13);
    EXPECT_EQ(open_error(), Errc::Corrupt);
    flip("/data/journal/meta", 13);
    ASSERT_TRUE(disk_.remove("/data/journal/meta"));
    EXPECT_EQ(open_error(), Errc::Corrupt);
}

TEST_F(Damage, InAnOlderSegmentStopsItsReaderThere) {
    const auto names = *disk_.list("/data/journal");
    std::vector<std::string> segments;
    for (const auto& name : names)
        if (name.starts_with("security")) segments.push_back("/data/journal/" + name);
    ASSERT_GT(segments.size(), 1u);
    flip(segments[0], kSegmentHeaderBytes + kRecordHeaderBytes);
    const auto journal = *open(small_segments(), disk_, clock_, metrics_);
    const auto first = journal->reader().first_offset(Stream::Security, 0);
    const auto batch = journal->reader().read({Stream::Security, 0, first}, 100, 100'000);
    ASSERT_FALSE(batch);
    EXPECT_EQ(batch.error().code, Errc::Corrupt);
}

TEST_F(Damage, OfAMissingSegmentIsSaidWhereItIsMissed) {
    std::vector<std::string> segments;
    const auto names = *disk_.list("/data/journal");
    for (const auto& name : names)
        if (name.starts_with("security")) segments.push_back("/data/journal/" + name);
    ASSERT_GT(segments.size(), 2u);
    const auto missing = parse_segment_name(segments[1].substr(sizeof("/data/journal")))->base_offset;
    ASSERT_TRUE(disk_.remove(segments[1]));
    const auto journal = *open(small_segments(), disk_, clock_, metrics_);
    const auto batch = journal->reader().read({Stream::Security, 0, missing}, 100, 100'000);
    ASSERT_FALSE(batch);
    EXPECT_EQ(batch.error().code, Errc::Corrupt);
}

}  // namespace
}  // namespace fieldwatch::journal
