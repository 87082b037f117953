// Which source tells each class of events: the best that works here, of those that the sender lets be used.
#include <netinet/in.h>

#include "agent/collectors/collector.hpp"

namespace fieldwatch::agent {

void Collector::open_processes(const fw_control& control) {
    processes_.reset();
    const BpfSource::Options options{.own_pids = {own_pids_[0], own_pids_[1]}, .namespaces = device_};
    bool need_fallback = false;
    for (const auto which : {FW_CLASS_EXEC, FW_CLASS_EXIT}) {
        bpf_[which].reset();
        const auto wanted = static_cast<fw_mode>(control.mode[which]);
        mode_[which] = FW_MODE_OFF;
        if (wanted == FW_MODE_OFF) continue;
        mode_[which] = FW_MODE_NONE;
        if (wanted == FW_MODE_NONE || wanted == FW_MODE_BPF) {
            if (auto source = BpfSource::open(which, options)) {
                bpf_[which] = std::move(*source);
                mode_[which] = FW_MODE_BPF;
            }
        }
        need_fallback |= mode_[which] == FW_MODE_NONE && wanted != FW_MODE_BPF;
    }
    if (!need_fallback) return;
    ProcessFallback::Handlers handlers{
        .exec = [this](const ProcessFacts& facts) { take_facts(facts, ExecSource::Fallback); },
        .exit =
            [this](fw_exit record) {
                if (mode_[FW_CLASS_EXIT] == FW_MODE_BPF || mode_[FW_CLASS_EXIT] == FW_MODE_OFF) return;
                record.time_ns += boot_to_real_ns_;
                if (is_own(record.pid)) return;
                if (!writer_.offer(FW_EXIT, record)) ++refused_[FW_CLASS_EXIT];
            }};
    const bool poll_only = control.mode[FW_CLASS_EXEC] == FW_MODE_POLL;
    auto mode = FW_MODE_POLL;
    if (!poll_only) {
        if (auto connector = ProcessFallback::connector(handlers)) {
            processes_ = std::move(*connector);
            mode = FW_MODE_PROC_CONNECTOR;
        }
    }
    if (!processes_) processes_ = ProcessFallback::polling(std::move(handlers));
    for (const auto which : {FW_CLASS_EXEC, FW_CLASS_EXIT}) {
        if (mode_[which] == FW_MODE_NONE) mode_[which] = mode;
    }
}

void Collector::open_connections(fw_class which, const fw_control& control) {
    auto& poller = connections_[which == FW_CLASS_UDP];
    bpf_[which].reset();
    poller.reset();
    mode_[which] = FW_MODE_OFF;
    const auto wanted = static_cast<fw_mode>(control.mode[which]);
    if (wanted == FW_MODE_OFF) return;
    if (wanted == FW_MODE_NONE || wanted == FW_MODE_BPF) {
        const BpfSource::Options options{.own_pids = {own_pids_[0], own_pids_[1]},
                                         .loopback = control.loopback != 0};
        if (auto source = BpfSource::open(which, options)) {
            bpf_[which] = std::move(*source);
            mode_[which] = FW_MODE_BPF;
            if (which == FW_CLASS_UDP) return;
            for (const auto& port : take_port_snapshot("/proc", 0).ports) {
                if (port.protocol != IPPROTO_TCP) continue;
                bpf_[FW_CLASS_TCP]->add_listener(own_network_namespace(), port.port, port.pid, port.uid);
            }
            return;
        }
    }
    mode_[which] = FW_MODE_NONE;
    if (wanted == FW_MODE_BPF) return;
    mode_[which] = FW_MODE_POLL;
    poller.emplace(which == FW_CLASS_UDP ? IPPROTO_UDP : IPPROTO_TCP,
                   ConnectionPoller::Handlers{.connection =
                                                  [this, which](const fw_connection& record) {
                                                      if (is_own(record.pid)) return;
                                                      if (!writer_.offer(FW_CONNECTION, record))
                                                          ++refused_[which];
                                                  },
                                              .listen =
                                                  [this, which](const fw_listen& record) {
                                                      if (!writer_.offer(FW_LISTEN, record))
                                                          ++refused_[which];
                                                  }});
}

/// Names are for connections: where the kernel's programs tell neither kind of them, nobody asks.
void Collector::open_names(const fw_control& control) {
    const auto is_wanted = [&](fw_class which) {
        return control.mode[which] == FW_MODE_NONE || control.mode[which] == FW_MODE_BPF;
    };
    if (!is_wanted(FW_CLASS_TCP) && !is_wanted(FW_CLASS_UDP)) return close_names();
    if (names_) return;
    if (auto source = BpfSource::open_names()) names_ = std::move(*source);
}

void Collector::close_names() {
    names_before_ = names_counters();
    names_.reset();
}

fw_counters Collector::names_counters() const {
    auto total = names_before_;
    if (names_) {
        const auto own = names_->counters();
        total.produced += own.produced;
        total.dropped += own.dropped;
    }
    return total;
}

/// Audit is read along where the log-ins have no log file, or the kernel takes no program for execs.
void Collector::open_audit(const fw_control& control) {
    const bool for_logins = control.logins && !logins_->has_log();
    if (!for_logins && !processes_) return audit_.reset();
    if (audit_) return;
    auto reader = AuditReader::open({.exec =
                                         [this](const ProcessFacts& facts) {
                                             if (!processes_ || mode_[FW_CLASS_EXEC] == FW_MODE_OFF) return;
                                             if (mode_[FW_CLASS_EXEC] != FW_MODE_BPF &&
                                                 mode_[FW_CLASS_EXEC] != FW_MODE_AUDIT) {
                                                 tally(FW_CLASS_EXEC);
                                                 mode_[FW_CLASS_EXEC] = FW_MODE_AUDIT;
                                                 counted_[FW_CLASS_EXEC] = source_counters(FW_CLASS_EXEC);
                                                 send_status();
                                             }
                                             take_facts(facts, ExecSource::Audit);
                                         },
                                     .line =
                                         [this](const fw_log_line& record) {
                                             if (control_->logins && !logins_->has_log())
                                                 (void)writer_.put(FW_LOG_LINE, record);
                                         },
                                     .has_room = [this] { return writer_.has_room(); },
                                     .lost =
                                         [this] {
                                             if (control_->logins && !logins_->has_log()) ++logins_lost_;
                                         }});
    if (reader) audit_ = std::move(*reader);
}

}  // namespace fieldwatch::agent
