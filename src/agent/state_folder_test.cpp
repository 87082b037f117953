#include "agent/state_folder.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace fieldwatch::agent {
namespace {

class StateFolder : public ::testing::Test {
  protected:
    StateFolder() {
        char name[] = "/tmp/fieldwatch-state-XXXXXX";
        folder_ = ::mkdtemp(name);
        for (const auto* one : {"state", "state/spool", "state/update", "elsewhere"})
            std::filesystem::create_directory(path(one));
        for (const auto* one :
             {"state/twin.json", "state/spool/1.chain", "state/update/image", "elsewhere/shadow"})
            std::ofstream(path(one)) << "content";
    }
    ~StateFolder() override { std::filesystem::remove_all(folder_); }
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "only root gives files away";
    }

    std::string path(const std::string& name) const { return folder_ + "/" + name; }
    uid_t owner_of(const std::string& name) const {
        struct stat status{};
        EXPECT_EQ(::lstat(path(name).c_str(), &status), 0) << name;
        return status.st_uid;
    }

    static constexpr AccountIds kNobody{65'534, 65'534};
    std::string folder_;
};

TEST_F(StateFolder, IsHandedOverWithAllThatLiesInIt) {
    ASSERT_TRUE(hand_over(path("state"), kNobody));
    for (const auto* one : {"state", "state/twin.json", "state/spool", "state/spool/1.chain", "state/update",
                            "state/update/image"})
        EXPECT_EQ(owner_of(one), kNobody.uid) << one;
    EXPECT_EQ(owner_of("elsewhere/shadow"), 0U);
}

TEST_F(StateFolder, IsNoWayOutForWhoeverTookItsOwnerOver) {
    std::filesystem::remove_all(path("state/spool"));
    std::filesystem::create_directory_symlink(path("elsewhere"), path("state/spool"));
    std::filesystem::create_symlink(path("elsewhere/shadow"), path("state/link"));
    std::filesystem::create_hard_link(path("elsewhere/shadow"), path("state/second name"));
    ASSERT_TRUE(hand_over(path("state"), kNobody));
    EXPECT_EQ(owner_of("elsewhere"), 0U);
    EXPECT_EQ(owner_of("elsewhere/shadow"), 0U);
    EXPECT_EQ(owner_of("state/update/image"), kNobody.uid);
}

TEST_F(StateFolder, SaysWhereThereIsNone) {
    EXPECT_FALSE(hand_over(path("nowhere"), kNobody));
}

}  // namespace
}  // namespace fieldwatch::agent
