// The hub: devices connect here, and what they say becomes records in the journal. First stop of the data
// path.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/file_system.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "hub/commands.hpp"
#include "hub/devices.hpp"
#include "hub/methods.hpp"
#include "hub/throttles.hpp"
#include "journal/journal.hpp"
#include "net/runtime.hpp"
#include "net/tls_context.hpp"
#include "registry/registry.hpp"

namespace fieldwatch::hub {

struct Options {
    std::string address = "0.0.0.0";
    /// How devices reach this server, without port; provisioning tells them.
    std::string host_name = "127.0.0.1";
    std::uint16_t mqtt_port = 8883;
    std::optional<std::uint16_t> amqp_port;  ///< AMQP over TLS; none = not offered, 0 = the kernel chooses
    /// HTTPS of devices and services, and WebSockets; none of it when `https` is false.
    std::uint16_t https_port = 443;
    bool https = true;
    bool https_optional = false;    ///< go on without it when the port cannot be had
    std::string uploads_directory;  ///< of devices' files
    std::size_t connections_max = 60'000;
    std::chrono::seconds connect_timeout{60};  ///< spec 3.1: at most so long until CONNECT
    std::chrono::seconds token_grace{600};     ///< a live connection outlives its token by that much
    std::chrono::seconds clock_skew{300};      ///< a token this long over is still taken at CONNECT
    std::size_t in_flight_max = 256;           ///< unacknowledged publishes a session; then it is not read
    double publishes_per_second = 2'000;       ///< a device; smoothed by reading it later
    double publishes_burst = 4'000;
    double connects_per_second = 500;  ///< of the whole server; refused with CONNACK 3
    double connects_burst = 5'000;     ///< a fleet that comes back after a restart
    /// Of each hub, by kind of operation: those of the largest S1 hub there is.
    HubRates rates = rates_of_units(200);
    /// A device's reports to Device Defender: the public service's 300 s, less what clocks differ by.
    std::chrono::seconds defender_interval{270};
    std::size_t failures_per_minute = 600;  ///< failed CONNECTs of one address; then it is not let in
    CommandLimits commands;
    MethodLimits methods;
};

/// What the hub stands on; all outlive the server. `tls` asks for client certificates.
struct Parts {
    net::Runtime& runtime;
    std::shared_ptr<net::TlsServerContext> tls;
    registry::Registry& registry;
    journal::Writer& journal;
    std::uint32_t partition_count;
    const Clock& clock;
    Random& random;
    Metrics& metrics;
    FileSystem& files = posix_file_system();
    journal::Reader* events = nullptr;  ///< of the Event Hubs compatible endpoint; null = not offered
};

/// What devices that know only port 443 offer in TLS (ALPN) when they mean MQTT with a certificate:
/// spec/aws-device-defender.md section 1. For the context of Parts.
inline constexpr std::string_view kMqttProtocol = "x-amzn-mqtt-ca";

class Provisioning;

/// Listens from start() to stop(). Stop it before the journal closes: it waits for the answers to what it
/// appended.
class Server {
  public:
    static Result<std::unique_ptr<Server>> start(Parts parts, const Options& options);
    virtual ~Server() = default;  ///< stop()
    virtual void stop() = 0;
    virtual std::uint16_t mqtt_port() const = 0;
    virtual std::uint16_t amqp_port() const = 0;   ///< 0 when AMQP is not offered
    virtual std::uint16_t https_port() const = 0;  ///< 0 = not listening
    virtual Devices& devices() = 0;
    virtual Provisioning& provisioning() = 0;
    virtual Commands& commands() = 0;
    virtual Methods& methods() = 0;
};

}  // namespace fieldwatch::hub
