#include "hub/server.hpp"

#include <algorithm>
#include <thread>

#include "base/log.hpp"
#include "hub/amqp/listener.hpp"
#include "hub/core.hpp"
#include "hub/https/api.hpp"
#include "hub/https/call.hpp"
#include "hub/provisioning/provisioning.hpp"
#include "hub/session.hpp"
#include "net/periodic.hpp"
#include "net/stream_server.hpp"
#include "net/web_stream.hpp"

namespace fieldwatch::hub {

Counters::Counters(Metrics& metrics)
    : connects(metrics.counter("fieldwatch_hub_connects_total", "Accepted CONNECTs")),
      connect_failures(
          metrics.counter("fieldwatch_hub_connect_failures_total", "CONNECTs refused for who they were")),
      publishes(metrics.counter("fieldwatch_hub_messages_total", "Device messages appended to the journal")),
      publish_bytes(metrics.counter("fieldwatch_hub_message_bytes_total", "Bytes of their bodies")),
      security_messages(
          metrics.counter("fieldwatch_hub_security_messages_total", "Of them, security messages")),
      acknowledged(metrics.counter("fieldwatch_hub_acknowledged_total", "PUBACKs sent")),
      refused_messages(metrics.counter("fieldwatch_hub_messages_refused_total", "Device messages refused")),
      properties_dropped(metrics.counter("fieldwatch_hub_properties_dropped_total",
                                         "Application properties under names that are the hub's own")),
      stalled(
          metrics.counter("fieldwatch_hub_stalls_total", "Times a session waited for space in the journal")),
      throttled(
          metrics.counter("fieldwatch_hub_throttled_total", "Times a device or a connect was over its rate")),
      slow_consumers(metrics.counter("fieldwatch_hub_slow_consumers_total",
                                     "Connections closed because the peer does not read what it is sent")),
      addresses_refused(metrics.counter("fieldwatch_hub_addresses_refused_total",
                                        "Connections closed at once: their address failed too often")),
      twin_operations(
          metrics.counter("fieldwatch_hub_twin_operations_total", "Twin reads and updates of devices")),
      defender_reports(metrics.counter("fieldwatch_hub_defender_reports_total",
                                       "Reports to Device Defender that were accepted")),
      defender_rejected(
          metrics.counter("fieldwatch_hub_defender_rejected_total", "Reports to Device Defender refused")),
      metric_messages(metrics.counter("fieldwatch_hub_metric_messages_total",
                                      "Telemetry messages that numbers were taken from for detection")),
      metric_messages_dropped(metrics.counter("fieldwatch_hub_metric_messages_dropped_total",
                                              "Of them, those whose numbers the journal had no room for")),
      metric_bodies_unread(
          metrics.counter("fieldwatch_hub_metric_bodies_unread_total",
                          "Telemetry of hubs that chose metrics that is no JSON, or too large")) {}

Core::Core(unsigned its_index, Shared& its_shared)
    : index(its_index),
      shared(its_shared),
      hubs(shared.hubs),
      mailbox(shared.parts.runtime, index, [this](std::vector<Mail>& mails) { deliver(mails); }) {}

void Core::deliver(std::vector<Mail>& mails) {
    // Everything first, then one write a session: a group commit answers many publishes of each.
    Session* last = nullptr;
    std::vector<Session*> touched;
    for (const auto& mail : mails) {
        const auto found = sessions.find(mail.session);
        if (found == sessions.end()) continue;
        found->second->mail(mail.kind);
        if (found->second != last) touched.push_back(last = found->second);
    }
    for (auto* session : touched)
        session->flush();
}

bool Shared::admits_connect(std::string_view host, Speaker speaker) {
    const auto now = parts.clock.monotonic();
    const auto hub = hubs.find(host);
    speaker.identity = {hub ? hub->name : model::HubName{}, {}, {}};  // who it is, nobody knows yet
    speaker.mask_address = hub && hub->mask_addresses;
    if (!connects.with([&](TokenBucket& bucket) { return bucket.take(now); })) {
        counters.throttled.add();
        throttles.over(Throttle::Connects, speaker);
        return false;
    }
    if (!hub || throttles.take(Throttle::Connects, speaker, now)) return true;
    counters.throttled.add();
    return false;
}

void Shared::log_refusal(const Refusal& refusal, Speaker speaker, std::string_view device,
                         std::string_view module) {
    counters.connect_failures.add();
    if (refusal.hub.empty()) {  // nobody's: counted only
        failures.with([&](FailureTable& rows) { return rows.add({.address = speaker.address}); });
        return;
    }
    speaker.mask_address = refusal.mask_addresses;
    FailureTable::Key key{.hub = refusal.hub.value,
                          .address = speaker.address,
                          .result = refusal.result,
                          .reason = std::string(refusal.reason),
                          .protocol = speaker.protocol,
                          .mask_address = refusal.mask_addresses};
    if (refusal.registered) {
        key.device = device;
        key.module = module;
    }
    if (!failures.with([&](FailureTable& rows) { return rows.add(key); })) return;
    speaker.identity = {refusal.hub, model::DeviceId{std::string(device)},
                        model::ModuleId{std::string(module)}};
    Operation operation{.category = "Connections",
                        .name = "deviceConnect",
                        .result = refusal.result,
                        .description = refusal.description};
    if (!refusal.reason.empty())
        operation.properties.emplace_back("authFailureReason", std::string(refusal.reason));
    log.append(operation, speaker);
}

namespace {

constexpr std::chrono::milliseconds kMethodTick{100};  // resolution of a method's timeouts
constexpr std::chrono::seconds kSweep{5};              // of a message's expiry and lock
constexpr std::size_t kPresencesAtOnce = 1'000;
constexpr std::size_t kWebOutputMax = 300u << 20;  // one answer: the largest uploaded file

bool same(std::string_view left, std::string_view right) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                      [&](char a, char b) { return lower(a) == lower(b); });
}

