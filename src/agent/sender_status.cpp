#include "agent/sender_status.hpp"

#include <unistd.h>

#include <nlohmann/json.hpp>

namespace fieldwatch::agent {

std::string_view mode_name(std::uint32_t mode) {
    switch (mode) {
        case FW_MODE_BPF:
            return "bpf";
        case FW_MODE_PROC_CONNECTOR:
            return "proc-connector (incomplete: short-lived processes are missed)";
        case FW_MODE_POLL:
            return "polling (incomplete: what is short-lived is missed)";
        case FW_MODE_AUDIT:
            return "audit (as far as the device's own rules go; elsewhere short-lived processes are missed)";
        case FW_MODE_OFF:
            return "off";
        default:
            return "nothing";
    }
}

std::string format_status(const AgentStatus& status, Timestamp now) {
    nlohmann::ordered_json out;
    out["time"] = to_iso8601(now, 3);
    out["connected"] = status.connected;
    out["lastError"] = status.last_error;
    out["hub"] = status.hub;
    out["provisioning"] = status.provisioning;
    out["agentId"] = status.agent_id;
    out["desiredVersion"] = status.desired_version;
    out["update"] = status.update;
    static constexpr const char* kClasses[] = {"process", "processExit", "connection", "connectionUdp"};
    for (std::size_t i = 0; i < FW_CLASS_COUNT; ++i) {
        out["collectors"][kClasses[i]] = {{"mode", std::string(mode_name(status.collector.mode[i]))},
                                          {"seen", status.collector.counters[i].produced},
                                          {"told", status.told[i]},
                                          {"lost", status.collector.counters[i].dropped}};
    }
    out["dnsAnswers"] = {{"mode", status.collector.names ? "bpf" : "nothing"},
                         {"seen", status.collector.answers.produced},
                         {"lost", status.collector.answers.dropped}};
    out["untrackedConnections"] = status.collector.untracked;
    out["loginsLost"] = status.collector.logins_lost;
    out["waitingEvents"] = status.waiting_events;
    out["waitingBytes"] = status.waiting_bytes;
    out["messagesSent"] = status.messages_sent;
    out["bytesSent"] = status.bytes_sent;
    out["droppedEvents"] = status.dropped_events;
    out["flashBytesWritten"] = status.flash_bytes_written;
    out["flashPassesPutOff"] = status.flash_passes_put_off;
    out["refusedRecords"] = status.refused_records;
    return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string place_status_file(const std::string& runtime_directory) {
    constexpr const char* kName = "status.json";
    if (runtime_directory.empty()) return kName;
    auto path = runtime_directory + "/" + kName;
    char there[4'096];
    const auto size = ::readlink(kName, there, sizeof there);
    if (size > 0 && std::string_view(there, static_cast<std::size_t>(size)) == path) return path;
    (void)::unlink(kName);
    return ::symlink(path.c_str(), kName) == 0 ? path : kName;
}

void cut_text(std::string& text, std::size_t bytes_max) {
    if (text.size() <= bytes_max) return;
    const auto cut = text.size() - bytes_max;
    text.resize(bytes_max);
    text += "…[truncated " + std::to_string(cut) + " bytes]";
}

}  // namespace fieldwatch::agent
