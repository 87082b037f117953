#include "agent/collectors/audit.hpp"

#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

namespace fieldwatch::agent {
namespace {

TEST(AuditExecs, PutsTheRecordsOfAnExecTogether) {
    AuditExecs execs;
    EXPECT_FALSE(
        execs.take(1300,
                   "audit(1700000000.1:45): arch=c000003e syscall=59 success=yes exit=0 a0=55 a1=66 "
                   "ppid=10 pid=11 auid=1000 uid=33 comm=\"my ls\" exe=2F62696E2F6D79206C73 key=(null)"));
    EXPECT_FALSE(
        execs.take(1309, "audit(1700000000.1:45): argc=4 a0=\"ls\" a1=2D6C20 a2_len=4 a2[0]=\"ab\""));
    EXPECT_FALSE(execs.take(1309, "audit(1700000000.1:45):  a2[1]=\"cd\" a3=\"\""));
    EXPECT_FALSE(execs.take(1307, "audit(1700000000.1:45): cwd=\"/root\""));
    const auto facts = execs.take(1320, "audit(1700000000.1:45): ");
    ASSERT_TRUE(facts);
    EXPECT_EQ(facts->pid, 11U);
    EXPECT_EQ(facts->parent_pid, 10U);
    EXPECT_EQ(facts->uid, 33U);
    EXPECT_EQ(facts->login_uid, 1'000U);
    EXPECT_EQ(facts->executable, "/bin/my ls");
    EXPECT_EQ(facts->arguments, std::string("ls\0-l \0abcd\0", 12));
    EXPECT_EQ(facts->directory, "/root");
    EXPECT_FALSE(
        execs.take(1300, "audit(1.1:46): syscall=59 success=no ppid=1 pid=12 uid=0 exe=\"/bin/sh\""));
    EXPECT_FALSE(execs.take(1309, "audit(1.1:46): argc=1 a0=\"x\""));
    EXPECT_FALSE(execs.take(1320, "audit(1.1:46): "));
}

TEST(AuditExecs, PutsTogetherWhatComesInterleaved) {
    AuditExecs execs;
    for (const std::string at : {"45", "46"}) {
        EXPECT_FALSE(execs.take(1300, "audit(1.1:" + at + "): syscall=59 success=yes ppid=1 pid=" + at +
                                          " uid=0 exe=\"/bin/" + at + "\""));
    }
    for (const std::string at : {"46", "45"})
        EXPECT_FALSE(execs.take(1309, "audit(1.1:" + at + "): argc=1 a0=\"a" + at + "\""));
    for (const std::string at : {"45", "46"}) {
        EXPECT_FALSE(execs.take(1307, "audit(1.1:" + at + "): cwd=\"/" + at + "\""));
        const auto facts = execs.take(1320, "audit(1.1:" + at + "): ");
        ASSERT_TRUE(facts) << at;
        EXPECT_EQ(std::to_string(facts->pid), at);
        EXPECT_EQ(facts->executable, "/bin/" + at);
        EXPECT_EQ(facts->arguments, "a" + at);
        EXPECT_EQ(facts->directory, "/" + at);
    }
}

TEST(AuditExecs, TellsTheOldestWhoseEndDoesNotCome) {
    AuditExecs execs;
    std::vector<std::uint32_t> told;
    for (std::size_t pid = 1; pid <= 3 * AuditExecs::kOpenMax; ++pid) {
        const auto serial = "audit(1.1:" + std::to_string(pid) + "): ";
        for (const auto& [type, text] :
             {std::pair<std::uint16_t, std::string>{1300, "success=yes uid=0 pid=" + std::to_string(pid)},
              {1309, "argc=1 a0=\"x\""}}) {
            if (const auto facts = execs.take(type, serial + text)) told.push_back(facts->pid);
        }
    }
    ASSERT_EQ(told.size(), 2 * AuditExecs::kOpenMax);
    for (std::size_t i = 0; i < told.size(); ++i)
        EXPECT_EQ(told[i], i + 1);
}

TEST(AuditReader, HearsALogin) {
    std::vector<std::string> lines;
    auto reader =
        AuditReader::open({.exec = [](const ProcessFacts&) {},
                           .line = [&](const fw_log_line& line) { lines.emplace_back(line.line, line.size); },
                           .has_room = [] { return true; },
                           .lost = [] {}});
    if (!reader) GTEST_SKIP() << "NOT TESTED, no audit here: " << reader.error().message;
    // As a program with CAP_AUDIT_WRITE, which PAM's are, tells the kernel of a log-in.
    const std::string text =
        "op=login acct=\"mark-audit\" exe=\"/usr/sbin/sshd\" addr=192.0.2.7 terminal=ssh res=success";
    std::vector<char> request(NLMSG_SPACE(text.size() + 1));
    nlmsghdr head{};
    head.nlmsg_len = static_cast<fw_u32>(NLMSG_LENGTH(text.size() + 1));
    head.nlmsg_type = kAuditUserLogin;
    head.nlmsg_flags = NLM_F_REQUEST;
    std::memcpy(request.data(), &head, sizeof head);
    std::memcpy(request.data() + NLMSG_HDRLEN, text.c_str(), text.size() + 1);
    const int socket = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    const auto sent = ::sendto(socket, request.data(), request.size(), 0,
                               reinterpret_cast<sockaddr*>(&kernel), sizeof kernel);
    ::close(socket);
    if (sent < 0) GTEST_SKIP() << "NOT TESTED, audit takes no record of ours";
    for (int tries = 0; tries < 100 && lines.empty(); ++tries) {
        (*reader)->drain(1);
        ::usleep(10'000);
    }
    if (lines.empty()) GTEST_SKIP() << "NOT TESTED, audit is not enabled here";
    EXPECT_TRUE(lines[0].starts_with("1112 audit(")) << lines[0];
    EXPECT_NE(lines[0].find("acct=\"mark-audit\""), std::string::npos) << lines[0];
}

}  // namespace
}  // namespace fieldwatch::agent
