// One AMQP link of a client, and what is done with what comes over it. The session owns its links.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "protocol/amqp/engine.hpp"
#include "protocol/amqp/message.hpp"

namespace fieldwatch::hub {

/// The text of one member of an AMQP map; empty when it is not there.
inline std::string text_under(const amqp::Value& map, std::string_view key) {
    const auto* const value = map.find(key);
    return value == nullptr ? std::string() : amqp::to_text(*value);
}

/// The session's strand. Destroyed when the client detaches, after detached().
class AmqpLink {
  public:
    explicit AmqpLink(amqp::LinkId id) : id_(id) {}
    virtual ~AmqpLink() = default;

    virtual void message(amqp::DeliveryId delivery, ByteView bytes, bool settled) {
        static_cast<void>(delivery), static_cast<void>(bytes), static_cast<void>(settled);
    }
    virtual void credit() {}
    virtual void outcome(amqp::DeliveryId delivery, amqp::Outcome outcome) {
        static_cast<void>(delivery), static_cast<void>(outcome);
    }
    virtual void detached() {}
    /// Something may have come that waits for nobody's call: records, messages, feedback.
    virtual void poke() {}

    amqp::LinkId id() const { return id_; }

  private:
    amqp::LinkId id_;
};

/// Answers that wait for the client's credit on one link: clients grant it a moment after they attach.
class AmqpOutbox {
  public:
    static constexpr std::size_t kMessagesMax =
        64;  ///< twin answers and methods of one client; then oldest goes
    void push(amqp::Engine& engine, amqp::LinkId link, Bytes message) {
        waiting_.push_back(std::move(message));
        if (waiting_.size() > kMessagesMax) waiting_.pop_front();
        flush(engine, link);
    }
    void flush(amqp::Engine& engine, amqp::LinkId link) {
        while (!waiting_.empty() && engine.credit_of(link) > 0) {
            engine.send(link, waiting_.front());
            waiting_.pop_front();
        }
    }

  private:
    std::deque<Bytes> waiting_;
};

/// Conditions of spec/iot-hub-protocols.md section 5.4 for the hub's six-digit codes.
amqp::Condition condition_of(int result, std::string_view description);

}  // namespace fieldwatch::hub
