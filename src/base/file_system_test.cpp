#include "base/file_system.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "base/simulated_file_system.hpp"

namespace fieldwatch {
namespace {

std::string temporary_directory() {
    auto path = testing::TempDir() + "fieldwatch-files-XXXXXX";
    EXPECT_NE(::mkdtemp(path.data()), nullptr);
    return path;
}

/// Both implementations must agree: the simulated one stands for the real one in other tests.
class EveryFileSystem : public testing::TestWithParam<bool> {
  protected:
    EveryFileSystem() : directory_(GetParam() ? std::string("/disk") : temporary_directory()) {
        static_cast<void>(files().make_directories(directory_));
    }
    ~EveryFileSystem() override {
        if (GetParam()) return;
        const auto names = files().list(directory_).value_or(std::vector<std::string>{});
        for (const auto& name : names)
            static_cast<void>(files().remove(directory_ + "/" + name));
        static_cast<void>(::rmdir(directory_.c_str()));
    }
    FileSystem& files() { return GetParam() ? static_cast<FileSystem&>(simulated_) : posix_file_system(); }
    std::string path(const std::string& name) const { return directory_ + "/" + name; }

    SimulatedFileSystem simulated_{1};
    std::string directory_;
};
INSTANTIATE_TEST_SUITE_P(Files, EveryFileSystem, testing::Bool(),
                         [](const auto& kind) { return std::string(kind.param ? "Simulated" : "Posix"); });

TEST_P(EveryFileSystem, ReadsBackWhatWasWrittenAnywhere) {
    const auto file = *files().open(path("a"), OpenMode::CreateNew);
    ASSERT_TRUE(file->write_at(4, as_bytes("tail")));
    ASSERT_TRUE(file->write_at(0, as_bytes("head")));
    std::array<std::byte, 16> out;
    EXPECT_EQ(file->read_at(0, out), 8u);
    EXPECT_EQ(as_text(ByteView(out).first(8)), "headtail");
    EXPECT_EQ(file->read_at(6, out), 2u);
    EXPECT_EQ(file->read_at(8, out), 0u);
    ASSERT_TRUE(file->truncate(2));
    EXPECT_EQ(file->size(), 2u);
}

TEST_P(EveryFileSystem, FillsTheGapBehindTheEndWithZeros) {
    const auto file = *files().open(path("a"), OpenMode::CreateNew);
    ASSERT_TRUE(file->write_at(3, as_bytes("x")));
    std::array<std::byte, 4> out;
    EXPECT_EQ(file->read_at(0, out), 4u);
    EXPECT_EQ(out[0], std::byte{0});
}

TEST_P(EveryFileSystem, SaysWhatIsThereAndWhatIsNot) {
    EXPECT_EQ(files().open(path("a"), OpenMode::ReadOnly).error().code, Errc::NotFound);
    ASSERT_TRUE(files().open(path("b"), OpenMode::CreateNew));
    ASSERT_TRUE(files().open(path("a"), OpenMode::CreateNew));
    EXPECT_EQ(files().open(path("a"), OpenMode::CreateNew).error().code, Errc::AlreadyExists);
    EXPECT_EQ(*files().list(directory_), (std::vector<std::string>{"a", "b"}));
    ASSERT_TRUE(files().rename(path("a"), path("b")));
    EXPECT_EQ(*files().list(directory_), (std::vector<std::string>{"b"}));
    ASSERT_TRUE(files().remove(path("b")));
    EXPECT_EQ(files().remove(path("b")).error().code, Errc::NotFound);
    EXPECT_EQ(files().list(path("none")).error().code, Errc::NotFound);
    EXPECT_GT(*files().free_bytes(directory_), 0u);
}

TEST(SimulatedDisk, KeepsWhatWasSyncedThroughAPowerCut) {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        SimulatedFileSystem disk(seed);
        ASSERT_TRUE(disk.make_directories("/d"));
        const auto file = *disk.open("/d/f", OpenMode::CreateNew);
        ASSERT_TRUE(file->write_at(0, as_bytes("kept")));
        ASSERT_TRUE(file->sync());
        ASSERT_TRUE(disk.sync_directory("/d"));
        ASSERT_TRUE(file->write_at(4, as_bytes("perhaps")));
        disk.cut_power();
        EXPECT_EQ(file->write_at(0, as_bytes("x")).error().code, Errc::Io);
        disk.restart();
        EXPECT_EQ(file->write_at(0, as_bytes("x")).error().code, Errc::Io);
        EXPECT_TRUE(as_text(*read_file(disk, "/d/f", 100)).starts_with("kept"));
    }
}

TEST(SimulatedDisk, ForgetsWhatWasNotSyncedInEveryWay) {
    std::map<std::string, int> seen;
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        SimulatedFileSystem disk(seed);
        ASSERT_TRUE(disk.make_directories("/d"));
        const auto file = *disk.open("/d/f", OpenMode::CreateNew);
        ASSERT_TRUE(file->write_at(0, as_bytes("abc")));
        disk.cut_power();
        disk.restart();
        const auto content = read_file(disk, "/d/f", 100);
        ++seen[content ? std::string(as_text(*content)) : "no file"];
    }
    EXPECT_GT(seen["no file"], 0);
    EXPECT_GT(seen[""], 0);
    EXPECT_GT(seen["abc"], 0);
    EXPECT_GT(seen["ab"], 0);
    EXPECT_GT(seen[std::string("\0bc", 3)], 0);
}

TEST(ReplaceFile, LeavesTheOldOrTheNewContentAtWhateverStepThePowerGoes) {
    std::uint64_t old = 0;
    std::uint64_t fresh = 0;
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
        SimulatedFileSystem disk(seed);
        ASSERT_TRUE(disk.make_directories("/d"));
        ASSERT_TRUE(replace_file(disk, "/d/f", as_bytes("old")));
        disk.cut_power_at(disk.steps() + 1 + seed % 6);
        const bool done = replace_file(disk, "/d/f", as_bytes("fresh")).has_value();
        disk.cut_power();
        disk.restart();
        const auto content = *read_file(disk, "/d/f", 100);
        const auto text = as_text(content);
        EXPECT_TRUE(text == "fresh" || (text == "old" && !done)) << "seed " << seed << ": " << text;
        (text == "old" ? old : fresh) += 1;
        EXPECT_TRUE(replace_file(disk, "/d/f", as_bytes("again")));  // remains of the first do not disturb
    }
    EXPECT_GT(old, 0u);
    EXPECT_GT(fresh, 0u);
}

TEST(SimulatedDisk, RefusesWhatItWasToldTo) {
    SimulatedFileSystem disk(1);
    ASSERT_TRUE(disk.make_directories("/d"));
    disk.set_capacity(4);
    disk.fail_at(3, Errc::Io);
    const auto file = *disk.open("/d/f", OpenMode::CreateNew);
    EXPECT_EQ(file->write_at(0, as_bytes("12345")).error().code, Errc::Exhausted);
    EXPECT_TRUE(file->write_at(0, as_bytes("1234")));
    EXPECT_EQ(file->sync().error().code, Errc::Io);
    EXPECT_TRUE(file->sync());
    EXPECT_EQ(disk.free_bytes("/d"), 0u);
}

}  // namespace
}  // namespace fieldwatch
