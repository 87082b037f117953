#include "agent/sender.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "agent/agent_log.hpp"
#include "agent/resident.hpp"
#include "agent/sender_status.hpp"
#include "base/file_system.hpp"
#include "base/uuid.hpp"

namespace fieldwatch::agent {

namespace {

constexpr std::int64_t kMilli = 1'000'000;
constexpr std::int64_t kSecond = 1'000 * kMilli;
// What is looked at now and then is looked at together, at the same multiples of this; and nothing waits
// longer for its turn.
constexpr std::int64_t kGrid = 5 * kSecond;
constexpr std::int64_t kPortsSettle =
    300 * kMilli;  // a restarting service closes and opens: one snapshot for both
// A crash loses what is younger than both together. Real-time events leave within two seconds: not worth a
// write.
constexpr std::int64_t kSpoolEvery = kGrid;
constexpr std::int64_t kSpoolAge = 2 * kSecond;
constexpr std::int64_t kStatusEvery = 2 * kGrid;
constexpr std::int64_t kCollectorSilentMost = 60 * kSecond;  // it tells its counts every ten
constexpr std::int64_t kAccountsEvery = kGrid;
constexpr std::int64_t kShutdownNs = 5 * kSecond;
constexpr std::int64_t kHearOutNs = 2 * kSecond;
constexpr std::int64_t kSettleNs = 2 * kSecond;
constexpr std::size_t kInFlightMax = 2;  // of up to 200 KiB each: memory that a small device lacks

std::atomic<bool> stop_requested{false};

std::int64_t next_multiple(std::int64_t now_ns, std::int64_t period_ns) {
    return (now_ns / period_ns + 1) * period_ns;
}

std::int64_t nanos(Ticks ticks) {
    return std::min<std::int64_t>(ticks.count(), INT64_MAX / 100) * 100;
}

}  // namespace

Sender::Sender(AgentConfig config, AgentIdentity identity, Sockets sockets, const Clock& clock,
               Random& random)
    : config_(std::move(config)),
      socket_(sockets.collector),
      clock_(clock),
      random_(random),
      twin_(config_.object_name),
      flash_(config_.flash_bytes_per_day),
      provisioner_(make_provisioner(identity)),
      hub_({.identity = std::move(identity.names),
            .connect_host = config_.connect_host,
            .port = config_.port,
            .ca_file = config_.ca_file,
            .ca_pem = config_.ca_pem,
            .certificate = std::move(identity.certificate),
            .private_key = std::move(identity.private_key),
            .agent_version = std::string(kAgentVersion),
            .methods = config_.response_allowed != 0},
           {.ready =
                [this] {
                    say(Severity::Information, "connected to the hub");
                    last_error_.clear();
                    next_status_ns_ = 0;
                    give_back_ns_ = now_ns() + kSettleNs;
                },
            .twin =
                [this](std::string_view twin) {
                    has_twin_ = true;
                    if (provisioner_) provisioner_->hub_serves();
                    apply(twin_.replace(twin));
                    tell_trial();
                },
            .desired =
                [this](std::string_view patch) {
                    apply(twin_.patch(patch));
                    if (twin_.needs_refresh()) hub_.get_twin();
                },
            .reported =
                [](int status) {
                    if (status >= 300)
                        say(Severity::Warning,
                            "the hub refuses the reported twin: " + std::to_string(status));
                },
            .method = [this](std::string_view name,
                             std::string_view payload) { return call_method(name, payload); },
            .acknowledged = [this](std::uint64_t batch) { outbox_.acknowledged(batch); },
            .lost =
                [this](const Error& error, std::int64_t retry_ms) {
                    if (error.code != Errc::Cancelled && error.message != last_error_) {
                        say(Severity::Warning,
                            "hub: " + error.message + "; next try in " + std::to_string(retry_ms) + " ms");
                    }
                    last_error_ = error.message;
                    has_twin_ = false;
                    if (provisioner_ && error.code != Errc::Cancelled)
                        provisioner_->hub_lost(hub_.is_refused());
                    statistics_.failed(hub_.in_flight());
                    outbox_.lose_all();
                }},
           clock, random),
      control_(sockets.collector),
      methods_({.allowed = config_.response_allowed,
                .socket = sockets.responder,
                .take_snapshot = [this] { next_snapshot_ns_ = 0; },
                .hub_addresses =
                    [this] {
                        const auto peer = hub_.peer();
                        return peer ? std::vector{*peer} : std::vector<NetworkAddress>{};
                    },
                .isolated =
                    [this](std::chrono::seconds expiry) {
                        // Names cannot be resolved meanwhile: the hub is found where it is now.
                        const bool is_isolated = expiry.count() > 0;
                        hub_.pin(is_isolated ? hub_.peer() : std::nullopt);
                        isolated_until_ns_ = is_isolated ? now_ns() + expiry.count() * kSecond : 0;
                    }}) {}

void Sender::request_stop() {
    stop_requested.store(true);
}

Result<void> Sender::open() {
    if (config_.agent_id.empty()) {
        if (const auto kept = read_file(disk_, "agent-id", 64)) config_.agent_id = as_text(*kept);
        if (!Uuid::parse(config_.agent_id)) {
            config_.agent_id = Uuid::random(random_).text();
            (void)replace_file(disk_, "agent-id", as_bytes(config_.agent_id));
        }
    }
    if (const auto kept = read_file(disk_, "twin.json", 256 * 1'024)) {
        if (const auto update = twin_.restore(as_text(*kept)); update && update->applied) {
            say(Severity::Information, "running on the last known configuration until the hub answers");
        }
    }
    outbox_.set_options({static_cast<std::size_t>(twin_.settings().cache_bytes),
                         static_cast<std::size_t>(twin_.settings().message_bytes)});
    keeper_.begin();
    status_path_ = place_status_file(config_.runtime_directory);
    open_provisioning();
    open_inventory();
    open_updates();
    return {};
}

int Sender::run() {
    send_control(false);
    collector_told_ns_ = now_ns();
    while (!stop_requested.load()) {
        pollfd fds[] = {{socket_, POLLIN, 0},
                        {hub_.fd(), hub_.wanted_events(), 0},
                        {provisioner_ ? provisioner_->fd() : -1,
                         provisioner_ ? provisioner_->wanted_events() : short{0}, 0},
                        {inventory_->hardware_fd(), POLLIN, 0},
                        {inventory_->files_fd(), POLLIN, 0},
                        {updater_->fd(), updater_->wanted_events(), 0}};
        const auto wait_ns = std::clamp<std::int64_t>(next_wake_ns() - now_ns(), 0, kGrid);
        ::poll(fds, std::size(fds), static_cast<int>((wait_ns + kMilli - 1) / kMilli));
        if (!receive()) break;
        tick();
        inventory_->tick(now_ns());
        updater_->advance();
        if (provisioner_) provisioner_->advance();
        hub_.advance();
        send_due();
        hub_.advance();
        if (now_ns() - collector_told_ns_ < kCollectorSilentMost) manager_.tell_alive(now_ns());
    }
    shut_down();
    return 0;
}

void Sender::tick() {
    const auto now = now_ns();
    const auto& settings = twin_.settings();
    const auto emit_one = [this](const Observation& one) { writer_.emit(one); };
    for (std::size_t i = 0; i < kAggregatedCount; ++i) {
        aggregators_[i].tick(std::chrono::nanoseconds(now),
                             std::chrono::nanoseconds(nanos(settings.aggregate_interval[i])), emit_one);
    }
    if (now >= next_snapshot_ns_) {
        next_snapshot_ns_ = now + nanos(settings.snapshot_frequency);
        ports_changed_ns_ = -1;
        take_snapshots();
    } else if (ports_changed_ns_ >= 0 && now >= ports_changed_ns_ + kPortsSettle) {
        ports_changed_ns_ = -1;
        if (!writer_.is_off(FIELDWATCH_LISTENING_PORTS)) send_control(true);
    }
    if (now >= next_accounts_ns_) {
        next_accounts_ns_ = next_multiple(now, kAccountsEvery);
        if (accounts_.changed() && !writer_.is_off(FIELDWATCH_LOCAL_USERS)) {
            writer_.emit_snapshot(FIELDWATCH_LOCAL_USERS, accounts_.snapshot());
        }
    }
    if (now >= next_spool_ns_) {
        next_spool_ns_ = next_multiple(now, kSpoolEvery);
        if (flash_.has_room(disk_.written_bytes(), now)) (void)keeper_.keep_waiting(now - kSpoolAge);
    }
    if (isolated_until_ns_ != 0 && now >= isolated_until_ns_) {
        isolated_until_ns_ = 0;
        hub_.pin(std::nullopt);
    }
    if (now >= give_back_ns_) {
        give_back_ns_ = INT64_MAX;
        (void)give_back_memory();
    }
    if (now >= next_status_ns_) {
        next_status_ns_ = next_multiple(now, kStatusEvery);
        write_status_file();
    }
}

std::int64_t Sender::next_wake_ns() const {
    auto wake = std::min({next_snapshot_ns_, next_spool_ns_, next_status_ns_, give_back_ns_, hub_.wake_ns(),
                          inventory_->wake_ns(), updater_->wake_ns()});
    if (isolated_until_ns_ != 0) wake = std::min(wake, isolated_until_ns_);
    for (std::size_t i = 0; i < kAggregatedCount; ++i) {
        const std::chrono::nanoseconds interval(nanos(twin_.settings().aggregate_interval[i]));
        wake = std::min(wake, aggregators_[i].due_ns(interval));
    }
    if (provisioner_) wake = std::min(wake, provisioner_->wake_ns());
    if (ports_changed_ns_ >= 0) wake = std::min(wake, ports_changed_ns_ + kPortsSettle);
    const auto due = [](std::int64_t oldest, Ticks frequency) {
        return oldest == INT64_MAX ? INT64_MAX : oldest + nanos(frequency);
    };
    if (hub_.is_ready() && hub_.in_flight() < kInFlightMax) {
        wake = std::min({wake, due(outbox_.oldest_ns(Queue::High), twin_.settings().high_frequency),
                         due(outbox_.oldest_ns(Queue::Low), twin_.settings().low_frequency),
                         due(outbox_.oldest_ns(Queue::Operational), twin_.settings().high_frequency)});
    }
    return wake;
}

void Sender::send_due() {
    const auto now = now_ns();
    const auto& settings = twin_.settings();
    const auto due = [&](Queue queue, Ticks frequency) {
        const auto oldest = outbox_.oldest_ns(queue);
        if (oldest != INT64_MAX && now - oldest >= nanos(frequency))
            draining_[static_cast<std::size_t>(queue)] = true;
    };
    due(Queue::High, settings.high_frequency);
    due(Queue::Low, settings.low_frequency);
    due(Queue::Operational, settings.high_frequency);
    if (outbox_.bytes() >= static_cast<std::size_t>(settings.message_bytes)) {
        draining_[static_cast<std::size_t>(outbox_.empty(Queue::High) ? Queue::Low : Queue::High)] = true;
    }
    if (!hub_.is_ready()) return;
    for (const auto queue : {Queue::High, Queue::Low, Queue::Operational}) {
        if (draining_[static_cast<std::size_t>(queue)]) send_messages(queue);
    }
}

void Sender::send_messages(Queue trigger) {
    static const std::string bag = [] {
        const char* name = nullptr;
        const char* value = nullptr;
        fieldwatch_mark_property(FIELDWATCH_PROTOCOL_MQTT_TOPIC, &name, &value);
        return std::string(name) + "=" + value + "&%24.ct=application%2Fjson&%24.ce=utf-8";
    }();
    const auto envelope = envelope_bytes(kAgentVersion, config_.agent_id);
    while (hub_.in_flight() < kInFlightMax) {
        const auto batch = outbox_.take(trigger, envelope);
        if (batch.events.empty()) {
            draining_[static_cast<std::size_t>(trigger)] = false;
            return;
        }
        const auto body = build_message(kAgentVersion, config_.agent_id, batch.events);
        if (!body) {  // cannot be: take() counted the bytes
            say(Severity::Error, "message: " + body.error().message);
            return outbox_.acknowledged(batch.id);
        }
        statistics_.sent(body->size(), bag.size());
        hub_.publish(bag, *body, batch.id);
    }
}

void Sender::hear_out() {
    const auto deadline = now_ns() + kHearOutNs;
    for (auto left = kHearOutNs; left > 0 && receive(); left = deadline - now_ns()) {
        pollfd told{socket_, POLLIN, 0};
        ::poll(&told, 1, static_cast<int>(left / kMilli) + 1);
    }
}

void Sender::shut_down() {
    if (stop_requested.load()) {
        hear_out();
        updater_->stopped();
    }
    for (auto& aggregator : aggregators_)
        aggregator.flush([this](const Observation& one) { writer_.emit(one); });
    (void)keeper_.keep_waiting(INT64_MAX);
    draining_.fill(true);
    const auto deadline = now_ns() + kShutdownNs;
    while (hub_.is_ready() && outbox_.waiting() > 0 && now_ns() < deadline) {
        send_due();
        hub_.advance();
        pollfd ready{hub_.fd(), hub_.wanted_events(), 0};
        ::poll(&ready, 1, 50);
    }
    hub_.disconnect();
    keeper_.end();
    write_status_file();
    say(Severity::Information, "stopped; " + std::to_string(outbox_.waiting()) +
                                   (keeper_.has_spool() ? " events wait in the spool" : " events are lost"));
}

void Sender::apply(const Result<Twin::Update>& update) {
    if (!update) return say(Severity::Warning, "twin: " + update.error().message);
    if (update->applied) {
        const auto& settings = twin_.settings();
        for (std::size_t i = 0; i < kAggregatedCount; ++i) {
            if (!settings.aggregate[i])
                aggregators_[i].flush([this](const Observation& one) { writer_.emit(one); });
        }
        outbox_.set_options({static_cast<std::size_t>(settings.cache_bytes),
                             static_cast<std::size_t>(settings.message_bytes)});
        next_snapshot_ns_ = std::min(next_snapshot_ns_, now_ns() + nanos(settings.snapshot_frequency));
        send_control(false);
        if (inventory_) configure_inventory();
        (void)replace_file(disk_, "twin.json", as_bytes(twin_.persisted()));
    }
    writer_.emit_findings(update->findings);
    hub_.report(twin_.reported(kAgentVersion));
    if (update->applied) updater_->announce(twin_.settings().update);
    if (updater_->status().state != "none")
        hub_.report(format_update_status(config_.object_name, updater_->status()));
}

std::pair<int, std::string> Sender::call_method(std::string_view name, std::string_view payload) {
    const auto answer = methods_.call(name, payload, twin_.settings().response);
    // The audit trail: what was asked, and what became of it. Both texts are the hub's.
    const auto text = "response: " + std::string(name.substr(0, 64)) + " " +
                      std::string(payload.substr(0, 256)) + " -> " + std::to_string(answer.status) + " " +
                      answer.body.substr(0, 256);
    say(Severity::Warning, text);
    writer_.diagnose("Warning", text);
    return {answer.status, answer.body};
}

void Sender::send_control(bool snapshot) {
    fw_control control{};
    const auto mode = [&](fw_class which, fieldwatch_kind kind) {
        control.mode[which] = static_cast<fw_u8>(writer_.is_off(kind) ? FW_MODE_OFF : config_.mode[which]);
    };
    mode(FW_CLASS_EXEC, FIELDWATCH_PROCESS_CREATE);
    mode(FW_CLASS_EXIT, FIELDWATCH_PROCESS_TERMINATE);
    mode(FW_CLASS_TCP, FIELDWATCH_CONNECTION_CREATE);
    mode(FW_CLASS_UDP, FIELDWATCH_CONNECTION_CREATE);
    control.loopback = config_.loopback ? 1 : 0;
    control.logins = config_.logins && !writer_.is_off(FIELDWATCH_LOGIN) ? 1 : 0;
    control.firewall = writer_.is_off(FIELDWATCH_FIREWALL_CONFIGURATION) ? 0 : 1;
    control.snapshot = snapshot ? 1 : 0;
    (void)control_.put(FW_CONTROL, control);
    (void)control_.flush();
}

void Sender::write_status_file() {
    AgentStatus status;
    status.connected = hub_.is_ready();
    status.last_error = last_error_;
    status.hub = hub_.host_name();
    if (provisioner_) status.provisioning = provisioner_->state();
    status.agent_id = config_.agent_id;
    status.desired_version = twin_.version();
    status.collector = collector_;
    status.told = told_;
    status.waiting_events = outbox_.waiting();
    status.waiting_bytes = outbox_.bytes();
    status.messages_sent = statistics_.total().sent;
    status.bytes_sent = statistics_.total().bytes;
    status.refused_records = refused_records_;
    status.update = updater_->status().state;
    status.flash_bytes_written = disk_.written_bytes();
    status.flash_passes_put_off = flash_.passes_put_off();
    for (const auto queue : {Queue::High, Queue::Low, Queue::Operational}) {
        status.dropped_events += outbox_.counters(queue).dropped_full + outbox_.counters(queue).dropped_large;
    }
    (void)replace_file(posix_file_system(), status_path_, as_bytes(format_status(status, clock_.now())));
}

}  // namespace fieldwatch::agent
