// A broker of one node that librdkafka brings for tests: real connections, the real protocol.
#pragma once

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <map>
#include <string>
#include <vector>

namespace fieldwatch::bus {

/// librdkafka makes its threads by thrd_create, which ThreadSanitizer does not see: our code in one ends
/// there.
inline constexpr bool kThreadsAreSeen =
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
    false;
#else
    true;
#endif
#else
    true;
#endif

/// With a topic `plant` of three partitions.
class KafkaBroker {
  public:
    KafkaBroker() {
        auto* const conf = rd_kafka_conf_new();
        rd_kafka_conf_set_log_cb(conf, [](const rd_kafka_t*, int, const char*, const char*) {});
        client_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, nullptr, 0);
        cluster_ = rd_kafka_mock_cluster_new(client_, 1);
        rd_kafka_mock_topic_create(cluster_, "plant", 3, 1);
    }
    ~KafkaBroker() {
        rd_kafka_mock_cluster_destroy(cluster_);
        rd_kafka_destroy(client_);
    }
    KafkaBroker(const KafkaBroker&) = delete;
    KafkaBroker& operator=(const KafkaBroker&) = delete;
    std::string servers() const { return rd_kafka_mock_cluster_bootstraps(cluster_); }
    void down() { rd_kafka_mock_broker_set_down(cluster_, 1); }
    void up() { rd_kafka_mock_broker_set_up(cluster_, 1); }

    /// Key to its messages, in the order of its partition.
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

}  // namespace fieldwatch::bus
