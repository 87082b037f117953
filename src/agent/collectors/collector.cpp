#include "agent/collectors/collector.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "agent/collectors/firewall.hpp"
#include "agent/collectors/privileges.hpp"
#include "agent/collectors/proc.hpp"
#include "agent/resident.hpp"
#include "agent/system_calls.hpp"
#include "base/boot_clock.hpp"
#include "base/clock.hpp"

namespace fieldwatch::agent {

namespace {

constexpr int kDrainMillis = 200;  // the longest an event waits in a ring while others come
constexpr int kQuietDrains = 2;    // in vain, before the next event is to wake us: bursts are no rest
constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kFinishNs = 2 * kSecond;      // how long a stop waits for the sender
constexpr std::uint64_t kStatusEvery = 10 * kSecond;  // also the sign that it is alive

std::atomic<bool> stop_requested{false};

std::uint64_t boot_ns() {
    return static_cast<std::uint64_t>(since_boot().count());
}

std::uint64_t real_ns() {
    return static_cast<std::uint64_t>(system_clock().now().ticks) * 100;
}

template <class T>
bool read_as(std::span<const std::byte> bytes, T& out) {
    if (bytes.size() != sizeof out) return false;
    std::memcpy(&out, bytes.data(), sizeof out);
    return true;
}

}  // namespace

Collector::Collector(int socket, std::uint32_t sender_pid)
    : socket_(socket), own_pids_{static_cast<std::uint32_t>(::getpid()), sender_pid}, writer_(socket) {}

void Collector::request_stop() {
    stop_requested.store(true);
}

int Collector::run() {
    while (!stop_requested.load() && !writer_.is_closed()) {
        wait();
        receive_control();
        if (!control_) continue;
        boot_to_real_ns_ = real_ns() - boot_ns();
        drain();
    }
    if (control_) finish();
    return 0;
}

void Collector::finish() {
    for (const auto& source : bpf_) {
        if (source) source->detach();
    }
    if (names_) names_->detach();
    const auto until = boot_ns() + kFinishNs;
    // A full socket leaves the rings alone until the sender, which may wait for a core, has read.
    const auto wait_for_room = [&] {
        pollfd socket{socket_, POLLOUT, 0};
        return boot_ns() < until && !writer_.is_closed() && ::poll(&socket, 1, kDrainMillis) >= 0;
    };
    const auto is_behind = [this] { return logins_ && logins_->is_behind(); };
    do {
        next_second_ns_ = 0;  // log-ins of the last second are read too
        drain();
    } while ((writer_.is_pending() || is_behind()) && wait_for_room());
    if (is_behind()) ++logins_lost_;  // the next start begins at the end
    send_status();
    while (writer_.is_pending() && wait_for_room())
        (void)writer_.flush();
}

void Collector::wait() {
    pollfd fds[2 + FW_CLASS_COUNT] = {};
    nfds_t count = 0;
    fds[count++] = {socket_, static_cast<short>(POLLIN | (writer_.is_pending() ? POLLOUT : 0)), 0};
    if (!writer_.is_pending()) {  // a full socket leaves the rings alone: they are the buffer, and count
                                  // their loss
        for (const auto& source : bpf_) {
            if (source) fds[count++] = {source->fd(), POLLIN, 0};
        }
        if (names_) fds[count++] = {names_->fd(), POLLIN, 0};
    }
    ::poll(fds, count, wait_millis());
    if (fds[0].revents & (POLLHUP | POLLERR)) stop_requested.store(true);
}

/// While nothing happens, until the next look at what has to be looked at.
int Collector::wait_millis() const {
    if (!is_waiting_ || writer_.is_pending() || processes_ || audit_) return kDrainMillis;
    const bool looks = logins_ || connections_[0] || connections_[1];
    const auto due = looks ? std::min(next_second_ns_, next_status_ns_) : next_status_ns_;
    const auto now = boot_ns();
    return due <= now ? 0 : static_cast<int>(std::min(due - now, kStatusEvery) / 1'000'000 + 1);
}

void Collector::receive_control() {
    for (;;) {
        std::byte datagram[256];
        const auto size = ::recv(socket_, datagram, sizeof datagram, MSG_DONTWAIT);
        if (size == 0) stop_requested.store(true);
        if (size <= 0) return;
        fw_control control{};
        bool valid = false;
        (void)split_batch({datagram, static_cast<std::size_t>(size)}, [&](std::uint16_t type, auto record) {
            valid = type == FW_CONTROL && read_as(record, control) && is_valid(control);
        });
        if (valid) apply(control);
    }
}

void Collector::apply(const fw_control& control) {
    const auto before = control_;
    if (!before) {  // the sender has become who it stays: so do we, before anything is opened
        if (const auto narrowed = narrow_privileges(own_pids_[1]); !narrowed) {
            std::fprintf(stderr, "fieldwatch-collector: cannot give up root: %s\n",
                         narrowed.error().message.c_str());
            return stop_requested.store(true);
        }
        if (const auto limited = limit_system_calls(Half::Collector); !limited)
            std::fprintf(stderr, "fieldwatch-collector: %s\n", limited.error().message.c_str());
    }
    if (!before) device_ = namespaces_of("/proc", 1);
    control_ = control;
    const auto changed = [&](fw_class which) {
        return !before || before->mode[which] != control.mode[which];
    };
    if (changed(FW_CLASS_EXEC) || changed(FW_CLASS_EXIT)) {
        for (const auto which : {FW_CLASS_EXEC, FW_CLASS_EXIT})
            tally(which);
        open_processes(control);
        for (const auto which : {FW_CLASS_EXEC, FW_CLASS_EXIT})
            counted_[which] = {};  // a new source began at none, and has seen some since
    }
    for (const auto which : {FW_CLASS_TCP, FW_CLASS_UDP}) {
        if (changed(which)) {
            tally(which);
            open_connections(which, control);
            counted_[which] = {};
        }
        if (bpf_[which]) bpf_[which]->set_loopback(control.loopback != 0);
    }
    // Not at every control: what cannot be attached here was told once.
    if (changed(FW_CLASS_TCP) || changed(FW_CLASS_UDP)) open_names(control);
    if (control.logins && !logins_) {
        logins_.emplace(
            LoginFollower::Paths{},
            LoginFollower::Handlers{
                .login = [this](const fw_login& record) { return writer_.offer(FW_LOGIN, record); },
                .line = [this](const fw_log_line& record) { return writer_.offer(FW_LOG_LINE, record); },
                .lost = [this] { ++logins_lost_; }});
    } else if (!control.logins) {
        logins_.reset();
    }
    open_audit(control);
    wait_for_events(false);                 // a source that was opened knows of no waiting
    if (!before) (void)give_back_memory();  // loading a program parses the kernel's 5 MB of types
    if (control.snapshot || changed(FW_CLASS_EXEC) || changed(FW_CLASS_EXIT) || changed(FW_CLASS_TCP) ||
        changed(FW_CLASS_UDP)) {
        send_status();
    }
    // Whom neither the packet filter, the proc connector nor the control group's hooks need it for keeps no
    // right over the network.
    if (!control.firewall && !processes_ && !bpf_[FW_CLASS_UDP] && !names_) forgo_net_admin();
    if (control.snapshot) send_snapshot();
    if (control.snapshot && control.firewall) send_firewall();
}

void Collector::drain() {
    (void)writer_.flush();
    bool any = drain_rings();
    quiet_drains_ = any ? 0 : std::min(quiet_drains_ + 1, kQuietDrains);
    if (quiet_drains_ == kQuietDrains && !is_waiting_) {
        wait_for_events(true);
        any = drain_rings();  // what came before the programs knew; later than that by a hair waits a second
    }
    if (any) wait_for_events(false);
    if (audit_) audit_->drain(real_ns());  // first: it has the whole command line of what is gone already
    if (processes_) processes_->drain();
    const auto now = boot_ns();
    if (now >= next_second_ns_) {
        next_second_ns_ = now + kSecond;
        for (auto& poller : connections_) {
            if (poller) poller->poll("/proc", control_->loopback != 0, now + boot_to_real_ns_);
        }
        if (logins_) logins_->poll(now + boot_to_real_ns_);
    }
    if (now >= next_status_ns_) send_status();
    (void)writer_.flush();
}

bool Collector::drain_rings() {
    bool any = false;
    // Before the connections that were made with them.
    if (names_ && writer_.has_room())
        any =
            names_->drain([this](std::span<const std::byte> record) { return writer_.put(FW_DNS, record); });
    for (const auto which : {FW_CLASS_EXEC, FW_CLASS_EXIT, FW_CLASS_TCP, FW_CLASS_UDP})
        any |= drain_ring(which);
    return any;
}

void Collector::wait_for_events(bool is_waiting) {
    is_waiting_ = is_waiting;
    for (const auto& source : bpf_) {
        if (source) source->wait_for_events(is_waiting);
    }
    if (names_) names_->wait_for_events(is_waiting);
}

/// Whether there was anything, or may be for all we know.
bool Collector::drain_ring(fw_class which) {
    if (!bpf_[which]) return false;
    if (!writer_.has_room()) return true;
    return bpf_[which]->drain(
        [this, which](std::span<const std::byte> record) { return take(which, record); });
}

bool Collector::take(fw_class which, std::span<const std::byte> record) {
    if (which == FW_CLASS_EXEC) return take_exec(record);
    fw_exit exit;
    fw_connection connection;
    fw_listen listen;
    if (which == FW_CLASS_EXIT && read_as(record, exit)) {
        exit.time_ns += boot_to_real_ns_;
        return writer_.put(FW_EXIT, exit);
    }
    if (read_as(record, connection)) {
        connection.time_ns += boot_to_real_ns_;
        return writer_.put(FW_CONNECTION, connection);
    }
    if (read_as(record, listen)) {
        listen.time_ns += boot_to_real_ns_;
        return writer_.put(FW_LISTEN, listen);
    }
    return true;
}

bool Collector::take_exec(std::span<const std::byte> record) {
    if (record.size() < sizeof(fw_exec_head) || record.size() > sizeof(fw_exec_large)) return true;
    static fw_exec_large copy;  // 7 KiB: not on the stack of every wake-up
    std::memcpy(&copy, record.data(), record.size());
    copy.head.time_ns += boot_to_real_ns_;
    const bool is_small = record.size() <= sizeof(fw_exec);
    return writer_.put(is_small ? FW_EXEC : FW_EXEC_LARGE,
                       std::as_bytes(std::span(&copy, 1)).first(record.size()));
}

void Collector::take_facts(const ProcessFacts& facts, ExecSource source) {
    if (is_own(facts.pid) || is_own(facts.parent_pid) || mode_[FW_CLASS_EXEC] == FW_MODE_BPF) return;
    const auto now_ms = static_cast<std::int64_t>(boot_ns() / 1'000'000);
    if (!execs_.is_new(facts.pid, static_cast<std::size_t>(source), now_ms)) return;
    if (!writer_.has_room()) {
        ++refused_[FW_CLASS_EXEC];
        return;
    }
    ProcessFacts parent;
    (void)read_process("/proc", facts.parent_pid, parent);
    fw_exec_large record{};
    std::size_t at = 0;
    const auto append = [&](const std::string& text, std::size_t size_max) {
        const auto size = std::min(text.size(), size_max);
        std::memcpy(record.text + at, text.data(), size);
        at += size;
        return static_cast<fw_u16>(size);
    };
    record.head.time_ns = real_ns();
    record.head.start_ns = facts.start_ns;
    record.head.pid = facts.pid;
    record.head.parent_pid = facts.parent_pid;
    record.head.grandparent_pid = parent.parent_pid;
    record.head.uid = facts.uid;
    record.head.login_uid = facts.login_uid;
    record.head.flags = source == ExecSource::Audit ? 0 : FW_ARGS_LATE;
    record.head.executable_inode = facts.executable_inode;
    const auto foreign = [](std::uint32_t of, std::uint32_t device) {
        return device == 0 || of == device ? 0 : of;
    };
    record.head.mount_namespace = foreign(facts.namespaces.mount, device_.mount);
    record.head.network_namespace = foreign(facts.namespaces.network, device_.network);
    if (facts.arguments.size() >= FW_ARGS_MAX) record.head.flags |= FW_ARGS_TRUNCATED;
    record.head.executable_size = append(facts.executable, FW_PATH_MAX);
    record.head.parent_size = append(parent.executable, FW_PATH_MAX);
    record.head.directory_size = append(facts.directory, FW_PATH_MAX);
    record.head.cgroup_size = append(facts.cgroup, FW_CGROUP_MAX);
    record.head.arguments_size = append(facts.arguments, FW_ARGS_MAX);
    const auto size = sizeof(fw_exec_head) + at;
    (void)writer_.put(size <= sizeof(fw_exec) ? FW_EXEC : FW_EXEC_LARGE,
                      std::as_bytes(std::span(&record, 1)).first(size));
}

void Collector::send_snapshot() {
    auto snapshot = take_port_snapshot("/proc", ++snapshot_);
    std::uint32_t sent = 0;
    for (const auto& port : snapshot.ports) {
        if (is_own(port.pid)) continue;
        ++(writer_.offer(FW_PORT, port) ? sent : snapshot.lost);
    }
    (void)writer_.put(FW_SNAPSHOT, fw_snapshot{snapshot_, sent, snapshot.lost, 0});
    (void)writer_.flush();
}

void Collector::send_firewall() {
    const auto dump = dump_nftables();
    if (!dump) {
        fw_firewall record{};
        record.snapshot = snapshot_;
        record.is_last = record.unreadable = 1;
        (void)writer_.put(FW_FIREWALL, record);
    } else {
        // A full socket ends it: the sender sees no last piece and keeps what it knows; the next pass is
        // complete.
        (void)split_firewall(*dump, snapshot_, [this](const fw_firewall& record) {
            return writer_.offer(FW_FIREWALL, record);
        });
    }
    (void)writer_.flush();
}

Collector::Counted Collector::source_counters(fw_class which) const {
    const bool is_process = which == FW_CLASS_EXEC || which == FW_CLASS_EXIT;
    const auto& poller = connections_[which == FW_CLASS_UDP];
    if (bpf_[which]) return {bpf_[which]->counters(), bpf_[which]->untracked()};
    if (audit_ && mode_[which] == FW_MODE_AUDIT) return {audit_->counters(), 0};
    if (processes_ && is_process) return {processes_->counters(which), 0};
    if (poller && !is_process) return {poller->counters(), 0};
    return {};
}

void Collector::tally(fw_class which) {
    const auto now = source_counters(which);
    auto& total = totals_[which];
    total.events.produced += now.events.produced - counted_[which].events.produced;
    total.events.dropped += now.events.dropped - counted_[which].events.dropped;
    total.untracked += now.untracked - counted_[which].untracked;
    counted_[which] = now;
}

void Collector::send_status() {
    next_status_ns_ = boot_ns() + kStatusEvery;
    fw_status status{};
    for (const auto which : {FW_CLASS_EXEC, FW_CLASS_EXIT, FW_CLASS_TCP, FW_CLASS_UDP}) {
        tally(which);
        status.mode[which] = static_cast<fw_u32>(mode_[which]);
        auto& counters = status.counters[which] = totals_[which].events;
        counters.dropped += refused_[which];
        // Beside audit the fallback sees, and loses, what audit does not count.
        counters.produced = std::max(counters.produced, counters.dropped);
        status.untracked += totals_[which].untracked;
    }
    status.ready = 1;
    status.names = names_ ? 1 : 0;
    status.answers = names_counters();
    status.logins_lost = logins_lost_;
    (void)writer_.put(FW_STATUS, status);
    (void)writer_.flush();
}

}  // namespace fieldwatch::agent