class HubServer final : public Server, public Devices {
  public:
    HubServer(Parts parts, const Options& options)
        : shared_(std::move(parts), options),
          provisioning_({.registry = shared_.parts.registry,
                         .clock = shared_.parts.clock,
                         .random = shared_.parts.random,
                         .metrics = shared_.parts.metrics,
                         .host_of = [this](const registry::Hub& hub) { return host_of(hub); },
                         .log = [this](const Operation& operation,
                                       const Speaker& by) { shared_.log.append(operation, by); },
                         .refused =
                             [this](const Refusal& refusal, const Applicant& applicant) {
                                 shared_.log_refusal(refusal, applicant.by, applicant.registration_id, {});
                             }}) {
        shared_.provisioning = &provisioning_;
        for (unsigned index = 0; index < shared_.parts.runtime.cores(); ++index) {
            cores_.push_back(std::make_unique<Core>(index, shared_));
        }
        shared_.on_endpoint = [this](SessionTable::Where where,
                                     std::move_only_function<void(Endpoint*)> work) {
            on_endpoint(where, std::move(work));
        };
        shared_.commands.on_waiting([this](const model::Identity& identity) { shared_.wake(identity); });
    }
    ~HubServer() override { stop(); }

    Result<void> listen() {
        api_ = std::make_unique<Api>(shared_, *this);
        const net::StreamServer::Options options{.address = shared_.options.address,
                                                 .port = shared_.options.mqtt_port,
                                                 .connections_max = shared_.options.connections_max};
        streams_ = FIELDWATCH_TRY(net::StreamServer::start(
            shared_.parts.runtime, shared_.parts.tls, options, shared_.parts.metrics,
            [this](const std::string& address) { return admits(address); },
            [this](net::Connection& connection) -> std::unique_ptr<net::Handler> {
                return std::make_unique<Session>(connection, *cores_[connection.core()], "Mqtt");
            }));
        if (shared_.options.amqp_port) {
            amqp_ = FIELDWATCH_TRY(
                AmqpListener::start(shared_, cores_, shared_.parts.events, *shared_.options.amqp_port));
        }
        if (shared_.options.https) {
            const auto done = listen_https();
            if (!done && !shared_.options.https_optional) return done;
            if (!done) log::warning("hub", "without HTTPS and WebSockets: " + done.error().message);
        }
        auto& runtime = shared_.parts.runtime;
        minute_ = std::make_unique<net::Periodic>(runtime, 0, std::chrono::seconds(60), [this] {
            flush_failures();
            shared_.throttles.flush();
            shared_.ingress.flush(shared_.log);
            on_worker([this] { keep_presences(); });
        });
        tick_ = std::make_unique<net::Periodic>(runtime, 0, kMethodTick, [this] { shared_.methods.tick(); });
        sweep_ = std::make_unique<net::Periodic>(runtime, 0, kSweep, [this] { sweep(); });
        return {};
    }

