// The unprivileged process: takes records from the collector, folds, queues, spools, and talks to the hub.
// One thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/aggregation/aggregator.hpp"
#include "agent/config.hpp"
#include "agent/event_writer.hpp"
#include "agent/hub_link.hpp"
#include "agent/interpreter.hpp"
#include "agent/inventory/inventory.hpp"
#include "agent/provisioning/provisioner.hpp"
#include "agent/record_batch.hpp"
#include "agent/response/methods.hpp"
#include "agent/service_manager.hpp"
#include "agent/spool/flash.hpp"
#include "agent/spool/keeper.hpp"
#include "agent/spool/outbox.hpp"
#include "agent/statistics.hpp"
#include "agent/twin/settings.hpp"
#include "agent/update/updater.hpp"
#include "base/clock.hpp"

namespace fieldwatch::agent {

inline constexpr std::string_view kAgentVersion = "0.1.0";

/// Works in the current directory, which is the state directory. Returns after the collector is gone or a
/// signal asked to stop, and what could be sent or spooled in five seconds has been.
class Sender {
  public:
    /// `socket` leads to the collector, `responder` to the responder (-1: there is none).
    struct Sockets {
        int collector = -1;
        int responder = -1;
    };
    Sender(AgentConfig config, AgentIdentity identity, Sockets sockets, const Clock& clock, Random& random);
    Result<void> open();
    int run();
    static void request_stop();  ///< async-signal-safe

  private:
    void open_inventory();
    void configure_inventory();
    void open_updates();
    void tell_trial();
    std::unique_ptr<Provisioner> make_provisioner(const AgentIdentity& identity);
    void open_provisioning();
    void assigned(const ProvisionedDevice& device, const std::string& before);

    // records in
    bool receive();
    void take_record(std::uint16_t type, std::span<const std::byte> record);
    void take_status(const fw_status& status);
    void take_firewall(const fw_firewall& piece);
    void observe(Observation observation);
    void observe_if(std::optional<Observation> observation);

    // time
    void tick();
    void take_snapshots();
    void send_due();
    void send_messages(Queue trigger);
    /// What the collector still tells when both are stopped at once, as systemd does it: until it has closed.
    void hear_out();
    void shut_down();
    std::int64_t next_wake_ns() const;

    // twin
    void apply(const Result<Twin::Update>& update);
    std::pair<int, std::string> call_method(std::string_view name, std::string_view payload);
    void send_control(bool snapshot);
    void write_status_file();

    std::int64_t now_ns() const { return clock_.monotonic().count(); }

    AgentConfig config_;
    int socket_;
    const Clock& clock_;
    Random& random_;
    Twin twin_;
    Accounts accounts_{"/etc/passwd", "/etc/group"};
    Interpreter interpreter_{accounts_, clock_};
    std::array<Aggregator, kAggregatedCount> aggregators_;
    Outbox outbox_{{}};
    EventWriter writer_{twin_, outbox_, clock_, random_};
    Statistics statistics_;
    std::unique_ptr<Inventory> inventory_;
    FlashMeter disk_{posix_file_system()};
    FlashBudget flash_;
    Keeper keeper_{{disk_, outbox_, writer_, statistics_, clock_}};
    std::unique_ptr<Provisioner> provisioner_;  // null: no service says which hub it is
    HubLink hub_;
    std::unique_ptr<Updater> updater_;
    bool has_twin_ = false;  // of the connection that stands
    BatchWriter control_;
    Methods methods_;
    std::int64_t isolated_until_ns_ = 0;

    std::vector<Observation> ports_;
    std::uint32_t ports_snapshot_ = 0;
    Bytes firewall_;  // pieces of the dump that is coming in, at most kFirewallBytesMax
    std::uint32_t firewall_snapshot_ = 0;
    bool firewall_unreadable_ = false;
    std::array<bool, kQueueCount> draining_{};
    std::int64_t next_snapshot_ns_ = 0;
    std::int64_t ports_changed_ns_ = -1;  // when a listen event asked for a new snapshot
    std::int64_t next_spool_ns_ = 0;
    std::int64_t next_status_ns_ = 0;
    std::int64_t next_accounts_ns_ = 0;
    std::int64_t give_back_ns_ = INT64_MAX;  // once after each handshake
    fw_status collector_{};
    std::array<std::uint64_t, FW_CLASS_COUNT> told_{};  // records that came, by class: seen less lost
    bool reported_once_ = false;
    std::uint64_t refused_records_ = 0;

    std::string last_error_;
    std::string status_path_;
    ServiceManager manager_ = ServiceManager::from_environment();
    std::int64_t collector_told_ns_ = 0;
};

}  // namespace fieldwatch::agent
