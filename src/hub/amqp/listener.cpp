#include "hub/amqp/listener.hpp"

#include "hub/amqp/core.hpp"
#include "hub/amqp/session.hpp"
#include "net/periodic.hpp"

namespace fieldwatch::hub {

namespace {

constexpr std::chrono::milliseconds kPoke{50};  // how late a reader hears of a record at the most

class Listener final : public AmqpListener {
  public:
    Listener(Shared& shared, const std::vector<std::unique_ptr<Core>>& cores, journal::Reader* reader)
        : shared_{.hub = shared, .reader = reader} {
        shared_.on_session = [this](unsigned core, std::uint64_t session,
                                    std::move_only_function<void(AmqpSession&)> work) {
            on_session(core, session, std::move(work));
        };
        for (const auto& core : cores)
            cores_.push_back(std::make_unique<AmqpCore>(*core, shared_));
        shared.commands.on_notice([this](const model::HubName&, registry::NoticeKind) { poke_all(); });
    }
    ~Listener() override { stop(); }

    Result<void> listen(std::uint16_t port) {
        auto& hub = shared_.hub;
        streams_ = FIELDWATCH_TRY(net::StreamServer::start(
            hub.parts.runtime, hub.parts.tls,
            {.address = hub.options.address, .port = port, .connections_max = hub.options.connections_max},
            hub.parts.metrics,
            [&hub](const std::string& address) {
                return !hub.failures.with([&](const FailureTable& table) { return table.refuses(address); });
            },
            [this](net::Connection& connection) -> std::unique_ptr<net::Handler> {
                return std::make_unique<AmqpSession>(connection, *cores_[connection.core()], "Amqp");
            }));
        for (const auto& core : cores_) {
            pokes_.push_back(std::make_unique<net::Periodic>(hub.parts.runtime, core->core.index, kPoke,
                                                             [&core = *core] { core.poke(); }));
        }
        return {};
    }

    void stop() override {
        pokes_.clear();
        if (streams_) streams_->stop();
    }
    void close() override {
        for (const auto& core : cores_)
            core->mailbox.close();
    }
    std::uint16_t port() const override { return streams_->port(); }
    std::unique_ptr<net::Handler> web_socket(net::Connection& connection) override {
        return std::make_unique<AmqpSession>(connection, *cores_[connection.core()], "AmqpWs");
    }

  private:
    void on_session(unsigned index, std::uint64_t id, std::move_only_function<void(AmqpSession&)> work) {
        auto* const core = cores_[index].get();
        core->core.outstanding.fetch_add(1);
        shared_.hub.parts.runtime.post(index, [core, id, work = std::move(work)]() mutable {
            const auto found = core->sessions.find(id);
            if (found != core->sessions.end()) work(*found->second);
            core->core.outstanding.fetch_sub(1);
        });
    }

    void poke_all() {
        for (const auto& core : cores_) {
            core->core.outstanding.fetch_add(1);
            shared_.hub.parts.runtime.post(core->core.index, [core = core.get()] {
                core->poke();
                core->core.outstanding.fetch_sub(1);
            });
        }
    }

    AmqpShared shared_;
    std::vector<std::unique_ptr<AmqpCore>> cores_;
    std::vector<std::unique_ptr<net::Periodic>> pokes_;
    std::unique_ptr<net::StreamServer> streams_;
};

}  // namespace

Result<std::unique_ptr<AmqpListener>> AmqpListener::start(Shared& shared,
                                                          const std::vector<std::unique_ptr<Core>>& cores,
                                                          journal::Reader* reader, std::uint16_t port) {
    auto listener = std::make_unique<Listener>(shared, cores, reader);
    FIELDWATCH_TRY(listener->listen(port));
    return std::unique_ptr<AmqpListener>(std::move(listener));
}

}  // namespace fieldwatch::hub
