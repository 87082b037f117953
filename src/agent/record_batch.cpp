#include "agent/record_batch.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/assert.hpp"

namespace fieldwatch::agent {

std::size_t record_size(std::uint16_t type) {
    switch (type) {
        case FW_EXEC:
            return sizeof(fw_exec);
        case FW_EXEC_LARGE:
            return sizeof(fw_exec_large);
        case FW_EXIT:
            return sizeof(fw_exit);
        case FW_CONNECTION:
            return sizeof(fw_connection);
        case FW_LISTEN:
            return sizeof(fw_listen);
        case FW_PORT:
            return sizeof(fw_port);
        case FW_LOGIN:
            return sizeof(fw_login);
        case FW_LOG_LINE:
            return sizeof(fw_log_line);
        case FW_SNAPSHOT:
            return sizeof(fw_snapshot);
        case FW_STATUS:
            return sizeof(fw_status);
        case FW_CONTROL:
            return sizeof(fw_control);
        case FW_FIREWALL:
            return sizeof(fw_firewall);
        case FW_DNS:
            return sizeof(fw_dns);
        default:
            return 0;
    }
}

Result<void> split_batch(std::span<const std::byte> datagram,
                         const std::function<void(std::uint16_t, std::span<const std::byte>)>& each) {
    fw_batch_head head;
    if (datagram.size() < sizeof head) return fail(Errc::Malformed, "batch shorter than its head");
    std::memcpy(&head, datagram.data(), sizeof head);
    const auto size = record_size(head.type);
    if (head.magic != FW_BATCH_MAGIC || size == 0 || head.count == 0) {
        return fail(Errc::Malformed, "batch head");
    }
    auto rest = datagram.subspan(sizeof head);
    if (rest.size() != size * head.count) return fail(Errc::Malformed, "batch size");
    for (; !rest.empty(); rest = rest.subspan(size)) {
        each(head.type, rest.first(size));
    }
    return {};
}

namespace {

bool is_pid(std::uint32_t pid) {
    return pid <= FW_PID_MAX;
}
bool is_family(std::uint8_t family) {
    return family == 4 || family == 6;
}

}  // namespace

bool is_valid(const fw_exec_head& head, std::size_t text_max) {
    const std::size_t total = std::size_t{head.executable_size} + head.parent_size + head.directory_size +
                              head.cgroup_size + head.arguments_size;
    return total <= text_max && head.executable_size <= FW_PATH_MAX && head.parent_size <= FW_PATH_MAX &&
           head.directory_size <= FW_PATH_MAX && head.cgroup_size <= FW_CGROUP_MAX &&
           head.arguments_size <= FW_ARGS_MAX && head.pid != 0 && is_pid(head.pid) &&
           is_pid(head.parent_pid) && is_pid(head.grandparent_pid) && head.flags < 16;
}

bool is_valid(const fw_exit& record) {
    return record.pid != 0 && is_pid(record.pid) && record.status >= -128 && record.status <= 255;
}

bool is_valid(const fw_connection& record) {
    return is_pid(record.pid) && is_family(record.family) &&
           (record.direction == FW_OUT || record.direction == FW_IN) &&
           (record.outcome == FW_ESTABLISHED || record.outcome == FW_FAILED) &&
           (record.protocol == 6 || record.protocol == 17);
}

bool is_valid(const fw_listen& record) {
    return is_pid(record.pid) && is_family(record.family) && record.begins <= 1;
}

bool is_valid(const fw_port& record) {
    return is_pid(record.pid) && is_family(record.family) &&
           (record.protocol == 6 || record.protocol == 17) &&
           record.executable_size <= sizeof record.executable;
}

bool is_valid(const fw_login& record) {
    return is_pid(record.pid) && (record.family == 0 || is_family(record.family)) &&
           (record.result == FW_LOGIN_SUCCESS || record.result == FW_LOGIN_FAIL);
}

bool is_valid(const fw_log_line& record) {
    return (record.source == FW_LOG_AUTH || record.source == FW_LOG_AUDIT) &&
           record.size <= sizeof record.line;
}

bool is_valid(const fw_status& record) {
    return record.ready <= 1 && record.names <= 1 && record.answers.dropped <= record.answers.produced &&
           std::ranges::all_of(record.mode, [](auto mode) { return mode <= FW_MODE_LAST; }) &&
           std::ranges::all_of(record.counters, [](const auto& one) { return one.dropped <= one.produced; });
}

bool is_valid(const fw_firewall& record) {
    return record.size <= sizeof record.data && record.is_last <= 1 && record.unreadable <= 1;
}

bool is_valid(const fw_dns& record) {
    return record.size <= sizeof record.data;
}

bool is_valid(const fw_control& record) {
    return record.loopback <= 1 && record.firewall <= 1 && record.snapshot <= 1 && record.logins <= 1 &&
           std::ranges::all_of(record.mode, [](auto mode) { return mode <= FW_MODE_OFF; });
}

bool BatchWriter::put(std::uint16_t type, std::span<const std::byte> record) {
    FIELDWATCH_ASSERT(record.size() <= record_size(type));
    if (has_room() && append(type, record)) return true;
    if (carried_.empty()) {
        carried_type_ = type;
        carried_.assign(record.begin(), record.end());
    }
    return false;
}

bool BatchWriter::append(std::uint16_t type, std::span<const std::byte> record) {
    const auto size = record_size(type);
    if (count_ > 0 && (type != type_ || pending_.size() + size > FW_BATCH_BYTES_MAX) && !send_pending())
        return false;
    if (count_ == 0) {
        type_ = type;
        pending_.resize(sizeof(fw_batch_head));
    }
    pending_.insert(pending_.end(), record.begin(), record.end());
    pending_.resize(pending_.size() + size - record.size());
    ++count_;
    return true;
}

bool BatchWriter::send_pending() {
    if (count_ == 0) return true;
    const fw_batch_head head{FW_BATCH_MAGIC, type_, count_};
    std::memcpy(pending_.data(), &head, sizeof head);
    const auto sent = ::send(socket_, pending_.data(), pending_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)) closed_ = true;
    if (sent < 0) return closed_;
    count_ = 0;
    pending_.clear();
    return true;
}

bool BatchWriter::flush() {
    if (!send_pending()) return false;
    if (carried_.empty()) return true;
    const auto carried = std::move(carried_);
    carried_.clear();
    append(carried_type_, carried);
    return send_pending();
}

}  // namespace fieldwatch::agent
