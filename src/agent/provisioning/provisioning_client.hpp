// Asks a device provisioning service which hub this device belongs to, over MQTT (spec/iot-hub-protocols.md
// section 9).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "net/tls_client.hpp"
#include "protocol/mqtt/packet.hpp"

namespace fieldwatch::agent {

struct ProvisioningOptions {
    std::string host;         ///< of the service
    std::uint16_t port = 0;   ///< 0 = 8883
    std::string ca_file;      ///< "" = the system's
    std::string ca_pem = {};  ///< the same as text, in place of a file
    std::string id_scope;
    std::string registration_id;
    std::string key_base64;   ///< of this registration; of a group: the key derived for it
    std::string certificate;  ///< PEM with its private key, unless that is apart, in place of a key
    std::optional<net::PrivateKey> private_key = {};
};

struct ProvisionedDevice {
    std::string hub;  ///< host name, perhaps with :port
    std::string device_id;
    bool operator==(const ProvisionedDevice&) const = default;
};

/// How long to wait before asking again for the `tries`th time, from 0: what the service asked for (0: it
/// named no time, and the pause doubles up to 30 s), from 1 s to an hour, and up to half as much again by
/// chance, so that a fleet that lost power together does not ask together.
std::chrono::milliseconds provisioning_pause(std::chrono::seconds asked, unsigned tries, Random& random);

/// One answer of the service.
struct ProvisioningAnswer {
    std::string status;        ///< assigning, assigned, failed, disabled
    std::string operation_id;  ///< while assigning
    std::string reason;        ///< of a failure, when the service names one
    ProvisionedDevice device;  ///< when assigned
};
/// Errors: Malformed.
Result<ProvisioningAnswer> read_provisioning_answer(std::string_view json);

/// One registration: connects, registers, and asks until a hub is assigned, or `patience` is over. One
/// thread; never blocks but for the resolver.
class ProvisioningClient {
  public:
    ProvisioningClient(const ProvisioningOptions& options, const Clock& clock, Random& random,
                       std::chrono::seconds patience);

    /// Moves what can move; call when fd() is ready or wake_ns() has come. The device; its hub is "" until
    /// one is assigned. Errors end it: Unauthorized (not enrolled, or a wrong credential: the service does
    /// not tell which), Forbidden (disabled), Timeout, Unavailable, Malformed, and TlsClient's.
    Result<ProvisionedDevice> advance();
    int fd() const { return tls_ ? tls_->fd() : -1; }  ///< -1: none now
    short wanted_events() const;
    std::int64_t wake_ns() const;  ///< monotonic
    /// After an error: how long the service asked to be left alone; 0 = it did not.
    std::chrono::seconds retry_after() const { return retry_after_; }

  private:
    enum class State : std::uint8_t { Idle, Connecting, AwaitConnack, AwaitSuback, AwaitAnswer, Pausing };
    Result<void> send_connect();
    Result<void> pump_out();
    Result<void> pump_in();
    Result<void> take(const mqtt::Frame& frame);
    Result<void> take_answer(std::string_view topic, std::string_view body);
    Result<void> pause(std::chrono::seconds asked);
    void ask();

    const ProvisioningOptions& options_;
    const Clock& clock_;
    Random& random_;
    std::int64_t deadline_ns_;
    State state_ = State::Idle;
    std::optional<net::TlsClient> tls_;
    Bytes in_, out_;
    std::string operation_;  // once the service has begun one
    unsigned tries_ = 0;
    std::int64_t ask_again_ns_ = 0;
    std::chrono::seconds retry_after_{0};
    ProvisionedDevice device_;
};

/// The same, waiting: `fieldwatch-agent provision` has nothing else to do.
Result<ProvisionedDevice> provision(const ProvisioningOptions& options, const Clock& clock, Random& random,
                                    std::chrono::seconds patience);

}  // namespace fieldwatch::agent
