#include "agent/interpreter.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "agent/config.hpp"
#include "agent/login_line.hpp"
#include "agent/record_batch.hpp"

namespace fieldwatch::agent {
namespace {

std::string field(const Observation& observation, std::string_view name) {
    for (const auto& one : observation.fields) {
        if (name == one.name) return one.is_integer ? std::to_string(one.integer) : one.text;
    }
    for (const auto& one : observation.extras) {
        if (name == one.name) return one.text;
    }
    return "(none)";
}

fw_exec_head head_of(std::uint32_t pid, std::uint32_t parent, std::string_view path,
                     std::string_view arguments) {
    fw_exec_head head{};
    head.time_ns = 1'700'000'000'000'000'000;
    head.pid = pid;
    head.parent_pid = parent;
    head.login_uid = 0xffffffff;
    head.flags = FW_PATHS_REVERSED;
    head.executable_size = static_cast<fw_u16>(path.size());
    head.arguments_size = static_cast<fw_u16>(arguments.size());
    return head;
}

constexpr std::uint32_t kPid = 4'000'000;  // above what this machine hands out

TEST(Interpreter, AnExecCarriesItsParentsCommandLine) {
    using std::string_view_literals::operator""sv;
    Accounts accounts("/nonexistent", "/nonexistent");
    Interpreter interpreter(accounts);
    const auto path = "sh\0bin\0usr\0"sv;
    const auto first = "sh\0-c\0echo cpuminer-multi\0"sv;
    auto seen = interpreter.exec(head_of(kPid, 0, path, first), std::string(path) + std::string(first));
    EXPECT_EQ(field(seen, "Executable"), "/usr/bin/sh");
    EXPECT_EQ(field(seen, "CommandLine"), "sh -c echo cpuminer-multi");
    EXPECT_EQ(seen.time_unix_ms, 1'700'000'000'000);
    const auto child = "id\0"sv;
    seen = interpreter.exec(head_of(kPid + 1, kPid, path, child), std::string(path) + std::string(child));
    EXPECT_EQ(field(seen, "ParentCommandLine"), "sh -c echo cpuminer-multi");
    EXPECT_EQ(field(seen, "ParentProcessId"), "4000000");
}

TEST(Interpreter, AConnectionNamesItsProgramAndFoldsItsEphemeralPort) {
    using std::string_view_literals::operator""sv;
    Accounts accounts("/nonexistent", "/nonexistent");
    Interpreter interpreter(accounts);
    interpreter.exec(head_of(kPid, 0, "nc\0bin\0"sv, "nc\0x\0"sv), "nc\0bin\0nc\0x\0"sv);
    fw_connection record{};
    record.pid = kPid;
    record.family = 4;
    record.protocol = 6;
    record.direction = FW_OUT;
    record.outcome = FW_ESTABLISHED;
    record.local_port = 40'000;
    record.remote_port = 443;
    record.remote[0] = 192;
    const auto seen = interpreter.connection(record);
    EXPECT_EQ(field(seen, "Executable"), "/bin/nc");
    EXPECT_EQ(field(seen, "RemoteAddress"), "192.0.0.0");
    EXPECT_EQ(field(seen, "RemotePort"), "443");
    EXPECT_EQ(field(seen, "Direction"), "Out");
    EXPECT_EQ(std::ranges::find(seen.fields, std::string_view("LocalPort"),
                                [](const auto& f) { return std::string_view(f.name); })
                  ->fold,
              Fold::Omit);
}

TEST(Interpreter, AConnectionOutIsToldWithTheNameThatWasAskedFor) {
    Accounts accounts("/nonexistent", "/nonexistent");
    Interpreter interpreter(accounts);
    const std::string answer(
        "\1\2\x81\x80\0\1\0\1\0\0\0\0\5press\7example\0\0\1\0\1"
        "\xc0\x0c\0\1\0\1\0\0\0\1\0\4\xc0\0\2\7",
        12 + 19 + 16);
    fw_dns told{};
    told.size = static_cast<fw_u16>(answer.size());
    std::memcpy(told.data, answer.data(), answer.size());
    interpreter.names(told);
    fw_connection record{};
    record.family = 4;
    record.direction = FW_OUT;
    const std::uint8_t address[4] = {192, 0, 2, 7};
    std::memcpy(record.remote, address, 4);
    EXPECT_EQ(field(interpreter.connection(record), "DnsName"), "press.example");
    record.direction = FW_IN;
    EXPECT_EQ(field(interpreter.connection(record), "DnsName"), "(none)");
}

TEST(Interpreter, ANumberThatWasGivenAgainIsAnotherProcess) {
    using std::string_view_literals::operator""sv;
    Accounts accounts("/nonexistent", "/nonexistent");
    Interpreter interpreter(accounts);
    auto head = head_of(kPid, 0, "nc\0bin\0"sv, "nc\0x\0"sv);
    head.start_ns = 5'000'000'001;
    interpreter.exec(head, "nc\0bin\0nc\0x\0"sv);
    fw_connection record{};
    record.time_ns = head.time_ns + 3;
    record.start_ns = head.start_ns;
    record.pid = kPid;
    record.family = 4;
    EXPECT_EQ(field(interpreter.connection(record), "Executable"), "/bin/nc");
    record.start_ns = 6'000'000'001;  // of a later process, that runs no program of its own and is gone
    EXPECT_EQ(field(interpreter.connection(record), "Executable"), "unknown");
    EXPECT_EQ(field(interpreter.connection(record), "CommandLine"), "(none)");

    // Where the source does not tell whose it was, the end of the first does.
    record.start_ns = 0;
    EXPECT_EQ(field(interpreter.connection(record), "Executable"), "/bin/nc");
    fw_exit exit{};
    exit.pid = kPid;
    exit.start_ns = 6'000'000'001;
    exit.time_ns = head.time_ns + 1;
    EXPECT_FALSE(interpreter.exit(exit));
    exit.start_ns = head.start_ns;
    exit.time_ns = head.time_ns + 2;
    EXPECT_TRUE(interpreter.exit(exit));
    EXPECT_EQ(field(interpreter.connection(record), "Executable"), "unknown");
    record.time_ns = head.time_ns + 1;  // told after its end, as of before it
    EXPECT_EQ(field(interpreter.connection(record), "Executable"), "/bin/nc");
    head = head_of(kPid + 1, kPid, "sh\0bin\0"sv, "sh\0"sv);
    head.time_ns += 10;
    EXPECT_EQ(field(interpreter.exec(head, "sh\0bin\0sh\0"sv), "ParentCommandLine"), "(none)");
}

TEST(Interpreter, TheExitOfAnUnknownProcessIsNotReported) {
    Accounts accounts("/nonexistent", "/nonexistent");
    Interpreter interpreter(accounts);
    fw_exit record{};
    record.pid = kPid;
    EXPECT_FALSE(interpreter.exit(record));
}

/// wtmp's or btmp's record of root, from 192.0.0.0.
fw_login login_of_root(std::uint8_t result, std::uint64_t time_ns) {
    fw_login record{};
    record.time_ns = time_ns;
    record.result = result;
    record.family = 4;
    record.remote[0] = 192;
    std::memcpy(record.user, "root", 4);
    return record;
}

fw_log_line line_of(std::string_view text, std::uint64_t time_ns) {
    fw_log_line line{};
    line.source = FW_LOG_AUTH;
    line.time_ns = time_ns;
    line.size = static_cast<fw_u16>(text.size());
    std::memcpy(line.line, text.data(), text.size());
    return line;
}

TEST(Interpreter, TheSameLoginToldByTwoSourcesIsReportedOnce) {
    Accounts accounts("/nonexistent", "/nonexistent");
    Interpreter interpreter(accounts);
    ASSERT_TRUE(interpreter.login(login_of_root(FW_LOGIN_SUCCESS, 1'000'000'000)));
    constexpr std::string_view kText = "h sshd[5]: Accepted password for root from 192.0.0.0 port 1 ssh2";
    EXPECT_FALSE(interpreter.log_line(line_of(kText, 1'500'000'000)));
    EXPECT_TRUE(interpreter.log_line(line_of(kText, 60'000'000'000)));
}

TEST(Interpreter, TwoFailuresToldByTwoSourcesAreTwo) {
    Accounts accounts("/nonexistent", "/nonexistent");
    Interpreter interpreter(accounts);
    constexpr std::string_view kText = "h sshd[5]: Failed password for root from 192.0.0.0 port 1 ssh2";
    int told = 0;
    for (int i = 0; i < 2; ++i)
        told += interpreter.login(login_of_root(FW_LOGIN_FAIL, 1'000'000'000)).has_value();
    for (int i = 0; i < 2; ++i)
        told += interpreter.log_line(line_of(kText, 1'000'000'000)).has_value();
    EXPECT_EQ(told, 2);
}

TEST(LoginLine, ReadsWhoBecameWhom) {
    const auto opened = parse_login_line(
        "Nov 22 21:00:00 gw su[81]: pam_unix(su:session): session opened for user root(uid=0) by "
        "alice(uid=1000)");
    ASSERT_TRUE(opened);
    EXPECT_TRUE(opened->success);
    EXPECT_EQ(opened->user, "root");
    EXPECT_EQ(opened->by, "alice");
    EXPECT_EQ(opened->executable, "/usr/bin/su");
    EXPECT_EQ(opened->pid, 81U);
    const auto failed = parse_login_line(
        "2026-11-22T21:00:00+00:00 gw sudo: pam_unix(sudo:auth): authentication failure; logname=alice "
        "uid=1000 "
        "euid=0 tty=/dev/pts/0 ruser=alice rhost=  user=alice");
    ASSERT_TRUE(failed);
    EXPECT_FALSE(failed->success);
    EXPECT_EQ(failed->user, "alice");
    EXPECT_EQ(failed->terminal, "/dev/pts/0");
    EXPECT_EQ(failed->executable, "/usr/bin/sudo");
    EXPECT_TRUE(failed->address.empty());
    const auto local = parse_login_line(
        "Nov 22 21:00:00 gw login[9]: pam_unix(login:session): session opened for user root by LOGIN(uid=0)");
    ASSERT_TRUE(local);
    EXPECT_TRUE(local->by.empty());
    for (const auto* other :
         {"Nov 22 21:00:00 gw CRON[9]: pam_unix(cron:session): session opened for user root(uid=0) by "
          "(uid=0)",
          "Nov 22 21:00:00 gw su[9]: pam_unix(su:session): session closed for user root",
          "Nov 22 21:00:00 gw app[9]: su[9]: pam_unix(su:session): session opened for user root by x"}) {
        EXPECT_FALSE(parse_login_line(other)) << other;
    }
}

TEST(LoginLine, ReadsAuditRecords) {
    const auto su = parse_audit_login(
        "1100 audit(1700000000.123:45): pid=4321 uid=1000 auid=1000 ses=1 subj=unconfined "
        "msg='op=PAM:authentication grantors=? acct=\"root\" exe=\"/usr/bin/su\" hostname=? addr=? "
        "terminal=/dev/pts/0 res=failed'");
    ASSERT_TRUE(su);
    EXPECT_EQ(su->user, "root");
    EXPECT_EQ(su->operation, "PAM:authentication");
    EXPECT_EQ(su->executable, "/usr/bin/su");
    EXPECT_EQ(su->terminal, "/dev/pts/0");
    EXPECT_EQ(su->pid, 4321U);
    EXPECT_FALSE(su->success);
    EXPECT_TRUE(su->address.empty());
    const auto ssh = parse_audit_login(
        "1112 audit(1700000000.123:46): pid=5 uid=0 auid=1000 ses=2 msg='op=login acct=\"bob\" "
        "exe=\"/usr/sbin/sshd\" hostname=h addr=192.0.2.9 terminal=ssh res=success'");
    ASSERT_TRUE(ssh);
    EXPECT_TRUE(ssh->success);
    EXPECT_EQ(ssh->address, "192.0.2.9");
    EXPECT_FALSE(
        parse_audit_login("1100 audit(1.1:1): pid=5 msg='op=PAM:authentication acct=\"bob\" "
                          "exe=\"/usr/sbin/sshd\" res=success'"));
    EXPECT_FALSE(parse_audit_login("1300 audit(1.1:1): arch=c000003e syscall=59 success=yes"));
}

TEST(LoginLine, ReadsAuditRecordsThatNameTheUserOtherwise) {
    const auto passwd = std::string("/tmp/fieldwatch-passwd-") + std::to_string(::getpid());
    std::ofstream(passwd) << "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n";
    Accounts accounts(passwd, "/nonexistent");
    Interpreter interpreter(accounts);
    const auto told = [&](std::string_view who) {
        const auto text = "1112 audit(1700000000.123:46): pid=5 uid=0 auid=1000 ses=2 msg='op=login " +
                          std::string(who) +
                          " exe=\"/usr/sbin/sshd\" hostname=h addr=192.0.2.9 terminal=ssh res=success'";
        auto line = line_of(text, 1'000'000'000);
        line.source = FW_LOG_AUDIT;
        const auto login = interpreter.log_line(line);
        return login ? field(*login, "UserName") + " " + field(*login, "Result") : "nothing";
    };
    EXPECT_EQ(told("id=1000"), "alice Success");
    EXPECT_EQ(told("id=4711"), "4711 Success");  // nobody's here
    EXPECT_EQ(told("id=1000x"), "nothing");
    EXPECT_EQ(told("acct=6120622063"), "a b c Success");  // as the kernel writes what has blanks
    EXPECT_EQ(told("acct=\"6120622063\""), "6120622063 Success");
    EXPECT_EQ(told("acct=\"bob\" id=0"), "bob Success");
    EXPECT_EQ(told("acct=28756E6B6E6F776E207573657229"), "(unknown user) Success");
    ::unlink(passwd.c_str());
}

TEST(ContainerId, IsTheSixtyFourHexDigitsOfACgroupName) {
    const std::string id(64, 'a');
    EXPECT_EQ(container_id("docker-" + id + ".scope"), id);
    EXPECT_EQ(container_id("user.slice"), "");
}

TEST(LoginLine, ReadsAcceptedAndFailedOnes) {
    const auto failed = parse_login_line(
        "Nov 22 21:00:00 gw sshd[77]: Failed password for invalid user a from b from 192.0.2.7 port 4022 "
        "ssh2");
    ASSERT_TRUE(failed);
    EXPECT_EQ(failed->user, "a from b");  // the name is the stranger's to choose
    EXPECT_EQ(failed->address, "192.0.2.7");
    EXPECT_EQ(failed->port, "4022");
    EXPECT_EQ(failed->pid, 77U);
    EXPECT_FALSE(failed->success);
    const auto accepted = parse_login_line(
        "2026-11-22T21:00:00+00:00 gw sshd-session[9]: Accepted publickey for root from ::1 port 5 ssh2: RSA "
        "x");
    ASSERT_TRUE(accepted);
    EXPECT_TRUE(accepted->success);
    EXPECT_EQ(accepted->operation, "sshd:publickey");
    for (const auto* other :
         {"", "sshd[1]: Connection closed", "cron[1]: Accepted password for x from y port 1",
          "sshd[x]: Accepted password for x from y", "sshd[1]: Failed"}) {
        EXPECT_FALSE(parse_login_line(other)) << other;
    }
}

TEST(RecordBatch, RefusesWhatDoesNotAgreeExactly) {
    const auto each = [](std::uint16_t, std::span<const std::byte>) {};
    for (const std::uint16_t type : {0, FW_TYPE_LAST + 1})
        EXPECT_EQ(record_size(type), 0U);
    struct {
        fw_batch_head head;
        fw_exit record[2];
    } batch{};
    static_assert(sizeof batch == sizeof(fw_batch_head) + 2 * sizeof(fw_exit));
    batch.head = {FW_BATCH_MAGIC, FW_EXIT, 2};
    const auto bytes = std::as_bytes(std::span(&batch, 1));
    EXPECT_TRUE(split_batch(bytes, each));
    EXPECT_FALSE(split_batch(bytes.first(bytes.size() - 1), each));
    batch.head.count = 1;
    EXPECT_FALSE(split_batch(bytes, each));
    batch.head = {1, FW_EXIT, 2};
    EXPECT_FALSE(split_batch(bytes, each));
    EXPECT_FALSE(split_batch({}, each));
}

TEST(RecordBatch, SizesThatPointOutsideTheTextAreRefused) {
    fw_exec_head head{};
    head.pid = 1;
    EXPECT_TRUE(is_valid(head, FW_TEXT_SMALL));
    head.executable_size = FW_TEXT_SMALL;
    EXPECT_TRUE(is_valid(head, FW_TEXT_SMALL));
    head.arguments_size = 1;
    EXPECT_FALSE(is_valid(head, FW_TEXT_SMALL));
    head = {};
    EXPECT_FALSE(is_valid(head, FW_TEXT_SMALL));  // pid 0 runs no program
}

TEST(Config, AcceptsTheReferenceAgentsFileAndNamesUnknownKeys) {
    const auto config = parse_config(R"({"Configuration":{"AgentId":"4d40109c-e259-4f27-ba3e-f9a60beb07ad",
        "TriggerdEventsInterval":"PT2M","Authentication":{"Identity":"SecurityModule","AuthenticationMethod":"SasToken",
        "FilePath":"/k","DeviceId":"d","HostName":"h"},"Colour":"red"}})");
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->device_id, "d");
    EXPECT_EQ(config->warnings, std::vector<std::string>{"unknown key Colour"});
}

TEST(Config, AnErrorNamesItsKey) {
    const std::pair<const char*, const char*> cases[] = {
        {R"({"ConnectionStringFile":"f","Port":0})", "Port"},
        {R"({"ConnectionStringFile":5})", "ConnectionStringFile"},
        {R"({"ConnectionStringFile":"f","Collectors":{"Process":"magic"}})", "Collectors.Process"},
        {R"({"ConnectionStringFile":"f","AgentId":"x"})", "AgentId"},
        {R"({"Authentication":{"FilePath":"f","KeyUri":"handle:1"}})", "KeyUri"},
        {R"({"Authentication":{"FilePath":"f","KeyProvider":"tpm2"}})", "KeyUri"},
        {R"({"Authentication":{"FilePath":"f","AuthenticationMethod":"Certificate","KeyUri":"a:b","KeyProvider":"p","KeyEngine":"e"}})",
         "KeyEngine"},
        {R"({})", "ConnectionStringFile"},
        {R"([])", "JSON object"}};
    for (const auto& [text, name] : cases) {
        const auto config = parse_config(text);
        ASSERT_FALSE(config) << text;
        EXPECT_NE(config.error().message.find(name), std::string::npos) << config.error().message;
    }
}

TEST(Config, WhatProvisionWritesIsReadBack) {
    AgentConfig config;
    config.connection_string_file = "/cs";
    config.ca_file = "/ca";
    config.port = 9'883;
    config.mode[FW_CLASS_TCP] = FW_MODE_POLL;
    const auto read = parse_config(format_config(config));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->port, 9'883);
    EXPECT_EQ(read->mode[FW_CLASS_TCP], FW_MODE_POLL);
    EXPECT_TRUE(read->warnings.empty());
}

}  // namespace
}  // namespace fieldwatch::agent
