#include "agent/provisioning/provisioner.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

namespace fieldwatch::agent {
namespace {

using std::chrono::seconds;

const ProvisioningOptions kAskedOf{.host = "127.0.0.1",
                                   .port = 1,  // nobody listens there
                                   .id_scope = "0ne00000001",
                                   .registration_id = "press-1",
                                   .key_base64 = "a2V5"};
const ProvisionedDevice kAtHome{"home.example", "press-1"};

TEST(Assignment, IsReadAsItWasWritten) {
    const auto read = read_assignment(format_assignment({"north.example:8884", "p"}, kAskedOf), kAskedOf);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, (ProvisionedDevice{"north.example:8884", "p"}));
}

TEST(Assignment, OfVersion1IsRead) {
    const auto read =
        read_assignment("1\n127.0.0.1\n0ne00000001\npress-1\nhome.example\npress-1\n", kAskedOf);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, kAtHome);
}

TEST(Assignment, OfAnotherRegistrationIsNotUsed) {
    const auto text = format_assignment(kAtHome, kAskedOf);
    for (const auto member : {&ProvisioningOptions::host, &ProvisioningOptions::id_scope,
                              &ProvisioningOptions::registration_id}) {
        auto other = kAskedOf;
        other.*member += "x";
        EXPECT_EQ(read_assignment(text, other).error().code, Errc::NotFound);
    }
}

TEST(Assignment, ThatIsDamagedIsNotUsed) {
    const auto text = format_assignment(kAtHome, kAskedOf);
    for (std::size_t size = 0; size < text.size(); ++size)
        EXPECT_FALSE(read_assignment(text.substr(0, size), kAskedOf)) << size;
    EXPECT_FALSE(read_assignment(text + "more\n", kAskedOf));
    EXPECT_EQ(read_assignment("2" + text.substr(1), kAskedOf).error().code, Errc::Malformed);
}

class ProvisionerTest : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = (std::filesystem::temp_directory_path() / "provisioner-XXXXXX").string();
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
        before_ = std::filesystem::current_path();
        std::filesystem::current_path(folder_);
    }
    void TearDown() override {
        std::filesystem::current_path(before_);
        std::filesystem::remove_all(folder_);
    }
    Provisioner make() {
        return {kAskedOf,
                {.assigned = [this](const ProvisionedDevice& device,
                                    const std::string&) { assigned_.push_back(device); },
                 .asking = [this] { ++asked_; },
                 .failed = [this](const Error&, seconds next) { waits_.push_back(next); }},
                {.files = posix_file_system(), .clock = clock_, .random = random_}};
    }
    void keep(const ProvisionedDevice& device) {
        ASSERT_TRUE(replace_file(posix_file_system(), kAssignmentFile,
                                 as_bytes(format_assignment(device, kAskedOf))));
    }
    /// Until an attempt to ask has failed.
    void fail_once(Provisioner& provisioner) {
        const auto before = waits_.size();
        for (int turns = 0; turns < 1'000 && waits_.size() == before; ++turns)
            provisioner.advance();
        ASSERT_EQ(waits_.size(), before + 1);
    }

    std::filesystem::path folder_, before_;
    ManualClock clock_{Timestamp::from_unix_seconds(1'700'000'000)};
    SeededRandom random_{1};
    std::vector<ProvisionedDevice> assigned_;
    std::vector<seconds> waits_;
    int asked_ = 0;
};

TEST_F(ProvisionerTest, WhatIsKeptIsUsedAndNobodyAsked) {
    keep({"north.example", "p"});
    auto provisioner = make();
    EXPECT_EQ(provisioner.begin(kAtHome), (ProvisionedDevice{"north.example", "p"}));
    clock_.advance(std::chrono::hours(24));
    provisioner.advance();
    EXPECT_EQ(asked_, 0);
    EXPECT_EQ(provisioner.state(), "assigned");
}

TEST_F(ProvisionerTest, WhatIsConfiguredStandsWhereNothingIsKept) {
    auto provisioner = make();
    EXPECT_EQ(provisioner.begin(kAtHome), kAtHome);
    clock_.advance(std::chrono::hours(24));
    provisioner.advance();
    EXPECT_EQ(asked_, 0);
}

TEST_F(ProvisionerTest, WithoutAHubTheServiceIsAskedAtTheStart) {
    auto provisioner = make();
    EXPECT_EQ(provisioner.begin({}).hub, "");
    EXPECT_EQ(provisioner.state(), "waiting");
    clock_.advance(seconds(6));
    fail_once(provisioner);
    EXPECT_EQ(asked_, 1);
}

TEST_F(ProvisionerTest, AServiceThatDoesNotAnswerLeavesTheAssignmentAsItIs) {
    keep({"north.example", "p"});
    auto provisioner = make();
    (void)provisioner.begin(kAtHome);
    provisioner.hub_lost(true);
    clock_.advance(seconds(6));
    fail_once(provisioner);
    EXPECT_NE(provisioner.state(), "assigned");
    EXPECT_TRUE(assigned_.empty());
    EXPECT_EQ(make().begin(kAtHome), (ProvisionedDevice{"north.example", "p"}));
    provisioner.advance();
    EXPECT_EQ(asked_, 1) << "it waits";
    clock_.advance(waits_.back() + seconds(1));
    fail_once(provisioner);
    EXPECT_EQ(asked_, 2);
    provisioner.hub_serves();
    EXPECT_EQ(provisioner.state(), "assigned");
    EXPECT_EQ(provisioner.wake_ns(), INT64_MAX);
}

}  // namespace
}  // namespace fieldwatch::agent
