#include "hub/provisioning/mqtt_provisioning.hpp"

#include "protocol/mqtt/provisioning.hpp"

namespace fieldwatch::hub {

namespace {

constexpr std::size_t kPacketBytesMax = 65'536 + 1'024;  // a payload and a topic
constexpr std::size_t kRequestsMax = 1'000;              // a connection; a device asks twice or three times
constexpr std::size_t kUnderWayMax = 4;
constexpr std::chrono::minutes kConnectedMax{10};  // then it may come again

}  // namespace

MqttProvisioning::MqttProvisioning(net::Connection& connection, Core& core)
    : connection_(connection), core_(core), self_(std::make_shared<MqttProvisioning*>(this)) {}

MqttProvisioning::~MqttProvisioning() {
    *self_ = nullptr;
}

void MqttProvisioning::end() {
    if (std::exchange(over_, true)) return;
    connection_.close();
}

void MqttProvisioning::connect(Applicant applicant) {
    applicant_ = std::move(applicant);
    const bool admitted = core_.shared.provisioning->admit(applicant_) == 0;
    mqtt::encode_connack(connection_.output(),
                         {.code = admitted ? mqtt::ConnackCode::Accepted : mqtt::ConnackCode::NotAuthorized});
    if (!admitted) return end();
    connection_.flush();
    connection_.deadline_after(kConnectedMax);
}

void MqttProvisioning::deadline() {
    end();
}

std::size_t MqttProvisioning::received(ByteView input) {
    std::size_t used = 0;
    while (!over_) {
        const auto frame = mqtt::next_frame(input.subspan(used), kPacketBytesMax);
        if (!frame) {
            end();
            break;
        }
        if (!*frame) break;
        if (!take(**frame)) end();
        used += (*frame)->size;
    }
    if (over_) return input.size();
    connection_.flush();
    return used;
}

bool MqttProvisioning::take(const mqtt::Frame& frame) {
    using mqtt::PacketType;
    auto& out = connection_.output();
    switch (frame.type) {
        case PacketType::Subscribe: {
            const auto subscribe = mqtt::decode_subscribe(frame);
            if (!subscribe) return false;
            std::vector<std::uint8_t> codes;
            for (const auto& filter : subscribe->filters) {
                if (filter.text != mqtt::kProvisioningFilter) return false;
                codes.push_back(std::min<std::uint8_t>(filter.qos, 1));
            }
            subscribed_ = true;
            mqtt::encode_suback(out, subscribe->packet_id, codes);
            return true;
        }
        case PacketType::Unsubscribe: {
            const auto unsubscribe = mqtt::decode_unsubscribe(frame);
            if (!unsubscribe) return false;
            subscribed_ = false;
            mqtt::encode_unsuback(out, unsubscribe->packet_id);
            return true;
        }
        case PacketType::Publish:
            on_publish(frame);
            return true;
        case PacketType::Pingreq:
            mqtt::encode_pingresp(out);
            return true;
        case PacketType::Puback:
            return true;
        default:
            return false;  // DISCONNECT, and what has no place here
    }
}

void MqttProvisioning::on_publish(const mqtt::Frame& frame) {
    const auto publish = mqtt::decode_publish(frame);
    const auto topic = publish && publish->qos < 2
                           ? mqtt::parse_provisioning_topic(publish->topic)
                           : Result<mqtt::ProvisioningTopic>(fail(Errc::Malformed, "no publish"));
    if (!topic || ++requests_ > kRequestsMax) return end();
    if (publish->qos > 0) mqtt::encode_puback(connection_.output(), publish->packet_id);
    if (under_way_ >= kUnderWayMax) {
        auto busy = core_.shared.provisioning->error(429, 429001, "too many requests at once");
        busy.retry_after = 1;
        return answer(std::string(topic->request_id), busy);
    }
    ++under_way_;
    core_.outstanding.fetch_add(1);
    core_.shared.parts.runtime.post_worker([self = self_, core = &core_, applicant = applicant_,
                                            kind = topic->kind, request_id = std::string(topic->request_id),
                                            operation = topic->operation_id,
                                            body = std::string(as_text(publish->payload))] {
        auto& provisioning = *core->shared.provisioning;
        auto result = kind == mqtt::ProvisioningRequest::Register
                          ? provisioning.register_device(applicant, body)
                          : provisioning.operation_status(applicant, operation);
        core->shared.parts.runtime.post(core->index, [self, core, request_id, result = std::move(result)] {
            if (*self != nullptr) {
                --(*self)->under_way_;
                (*self)->answer(request_id, result);
            }
            core->outstanding.fetch_sub(1);
        });
    });
}

void MqttProvisioning::answer(const std::string& request_id, const ProvisioningAnswer& answer) {
    if (over_ || !subscribed_) return;
    const auto topic = mqtt::provisioning_answer_topic(answer.status, request_id, answer.retry_after);
    mqtt::encode_publish(connection_.output(), {.topic = topic, .payload = as_bytes(answer.body)});
    connection_.flush();
}

}  // namespace fieldwatch::hub