    void stop() override {
        if (stopped_) return;
        stopped_ = true;
        minute_.reset();
        tick_.reset();
        sweep_.reset();
        shared_.methods.stop();
        if (api_) api_->stop();
        for (auto* const streams : {streams_.get(), web_.get()}) {
            if (streams != nullptr) streams->stop();
        }
        if (amqp_) amqp_->stop();
        flush_failures();
        shared_.throttles.flush();
        shared_.ingress.flush(shared_.log);
        keep_presences();
        // What was appended is answered by the journal, which is still open; worker calls are short.
        for (const auto& core : cores_) {
            while (core->outstanding != 0)
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
            core->mailbox.close();
        }
        if (amqp_) amqp_->close();
    }

    std::uint16_t mqtt_port() const override { return streams_->port(); }
    std::uint16_t amqp_port() const override { return amqp_ ? amqp_->port() : std::uint16_t{0}; }
    std::uint16_t https_port() const override { return web_ ? web_->port() : std::uint16_t{0}; }
    Devices& devices() override { return *this; }
    Provisioning& provisioning() override { return provisioning_; }
    Commands& commands() override { return shared_.commands; }
    Methods& methods() override { return shared_.methods; }

    bool connected(const model::Identity& identity) const override {
        return shared_.table.find(identity).has_value();
    }
    std::size_t connected_count() const override { return shared_.table.size(); }

    void disconnect(const model::Identity& identity) override {
        auto affected = identity.module.empty()
                            ? shared_.table.of_device(identity)
                            : std::vector<std::pair<model::Identity, SessionTable::Where>>{};
        if (const auto where = shared_.table.find(identity); where && !identity.module.empty()) {
            affected.emplace_back(identity, *where);
        }
        for (const auto& [one, where] : affected) {
            const int code = standing(shared_.parts.registry, one);
            const std::string_view why = code == 0        ? "the identity's credentials changed"
                                         : code == 500001 ? "the registry cannot be read"
                                         : code == 403012 ? "the identity was disabled"
                                                          : "the identity was deleted";
            shared_.close(where, code == 0 ? 401003 : code, why);
        }
    }

    void desired_changed(const model::Identity& identity, const registry::TwinChange& change) override {
        const auto where = shared_.table.find(identity);
        if (!where) return;
        on_endpoint(*where, [change](Endpoint* endpoint) {
            if (endpoint != nullptr) endpoint->desired_changed(change);
        });
    }

    void operated(const ServiceOperation& done) override {
        Operation operation{.category = done.category, .name = done.name};
        if (done.error != nullptr) {
            operation.result = error_code(*done.error, !done.identity.module.empty());
            operation.description = done.error->message;
        }
        operation.properties.emplace_back("caller", std::string(done.caller));
        operation.counts.emplace_back("messageSize", static_cast<std::int64_t>(done.message_bytes));
        Speaker speaker{.identity = done.identity, .protocol = "Https", .address = std::string(done.address)};
        const auto hub = shared_.parts.registry.hub(done.identity.hub);
        if (!hub) return;  // nobody's log
        speaker.mask_address = hub->mask_addresses;
        shared_.log.append(operation, speaker);
    }

  private:
    bool admits(const std::string& address) const {
        const bool refuses =
            shared_.failures.with([&](const FailureTable& table) { return table.refuses(address); });
        if (refuses) shared_.counters.addresses_refused.add();
        return !refuses;
    }

    /// HTTPS and WebSockets on one port; the path and the sub-protocol decide (trap 14).
    Result<void> listen_https() {
        handlers_.request = [this](net::HttpRequest request, const net::Connection& connection,
                                   net::WebHandlers::Respond respond) {
            api_->handle(std::move(request), connection, std::move(respond));
        };
        handlers_.body_bytes_max = [this](const net::HttpRequest& head) {
            return api_->body_bytes_max(head);
        };
        handlers_.websocket = [this](std::string_view path, std::string_view name,
                                     net::Connection& connection) -> std::unique_ptr<net::Handler> {
            const bool iot = same(path, "/$iothub/websocket");
            if (amqp_ && same(name, "AMQPWSB10") && (iot || same(path, "/$servicebus/websocket")))
                return amqp_->web_socket(connection);
            if (!iot || !same(name, "mqtt")) return nullptr;
            return std::make_unique<Session>(connection, *cores_[connection.core()], "MqttWs");
        };
        const net::StreamServer::Options options{.address = shared_.options.address,
                                                 .port = shared_.options.https_port,
                                                 .connections_max = shared_.options.connections_max,
                                                 .output_bytes_max = kWebOutputMax};
        web_ = FIELDWATCH_TRY(net::StreamServer::start(
            shared_.parts.runtime, shared_.parts.tls, options, shared_.parts.metrics,
            [this](const std::string& address) { return admits(address); },
            [this](net::Connection& connection) -> std::unique_ptr<net::Handler> {
                if (connection.application_protocol() == kMqttProtocol) {
                    connection.bound_output(net::StreamServer::kOutputBytesMax);
                    return std::make_unique<Session>(connection, *cores_[connection.core()], "Mqtt");
                }
                return net::make_web_stream(shared_.parts.runtime, connection, handlers_);
            }));
        return {};
    }

