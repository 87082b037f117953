#include "hub/amqp/registration_link.hpp"

#include "hub/amqp/session.hpp"
#include "hub/amqp/telemetry.hpp"

namespace fieldwatch::hub {

void RegistrationLink::message(amqp::DeliveryId delivery, ByteView bytes, bool) {
    const auto message = amqp::decode_message(bytes);
    if (!message) {
        return session_.engine().settle(delivery, amqp::Outcome::Rejected,
                                        condition_of(400006, message.error().message));
    }
    const auto operation = text_under(message->application_properties, "iotdps-operation-type");
    const bool registers = operation == "iotdps-register";
    if (!registers && operation != "iotdps-get-operationstatus") {
        return session_.engine().settle(delivery, amqp::Outcome::Rejected,
                                        condition_of(400003, "an operation that does not exist"));
    }
    std::string storage;
    session_.ask(
        [applicant = applicant_, registers, body = std::string(body_of(*message, storage)),
         id = text_under(message->application_properties, "iotdps-operation-id")](Shared& shared) {
            return registers ? shared.provisioning->register_device(applicant, body)
                             : shared.provisioning->operation_status(applicant, id);
        },
        [request_link = this->id(), delivery, correlation = message->properties.correlation_id](
            AmqpSession& session, ProvisioningAnswer answer) {
            if (answer.status >= 300) {
                const int code = answer.status == 401   ? 401003
                                 : answer.status == 404 ? 404001
                                 : answer.status == 429 ? 429001
                                 : answer.status < 500  ? 400004
                                                        : 500001;
                return session.engine().settle(delivery, amqp::Outcome::Rejected,
                                               condition_of(code, answer.body));
            }
            session.engine().settle(delivery, amqp::Outcome::Accepted);
            amqp::Message response;
            response.properties.correlation_id = correlation;
            if (answer.retry_after > 0)
                response.application_properties.add("retry-after", amqp::int_value(answer.retry_after));
            response.data = {answer.body};
            session.answer({.node = amqp::Node::Registrations, .request = request_link, .address = {}},
                           amqp::encode_message(response));
        });
}

}  // namespace fieldwatch::hub
