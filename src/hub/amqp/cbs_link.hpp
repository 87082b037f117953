// Claims-based security: tokens put on `$cbs`. Source: spec/iot-hub-protocols.md section 5.2.
#pragma once

#include "hub/amqp/link.hpp"

namespace fieldwatch::hub {

class AmqpSession;

/// Either direction; requests come on one, answers go out on the other.
class CbsLink final : public AmqpLink {
  public:
    CbsLink(amqp::LinkId id, AmqpSession& session) : AmqpLink(id), session_(session) {}
    void message(amqp::DeliveryId delivery, ByteView bytes, bool settled) override;

  private:
    AmqpSession& session_;
};

}  // namespace fieldwatch::hub
