#include "hub/amqp/cbs_link.hpp"

#include "hub/amqp/session.hpp"

namespace fieldwatch::hub {

void CbsLink::message(amqp::DeliveryId delivery, ByteView bytes, bool settled) {
    auto& engine = session_.engine();
    const auto request = amqp::decode_message(bytes);
    if (!request)
        return engine.settle(delivery, amqp::Outcome::Rejected,
                             condition_of(400006, request.error().message));
    if (!settled) engine.settle(delivery, amqp::Outcome::Accepted);
    int status = 200;
    std::string description = "OK";
    const auto operation = text_under(request->application_properties, "operation");
    if (operation != "put-token" || !request->body || !request->body->is_text()) {
        status = 400;
        description = "only put-token with a token as its body is offered here";
    } else if (const int result = session_.take_token(request->body->text); result != 0) {
        // What exactly was wrong is for the log: who holds no key learns nothing.
        status = result == 429001 ? 429 : 401;
        description = result == 429001 ? "too many at once" : "the token does not open what it names";
    }
    amqp::Message response;
    response.properties.correlation_id = request->properties.message_id;  // with its type (trap 22)
    response.application_properties.add("status-code", amqp::int_value(status))
        .add("status-description", amqp::string_value(description));
    response.body = amqp::Value{};
    session_.answer(
        {.node = amqp::Node::Cbs, .request = id(), .address = amqp::to_text(request->properties.reply_to)},
        amqp::encode_message(response));
}

}  // namespace fieldwatch::hub
