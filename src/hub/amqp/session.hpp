// One AMQP connection: its engine, who it has shown to be, and its links. Source: spec/iot-hub-protocols.md
// section 5.
#pragma once

#include <chrono>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hub/amqp/access.hpp"
#include "hub/amqp/core.hpp"
#include "hub/amqp/link.hpp"
#include "hub/provisioning/provisioning.hpp"
#include "hub/rate.hpp"
#include "net/stream_server.hpp"
#include "protocol/amqp/address.hpp"
#include "protocol/amqp/engine.hpp"

namespace fieldwatch::hub {

class DeviceEndpoint;
class NoticeLink;
class PartitionLink;

/// Lives from TLS handshake to close, on one core's strand. A connection may speak for several identities,
/// each by a token of its own.
class AmqpSession final : public net::Handler, public amqp::Peer {
  public:
    /// `protocol` as the log names it: Amqp or AmqpWs.
    AmqpSession(net::Connection& connection, AmqpCore& core, std::string_view protocol);
    ~AmqpSession() override;

    std::size_t received(ByteView input) override;
    void deadline() override;
    void closed(net::CloseReason reason) override;

    bool authenticate(const amqp::SaslAttempt& attempt) override;
    void opened(std::string_view hostname, std::string_view container) override;
    void attached(amqp::Attach attach) override;
    void message(amqp::LinkId link, amqp::DeliveryId delivery, ByteView bytes, bool settled) override;
    void credit(amqp::LinkId link) override;
    void outcome(amqp::LinkId link, amqp::DeliveryId delivery, amqp::Outcome outcome) override;
    void detached(amqp::LinkId link) override;
    void closed() override;

    // For its links and endpoints:
    amqp::Engine& engine() { return engine_; }
    AmqpCore& core() { return core_; }
    Shared& hub() { return core_.core.shared; }
    std::uint64_t id() const { return id_; }
    const std::string& hostname() const { return hostname_; }
    const Speaker& speaker() const { return speaker_; }
    AuthenticationLimits authentication_limits() const;
    /// What a token shows, remembered. 0, or the six-digit code it is refused with.
    int take_token(std::string_view text);
    const std::optional<ServiceCaller>& service() const { return service_; }
    const std::optional<EventAccess>& events() const { return events_; }
    /// Reads no more until resume_reading(): a device over its rate, or a full journal.
    void pause_reading(std::chrono::nanoseconds at_most);
    void send_now() { pump(); }  ///< after something was put into the engine outside of received()
    void drop_link(amqp::LinkId link, const amqp::Condition& condition);
    /// Sends on a link as soon as the client has credit for it.
    void push(amqp::LinkId link, Bytes message);
    /// An answer to a request that came over a link of that node.
    struct ReplyTo {
        amqp::Node node;
        amqp::LinkId request;
        std::string_view address;  ///< the request's reply-to, "" = it has none
    };
    /// Likewise on the client's receiver from the node whose own address or name is the reply-to. Where none
    /// is: of those in the request's AMQP session, or else of all, the first for the first link that the
    /// client sends over, the second for the second, and the last for those beyond. None: there is no answer.
    void answer(const ReplyTo& to, Bytes message);
    /// Null when that link is gone, or another kind of link.
    NoticeLink* notice_link(amqp::LinkId link) const;
    PartitionLink* partition_link(amqp::LinkId link) const;
    void end_endpoint(DeviceEndpoint& endpoint, const amqp::Condition& condition);
    void mail(const AmqpMail& mail);
    void poke();

    /// `work(Shared&)` on a worker, then `done(AmqpSession&, its result)` here, if the session is still
    /// there; otherwise `lost(Shared&, its result)` on that worker's answer.
    template <class Work, class Done, class Lost>
    void ask(Work work, Done done, Lost lost);
    template <class Work, class Done>
    void ask(Work work, Done done) {
        ask(std::move(work), std::move(done), [](Shared&, auto&&) {});
    }

  private:
    struct OpenLink {
        amqp::Node node = amqp::Node::Cbs;
        bool client_sends = false;
        std::uint64_t client_session = 0;  ///< Attach::session
        std::string name, other_address;
        DeviceEndpoint* owner = nullptr;  ///< of a device's link
        AmqpOutbox outbox;
        std::unique_ptr<AmqpLink> link;
    };

    void pump();
    void arm();
    void finish();
    void attach_device(const amqp::Attach& attach, const amqp::Address& address);
    bool admit_applicant(Applicant applicant);
    void attach_registration(const amqp::Attach& attach, const amqp::Address& address);
    void attach_service(const amqp::Attach& attach, const amqp::Address& address);
    void attach_events(const amqp::Attach& attach, const amqp::Address& address);
    void keep(const amqp::Attach& attach, amqp::Node node, std::unique_ptr<AmqpLink> link, int credit);
    /// Errors: 401003, 429001.
    std::expected<DeviceEndpoint*, int> admit(const amqp::Address& address);
    DeviceEndpoint* enter(Admission admission);
    void refuse(const amqp::Attach& attach, int result, std::string_view description);
    amqp::LinkId answering(const ReplyTo& to) const;
    std::optional<model::Identity> in_already(std::string_view token_text) const;
    bool admits_token(std::string_view text);
    void check_tokens();
    std::optional<Timestamp> first_token_end() const;
    std::chrono::nanoseconds now() const { return core_.core.shared.parts.clock.monotonic(); }

    net::Connection& connection_;
    AmqpCore& core_;
    const std::uint64_t id_;
    amqp::Engine engine_;
    Speaker speaker_;  ///< without identity
    std::string hostname_;
    std::vector<std::string> tokens_;  ///< of devices' policies; the last few
    std::optional<ServiceCaller> service_;
    std::optional<EventAccess> events_;
    std::optional<Applicant> applicant_;  ///< to be provisioned
    std::map<model::Identity, std::unique_ptr<DeviceEndpoint>> endpoints_;
    std::map<amqp::LinkId, OpenLink> links_;
    std::chrono::nanoseconds authenticate_until_{0}, paused_until_{0};
    std::optional<std::chrono::nanoseconds> close_at_;  ///< its only identity was ended
    std::size_t refused_tokens_ = 0;
    TokenBucket renewals_;
    bool inside_ = false;     ///< a call of the engine is under way: the pump comes after it
    bool arm_again_ = false;  ///< after what is read now
    bool paused_ = false, closing_ = false, clean_ = false;
};

template <class Work, class Done, class Lost>
void AmqpSession::ask(Work work, Done done, Lost lost) {
    auto& core = core_;
    core.core.outstanding.fetch_add(1);
    hub().parts.runtime.post_worker([&core, session = id_, work = std::move(work), done = std::move(done),
                                     lost = std::move(lost)]() mutable {
        auto& shared = core.core.shared;
        auto result = work(shared);
        shared.parts.runtime.post(core.core.index,
                                  [&core, session, result = std::move(result), done = std::move(done),
                                   lost = std::move(lost)]() mutable {
                                      const auto found = core.sessions.find(session);
                                      if (found != core.sessions.end()) {
                                          done(*found->second, std::move(result));
                                          found->second->send_now();
                                      } else {
                                          lost(core.core.shared, std::move(result));
                                      }
                                      core.core.outstanding.fetch_sub(1);
                                  });
    });
}

}  // namespace fieldwatch::hub
