// Content versions on disk: advisories lie once beside the versions that name them, and files of before are
// read.
#include "pipeline/content_store.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "detect/content.hpp"

namespace fieldwatch::pipeline {
namespace {

constexpr const char* kAdvisories =
    "fieldwatch-advisories 1 osv\np\tdeb\tdebian\topenssl\nv\tCVE-2024-1\t75\nr\t12\t\t3.0\t\n";

class ContentStoreTest : public ::testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/fieldwatch-content-XXXXXX";
        directory_ = ::mkdtemp(name);
    }
    ~ContentStoreTest() override { std::filesystem::remove_all(directory_); }

    std::size_t parts() const {
        std::size_t count = 0;
        for (const auto& entry : std::filesystem::directory_iterator(directory_))
            count += entry.path().extension() == ".part";
        return count;
    }
    static detect::ContentSources sources(const std::string& settings) {
        detect::ContentSources out;
        out.settings_json = settings;
        out.advisory_files = {{"a", kAdvisories}};
        return out;
    }

    std::string directory_;
};

TEST_F(ContentStoreTest, KeepsAdvisoriesOnceForAllVersions) {
    ContentStore store(posix_file_system(), directory_);
    const auto first = store.put(sources("{}")).value();
    const auto table = store.get(first).value()->advisories;
    const auto second = store.put(sources(R"({"testMode":true})")).value();
    EXPECT_NE(first, second);
    EXPECT_EQ(parts(), 1u);
    EXPECT_EQ(store.get(second).value()->advisories, table);  // shared in memory too
    ContentStore again(posix_file_system(), directory_);
    EXPECT_EQ(again.sources(first).value().advisory_files, sources("{}").advisory_files);
    EXPECT_EQ(again.get(second).value()->advisories->size(), 1u);
}

TEST_F(ContentStoreTest, RefusesAPartThatIsAnother) {
    ContentStore store(posix_file_system(), directory_);
    const auto hash = store.put(sources("{}")).value();
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
        if (entry.path().extension() != ".part") continue;
        ASSERT_TRUE(replace_file(posix_file_system(), entry.path().string(), as_bytes("other")));
    }
    EXPECT_EQ(store.sources(hash).error().code, Errc::Corrupt);
}

TEST_F(ContentStoreTest, ReadsVersionTwoWhichHeldThemItself) {
    Bytes bytes;
    ByteWriter out(bytes);
    out.bytes(as_bytes("FWCT"));
    out.u16(2);
    for (int list = 0; list < 3; ++list)
        out.u32(0);
    out.text("{}");
    out.u32(1);
    out.text("a");
    out.text(kAdvisories);
    const auto hash = sources("{}").hash();
    ASSERT_TRUE(replace_file(posix_file_system(), directory_ + "/" + hash + ".content", bytes));
    ContentStore store(posix_file_system(), directory_);
    EXPECT_EQ(store.sources(hash).value().advisory_files, sources("{}").advisory_files);
}

}  // namespace
}  // namespace fieldwatch::pipeline
