// A device that registers over AMQP. Source: spec/iot-hub-protocols.md section 9, and the vendor's Node
// client.
#pragma once

#include "hub/amqp/link.hpp"
#include "hub/provisioning/provisioning.hpp"

namespace fieldwatch::hub {

class AmqpSession;

/// `{idScope}/registrations/{id}`, either direction: requests on one, answers on the other.
class RegistrationLink final : public AmqpLink {
  public:
    RegistrationLink(amqp::LinkId id, AmqpSession& session, Applicant applicant)
        : AmqpLink(id), session_(session), applicant_(std::move(applicant)) {}
    void message(amqp::DeliveryId delivery, ByteView bytes, bool settled) override;

  private:
    AmqpSession& session_;
    Applicant applicant_;
};

}  // namespace fieldwatch::hub
