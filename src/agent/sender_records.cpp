// The sender's ear: what the collector tells, record by record, and what becomes of it.
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "agent/agent_log.hpp"
#include "agent/sender.hpp"
#include "agent/sender_status.hpp"

namespace fieldwatch::agent {

namespace {

constexpr int kDatagramsPerTurn = 256;

template <class T>
bool read_valid(std::span<const std::byte> bytes, T& out) {
    std::memcpy(&out, bytes.data(), sizeof out);
    return is_valid(out);
}

std::optional<Aggregated> aggregated(fieldwatch_kind kind) {
    switch (kind) {
        case FIELDWATCH_PROCESS_CREATE:
            return kAggregateProcess;
        case FIELDWATCH_CONNECTION_CREATE:
            return kAggregateConnection;
        case FIELDWATCH_PROCESS_TERMINATE:
            return kAggregateTerminate;
        default:
            return std::nullopt;
    }
}

}  // namespace

bool Sender::receive() {
    static std::array<std::byte, FW_BATCH_BYTES_MAX + sizeof(fw_batch_head)> datagram;
    for (int count = 0; count < kDatagramsPerTurn; ++count) {
        const auto size = ::recv(socket_, datagram.data(), datagram.size(), MSG_DONTWAIT);
        if (size == 0) return false;
        if (size < 0) return errno == EAGAIN || errno == EINTR;
        const auto split =
            split_batch(std::span(datagram).first(static_cast<std::size_t>(size)),
                        [this](std::uint16_t type, auto record) { take_record(type, record); });
        if (!split) ++refused_records_;
    }
    return true;
}

void Sender::take_record(std::uint16_t type, std::span<const std::byte> record) {
    fw_exec_head head;
    fw_exit exit;
    fw_connection connection;
    fw_listen listen;
    fw_port port;
    fw_snapshot snapshot;
    fw_login login;
    fw_log_line line;
    fw_status status;
    fw_firewall firewall;
    fw_dns answer;
    bool valid = false;
    switch (type) {
        case FW_EXEC:
        case FW_EXEC_LARGE: {
            std::memcpy(&head, record.data(), sizeof head);
            const auto text = record.subspan(sizeof head);
            ++told_[FW_CLASS_EXEC];
            if ((valid = is_valid(head, text.size()))) observe(interpreter_.exec(head, as_text(text)));
            break;
        }
        case FW_EXIT:
            ++told_[FW_CLASS_EXIT];
            if ((valid = read_valid(record, exit))) observe_if(interpreter_.exit(exit));
            break;
        case FW_CONNECTION:
            valid = read_valid(record, connection);
            ++told_[connection.protocol == IPPROTO_UDP ? FW_CLASS_UDP : FW_CLASS_TCP];
            if (valid) observe(interpreter_.connection(connection));
            break;
        case FW_LISTEN:
            ++told_[FW_CLASS_TCP];
            if ((valid = read_valid(record, listen)) && ports_changed_ns_ < 0) ports_changed_ns_ = now_ns();
            break;
        case FW_PORT:
            if ((valid = read_valid(record, port))) {
                if (port.snapshot != ports_snapshot_) ports_.clear();
                ports_snapshot_ = port.snapshot;
                if (ports_.size() < 2'048) ports_.push_back(interpreter_.port(port));
            }
            break;
        case FW_SNAPSHOT:
            std::memcpy(&snapshot, record.data(), sizeof snapshot);
            valid = true;
            if (snapshot.snapshot != ports_snapshot_) ports_.clear();
            if (!writer_.is_off(FIELDWATCH_LISTENING_PORTS))
                writer_.emit_snapshot(FIELDWATCH_LISTENING_PORTS, std::move(ports_));
            ports_.clear();
            break;
        case FW_FIREWALL:
            if ((valid = read_valid(record, firewall))) take_firewall(firewall);
            break;
        case FW_DNS:
            if ((valid = read_valid(record, answer))) interpreter_.names(answer);
            break;
        case FW_LOGIN:
            if ((valid = read_valid(record, login))) observe_if(interpreter_.login(login));
            break;
        case FW_LOG_LINE:
            if ((valid = read_valid(record, line))) observe_if(interpreter_.log_line(line));
            break;
        case FW_STATUS:
            if ((valid = read_valid(record, status))) take_status(status);
            break;
        default:
            break;
    }
    if (!valid) ++refused_records_;
}

void Sender::take_status(const fw_status& status) {
    const bool changed = !std::ranges::equal(status.mode, collector_.mode);
    collector_ = status;
    collector_told_ns_ = now_ns();
    tell_trial();
    if (!changed) return;
    const auto text = "collecting: processes by " + std::string(mode_name(status.mode[FW_CLASS_EXEC])) +
                      ", exits by " + std::string(mode_name(status.mode[FW_CLASS_EXIT])) +
                      ", connections by " + std::string(mode_name(status.mode[FW_CLASS_TCP])) + ", UDP by " +
                      std::string(mode_name(status.mode[FW_CLASS_UDP]));
    say(Severity::Information, text);
    writer_.diagnose("Information", text);
    next_status_ns_ = 0;
}

void Sender::observe_if(std::optional<Observation> observation) {
    if (observation) observe(std::move(*observation));
}

void Sender::observe(Observation observation) {
    if (writer_.is_off(observation.kind)) return;
    const auto which = aggregated(observation.kind);
    const auto emit_one = [this](const Observation& one) { writer_.emit(one); };
    if (!which || !twin_.settings().aggregate[*which] || aggregators_[*which].add(observation, emit_one)) {
        writer_.emit(observation);
    }
}

}  // namespace fieldwatch::agent
