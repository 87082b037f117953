// Streams of others: against librdkafka's own broker for tests, and against Debian's NATS server.
#include "bus/bus.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <nats/nats.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <thread>

#include "base/random.hpp"
#include "bus/kafka_broker_test.hpp"

extern char** environ;  // NOLINT: POSIX names it so

namespace fieldwatch::bus {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

/// Owns what its messages view.
struct Batch {
    struct One {
        std::string key, id, text;
    };
    std::vector<One> texts;
    std::vector<Message> views;
};

/// Of three devices in turn.
Batch messages(int count, int from = 0) {
    Batch out;
    for (int i = from; i < from + count; ++i)
        out.texts.push_back(
            {"pump-" + std::to_string(i % 3), "plant/2/" + std::to_string(i), std::to_string(i)});
    for (const auto& one : out.texts)
        out.views.push_back({.key = one.key, .id = one.id, .text = one.text});
    return out;
}

Result<void> deliver(Bus& bus, const Batch& batch) {
    return bus.deliver(batch.views);
}

std::unique_ptr<Bus> bus_at(const std::string& url, Options options) {
    auto address = parse_address(url);
    EXPECT_TRUE(address) << url;
    auto made = open(std::move(*address), std::move(options));
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
}

TEST(BusAddress, SaysWhatItIs) {
    const auto kafka = parse_address("kafkas://a.example:9093,b.example:9093/plant.alarms");
    ASSERT_TRUE(kafka);
    EXPECT_TRUE(kafka->tls);
    EXPECT_EQ(kafka->servers, "a.example:9093,b.example:9093");
    EXPECT_EQ(kafka->topic, "plant.alarms");
    const auto nats = parse_address("nats://n:4222/plant.alarms");
    ASSERT_TRUE(nats);
    EXPECT_FALSE(nats->tls);
    EXPECT_EQ(nats->kind, Kind::Nats);
    EXPECT_TRUE(parse_address("natss://n:4222/x")->tls);
    for (const auto* const bad :
         {"kafka://h/t", "kafka://h:9092", "kafka://h:9092/", "nats://n:4222/a.*", "nats://u:p@n:4222/a",
          "amqp://h:1/t", "nats://n:4222/a..b", "kafka://h:x/t", ""})
        EXPECT_FALSE(parse_address(bad)) << bad;
}

TEST(Kafka, DeliversInOrderOfEachKeyAndSaysWhenItCannot) {
    if (!kThreadsAreSeen) GTEST_SKIP() << "ThreadSanitizer does not see the client's threads";
    KafkaBroker kafka;
    const auto bus = bus_at("kafka://" + kafka.servers() + "/plant", {.timeout = 3'000ms});
    ASSERT_TRUE(deliver(*bus, messages(50)));
    kafka.down();
    const auto late = deliver(*bus, messages(10, 50));
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, Errc::Unavailable) << late.error().message;
    kafka.up();
    Result<void> again = fail(Errc::Unavailable, "");
    for (int i = 0; i < 10 && !again; ++i)
        again = deliver(*bus, messages(10, 50));
    ASSERT_TRUE(again) << again.error().message;
    const auto all = kafka.read(60);
    ASSERT_EQ(all.size(), 3u);
    std::size_t count = 0;
    for (const auto& [key, its] : all) {
        count += its.size();
        for (std::size_t i = 0; i < its.size(); ++i) {
            EXPECT_EQ("pump-" + std::to_string(std::stoi(its[i]) % 3), key);
            if (i == 0) continue;
            EXPECT_LE(std::stoi(its[i - 1]), std::stoi(its[i])) << key;
        }
    }
    EXPECT_GE(count, 60u);
}

TEST(Kafka, SaysOfAMessageThatIsTooLargeThatItWillNeverBeTaken) {
    if (!kThreadsAreSeen) GTEST_SKIP() << "ThreadSanitizer does not see the client's threads";
    KafkaBroker kafka;
    const auto bus = bus_at("kafka://" + kafka.servers() + "/plant", {.timeout = 10'000ms});
    const std::string large(2u << 20, 'x');
    const std::vector<Message> batch{{.key = "k", .id = "i", .text = large}};
    EXPECT_EQ(bus->deliver(batch).error().code, Errc::InvalidArgument);
    EXPECT_TRUE(deliver(*bus, messages(1)));
}

TEST(Kafka, IsEndedFromAnotherThread) {
    if (!kThreadsAreSeen) GTEST_SKIP() << "ThreadSanitizer does not see the client's threads";
    const auto bus = bus_at("kafka://127.0.0.1:9/plant", {.timeout = 60'000ms});
    std::thread ending([&] {
        std::this_thread::sleep_for(300ms);
        bus->interrupt();
    });
    const auto done = deliver(*bus, messages(1));
    ending.join();
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Errc::Cancelled);
}

class NatsServer : public ::testing::Test {
  protected:
    static constexpr const char* kUrl = "nats://127.0.63.1:14222";
    void SetUp() override {
        if (::access("/usr/sbin/nats-server", X_OK) != 0) GTEST_SKIP() << "no /usr/sbin/nats-server";
        start();
    }
    void TearDown() override {
        stop();
        std::filesystem::remove_all(directory_);
    }
    void start() {
        std::vector<std::string> arguments{
            "/usr/sbin/nats-server", "-a",     "127.0.63.1", "-p",     "14222", "-js", "-sd",
            directory_.string(),     "--user", "u",          "--pass", "p"};
        std::vector<char*> raw;
        for (auto& one : arguments)
            raw.push_back(one.data());
        raw.push_back(nullptr);
        posix_spawn_file_actions_t quiet;
        posix_spawn_file_actions_init(&quiet);
        posix_spawn_file_actions_addopen(&quiet, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
        ASSERT_EQ(::posix_spawn(&process_, raw[0], &quiet, nullptr, raw.data(), environ), 0);
        posix_spawn_file_actions_destroy(&quiet);
    }
    void stop() {
        if (process_ > 0) {
            ::kill(process_, SIGTERM);
            ::waitpid(process_, nullptr, 0);
        }
        process_ = -1;
    }
    template <class Work>
    void with_stream(Work work) {
        natsOptions* options = nullptr;
        natsOptions_Create(&options);
        natsOptions_SetURL(options, kUrl);
        natsOptions_SetUserInfo(options, "u", "p");
        natsConnection* connection = nullptr;
        for (int tries = 0; tries < 100 && natsConnection_Connect(&connection, options) != NATS_OK; ++tries)
            std::this_thread::sleep_for(100ms);
        ASSERT_NE(connection, nullptr);
        jsCtx* stream = nullptr;
        ASSERT_EQ(natsConnection_JetStream(&stream, connection, nullptr), NATS_OK);
        work(stream);
        jsCtx_Destroy(stream);
        natsConnection_Destroy(connection);
        natsOptions_Destroy(options);
    }
    std::uint64_t kept() {
        std::uint64_t count = 0;
        with_stream([&](jsCtx* stream) {
            jsStreamInfo* info = nullptr;
            if (js_GetStreamInfo(&info, stream, "PLANT", nullptr, nullptr) == NATS_OK)
                count = info->State.Msgs;
            jsStreamInfo_Destroy(info);
        });
        return count;
    }
    static std::unique_ptr<Bus> bus(const char* password = "p") {
        return bus_at(std::string(kUrl) + "/plant.alarms",
                      {.user = "u", .password = password, .timeout = 3'000ms});
    }

    const std::filesystem::path directory_ =
        std::filesystem::temp_directory_path() / ("nats_test." + std::to_string(system_random().next()));
    pid_t process_ = -1;
};

TEST_F(NatsServer, AStreamHasEachMessageOnceThroughItsRestart) {
    const auto to = bus();
    with_stream([](jsCtx*) {});  // it is there
    const auto nowhere = deliver(*to, messages(1));
    ASSERT_FALSE(nowhere);
    EXPECT_THAT(nowhere.error().message, HasSubstr("no stream has the subject"));
    with_stream([](jsCtx* stream) {
        jsStreamConfig config;
        jsStreamConfig_Init(&config);
        config.Name = "PLANT";
        const char* subjects[] = {"plant.>"};
        config.Subjects = subjects;
        config.SubjectsLen = 1;
        ASSERT_EQ(js_AddStream(nullptr, stream, &config, nullptr, nullptr), NATS_OK);
    });
    ASSERT_TRUE(deliver(*to, messages(100)));
    EXPECT_EQ(kept(), 100u);
    ASSERT_TRUE(deliver(*to, messages(100)));  // the sender's own repeat after a crash
    EXPECT_EQ(kept(), 100u);
    stop();
    const auto gone = deliver(*to, messages(5, 100));
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().code, Errc::Unavailable);
    start();
    EXPECT_EQ(kept(), 100u);
    Result<void> again = fail(Errc::Unavailable, "");
    for (int i = 0; i < 20 && !again; ++i) {
        again = deliver(*to, messages(5, 100));
        std::this_thread::sleep_for(100ms);
    }
    EXPECT_TRUE(again) << again.error().message;
    EXPECT_EQ(kept(), 105u);
}

TEST_F(NatsServer, AWrongPasswordIsSaid) {
    with_stream([](jsCtx*) {});
    const auto done = deliver(*bus("wrong"), messages(1));
    ASSERT_FALSE(done);
    EXPECT_THAT(done.error().message, HasSubstr("connecting"));
}

}  // namespace
}  // namespace fieldwatch::bus
