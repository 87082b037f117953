#include "agent/response/methods.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "agent/config.hpp"

namespace fieldwatch::agent {
namespace {

using nlohmann::json;

constexpr std::uint32_t kAll = kAllowSnapshot | kAllowProcesses | kAllowKill | kAllowBlock | kAllowIsolate;

/// Methods whose responder is this test: it notes what it is asked and says yes.
class MethodsTest : public testing::Test {
  protected:
    MethodsTest() {
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets_), 0);
        responder_ = std::thread([this] {
            ResponseRequest request;
            while (::recv(sockets_[1], &request, sizeof request, 0) == sizeof request) {
                asked_ = request;
                const ResponseAnswer answer{.number = request.number, .code = code_};
                ::send(sockets_[1], &answer, sizeof answer, 0);
            }
        });
    }
    ~MethodsTest() override {
        ::shutdown(sockets_[0], SHUT_RDWR);
        responder_.join();
        ::close(sockets_[0]);
        ::close(sockets_[1]);
    }
    Methods make(std::uint32_t allowed) {
        return Methods({.allowed = allowed,
                        .socket = sockets_[0],
                        .take_snapshot = [this] { ++snapshots_; },
                        .hub_addresses = [] { return std::vector{NetworkAddress{4, {192, 0, 2, 1}}}; },
                        .isolated = [this](std::chrono::seconds expiry) { isolated_ = expiry.count(); }});
    }

    int sockets_[2] = {-1, -1};
    std::thread responder_;
    ResponseRequest asked_;
    std::uint32_t code_ = 0;
    int snapshots_ = 0;
    std::int64_t isolated_ = -1;
};

TEST_F(MethodsTest, NeedsTheLocalFileAndTheTwin) {
    EXPECT_EQ(make(kAll).call("isolate", "{}", false).status, 403);
    EXPECT_EQ(make(kAllowSnapshot).call("isolate", "{}", true).status, 403);
    EXPECT_EQ(isolated_, -1);
    EXPECT_EQ(make(kAll).call("formatDisk", "{}", true).status, 404);
}

