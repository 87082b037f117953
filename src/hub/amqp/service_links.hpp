// What a service does over AMQP: sends messages to devices, reads what became of them. Source:
// spec/iot-hub-protocols.md sections 4 and 5.6.
#pragma once

#include <map>

#include "hub/amqp/link.hpp"
#include "hub/commands.hpp"
#include "hub/operation.hpp"

namespace fieldwatch::hub {

class AmqpSession;

/// `/messages/devicebound`: accepted when the message is durably in its device's queue.
class ServiceSendLink final : public AmqpLink {
  public:
    ServiceSendLink(amqp::LinkId id, AmqpSession& session, Speaker by)
        : AmqpLink(id), session_(session), by_(std::move(by)) {}
    void message(amqp::DeliveryId delivery, ByteView bytes, bool settled) override;

  private:
    AmqpSession& session_;
    Speaker by_;
};

/// Feedback or uploaded files. What the service does not accept is given to the next one that asks.
class NoticeLink final : public AmqpLink {
  public:
    NoticeLink(amqp::LinkId id, AmqpSession& session, model::HubName hub, registry::NoticeKind kind)
        : AmqpLink(id), session_(session), hub_(std::move(hub)), kind_(kind) {}
    void credit() override { poke(); }
    void poke() override;
    void outcome(amqp::DeliveryId delivery, amqp::Outcome outcome) override;
    void detached() override;

  private:
    void send(Commands::NoticeBatch batch);

    AmqpSession& session_;
    model::HubName hub_;
    registry::NoticeKind kind_;
    std::map<amqp::DeliveryId, Commands::NoticeBatch> unsettled_;
    bool taking_ = false;
};

}  // namespace fieldwatch::hub
