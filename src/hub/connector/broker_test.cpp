// The connector of a broker against Debian's Mosquitto, with TLS and passwords, and its log.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "hub/connector/attached_fixture_test.hpp"
#include "net/certificate_authority.hpp"

extern char** environ;  // NOLINT: POSIX names it so

namespace fieldwatch::hub {
namespace {

using testing::HasSubstr;

constexpr const char* kMosquitto = "/usr/sbin/mosquitto";
constexpr const char* kHost = "127.0.62.1";
constexpr const char* kPort = "18884";

pid_t start(std::vector<std::string> arguments) {
    std::vector<char*> raw;
    for (auto& one : arguments)
        raw.push_back(one.data());
    raw.push_back(nullptr);
    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    pid_t process = -1;
    EXPECT_EQ(::posix_spawnp(&process, raw[0], &quiet, nullptr, raw.data(), environ), 0) << arguments[0];
    posix_spawn_file_actions_destroy(&quiet);
    return process;
}

int ended(pid_t process) {
    int status = -1;
    ::waitpid(process, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

class BrokerConnector : public ::testing::Test {
  protected:
    BrokerConnector()
        : directory_(std::filesystem::temp_directory_path() /
                     ("broker_test." + std::to_string(system_random().next()))),
          here_(directory_, "here") {}
    void SetUp() override {
        if (::access(kMosquitto, X_OK) != 0) GTEST_SKIP() << "no Mosquitto: " << kMosquitto;
        const auto certificates = net::open_certificates({.directory = directory_.string(), .names = {kHost}},
                                                         posix_file_system(), system_clock());
        ASSERT_TRUE(certificates) << certificates.error().message;
        write("chain.pem", certificates->chain_pem);
        write("key.pem", certificates->key_pem);
        write("passwords", "");
        for (const auto* const user : {"fieldwatch", "devices"})
            ASSERT_EQ(
                ended(start({"mosquitto_passwd", "-b", file("passwords"), user, std::string(user) + "-pw"})),
                0);
        write("conf", std::string("listener ") + kPort + " " + kHost + "\ncertfile " + file("chain.pem") +
                          "\nkeyfile " + file("key.pem") + "\nallow_anonymous false\npassword_file " +
                          file("passwords") + "\npersistence true\npersistence_location " +
                          directory_.string() + "/\nuser root\nlog_dest file " + file("log") +
                          "\nlog_dest topic\nlog_type error\nlog_type warning\nlog_type notice\n");
        start_broker();
        here_.attach();
    }
    ~BrokerConnector() override {
        here_.connectors.reset();
        stop_broker();
        std::filesystem::remove_all(directory_);
    }

    std::string file(const char* name) const { return (directory_ / name).string(); }
    void write(const char* name, const std::string& text) { std::ofstream(directory_ / name) << text; }
    void start_broker() {
        broker_ = start({kMosquitto, "-c", file("conf")});
        EXPECT_TRUE(soon([&] { return publish("probe", "probe", "x") == 0; }));
    }
    void stop_broker() {
        if (broker_ > 0) ::kill(broker_, SIGTERM), ended(broker_);
        broker_ = -1;
    }
    int publish(const std::string& device, const std::string& topic, const std::string& body,
                const std::string& password = "devices-pw") {
        return ended(start({"mosquitto_pub", "-h", kHost, "-p", kPort, "--cafile", file("ca.pem"), "-u",
                            "devices", "-P", password, "-i", device, "-t", topic, "-q", "1", "-m", body}));
    }
    std::string settings(const std::string& password, const std::string& more) {
        const auto pem = read_file(posix_file_system(), file("ca.pem"), 1u << 20);
        std::string ca;
        for (const char c : as_text(*pem))
            ca += c == '\n' ? std::string("\\n") : std::string(1, c);
        return std::string(R"({"type":"mqtt","url":"mqtts://)") + kHost + ":" + kPort +
               R"(","user":"fieldwatch","password":")" + password + R"(","caPem":")" + ca +
               R"(","topics":[{"topic":"fw/{device}/security","security":true},{"topic":"factory/{device}/data"}])" +
               more + "}";
    }
    bool reads() {
        return soon([&] { return here_.status("hall").state == ConnectorState::Reading; });
    }
    /// The operations of the log, as text.
    std::string operations() {
        std::string out;
        for (std::uint32_t partition = 0; partition < here_.journal->partition_count(); ++partition) {
            const auto batch =
                here_.journal->reader().read({journal::Stream::Security, partition, 0}, 10'000, 8u << 20);
            if (!batch) continue;
            for (const auto& one : batch->records) {
                const auto record = model::decode_record(one.bytes);
                if (record && record->kind == model::RecordKind::Operation)
                    out.append(record->device).append(" ").append(record->body).append("\n");
            }
        }
        return out;
    }

    const std::filesystem::path directory_;
    Side here_;
    pid_t broker_ = -1;
};

TEST_F(BrokerConnector, TakesWhatTheTopicsSayAndWhatCameWhileItWasAway) {
    ASSERT_TRUE(here_.connectors->put(here_.hub, "hall", settings("fieldwatch-pw", "")));
    ASSERT_TRUE(reads()) << here_.status("hall").problem;
    ASSERT_EQ(publish("press-1", "factory/press-1/data", "one"), 0);
    ASSERT_EQ(publish("press-1", "elsewhere/press-1", "not this"), 0);
    ASSERT_EQ(publish("press-1", "fw/press-1/security", "{}"), 0);
    EXPECT_TRUE(soon([&] { return here_.said().contains("one"); }));
    EXPECT_TRUE(soon([&] { return here_.status("hall").counts.security_messages == 1; }));
    EXPECT_TRUE(here_.registry->get({here_.hub, {"press-1"}, {std::string(model::kSecurityModule)}}));

    here_.connectors.reset();
    ASSERT_EQ(publish("press-2", "factory/press-2/data", "two"), 0);
    here_.attach();
    EXPECT_TRUE(soon([&] { return here_.said().contains("two"); }));

    ASSERT_TRUE(reads());
    stop_broker();
    EXPECT_TRUE(soon([&] { return here_.status("hall").state == ConnectorState::Failing; }));
    start_broker();
    ASSERT_EQ(publish("press-2", "factory/press-2/data", "three"), 0);
    EXPECT_TRUE(soon([&] { return here_.said().contains("three"); })) << here_.status("hall").problem;
    for (const auto& [body, count] : here_.said())
        EXPECT_EQ(count, 1) << body;
}

TEST_F(BrokerConnector, AWrongPasswordIsSaidAndTheRightOneStays) {
    ASSERT_TRUE(here_.connectors->put(here_.hub, "hall", settings("wrong", "")));
    EXPECT_TRUE(soon([&] { return here_.status("hall").state == ConnectorState::Failing; }));
    EXPECT_THAT(here_.status("hall").problem, HasSubstr("does not let this user in"));
    ASSERT_TRUE(here_.connectors->put(here_.hub, "hall", settings("fieldwatch-pw", "")));
    ASSERT_TRUE(reads()) << here_.status("hall").problem;
    ASSERT_TRUE(here_.connectors->put(here_.hub, "hall", settings("", "")));
    EXPECT_EQ(here_.connectors->get(here_.hub, "hall")->settings.password, "fieldwatch-pw");
    EXPECT_THAT(to_json(here_.connectors->get(here_.hub, "hall")->settings, ConnectorSecrets::Hidden),
                testing::Not(HasSubstr("fieldwatch-pw")));
}

TEST_F(BrokerConnector, TheBrokersLogIsOperationsFromItsTopicAndFromItsFile) {
    for (const auto& more :
         {std::string(R"(,"logTopic":"$SYS/broker/log/#")"), R"(,"logFile":")" + file("log") + '"'}) {
        ASSERT_TRUE(here_.connectors->put(here_.hub, "hall", settings("fieldwatch-pw", more)));
        std::this_thread::sleep_for(1s);  // until the change is seen
        ASSERT_TRUE(reads()) << here_.status("hall").problem;
        const auto counted = here_.status("hall").counts.operations;
        ASSERT_EQ(publish("press-3", "x", "y"), 0);
        ASSERT_NE(publish("press-4", "x", "y", "guessed"), 0);
        EXPECT_TRUE(soon([&] { return here_.status("hall").counts.operations >= counted + 3; }))
            << operations();
    }
    const auto all = operations();
    EXPECT_THAT(all, HasSubstr("press-3 {"));
    EXPECT_THAT(all, HasSubstr(R"("operationName":"deviceConnect")"));
    EXPECT_THAT(all, HasSubstr(R"("operationName":"deviceDisconnect")"));
    EXPECT_THAT(all, HasSubstr(R"("resultType":"401002")"));
    EXPECT_THAT(all, HasSubstr("127.0.0.1"));
    EXPECT_THAT(all, testing::Not(HasSubstr("fieldwatch-hall")));
}

}  // namespace
}  // namespace fieldwatch::hub
