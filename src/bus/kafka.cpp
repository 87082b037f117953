#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <array>
#include <atomic>

#include "base/clock.hpp"
#include "bus/bus.hpp"

namespace fieldwatch::bus {

namespace {

using std::chrono::milliseconds;

constexpr int kSliceMs = 200;  // how late an interruption is seen

class Kafka final : public Bus {
  public:
    Kafka(Address address, Options options) : address_(std::move(address)), options_(std::move(options)) {}
    ~Kafka() override { close(); }
    Kafka(const Kafka&) = delete;
    Kafka& operator=(const Kafka&) = delete;

    Result<void> open() {
        auto* const conf = rd_kafka_conf_new();
        const auto timeout = std::to_string(options_.timeout.count());
        const bool sasl = !options_.user.empty();
        const char* const protocol =
            address_.tls ? (sasl ? "sasl_ssl" : "ssl") : (sasl ? "sasl_plaintext" : "plaintext");
        Result<void> done = set(conf, "bootstrap.servers", address_.servers);
        const auto also = [&](const char* name, const std::string& value) {
            if (done) done = set(conf, name, value);
        };
        also("security.protocol", protocol);
        also("enable.idempotence", "true");  // in order, and once, as far as a partition's leader goes
        also("message.timeout.ms", timeout);
        also("request.timeout.ms", timeout);
        also("message.max.bytes", "1048576");
        also("client.id", "fieldwatch");
        if (!options_.ca_pem.empty() && address_.tls) also("ssl.ca.pem", options_.ca_pem);
        if (sasl) {
            also("sasl.mechanisms", "PLAIN");
            also("sasl.username", options_.user);
            also("sasl.password", options_.password);
        }
        rd_kafka_conf_set_opaque(conf, this);
        rd_kafka_conf_set_dr_msg_cb(conf, &Kafka::delivered);
        rd_kafka_conf_set_error_cb(conf, &Kafka::said);
        rd_kafka_conf_set_log_cb(conf, [](const rd_kafka_t*, int, const char*, const char*) {});
        if (!done) {
            rd_kafka_conf_destroy(conf);
            return done;
        }
        std::string why(512, '\0');
        producer_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why.data(), why.size());
        if (producer_ != nullptr) return {};
        rd_kafka_conf_destroy(conf);
        return fail(Errc::InvalidArgument, std::string("Kafka: ") + why.c_str());
    }

    void interrupt() override { interrupted_ = true; }

    Result<void> deliver(std::span<const Message> messages) override {
        if (producer_ == nullptr) FIELDWATCH_TRY(open());
        taken_ = 0;
        too_large_ = false;
        problem_.clear();
        const auto until = system_clock().monotonic() + options_.timeout;
        for (const auto& message : messages) {
            if (const auto error = produce(message); error != RD_KAFKA_RESP_ERR_NO_ERROR) note(error);
        }
        while (problem_.empty() && taken_ < messages.size() && !interrupted_ &&
               system_clock().monotonic() < until)
            rd_kafka_flush(producer_, kSliceMs);
        if (taken_ == messages.size()) return {};
        // What is still on its way must not arrive behind what is tried again.
        close();
        if (interrupted_) return fail(Errc::Cancelled, "ended while Kafka was asked");
        if (too_large_)
            return fail(Errc::InvalidArgument, "Kafka does not take messages of this size: " + problem_);
        return fail(Errc::Unavailable,
                    "Kafka: " + (problem_.empty() ? heard_or("does not answer in time") : problem_));
    }

  private:
    static Result<void> set(rd_kafka_conf_t* conf, const char* name, const std::string& value) {
        std::string why(512, '\0');
        if (rd_kafka_conf_set(conf, name, value.c_str(), why.data(), why.size()) == RD_KAFKA_CONF_OK)
            return {};
        return fail(Errc::InvalidArgument, std::string("Kafka: ") + why.c_str());
    }

    rd_kafka_resp_err_t produce(const Message& message) {
        std::array<rd_kafka_vu_t, 4> what{};
        what[0].vtype = RD_KAFKA_VTYPE_TOPIC;
        what[0].u.cstr = address_.topic.c_str();
        what[1].vtype = RD_KAFKA_VTYPE_KEY;
        what[1].u.mem.ptr = const_cast<char*>(message.key.data());
        what[1].u.mem.size = message.key.size();
        what[2].vtype = RD_KAFKA_VTYPE_VALUE;  // copied: it may be on its way when we give up
        what[2].u.mem.ptr = const_cast<char*>(message.text.data());
        what[2].u.mem.size = message.text.size();
        what[3].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
        what[3].u.i = RD_KAFKA_MSG_F_COPY;
        auto* const error = rd_kafka_produceva(producer_, what.data(), what.size());
        if (error == nullptr) return RD_KAFKA_RESP_ERR_NO_ERROR;
        const auto code = rd_kafka_error_code(error);
        rd_kafka_error_destroy(error);
        return code;
    }

    // The client calls back from rd_kafka_flush(), so in the thread that delivers.
    static void delivered(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
        auto& bus = *static_cast<Kafka*>(opaque);
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
            ++bus.taken_;
        else
            bus.note(message->err);
    }
    static void said(rd_kafka_t*, int error, const char* reason, void* opaque) {
        static_cast<Kafka*>(opaque)->heard_ =
            fmt::format("{}: {}", rd_kafka_err2str(static_cast<rd_kafka_resp_err_t>(error)),
                        reason == nullptr ? "" : reason);
    }
    void note(rd_kafka_resp_err_t error) {
        if (problem_.empty()) problem_ = rd_kafka_err2str(error);
        too_large_ = too_large_ || error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    }
    std::string heard_or(const char* otherwise) const { return heard_.empty() ? otherwise : heard_; }

    void close() {
        if (producer_ == nullptr) return;
        rd_kafka_purge(producer_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_flush(producer_, kSliceMs);
        rd_kafka_destroy(producer_);
        producer_ = nullptr;
    }

    const Address address_;
    const Options options_;
    rd_kafka_t* producer_ = nullptr;
    std::size_t taken_ = 0;
    bool too_large_ = false;
    std::string problem_, heard_;
    std::atomic<bool> interrupted_ = false;
};

}  // namespace

Result<std::unique_ptr<Bus>> open_kafka(Address address, Options options) {
    auto bus = std::make_unique<Kafka>(std::move(address), std::move(options));
    FIELDWATCH_TRY(bus->open());
    return std::unique_ptr<Bus>(std::move(bus));
}

}  // namespace fieldwatch::bus
