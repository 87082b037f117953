#include "agent/inventory/image_hashes.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "base/bytes.hpp"
#include "base/hash.hpp"

namespace fieldwatch::agent {
namespace {

class ImageHashesTest : public testing::Test {
  protected:
    void SetUp() override {
        ASSERT_NE(::mkdtemp(directory_), nullptr);
        path_ = std::string(directory_) + "/image";
    }
    void TearDown() override {
        ::unlink(path_.c_str());
        ::rmdir(directory_);
    }
    /// Writes the file anew and tells its inode.
    std::uint64_t write(const std::string& content) {
        std::ofstream(path_, std::ios::trunc) << content;
        struct stat status{};
        ::stat(path_.c_str(), &status);
        return status.st_ino;
    }

    char directory_[32] = "/tmp/fieldwatch-image-XXXXXX";
    std::string path_;
    ImageHashes hashes_;
};

TEST_F(ImageHashesTest, IsThatOfTheContentAndFollowsAChange) {
    const std::string content(200'000, 'x');
    const auto inode = write(content);
    EXPECT_EQ(hashes_.of(path_, inode, 0), hex(sha256(as_bytes(content))));
    const auto again = write("other");
    EXPECT_EQ(hashes_.of(path_, again, 0), hex(sha256(as_bytes("other"))));
}

TEST_F(ImageHashesTest, SaysNothingOfAnotherFileUnderTheSamePath) {
    const auto inode = write("content");
    EXPECT_EQ(hashes_.of(path_, inode + 1, 0), "");
    EXPECT_EQ(hashes_.of(path_, 0, 0), "");
    EXPECT_EQ(hashes_.of("/proc/self", inode, 0), "");
}

TEST_F(ImageHashesTest, ReadsABoundedAmountInASecond) {
    constexpr std::int64_t kSecond = 1'000'000'000;
    const auto inode = write("");
    ASSERT_EQ(::truncate(path_.c_str(), static_cast<off_t>(ImageHashes::kImageBytesMax)), 0);
    EXPECT_EQ(hashes_.of(path_, inode, 0).size(), 64U);
    auto again = write("small");
    EXPECT_EQ(hashes_.of(path_, again, 1), "");
    EXPECT_EQ(hashes_.skipped(), 1U);
    EXPECT_EQ(hashes_.of(path_, again, kSecond).size(), 64U);
    again = write("");
    ASSERT_EQ(::truncate(path_.c_str(), static_cast<off_t>(ImageHashes::kBytesPerSecond)), 0);
    EXPECT_EQ(hashes_.of(path_, again, kSecond), "");
    EXPECT_EQ(hashes_.of(path_, again, 3 * kSecond).size(), 64U);
}

TEST_F(ImageHashesTest, OpensNoPipe) {
    ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
    struct stat status{};
    ASSERT_EQ(::stat(path_.c_str(), &status), 0);
    EXPECT_EQ(hashes_.of(path_, status.st_ino, 0), "");  // would wait for a writer
}

}  // namespace
}  // namespace fieldwatch::agent
