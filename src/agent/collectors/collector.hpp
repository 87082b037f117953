// The privileged process: sources in, checked fixed-size records out. It opens no network connection, parses
// no JSON and speaks no TLS; what it takes from the other side is one fixed-size control record.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "agent/bpf/records.h"
#include "agent/collectors/audit.hpp"
#include "agent/collectors/bpf_source.hpp"
#include "agent/collectors/logins.hpp"
#include "agent/collectors/proc_connector.hpp"
#include "agent/collectors/sockets.hpp"
#include "agent/record_batch.hpp"
#include "agent/several_sources.hpp"

namespace fieldwatch::agent {

/// One thread. Waits for the first control record before it attaches anything; returns when the sender is
/// gone or a signal asked to stop.
class Collector {
  public:
    Collector(int socket, std::uint32_t sender_pid);
    int run();
    static void request_stop();  ///< async-signal-safe

  private:
    void receive_control();
    void apply(const fw_control& control);
    void open_processes(const fw_control& control);
    void open_connections(fw_class which, const fw_control& control);
    void drain();
    bool drain_rings();
    void wait_for_events(bool is_waiting);
    int wait_millis() const;
    void finish();  // what was seen until now reaches the sender, and then how much it was
    bool drain_ring(fw_class which);
    void open_names(const fw_control& control);
    void close_names();
    fw_counters names_counters() const;
    bool take(fw_class which, std::span<const std::byte> record);
    bool take_exec(std::span<const std::byte> record);
    enum class ExecSource : std::uint8_t { Fallback, Audit };
    void open_audit(const fw_control& control);
    void take_facts(const ProcessFacts& facts, ExecSource source);
    void send_snapshot();
    void send_firewall();
    void send_status();
    struct Counted {
        fw_counters events{};
        std::uint64_t untracked = 0;
    };
    Counted source_counters(fw_class which) const;  // of the source in use, since it was opened
    void tally(fw_class which);  // with every status, and before another source takes its place
    void wait();
    bool is_own(std::uint32_t pid) const { return pid == own_pids_[0] || pid == own_pids_[1]; }

    int socket_;
    std::uint32_t own_pids_[2];
    BatchWriter writer_;
    std::optional<fw_control> control_;
    std::unique_ptr<BpfSource> bpf_[FW_CLASS_COUNT];
    std::unique_ptr<BpfSource> names_;
    std::unique_ptr<ProcessFallback> processes_;
    std::optional<ConnectionPoller> connections_[2];  // TCP, UDP
    std::optional<LoginFollower> logins_;
    std::unique_ptr<AuditReader> audit_;
    SeveralSources<std::uint32_t, 2, 256> execs_{2'000};  // by pid
    Namespaces device_;                                   // the first process's
    fw_mode mode_[FW_CLASS_COUNT] = {};
    Counted totals_[FW_CLASS_COUNT];              // over all sources: these never go back
    Counted counted_[FW_CLASS_COUNT];             // what of the present source is in totals_
    std::uint64_t refused_[FW_CLASS_COUNT] = {};  // lost on the way from a fallback to the socket
    std::uint64_t logins_lost_ = 0;               // at least so many
    fw_counters names_before_{};                  // of the sources of names that were closed
    int quiet_drains_ = 0;                        // in a row
    bool is_waiting_ = false;                     // the rings were empty: the next event wakes us
    std::uint64_t boot_to_real_ns_ = 0;
    std::uint64_t next_second_ns_ = 0;
    std::uint64_t next_status_ns_ = 0;
    std::uint32_t snapshot_ = 0;
};

}  // namespace fieldwatch::agent
