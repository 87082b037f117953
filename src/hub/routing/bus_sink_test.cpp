// Streams of others as endpoints: against librdkafka's own broker for tests, and against Debian's NATS
// server.
#include "hub/routing/bus_sink.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <nats/nats.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <map>
#include <thread>

#include "base/random.hpp"

extern char** environ;  // NOLINT: POSIX names it so

namespace fieldwatch::hub {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

std::vector<std::string> messages(int count, int from = 0) {
    std::vector<std::string> out;
    for (int i = from; i < from + count; ++i)
        out.push_back(R"({"hub":"plant","source":"DeviceMessages","routes":["all"],"partition":2,"offset":)" +
                      std::to_string(i) + R"(,"enqueuedTime":"2026-11-29T03:00:00Z","deviceId":"pump-)" +
                      std::to_string(i % 3) + R"(","body":{}})");
    return out;
}

RouteEndpoint endpoint_at(const std::string& url) {
    return {.name = "bus", .kind = RouteEndpoint::Kind::Kafka, .url = url};
}

TEST(BusAddress, SaysWhatItIs) {
    const auto kafka = parse_bus_address("kafkas://a.example:9093,b.example:9093/plant.alarms");
    ASSERT_TRUE(kafka);
    EXPECT_TRUE(kafka->tls);
    EXPECT_EQ(kafka->servers, "a.example:9093,b.example:9093");
    EXPECT_EQ(kafka->topic, "plant.alarms");
    const auto nats = parse_bus_address("nats://n:4222/plant.alarms");
    ASSERT_TRUE(nats);
    EXPECT_FALSE(nats->tls);
    EXPECT_EQ(nats->kind, RouteEndpoint::Kind::Nats);
    EXPECT_TRUE(parse_bus_address("natss://n:4222/x")->tls);
    for (const auto* const bad :
         {"kafka://h/t", "kafka://h:9092", "kafka://h:9092/", "nats://n:4222/a.*", "nats://u:p@n:4222/a",
          "amqp://h:1/t", "nats://n:4222/a..b", "kafka://h:x/t", ""})
        EXPECT_FALSE(parse_bus_address(bad)) << bad;
}

TEST(BusAddress, AMessageSaysWhoseItIsAndWhere) {
    const auto one = messages(1, 7).front();
    EXPECT_EQ(device_in(one), "pump-1");
    EXPECT_EQ(id_in(one, "plant"), "plant/2/7");
    EXPECT_EQ(device_in("{}"), "");
}

/// A broker of one node that librdkafka brings for tests: real connections, the real protocol.
class Kafka {
  public:
    Kafka() {
        auto* const conf = rd_kafka_conf_new();
        rd_kafka_conf_set_log_cb(conf, [](const rd_kafka_t*, int, const char*, const char*) {});
        client_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, nullptr, 0);
        cluster_ = rd_kafka_mock_cluster_new(client_, 1);
        rd_kafka_mock_topic_create(cluster_, "plant", 3, 1);
    }
    ~Kafka() {
        rd_kafka_mock_cluster_destroy(cluster_);
        rd_kafka_destroy(client_);
    }
    std::string servers() const { return rd_kafka_mock_cluster_bootstraps(cluster_); }
    void down() { rd_kafka_mock_broker_set_down(cluster_, 1); }
    void up() { rd_kafka_mock_broker_set_up(cluster_, 1); }

    /// Device to its messages, in the order of its partition.
    std::map<std::string, std::vector<std::string>> read(std::size_t count) const {
        auto* const conf = rd_kafka_conf_new();
        for (const auto& [name, value] : std::map<std::string, std::string>{
                 {"bootstrap.servers", servers()}, {"group.id", "test"}, {"auto.offset.reset", "earliest"}})
            rd_kafka_conf_set(conf, name.c_str(), value.c_str(), nullptr, 0);
        auto* const consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, nullptr, 0);
        rd_kafka_poll_set_consumer(consumer);
        auto* const topics = rd_kafka_topic_partition_list_new(3);
        for (int partition = 0; partition < 3; ++partition)
            rd_kafka_topic_partition_list_add(topics, "plant", partition)->offset = RD_KAFKA_OFFSET_BEGINNING;
        rd_kafka_assign(consumer, topics);
        std::map<std::string, std::vector<std::string>> out;
        std::size_t got = 0;
        for (int tries = 0; tries < 300 && got < count; ++tries) {
            auto* const message = rd_kafka_consumer_poll(consumer, 100);
            if (message == nullptr) continue;
            if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
                ++got;
                out[std::string(static_cast<const char*>(message->key), message->key_len)].emplace_back(
                    static_cast<const char*>(message->payload), message->len);
            }
            rd_kafka_message_destroy(message);
        }
        rd_kafka_topic_partition_list_destroy(topics);
        rd_kafka_consumer_close(consumer);
        rd_kafka_destroy(consumer);
        return out;
    }

  private:
    rd_kafka_t* client_ = nullptr;
    rd_kafka_mock_cluster_t* cluster_ = nullptr;
};

