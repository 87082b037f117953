#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "agent/baseline/engine.hpp"
#include "base/bytes.hpp"

namespace fieldwatch::agent {
namespace {

namespace fs = std::filesystem;

class Baseline : public ::testing::Test {
  protected:
    Baseline() : root_(fs::temp_directory_path() / ("baseline-" + std::to_string(::getpid()))) {
        fs::create_directories(root_);
    }
    ~Baseline() override { fs::remove_all(root_); }
    void write(const std::string& name, std::string_view text, mode_t mode = 0644) {
        const auto path = root_ / name;
        fs::create_directories(path.parent_path());
        std::ofstream(path, std::ios::binary) << text;
        ::chmod(path.c_str(), mode);
    }
    CheckOutcome run(const std::string& members) {
        const auto checks = parse_checks(
            R"({"format":1,"checks":[{"id":"x","title":"t","severity":"Warning",)" + members + "}]}");
        EXPECT_TRUE(checks) << checks.error().message;
        return checks ? BaselineEngine(root_.string()).run(checks->front())
                      : CheckOutcome{CheckResult::Err, "parse"};
    }
    CheckResult result(const std::string& members) { return run(members).result; }

    fs::path root_;
};

using enum CheckResult;

TEST_F(Baseline, ComparesKernelParameters) {
    write("proc/sys/net/ipv4/ip_forward", "1\n");
    EXPECT_EQ(result(R"("check":"sysctl","name":"net.ipv4.ip_forward","values":["1"])"), Pass);
    const auto wrong = run(R"("check":"sysctl","name":"net.ipv4.ip_forward","values":["0"])");
    EXPECT_EQ(wrong.result, Fail);
    EXPECT_EQ(wrong.reason, "net.ipv4.ip_forward is 1, allowed is 0");
    EXPECT_EQ(result(R"("check":"sysctl","name":"net.ipv6.conf.all.accept_ra","values":["0"])"),
              Pass);  // no IPv6 here
}

TEST_F(Baseline, ForbidsPermissionBitsBeyondTheMode) {
    write("etc/passwd", "root:x:0:0::/:/bin/sh\n", 0644);
    EXPECT_EQ(result(R"("check":"file-permissions","path":"/etc/passwd","mode":"0644")"), Pass);
    EXPECT_EQ(result(R"("check":"file-permissions","path":"/etc/passwd","mode":"0600")"), Fail);
    write("var/log/a.journal", "", 0666);
    write("var/log/other", "", 0666);
    const auto found =
        run(R"("check":"file-permissions","path":"/var/log/","pattern":".*\\.journal$","mode":"0640")");
    EXPECT_EQ(found.result, Fail);
    EXPECT_NE(found.reason.find("a.journal has mode 0666"), std::string::npos);
    EXPECT_EQ(result(R"("check":"file-permissions","path":"/gone","mode":"0000")"), Pass);
}

TEST_F(Baseline, KnowsOwnersByNameAndNumber) {
    write("etc/passwd", "someone:x:" + std::to_string(::getuid()) + ":0::/:/bin/sh\n");
    EXPECT_EQ(result(R"("check":"file-owner","path":"/etc/passwd","names":["someone"])"), Pass);
    EXPECT_EQ(result(R"("check":"file-owner","path":"/etc/passwd","names":[")" + std::to_string(::getuid()) +
                     R"("])"),
              Pass);
    EXPECT_EQ(result(R"("check":"file-owner","path":"/etc/passwd","names":["nobodyelse"])"), Fail);
}

TEST_F(Baseline, ReadsSettingsTheFirstWordSaidCounts) {
    write("etc/ssh/sshd_config", "#PermitRootLogin no\npermitrootlogin yes\nMaxAuthTries 6\n");
    const std::string where =
        R"("check":"setting","path":["/etc/ssh/sshd_config","/etc/ssh/sshd_config.d/"],"separator":" ",)";
    EXPECT_EQ(result(where + R"("key":"PermitRootLogin","values":["no"])"), Fail);
    EXPECT_EQ(result(where + R"("key":"MaxAuthTries","minimum":1,"maximum":4)"), Fail);
    EXPECT_EQ(result(where + R"("key":"MaxAuthTries","minimum":1,"maximum":6)"), Pass);
    EXPECT_EQ(result(where + R"("key":"Banner","values":["/etc/issue.net"],"absent":"fail")"), Fail);
    EXPECT_EQ(result(where + R"("key":"IgnoreRhosts","values":["yes"],"absent":"pass")"), Pass);
    write("etc/ssh/sshd_config.d/00.conf", "PermitRootLogin no\n");
    EXPECT_EQ(result(where + R"("key":"PermitRootLogin","values":["no"])"), Pass);
}

