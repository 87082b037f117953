// What a broker logs of its clients, as operations: Mosquitto's lines, from its file or its log topics, and
// the events that EMQX publishes. Facts as the brokers document and write them; both are told apart by form.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "protocol/json/json.hpp"

namespace fieldwatch::hub {

struct BrokerEvent {
    std::string client, user, address;  ///< "" = not said; an address without its port
    std::string_view name;              ///< deviceConnect or deviceDisconnect
    int result = 0;                     ///< six-digit code, spec/hub-signals.md section 2
    std::string_view description;
    std::optional<Timestamp> time;  ///< when the broker says so
};

/// Line after line, in order: a refusal says nothing of its peer, which an earlier line named. One strand.
/// Bound: kPendingMax connections that have not said who they are.
class BrokerLog {
  public:
    static constexpr std::size_t kPendingMax = 256;
    static constexpr std::size_t kLineBytesMax = 8'192;

    /// nullopt for a line that tells of no connect or disconnect. Never fails: a log may say anything.
    std::optional<BrokerEvent> mosquitto_line(std::string_view line);
    /// A message below $SYS: Mosquitto's log, or EMQX's clients.
    std::optional<BrokerEvent> message(std::string_view topic, std::string_view payload);

  private:
    std::optional<BrokerEvent> emqx_event(bool connected, std::string_view payload);
    std::optional<BrokerEvent> client_line(std::string_view rest);

    std::deque<std::string> pending_;  // ADDRESS:PORT, oldest first
    json::Reader reader_;
};

}  // namespace fieldwatch::hub
