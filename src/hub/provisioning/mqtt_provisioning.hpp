// A device that registers over MQTT: one connection, a few requests. Source: spec/iot-hub-protocols.md
// section 9.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "hub/core.hpp"
#include "hub/provisioning/provisioning.hpp"
#include "net/stream_server.hpp"
#include "protocol/mqtt/packet.hpp"

namespace fieldwatch::hub {

/// Takes a connection over from the hub's session when the CONNECT names an id scope. One core's strand.
class MqttProvisioning {
  public:
    MqttProvisioning(net::Connection& connection, Core& core);
    ~MqttProvisioning();

    /// Answers the CONNECT.
    void connect(Applicant applicant);
    std::size_t received(ByteView input);
    void deadline();
    void closed() { over_ = true; }

  private:
    bool take(const mqtt::Frame& frame);
    void on_publish(const mqtt::Frame& frame);
    void answer(const std::string& request_id, const ProvisioningAnswer& answer);
    void end();

    net::Connection& connection_;
    Core& core_;
    Applicant applicant_;
    /// What a worker's answer looks at before it touches this.
    std::shared_ptr<MqttProvisioning*> self_;
    std::size_t requests_ = 0, under_way_ = 0;
    bool subscribed_ = false, over_ = false;
};

}  // namespace fieldwatch::hub
