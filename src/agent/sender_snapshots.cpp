// The sender's snapshots: what it takes itself, and what comes in pieces from the collector.
#include <algorithm>

#include "agent/agent_log.hpp"
#include "agent/firewall/nftables.hpp"
#include "agent/sender.hpp"

namespace fieldwatch::agent {

void Sender::open_inventory() {
    inventory_ = std::make_unique<Inventory>(
        Inventory::Options{},
        Inventory::Handlers{.is_off = [this](fieldwatch_kind kind) { return writer_.is_off(kind); },
                            .snapshot =
                                [this](fieldwatch_kind kind, std::vector<Observation> payloads) {
                                    writer_.emit_snapshot(kind, std::move(payloads));
                                },
                            .event = [this](const Observation& event) { writer_.emit(event); },
                            .diagnose =
                                [this](std::string message) {
                                    say(Severity::Warning, message);
                                    writer_.diagnose("Warning", std::move(message));
                                }});
    configure_inventory();
}

void Sender::configure_inventory() {
    const auto& settings = twin_.settings();
    const bool custom = settings.custom_checks;
    inventory_->set_watched({.paths = settings.watched_paths.value_or(config_.watched_paths),
                             .recursive = settings.watch_recursive.value_or(config_.watch_recursive),
                             .ignored = {config_.state_directory},
                             .by_default = !settings.watched_paths && !config_.watched_paths_chosen});
    inventory_->set_custom_checks(custom ? settings.custom_checks_path : "",
                                  custom ? settings.custom_checks_hash : "");
}

void Sender::take_firewall(const fw_firewall& piece) {
    constexpr std::size_t kBytesMax = 2U << 20;
    if (piece.snapshot != firewall_snapshot_) firewall_.clear();
    firewall_snapshot_ = piece.snapshot;
    if (piece.unreadable) {
        if (!firewall_unreadable_) writer_.diagnose("Warning", "firewall: nftables cannot be read here");
        firewall_unreadable_ = true;
        return;
    }
    const auto data = std::as_bytes(std::span(piece.data)).first(piece.size);
    if (firewall_.size() + data.size() > kBytesMax) return;
    firewall_.insert(firewall_.end(), data.begin(), data.end());
    if (!piece.is_last) return;
    inventory_->offer(FIELDWATCH_FIREWALL_CONFIGURATION, read_nftables(firewall_), now_ns());
    firewall_ = {};
}

void Sender::take_snapshots() {
    if (!writer_.is_off(FIELDWATCH_LISTENING_PORTS) || !writer_.is_off(FIELDWATCH_FIREWALL_CONFIGURATION))
        send_control(true);
    (void)accounts_.changed();
    if (!writer_.is_off(FIELDWATCH_LOCAL_USERS)) {
        writer_.emit_snapshot(FIELDWATCH_LOCAL_USERS, accounts_.snapshot());
    }
    inventory_->take_snapshots(now_ns());
    if (reported_once_) {
        keeper_.keep_told([this] {
            writer_.emit_snapshot(
                FIELDWATCH_DROPPED_EVENTS_STATISTICS,
                statistics_.take_drops(outbox_, collector_, inventory_->counters(), refused_records_));
            auto messages = statistics_.take_messages();
            messages.extra("FlashBytesWritten", std::to_string(disk_.written_bytes()));
            messages.extra("FlashPassesPutOff", std::to_string(flash_.passes_put_off()));
            writer_.emit(messages);
        });
    }
    reported_once_ = true;
    draining_[static_cast<std::size_t>(Queue::Operational)] = true;
}

}  // namespace fieldwatch::agent
