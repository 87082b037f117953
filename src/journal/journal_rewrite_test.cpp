// Records that are replaced in place, with power cuts at every step of it.
#include <gtest/gtest.h>

#include <future>

#include "base/simulated_file_system.hpp"
#include "journal/upkeep.hpp"

namespace fieldwatch::journal {
namespace {

using namespace std::chrono_literals;

constexpr int kRecords = 60;

class RewriteTest : public ::testing::Test {
  protected:
    Result<std::unique_ptr<Journal>> try_open() {
        Options options;
        options.directory = "/data/journal";
        options.partition_count = 1;
        options.segment_bytes = 2'000;
        options.disk_free_bytes_min = 0;
        return open(options, *disk_, clock_, metrics_);
    }
    std::unique_ptr<Journal> open_journal() {
        auto opened = try_open();
        EXPECT_TRUE(opened) << opened.error().message;
        return opened ? std::move(*opened) : nullptr;
    }
    static void append(Journal& journal, const std::string& text) {
        std::promise<Result<void>> durable;
        ASSERT_TRUE(journal.writer().append(Stream::Security, 0, as_bytes(text),
                                            [&](Result<void> done) { durable.set_value(std::move(done)); }));
        ASSERT_TRUE(durable.get_future().get());
    }
    static std::string text_of(int number) {
        return (number % 3 == 0 ? "secret " : "public ") + std::to_string(number) + std::string(60, 'x');
    }
    static std::optional<Bytes> without_secret(Stream, ByteView record) {
        if (!as_text(record).starts_with("secret")) return std::nullopt;
        const std::string_view gone = "gone";
        return Bytes(as_bytes(gone).begin(), as_bytes(gone).end());
    }
    static std::vector<std::string> all(Journal& journal) {
        std::vector<std::string> out;
        for (;;) {
            const auto batch = journal.reader().read({Stream::Security, 0, out.size()}, 100, 1u << 20);
            EXPECT_TRUE(batch) << batch.error().message;
            if (!batch || batch->records.empty()) return out;
            for (const auto& record : batch->records) {
                EXPECT_EQ(record.offset, out.size());
                out.emplace_back(as_text(record.bytes));
            }
        }
    }
    void fill() {
        const auto journal = open_journal();
        for (int i = 0; i < kRecords; ++i)
            append(*journal, text_of(i));
    }

    std::unique_ptr<SimulatedFileSystem> disk_ = std::make_unique<SimulatedFileSystem>(7);
    ManualClock clock_{Timestamp::from_unix_seconds(1'700'000'000)};
    Metrics metrics_;
};

TEST_F(RewriteTest, KeepsOffsetsAndEveryOtherRecordAlsoAfterARestart) {
    fill();
    {
        const auto journal = open_journal();
        const auto count = (*upkeep_of(*journal))->rewrite(without_secret);
        ASSERT_TRUE(count) << count.error().message;
        EXPECT_EQ(*count, 20u);
        append(*journal, "after");
        EXPECT_EQ(all(*journal).size(), kRecords + 1u);
        EXPECT_EQ(*(*upkeep_of(*journal))->rewrite(without_secret), 0u)
            << "a second time there is nothing to do";
    }
    const auto journal = open_journal();
    const auto records = all(*journal);
    ASSERT_EQ(records.size(), kRecords + 1u);
    for (int i = 0; i < kRecords; ++i)
        EXPECT_EQ(records[static_cast<std::size_t>(i)], i % 3 == 0 ? "gone" : text_of(i));
    EXPECT_EQ(records.back(), "after");
}

TEST_F(RewriteTest, APowerCutAtAnyStepLosesNoRecord) {
    for (std::uint64_t step = 1;; ++step) {
        disk_ = std::make_unique<SimulatedFileSystem>(step);
        fill();
        const auto before = disk_->steps();
        disk_->cut_power_at(before + step);
        bool whole = false;
        {
            const auto journal = try_open();
            if (journal) whole = (*upkeep_of(**journal))->rewrite(without_secret).has_value();
        }
        const bool cut = !disk_->has_power();
        if (!cut) disk_->cut_power();
        disk_->restart();
        const auto journal = open_journal();
        ASSERT_TRUE(journal) << "step " << step;
        const auto records = all(*journal);
        ASSERT_EQ(records.size(), static_cast<std::size_t>(kRecords)) << "step " << step;
        for (int i = 0; i < kRecords; ++i) {
            const auto& record = records[static_cast<std::size_t>(i)];
            const bool replaced = i % 3 == 0 && record == "gone";
            EXPECT_TRUE(replaced || (record == text_of(i) && !(whole && i % 3 == 0))) << "step " << step;
        }
        const auto names = disk_->list("/data/journal");
        for (const auto& name : *names)
            EXPECT_FALSE(name.ends_with(".segment.new")) << "step " << step;
        if (!cut) return;
    }
}

TEST_F(RewriteTest, NamesTheFilesThatACopyNeedsAndACopyOpens) {
    fill();
    const auto journal = open_journal();
    const auto files = (*upkeep_of(*journal))->files();
    append(*journal, "too late for the copy");
    SimulatedFileSystem other(1);
    ASSERT_TRUE(other.make_directories("/data/journal"));
    for (const auto& held : files) {
        auto content = read_file(*disk_, held.path, 1u << 20);
        ASSERT_TRUE(content);
        content->resize(held.finished ? content->size() : held.bytes);
        ASSERT_TRUE(replace_file(other, held.path, *content));
    }
    Options options;
    options.directory = "/data/journal";
    options.partition_count = 1;
    const auto copy = open(options, other, clock_, metrics_);
    ASSERT_TRUE(copy) << copy.error().message;
    EXPECT_EQ(all(**copy).size(), static_cast<std::size_t>(kRecords));
}

}  // namespace
}  // namespace fieldwatch::journal
