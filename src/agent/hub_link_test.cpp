#include "agent/hub_link.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

namespace fieldwatch::agent {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

/// A port of this machine that nobody listens on.
std::uint16_t closed_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(fd, generic, size), 0);
    EXPECT_EQ(::getsockname(fd, generic, &size), 0);
    ::close(fd);
    return ntohs(address.sin_port);
}

class HubLinkTest : public ::testing::Test {
  protected:
    HubLinkTest()
        : link_({.identity = {.host_name = "localhost", .device_id = "here", .shared_access_key = "a2V5"},
                 .connect_host = "127.0.0.1",
                 .port = closed_port()},
                {.lost = [this](const Error&, std::int64_t retry_ms) { retries_.push_back(retry_ms); }},
                clock_, system_random()) {}

    /// Until an attempt has failed that was begun at once; how many milliseconds it then means to wait.
    std::int64_t fail_once() {
        const auto before = retries_.size();
        for (int turns = 0; turns < 1'000 && retries_.size() == before; ++turns)
            link_.advance();
        EXPECT_EQ(retries_.size(), before + 1);
        return retries_.empty() ? 0 : retries_.back();
    }

    /// Whether it waits: nothing is tried however often it may.
    bool waits() {
        const auto before = retries_.size();
        for (int turns = 0; turns < 100; ++turns)
            link_.advance();
        return retries_.size() == before && link_.fd() == -1;
    }

    ManualClock clock_{Timestamp::from_unix_seconds(1'700'000'000)};
    std::vector<std::int64_t> retries_;
    HubLink link_;
};

TEST_F(HubLinkTest, WaitsLongerAfterEachFailureAndAtMostTenMinutes) {
    std::int64_t longest = 0;
    for (int attempt = 0; attempt < 13; ++attempt) {
        const auto wait_ms = fail_once();
        EXPECT_GE(wait_ms, 100);
        EXPECT_LE(wait_ms, 100 + std::min<std::int64_t>(600'000, 1'000LL << std::min(attempt, 10)));
        EXPECT_TRUE(waits());
        longest = std::max(longest, wait_ms);
        clock_.advance(std::chrono::milliseconds(wait_ms + 1));
    }
    EXPECT_GT(longest, 60'000);
}

TEST_F(HubLinkTest, TriesAgainAtOnceWhenTheClockWasSet) {
    for (const auto jump : {Ticks(hours(24 * 365)), Ticks(-hours(24 * 365)), Ticks(-hours(24 * 365 * 60)),
                            Ticks(seconds(11))}) {
        for (int attempt = 0; attempt < 4; ++attempt)
            clock_.advance(std::chrono::milliseconds(fail_once() + 1));
        (void)fail_once();
        ASSERT_TRUE(waits());
        clock_.set(clock_.now() + jump);
        (void)fail_once();
        EXPECT_TRUE(waits());  // once for each jump
        clock_.advance(std::chrono::milliseconds(retries_.back() + 1));
    }
}

TEST_F(HubLinkTest, TakesNoSlewingForAJump) {
    for (int attempt = 0; attempt < 4; ++attempt)
        clock_.advance(std::chrono::milliseconds(fail_once() + 1));
    (void)fail_once();
    clock_.set(clock_.now() + seconds(2));
    EXPECT_TRUE(waits());
}

TEST_F(HubLinkTest, AnotherHubIsTriedAtOnceWhateverTheFirstCost) {
    for (int attempt = 0; attempt < 6; ++attempt)
        clock_.advance(std::chrono::milliseconds(fail_once() + 1));
    (void)fail_once();
    ASSERT_TRUE(waits());
    EXPECT_FALSE(link_.is_refused()) << "nobody was there to refuse";
    link_.move_to("localhost:1", "there");
    EXPECT_EQ(link_.host_name(), "localhost:1");
    EXPECT_EQ(link_.device_id(), "there");
    EXPECT_LE(fail_once(), 1'100);
}

TEST(HubLink, WithoutAHubNothingIsTried) {
    ManualClock clock{Timestamp::from_unix_seconds(1'700'000'000)};
    int lost = 0;
    HubLink link({.identity = {.host_name = "", .device_id = "", .shared_access_key = "a2V5"}},
                 {.lost = [&](const Error&, std::int64_t) { ++lost; }}, clock, system_random());
    clock.advance(hours(1));
    for (int turns = 0; turns < 100; ++turns)
        link.advance();
    EXPECT_EQ(lost, 0);
    EXPECT_EQ(link.wake_ns(), INT64_MAX);
    link.move_to("127.0.0.1:1", "here");
    for (int turns = 0; turns < 1'000 && lost == 0; ++turns)
        link.advance();
    EXPECT_EQ(lost, 1);
}

}  // namespace
}  // namespace fieldwatch::agent