    void on_endpoint(SessionTable::Where where, std::move_only_function<void(Endpoint*)> work) {
        auto* const core = cores_[where.core].get();
        core->outstanding.fetch_add(1);
        shared_.parts.runtime.post(where.core, [core, id = where.session, work = std::move(work)]() mutable {
            const auto found = core->endpoints.find(id);
            work(found == core->endpoints.end() ? nullptr : found->second);
            core->outstanding.fetch_sub(1);
        });
    }

    /// What a provisioned device connects to: the hub's first name, or the server's. The port is MQTT's when
    /// it is another than the protocol's own.
    std::string host_of(const registry::Hub& hub) const {
        auto host = hub.host_names.substr(0, hub.host_names.find(','));
        if (host.empty()) host = shared_.options.host_name;
        const auto port = mqtt_port();
        return port == 8883 ? host : host + ":" + std::to_string(port);
    }

    /// One at a time, on a worker: it reads the registry.
    void sweep() {
        if (sweeping_.exchange(true)) return;
        on_worker([this] {
            shared_.commands.sweep();
            api_->sweep();
            sweeping_ = false;
        });
    }

    void on_worker(std::move_only_function<void()> work) {
        auto& core = *cores_.front();
        core.outstanding.fetch_add(1);
        shared_.parts.runtime.post_worker([&core, work = std::move(work)]() mutable {
            work();
            core.outstanding.fetch_sub(1);
        });
    }

    /// Each identity once, however often it is heard of meanwhile; in parts, so that no other change of the
    /// registry waits for long.
    void keep_presences() {
        const auto all = shared_.table.unkept();
        for (std::size_t from = 0; from < all.size(); from += kPresencesAtOnce) {
            const auto some = std::span(all).subspan(from, std::min(kPresencesAtOnce, all.size() - from));
            if (const auto done = shared_.parts.registry.keep_presences(some); !done)
                return log::error("hub", "keeping when devices were last heard of: " + done.error().message);
            shared_.table.kept(some);
        }
    }

    void flush_failures() {
        const auto rows = shared_.failures.with([](FailureTable& table) { return table.flush(); });
        for (const auto& row : rows) {
            if (row.key.hub.empty()) continue;
            Speaker speaker;
            speaker.identity = {model::HubName{row.key.hub}, model::DeviceId{row.key.device},
                                model::ModuleId{row.key.module}};
            speaker.address = row.key.address;
            speaker.mask_address = row.key.mask_address;
            speaker.protocol = row.key.protocol;
            Operation operation{.category = "Connections",
                                .name = "deviceConnect",
                                .result = row.key.result == 0 ? 401003 : row.key.result,
                                .description = "Failed connects of one minute, counted."};
            if (!row.key.reason.empty())
                operation.properties.emplace_back("authFailureReason", row.key.reason);
            operation.counts.emplace_back("messageCount", static_cast<std::int64_t>(row.count));
            shared_.log.append(operation, speaker);
        }
    }

    Shared shared_;
    Provisioning provisioning_;
    std::vector<std::unique_ptr<Core>> cores_;
    std::unique_ptr<net::Periodic> minute_, tick_, sweep_;
    std::atomic<bool> sweeping_ = false;
    net::WebHandlers handlers_;
    std::unique_ptr<Api> api_;
    std::unique_ptr<net::StreamServer> streams_, web_;
    std::unique_ptr<AmqpListener> amqp_;
    bool stopped_ = false;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(Parts parts, const Options& options) {
    FIELDWATCH_TRY(parts.registry.end_presences());
    auto server = std::make_unique<HubServer>(std::move(parts), options);
    FIELDWATCH_TRY(server->listen());
    log::info("hub", "MQTT over TLS on port " + std::to_string(server->mqtt_port()));
    if (server->amqp_port() != 0)
        log::info("hub", "AMQP over TLS on port " + std::to_string(server->amqp_port()));
    if (server->https_port() != 0)
        log::info("hub", "HTTPS and WebSockets on port " + std::to_string(server->https_port()));
    return std::unique_ptr<Server>(std::move(server));
}

}  // namespace fieldwatch::hub
