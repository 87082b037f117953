// The socket between the privileged collector and the unprivileged sender: SEQPACKET datagrams, each a head
// and `count` records of one type and that type's fixed size (bpf/records.h). The reader believes nothing it
// has not checked.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "agent/bpf/records.h"
#include "base/result.hpp"

namespace fieldwatch::agent {

/// The fixed size of a record type on the socket; 0 for types that do not exist.
std::size_t record_size(std::uint16_t type);

/// Splits a datagram into its records. Errors: Malformed when head, type or size do not agree exactly.
Result<void> split_batch(
    std::span<const std::byte> datagram,
    const std::function<void(std::uint16_t type, std::span<const std::byte> record)>& each);

/// Whether every field of a record has a value it can have. What fails here is counted and never used.
bool is_valid(const fw_exec_head& head, std::size_t text_max);
bool is_valid(const fw_exit& record);
bool is_valid(const fw_connection& record);
bool is_valid(const fw_listen& record);
bool is_valid(const fw_port& record);
bool is_valid(const fw_login& record);
bool is_valid(const fw_log_line& record);
bool is_valid(const fw_status& record);
bool is_valid(const fw_control& record);
bool is_valid(const fw_firewall& record);
bool is_valid(const fw_dns& record);

/// Collects records and sends them in batches, never blocking. One process, one thread.
/// When the socket is full the records wait here (one batch and one record); put() then says false and its
/// caller must stop taking from its source, whose own bounded buffer (a BPF ring) counts what overflows.
class BatchWriter {
  public:
    explicit BatchWriter(int socket) : socket_(socket) { pending_.reserve(FW_BATCH_BYTES_MAX); }

    /// Takes one record of `type`; `head` and `tail` together may be shorter than the type's fixed size, the
    /// rest is zero. Returns false when, after this record, no more can be taken for now.
    bool put(std::uint16_t type, std::span<const std::byte> record);
    template <class T>
    bool put(std::uint16_t type, const T& record) {
        return put(type, std::as_bytes(std::span(&record, 1)));
    }
    /// Takes the record whole, or leaves it to its caller and says false.
    template <class T>
    bool offer(std::uint16_t type, const T& record) {
        if (!has_room()) return false;
        (void)put(type, record);
        return true;
    }
    bool flush();  ///< sends what is pending; false while the socket is full
    bool has_room() { return carried_.empty() || flush(); }
    bool is_pending() const { return !pending_.empty() || !carried_.empty(); }
    bool is_closed() const { return closed_; }

  private:
    bool append(std::uint16_t type, std::span<const std::byte> record);
    bool send_pending();

    int socket_;
    bool closed_ = false;
    std::uint16_t type_ = 0;
    std::uint16_t count_ = 0;
    std::vector<std::byte> pending_;  // at most FW_BATCH_BYTES_MAX
    std::uint16_t carried_type_ = 0;
    std::vector<std::byte> carried_;  // the one record that found the socket full
};

}  // namespace fieldwatch::agent