TEST_F(Baseline, KnowsPackagesServicesMountsAndModules) {
    write("var/lib/dpkg/status", "Package: telnetd\nStatus: install ok installed\nVersion: 1\n");
    EXPECT_EQ(result(R"("check":"package","name":"telnetd","installed":false)"), Fail);
    EXPECT_EQ(result(R"("check":"package","name":"aide","installed":true)"), Fail);
    write("etc/systemd/system/multi-user.target.wants/cups.service", "");
    EXPECT_EQ(result(R"("check":"service","name":"cups","enabled":false)"), Fail);
    fs::create_symlink("/dev/null", root_ / "etc/systemd/system/avahi.service");
    EXPECT_EQ(result(R"("check":"service","name":"avahi","enabled":false)"), Pass);
    write("proc/self/mounts", "tmpfs /tmp tmpfs rw,nosuid,nodev 0 0\n");
    EXPECT_EQ(result(R"("check":"mount-option","path":"/tmp","option":"nodev")"), Pass);
    EXPECT_EQ(result(R"("check":"mount-option","path":"/tmp","option":"noexec")"), Fail);
    EXPECT_EQ(result(R"("check":"mount-option","path":"/home","option":"nodev")"),
              Pass);  // no mount of its own
    EXPECT_EQ(result(R"("check":"mount","path":"/home")"), Fail);
    EXPECT_EQ(result(R"("check":"module-disabled","name":"dccp")"), Fail);
    write("etc/modprobe.d/x.conf", "install dccp /bin/false\n");
    EXPECT_EQ(result(R"("check":"module-disabled","name":"dccp")"), Pass);
}

TEST_F(Baseline, FindsLinesAndSaysWhenItMayNotLook) {
    write("etc/audit/rules.d/a.rules", "-w /etc/passwd -p wa -k x\n");
    const std::string where = R"("check":"line","path":["/etc/audit/audit.rules","/etc/audit/rules.d/"],)";
    EXPECT_EQ(result(where + R"("pattern":"^-w[[:space:]]+/etc/passwd[[:space:]]+-p[[:space:]]+wa")"), Pass);
    EXPECT_EQ(result(where + R"("pattern":"^-w /etc/shadow")"), Fail);
    EXPECT_EQ(result(where + R"("pattern":"(unclosed")"), Err);
}

TEST(Checks, OfTheBuiltInSetAllParseAndRunHere) {
    const auto checks = parse_checks(built_in_checks());
    ASSERT_TRUE(checks) << checks.error().message;
    EXPECT_GT(checks->size(), 200U);
    const BaselineEngine engine("");
    std::size_t failing = 0;
    for (const auto& check : *checks) {
        const auto outcome = engine.run(check);
        EXPECT_TRUE(outcome.result == Pass || !outcome.reason.empty()) << check.id;
        failing += outcome.result == Fail;
        EXPECT_EQ(outcome.reason.find("does not compile"), std::string::npos) << check.id;
    }
    EXPECT_GT(failing, 0U);  // no machine passes all of it
    EXPECT_LT(failing, checks->size());
}

TEST(Checks, NameTheMemberThatIsWrong) {
    const auto refused = parse_checks(
        R"({"format":1,"checks":[{"id":"a","title":"t","severity":"Warning","check":"file-permissions","path":"/x","mode":"9"}]})");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message, "check a: mode");
    EXPECT_FALSE(parse_checks(R"({"format":2,"checks":[]})"));
    EXPECT_FALSE(parse_checks(
        R"({"format":1,"checks":[{"id":"a","title":"t","severity":"Warning","check":"shell","name":"rm"}]})"));
}

TEST(Checks, OfTheOwnerAreUsedOnlyFromTheirFolderAndWithTheirHash) {
    const auto folder = fs::temp_directory_path() / ("custom-" + std::to_string(::getpid()));
    fs::create_directories(folder);
    const auto path = (folder / "a.json").string();
    std::ofstream(path) << R"({"format":1,"checks":[]})";
    ::chmod(path.c_str(), 0644);
    const std::string hash = "f44a8c19e01e6a0cd1fd3fc9ddf0ab8dc4f3d1c2b2d44cc8d2d6dbfbd3e0d6ee";
    const auto wrong = load_custom_checks(path, hash, folder.string());
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().code, Errc::Corrupt);
    EXPECT_EQ(load_custom_checks("/etc/passwd", hash, folder.string()).error().code, Errc::Forbidden);
    EXPECT_EQ(load_custom_checks(folder.string() + "/../a.json", hash, folder.string()).error().code,
              Errc::Forbidden);
    fs::create_symlink(path, folder / "link.json");
    EXPECT_EQ(load_custom_checks((folder / "link.json").string(), hash, folder.string()).error().code,
              Errc::NotFound);
    ::chmod(path.c_str(), 0666);
    EXPECT_EQ(load_custom_checks(path, hash, folder.string()).error().code, Errc::Forbidden);
    fs::remove_all(folder);
}

}  // namespace
}  // namespace fieldwatch::agent
