// What the server is told at start: command line over file over defaults. Everything has a default that
// works.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace fieldwatch::app {

struct ServerConfig {
    std::string data_directory;
    std::string listen = "127.0.0.1";       ///< address of the hub's listener
    std::string page_listen = "127.0.0.1";  ///< address of the page and the API
    std::uint16_t hub_port = 8883;          ///< MQTT over TLS; 0 = the kernel chooses
    std::uint16_t amqp_port = 5671;         ///< AMQP over TLS, Event Hubs compatible reading included
    std::uint16_t https_port = 443;  ///< HTTPS and WebSockets of the hub; 443 is taken only if it may be
    std::uint16_t page_port = 7780;
    std::string
        page_url;  ///< how people reach the page, for links in alerts; "" = http://page_listen:page_port
    std::vector<std::string>
        host_names;  ///< further names that devices use for the hub, for its certificate and SAS scopes
    std::uint32_t partition_count = 4;       ///< fixed when the data folder is made
    std::uint32_t hub_units = 200;           ///< of S1: the rates that each hub may be asked at
    std::uint32_t notice_minutes = 60;       ///< feedback and file notices wait for a service that long
    std::uint32_t notice_lock_seconds = 60;  ///< a reader over HTTPS has it that long for itself
    std::uint32_t notice_deliveries = 100;   ///< given back that often, a notice is dropped
    std::chrono::seconds token_grace{600};   ///< a live connection outlives its token by that much
    std::chrono::seconds token_skew{300};    ///< a token this long over is still taken
    std::string rules_directory;             ///< "" = the pack inside the binary
    std::string exports_directory;           ///< of findings that leave as files; "" = DATA/exports
    std::chrono::hours raw_retention{24 * 31};
    std::chrono::hours alert_retention{24 * 90};
    std::chrono::hours telemetry_retention{24};
    std::uint64_t journal_bytes_max = 8ull << 30;
    std::size_t workspace_memory_bytes_max = 256u << 20;
};

/// Reads a YAML file over `config`. Errors: InvalidArgument naming the key, its line and what is allowed.
Result<ServerConfig> read_config(const std::string& path, ServerConfig config);

/// Adds `offset` to every port that is not 0. Errors: InvalidArgument when one would leave 65535.
Result<void> shift_ports(ServerConfig& config, std::uint32_t offset);

}  // namespace fieldwatch::app
