#include "hub/server.hpp"

#include <thread>

#include "base/log.hpp"
#include "hub/core.hpp"
#include "hub/session.hpp"
#include "net/periodic.hpp"
#include "net/stream_server.hpp"

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
      twin_operations(
          metrics.counter("fieldwatch_hub_twin_operations_total", "Twin reads and updates of devices")) {}

Core::Core(unsigned its_index, Shared& its_shared)
    : index(its_index),
      shared(its_shared),
      hubs(shared.parts.registry),
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

namespace {

class MqttServer final : public Server, public Devices {
  public:
    MqttServer(Parts parts, const Options& options) : shared_(std::move(parts), options) {
        for (unsigned index = 0; index < shared_.parts.runtime.cores(); ++index) {
            cores_.push_back(std::make_unique<Core>(index, shared_));
        }
        shared_.close_elsewhere = [this](unsigned core, std::uint64_t session, int result,
                                         std::string_view why) { close(core, session, result, why); };
    }
    ~MqttServer() override { stop(); }

    Result<void> listen() {
        const net::StreamServer::Options options{.address = shared_.options.address,
                                                 .port = shared_.options.mqtt_port,
                                                 .connections_max = shared_.options.connections_max};
        streams_ = FIELDWATCH_TRY(net::StreamServer::start(
            shared_.parts.runtime, shared_.parts.tls, options, shared_.parts.metrics,
            [this](const std::string& address) {
                return !shared_.failures.with(
                    [&](const FailureTable& table) { return table.refuses(address); });
            },
            [this](net::Connection& connection) -> std::unique_ptr<net::Handler> {
                return std::make_unique<Session>(connection, *cores_[connection.core()]);
            }));
        failure_flush_ = std::make_unique<net::Periodic>(shared_.parts.runtime, 0, std::chrono::seconds(60),
                                                         [this] { flush_failures(); });
        return {};
    }

    void stop() override {
        if (stopped_) return;
        stopped_ = true;
        failure_flush_.reset();
        if (streams_) streams_->stop();
        flush_failures();
        // What was appended is answered by the journal, which is still open; worker calls are short.
        for (const auto& core : cores_) {
            while (core->outstanding != 0)
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
            core->mailbox.close();
        }
    }

    std::uint16_t mqtt_port() const override { return streams_->port(); }
    Devices& devices() override { return *this; }

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
                                         : code == 403012 ? "the identity was disabled"
                                                          : "the identity was deleted";
            close(where.core, where.session, code == 0 ? 401003 : code, why);
        }
    }

    void desired_changed(const model::Identity& identity, const registry::TwinChange& change) override {
        const auto where = shared_.table.find(identity);
        if (!where) return;
        on_session(where->core, where->session,
                   [change](Session& session) { session.desired_changed(change); });
    }

  private:
    template <class Function>
    void on_session(unsigned index, std::uint64_t id, Function function) {
        auto* const core = cores_[index].get();
        core->outstanding.fetch_add(1);
        shared_.parts.runtime.post(index, [core, id, function = std::move(function)] {
            const auto found = core->sessions.find(id);
            if (found != core->sessions.end()) function(*found->second);
            core->outstanding.fetch_sub(1);
        });
    }

    void close(unsigned core, std::uint64_t session, int result, std::string_view why) {
        on_session(core, session, [result, text = std::string(why)](Session& one) { one.end(result, text); });
    }

    void flush_failures() {
        const auto rows = shared_.failures.with([](FailureTable& table) { return table.flush(); });
        for (const auto& row : rows) {
            Speaker speaker;
            speaker.identity = {model::HubName{row.key.hub}, model::DeviceId{row.key.device},
                                model::ModuleId{row.key.module}};
            speaker.address = row.key.address;
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
    std::vector<std::unique_ptr<Core>> cores_;
    std::unique_ptr<net::Periodic> failure_flush_;
    std::unique_ptr<net::StreamServer> streams_;
    bool stopped_ = false;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(Parts parts, const Options& options) {
    auto server = std::make_unique<MqttServer>(std::move(parts), options);
    FIELDWATCH_TRY(server->listen());
    log::info("hub", "MQTT over TLS on port " + std::to_string(server->mqtt_port()));
    return std::unique_ptr<Server>(std::move(server));
}

}  // namespace fieldwatch::hub