TEST_F(MethodsTest, AsksTheResponderForExactlyWhatWasSaid) {
    auto methods = make(kAll);
    EXPECT_EQ(methods.call("killProcess", R"({"pid":4711,"start":99})", true).status, 200);
    EXPECT_EQ(asked_.verb, Verb::Kill);
    EXPECT_EQ(asked_.pid, 4'711U);
    EXPECT_EQ(asked_.start_ns, 99U);
    EXPECT_EQ(
        methods.call("blockAddress", R"({"address":"2001:db8::7","expirySeconds":60,"dryRun":true})", true)
            .body,
        R"({"dryRun":true,"expirySeconds":60,"result":"could be done"})");
    EXPECT_EQ(asked_.verb, Verb::Block);
    EXPECT_EQ(asked_.dry_run, 1);
    EXPECT_EQ(asked_.addresses[0].family, 6);
    EXPECT_EQ(asked_.expiry_seconds, 60U);
    EXPECT_EQ(methods.call("isolate", "", true).status, 200);
    EXPECT_EQ(asked_.addresses[0].bytes[0], 192);
    EXPECT_EQ(isolated_, 3'600);
    EXPECT_EQ(methods.call("restore", "null", true).status, 200);
    EXPECT_EQ(isolated_, 0);
    code_ = 1 + static_cast<std::uint32_t>(Errc::NotFound);
    EXPECT_EQ(methods.call("killProcess", R"({"pid":4711,"start":98})", true).status, 404);
}

TEST_F(MethodsTest, NamesAProcessByItsStartToo) {
    auto methods = make(kAll);
    const auto own = json{{"pid", ::getpid()}}.dump();
    const auto tree = json::parse(methods.call("processTree", own, true).body)["processes"];
    std::uint64_t start = 0;
    for (const auto& one : tree) {
        if (one["pid"] == ::getpid()) start = one["start"].get<std::uint64_t>();
    }
    EXPECT_EQ(methods.call("killProcess", own, true).status, 200);
    EXPECT_GT(start, 0U);
    EXPECT_EQ(asked_.start_ns, start);
    asked_ = {};
    EXPECT_EQ(methods.call("killProcess", R"({"pid":4194303})", true).status, 404);
    EXPECT_EQ(asked_.pid, 0U) << "nobody was asked";
}

TEST_F(MethodsTest, BlocksAMappedAddressByItsOwnName) {
    auto methods = make(kAll);
    EXPECT_EQ(methods.call("blockAddress", R"({"address":"::ffff:192.0.2.9"})", true).status, 200);
    EXPECT_EQ(asked_.addresses[0].family, 4);
    EXPECT_EQ(asked_.addresses[0].bytes[3], 9);
    EXPECT_EQ(methods.call("blockAddress", R"({"address":"::ffff:192.0.2.1"})", true).status, 400)
        << "the hub";
}

TEST_F(MethodsTest, RefusesBadParametersAndTheHubItself) {
    auto methods = make(kAll);
    for (const auto* payload :
         {R"([])", R"({"pid":"7"})", R"({"pid":-7})", R"({"pid":7,"force":true})", R"({"pid":7)",
          R"({"pid":1})", R"({"pid":0})", R"({"pid":4194305})", R"({"pid":7,"start":-1})",
          R"({"pid":7,"expirySeconds":9})", R"({})", R"({"pid":7,"dryRun":1})"})
        EXPECT_EQ(methods.call("killProcess", payload, true).status, 400) << payload;
    EXPECT_EQ(methods.call("isolate", R"({"address":"192.0.2.9"})", true).status, 400);
    EXPECT_EQ(methods.call("restore", R"({"pid":7})", true).status, 400);
    for (const auto* payload :
         {R"({"address":"example.com"})", R"({"address":"192.0.2.1"})", R"({"address":"192.0.2.9\u0000x"})",
          R"({"address":"192.0.2.9; reboot"})", R"({"address":"127.0.0.1"})", R"({"address":"0.0.0.0"})",
          R"({"address":"::1"})", R"({"address":"::"})", R"({"address":"ff02::1"})",
          R"({"address":"239.1.2.3"})", R"({"address":"255.255.255.255"})",
          R"({"address":"192.0.2.9","expirySeconds":0})",
          R"({"address":"192.0.2.9","expirySeconds":99999999})"})
        EXPECT_EQ(methods.call("blockAddress", payload, true).status, 400) << payload;
    EXPECT_EQ(methods.call("killProcess", std::string(5'000, ' '), true).status, 400);
}

TEST_F(MethodsTest, TellsTheTreeAroundAProcess) {
    auto methods = make(kAll);
    const auto own = static_cast<std::uint32_t>(::getpid());
    const auto tree = json::parse(methods.call("processTree", json{{"pid", own}}.dump(), true).body);
    bool found = false;
    bool has_parent = false;
    for (const auto& process : tree["processes"]) {
        found |= process["pid"] == own && process["parentPid"] == static_cast<std::uint32_t>(::getppid()) &&
                 process["start"].get<std::uint64_t>() > 0;
        has_parent |= process["pid"] == static_cast<std::uint32_t>(::getppid());
    }
    EXPECT_TRUE(found && has_parent) << tree;
    EXPECT_EQ(methods.call("processTree", R"({"pid":4194303})", true).status, 404);
    EXPECT_EQ(methods.call("snapshot", "{}", true).status, 200);
    EXPECT_EQ(snapshots_, 1);
}

TEST(Config, TellsWhatTheHubMayHaveDone) {
    const auto parse = [](const std::string& response) {
        return parse_config(R"({"Configuration":{"ConnectionStringFile":"/x","Response":)" + response + "}}");
    };
    EXPECT_EQ(parse(R"({"Allow":["kill","isolate"]})")->response_allowed, kAllowKill | kAllowIsolate);
    EXPECT_EQ(parse("{}")->response_allowed, 0U);
    EXPECT_FALSE(parse(R"({"Allow":["everything"]})"));
    EXPECT_FALSE(parse(R"({"Allow":true})"));
}

}  // namespace
}  // namespace fieldwatch::agent
