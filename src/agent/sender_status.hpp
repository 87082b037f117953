// What `fieldwatch-agent status` prints, and how long texts are cut.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "agent/bpf/records.h"
#include "base/time.hpp"

namespace fieldwatch::agent {

struct AgentStatus {
    bool connected = false;
    std::string last_error;
    std::string hub;           ///< host name, "" = none is assigned yet
    std::string provisioning;  ///< Provisioner::state(); "" = no service is asked
    std::string agent_id;
    std::string update;  ///< UpdateStatus::state
    std::int64_t desired_version = 0;
    fw_status collector{};
    std::array<std::uint64_t, FW_CLASS_COUNT> told{};  ///< records of each class that reached the sender
    std::uint64_t flash_bytes_written = 0, flash_passes_put_off = 0;  ///< FlashMeter's and FlashBudget's
    std::uint64_t waiting_events = 0, waiting_bytes = 0;
    std::uint64_t messages_sent = 0, bytes_sent = 0, dropped_events = 0, refused_records = 0;
};

std::string_view mode_name(std::uint32_t mode);                       ///< fw_mode in words
std::string format_status(const AgentStatus& status, Timestamp now);  ///< JSON, one line

/// Where the status is to be written, relative to the state folder or not: every ten seconds is too often for
/// a flash. Where the service manager gives a folder in memory it lies there, and in the state folder is a
/// link.
std::string place_status_file(const std::string& runtime_directory);

/// Keeps `bytes_max` bytes and says how many went: `…[truncated N bytes]`.
void cut_text(std::string& text, std::size_t bytes_max);

}  // namespace fieldwatch::agent
