// How many devices a second are let in: TCP, TLS in full or resumed, CONNECT to CONNACK.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "hub/conversation.hpp"

namespace load {

struct ReconnectOptions {
    std::string host, port, ca;
    std::size_t connects = 0;  ///< in all, after once a client, which is not counted
    bool resume = false;
};

/// Over MQTT. Prints READY before the connects that count, and one JSON line behind them. The next connect of
/// a client begins when its last is done, so as many are under way as there are clients.
void reconnect(const ReconnectOptions& options, const std::vector<Client>& clients);

}  // namespace load