TEST(KafkaSink, DeliversInOrderOfEachDeviceAndSaysWhenItCannot) {
    Kafka kafka;
    const auto sink = open_kafka_sink(endpoint_at("kafka://" + kafka.servers() + "/plant"),
                                      {.hub = "plant", .timeout = 3'000ms});
    ASSERT_TRUE(sink) << sink.error().message;
    const auto first = messages(50);
    ASSERT_TRUE((*sink)->deliver(first));
    kafka.down();
    const auto late = (*sink)->deliver(messages(10, 50));
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, Errc::Unavailable) << late.error().message;
    kafka.up();
    Result<void> again = fail(Errc::Unavailable, "");
    for (int i = 0; i < 10 && !again; ++i)
        again = (*sink)->deliver(messages(10, 50));
    ASSERT_TRUE(again) << again.error().message;
    const auto all = kafka.read(60);
    ASSERT_EQ(all.size(), 3u);
    std::size_t count = 0;
    for (const auto& [device, its] : all) {
        count += its.size();
        for (const auto& one : its)
            EXPECT_EQ(device_in(one), device);
        const auto offset = [](const std::string& text) {
            return std::stoi(text.substr(text.find("\"offset\":") + 9));
        };
        for (std::size_t i = 1; i < its.size(); ++i)
            EXPECT_LE(offset(its[i - 1]), offset(its[i])) << device;
    }
    EXPECT_GE(count, 60u);
}

TEST(KafkaSink, IsEndedFromAnotherThread) {
    const auto sink =
        open_kafka_sink(endpoint_at("kafka://127.0.0.1:9/plant"), {.hub = "plant", .timeout = 60'000ms});
    ASSERT_TRUE(sink);
    std::thread ending([&] {
        std::this_thread::sleep_for(300ms);
        (*sink)->interrupt();
    });
    const auto done = (*sink)->deliver(messages(1));
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
    std::unique_ptr<RouteSink> sink(const char* password = "p") {
        auto made = open_nats_sink(endpoint_at(std::string(kUrl) + "/plant.alarms"),
                                   {.hub = "plant", .user = "u", .password = password, .timeout = 3'000ms});
        EXPECT_TRUE(made);
        return std::move(*made);
    }

    const std::filesystem::path directory_ =
        std::filesystem::temp_directory_path() / ("nats_test." + std::to_string(system_random().next()));
    pid_t process_ = -1;
};

TEST_F(NatsServer, AStreamHasEachMessageOnceThroughItsRestart) {
    const auto bus = sink();
    with_stream([](jsCtx*) {});  // it is there
    const auto nowhere = bus->deliver(messages(1));
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
    ASSERT_TRUE(bus->deliver(messages(100)));
    EXPECT_EQ(kept(), 100u);
    ASSERT_TRUE(bus->deliver(messages(100)));  // the route's own repeat after a crash
    EXPECT_EQ(kept(), 100u);
    stop();
    const auto gone = bus->deliver(messages(5, 100));
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().code, Errc::Unavailable);
    start();
    EXPECT_EQ(kept(), 100u);
    Result<void> again = fail(Errc::Unavailable, "");
    for (int i = 0; i < 20 && !again; ++i) {
        again = bus->deliver(messages(5, 100));
        std::this_thread::sleep_for(100ms);
    }
    EXPECT_TRUE(again) << again.error().message;
    EXPECT_EQ(kept(), 105u);
}

TEST_F(NatsServer, AWrongPasswordIsSaid) {
    with_stream([](jsCtx*) {});
    const auto done = sink("wrong")->deliver(messages(1));
    ASSERT_FALSE(done);
    EXPECT_THAT(done.error().message, HasSubstr("connecting"));
}

}  // namespace
}  // namespace fieldwatch::hub
