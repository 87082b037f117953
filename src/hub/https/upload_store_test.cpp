// Blocks of files that are put and never committed: how long they stay, and how many.
#include "hub/https/upload_store.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace fieldwatch::hub {
namespace {

class UploadStoreTest : public ::testing::Test {
  protected:
    ~UploadStoreTest() override { std::filesystem::remove_all(directory_); }

    UploadStore open(UploadStore::Limits limits = {}) {
        return UploadStore(posix_file_system(), directory_.string(), system_random(), metrics_, limits);
    }
    std::size_t files() const {
        std::size_t count = 0;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_))
            count += entry.is_regular_file() ? 1 : 0;
        return count;
    }
    std::uint64_t dropped() {
        return metrics_.counter("fieldwatch_hub_upload_blocks_dropped_total", "").value();
    }
    static BlobName blob(std::string name) { return {{"testhub"}, {"d1"}, std::move(name)}; }
    static Timestamp at(std::int64_t seconds) { return Timestamp::from_unix_seconds(seconds); }

    const std::filesystem::path directory_ =
        std::filesystem::temp_directory_path() / ("uploads_test." + std::to_string(system_random().next()));
    Metrics metrics_;
};

TEST_F(UploadStoreTest, BlocksWhoseAddressIsOverAreRemoved) {
    auto store = open();
    ASSERT_TRUE(store.put_block(blob("a"), "1", "one", at(100)));
    ASSERT_TRUE(store.put_block(blob("b"), "1", "one", at(200)));
    ASSERT_TRUE(store.put(blob("c"), "whole"));
    store.sweep(at(99));
    EXPECT_EQ(files(), 3u);
    store.sweep(at(100));
    EXPECT_EQ(files(), 2u);
    EXPECT_EQ(dropped(), 1u);
    EXPECT_EQ(store.commit(blob("a"), {"1"}).error().code, Errc::NotFound);
    EXPECT_TRUE(store.commit(blob("b"), {"1"}));
    store.sweep(at(1'000));
    EXPECT_EQ(*store.get(blob("b")), "one");
    EXPECT_EQ(*store.get(blob("c")), "whole");
}

TEST_F(UploadStoreTest, AStartRemovesWhatTheRunBeforeLeftHalfDone) {
    {
        auto store = open();
        ASSERT_TRUE(store.put_block(blob("a"), "1", "one", at(100)));
        ASSERT_TRUE(store.put(blob("c"), "whole"));
        std::ofstream(directory_ / "testhub" / "0123.new") << "half";
    }
    const auto store = open();
    EXPECT_EQ(files(), 1u);
    EXPECT_EQ(dropped(), 1u);
    EXPECT_EQ(*store.get(blob("c")), "whole");
}

TEST_F(UploadStoreTest, ACommitTakesTheOtherBlocksWithIt) {
    auto store = open();
    ASSERT_TRUE(store.put_block(blob("a"), "1", "one", at(100)));
    ASSERT_TRUE(store.put_block(blob("a"), "2", "two", at(100)));
    EXPECT_FALSE(store.commit(blob("a"), {"1", "3"}));
    EXPECT_EQ(files(), 2u) << "a list that is refused costs no block";
    EXPECT_TRUE(store.commit(blob("a"), {"2"}));
    EXPECT_EQ(*store.get(blob("a")), "two");
    EXPECT_EQ(files(), 1u);
    EXPECT_EQ(dropped(), 0u);
}

TEST_F(UploadStoreTest, AboveTheBoundTheBlobGoesWhoseTimeIsOverFirst) {
    auto store = open({.waiting_bytes_max = 10, .waiting_blocks_max = 3});
    ASSERT_TRUE(store.put_block(blob("a"), "1", "aaaa", at(300)));
    ASSERT_TRUE(store.put_block(blob("b"), "1", "bbbb", at(100)));
    ASSERT_TRUE(store.put_block(blob("b"), "1", "bb", at(100)));
    ASSERT_TRUE(store.put_block(blob("c"), "1", "cccc", at(200)));
    EXPECT_EQ(dropped(), 0u) << "ten bytes: what is put again counts once";
    ASSERT_TRUE(store.put_block(blob("d"), "1", "", at(250)));
    EXPECT_EQ(dropped(), 1u) << "four blocks";
    EXPECT_FALSE(store.commit(blob("b"), {"1"}));
    ASSERT_TRUE(store.put_block(blob("a"), "2", "aaa", at(300)));
    EXPECT_EQ(dropped(), 2u) << "eleven bytes";
    EXPECT_TRUE(store.commit(blob("a"), {"1", "2"}));
    EXPECT_EQ(*store.get(blob("a")), "aaaaaaa");
}

}  // namespace
}  // namespace fieldwatch::hub
