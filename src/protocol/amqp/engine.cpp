#include "protocol/amqp/engine.hpp"

#include <proton/condition.h>
#include <proton/connection.h>
#include <proton/connection_driver.h>
#include <proton/delivery.h>
#include <proton/link.h>
#include <proton/logger.h>
#include <proton/sasl.h>
#include <proton/session.h>
#include <proton/terminus.h>
#include <proton/transport.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <vector>

#include "base/assert.hpp"
#include "protocol/amqp/ended_sessions.hpp"
#include "protocol/amqp/proton_data.hpp"
#include "protocol/amqp/sasl.hpp"

namespace fieldwatch::amqp {

namespace {

// Numbers of ours ride in proton's context pointers.
void* as_context(std::uint64_t id) {
    return reinterpret_cast<void*>(id);  // NOLINT: an integer in a void*, never followed
}
std::uint64_t as_id(void* context) {
    return reinterpret_cast<std::uint64_t>(context);
}

}  // namespace

class Engine::Impl {
  public:
    Impl(Peer& peer, const EngineOptions& options) : peer_(peer), options_(options) {
        FIELDWATCH_ASSERT(pn_connection_driver_init(&driver_, nullptr, nullptr) == 0);
        const bool client = !options.connect_to.empty();
        if (!client) pn_transport_set_server(driver_.transport);
        pn_logger_set_mask(pn_transport_logger(driver_.transport), PN_SUBSYSTEM_ALL, PN_LEVEL_NONE);
        if (!client) offer_sasl(driver_.transport, peer);
        pn_transport_set_max_frame(driver_.transport, options.frame_bytes_max);
        pn_transport_set_channel_max(driver_.transport, options.channel_max);
        // Proton advertises half of the timeout that it enforces.
        pn_transport_set_idle_timeout(driver_.transport,
                                      static_cast<pn_millis_t>(2 * options.idle_timeout.count()));
        pn_connection_set_container(driver_.connection, options.container.c_str());
        if (client) connect();
        handle_events();
    }
    ~Impl() { pn_connection_driver_destroy(&driver_); }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    bool received(ByteView input) {
        while (!input.empty()) {
            const auto step = ended_sessions_.next(input);
            input = input.subspan(step.used);
            if (!hear(step.heard)) return false;
        }
        return !pn_connection_driver_read_closed(&driver_) && !over_;
    }

    void take_output(Bytes& out) {
        while (true) {
            const auto ready = pn_connection_driver_write_buffer(&driver_);
            if (ready.size == 0) break;
            const auto* const bytes = reinterpret_cast<const std::byte*>(ready.start);
            out.insert(out.end(), bytes, bytes + ready.size);
            pn_connection_driver_write_done(&driver_, ready.size);
            handle_events();  // what was written makes room for more
        }
    }

    std::chrono::milliseconds tick(std::chrono::milliseconds now) {
        const auto next = pn_transport_tick(driver_.transport, now.count());
        handle_events();
        auto wait = next == 0 ? std::chrono::milliseconds(0) : std::chrono::milliseconds(next) - now;
        // Proton counts half of the peer's time from the tick that first sees what was sent last: looked at
        // only then, a frame might come after the whole of it.
        const std::chrono::milliseconds look_again(pn_transport_get_remote_idle_timeout(driver_.transport) /
                                                   4);
        if (look_again.count() > 0 && (next == 0 || look_again < wait)) wait = look_again;
        return wait;
    }

    bool finished() const {
        return over_ || pn_connection_driver_read_closed(const_cast<pn_connection_driver_t*>(&driver_));
    }

    std::string error() const {
        auto* condition = pn_transport_condition(driver_.transport);
        if (!pn_condition_is_set(condition)) condition = pn_connection_remote_condition(driver_.connection);
        if (!pn_condition_is_set(condition)) return {};
        const auto said = condition_of(condition);
        return said.name + ": " + said.description;
    }

    LinkId open_link(pn_link_t* link, const std::string& source, const std::string& target) {
        const LinkId id = ++last_id_;
        pn_link_set_context(link, as_context(id));
        links_.emplace(id, link);
        pn_terminus_set_address(pn_link_source(link), source.c_str());
        pn_terminus_set_address(pn_link_target(link), target.c_str());
        pn_link_set_snd_settle_mode(link, PN_SND_UNSETTLED);
        pn_link_set_rcv_settle_mode(link, PN_RCV_FIRST);
        return id;
    }

    LinkId open_sender(const std::string& name, const std::string& address) {
        auto* const link = pn_sender(session_, name.c_str());
        const auto id = open_link(link, name, address);
        return pn_link_open(link), id;
    }

    LinkId open_receiver(const std::string& name, const std::string& address, const Value& filter,
                         int credit) {
        auto* const link = pn_receiver(session_, name.c_str());
        const auto id = open_link(link, address, name);
        if (!filter.empty()) {
            Bytes bytes;
            encode(bytes, filter);
            auto* const data = pn_terminus_filter(pn_link_source(link));
            FIELDWATCH_ASSERT(pn_data_decode(data, reinterpret_cast<const char*>(bytes.data()),
                                             bytes.size()) == static_cast<ssize_t>(bytes.size()));
        }
        pn_link_open(link);
        pn_link_flow(link, windows_[id] = credit);
        return id;
    }

    void accept(LinkId id, int credit) {
        auto* const link = find(id);
        if (link == nullptr) return;
        pn_terminus_copy(pn_link_source(link), pn_link_remote_source(link));
        pn_terminus_copy(pn_link_target(link), pn_link_remote_target(link));
        pn_link_set_snd_settle_mode(link, pn_link_remote_snd_settle_mode(link));
        pn_link_set_rcv_settle_mode(link, PN_RCV_FIRST);
        pn_link_set_max_message_size(link, options_.message_bytes_max);  // trap 20
        pn_link_open(link);
        if (pn_link_is_receiver(link)) {
            windows_[id] = credit;
            pn_link_flow(link, credit);
        }
    }

    void refuse(LinkId id, const Condition& condition) {
        auto* const link = find(id);
        if (link == nullptr) return;
        // With neither source nor target: that is what refuses.
        pn_terminus_set_type(pn_link_source(link), PN_UNSPECIFIED);
        pn_terminus_set_type(pn_link_target(link), PN_UNSPECIFIED);
        pn_link_open(link);
        end_link(link, id, condition);
    }

    void detach(LinkId id, const Condition& condition) {
        if (auto* const link = find(id)) end_link(link, id, condition);
    }

    void close(const Condition& condition) {
        set_condition(pn_connection_condition(driver_.connection), condition);
        pn_connection_close(driver_.connection);
        over_ = true;
    }

    void settle(DeliveryId id, Outcome outcome, const Condition& condition) {
        const auto found = deliveries_.find(id);
        if (found == deliveries_.end()) return;
        auto* const delivery = found->second;
        auto* const link = pn_delivery_link(delivery);
        set_condition(pn_disposition_condition(pn_delivery_local(delivery)), condition);
        pn_delivery_update(delivery, disposition_of(outcome));
        pn_delivery_settle(delivery);
        deliveries_.erase(found);
        top_up(link);
    }

    int credit_of(LinkId id) const {
        const auto found = links_.find(id);
        return found == links_.end() ? 0 : pn_link_credit(found->second);
    }

    DeliveryId send(LinkId id, ByteView message, bool settled) {
        auto* const link = find(id);
        if (link == nullptr || pn_link_credit(link) <= 0) return 0;
        const DeliveryId number = ++last_id_;
        auto* const delivery =
            pn_delivery(link, pn_dtag(reinterpret_cast<const char*>(&number), sizeof(number)));
        pn_link_send(link, reinterpret_cast<const char*>(message.data()), message.size());
        pn_link_advance(link);
        if (settled || pn_link_remote_snd_settle_mode(link) == PN_SND_SETTLED) {
            pn_delivery_settle(delivery);
            return number;
        }
        pn_delivery_set_context(delivery, as_context(number));
        deliveries_.emplace(number, delivery);
        return number;
    }

  private:
    void connect() {
        pn_sasl_allowed_mechs(pn_sasl(driver_.transport), "ANONYMOUS");
        pn_connection_set_hostname(driver_.connection, options_.connect_to.c_str());
        pn_connection_open(driver_.connection);
        session_ = pn_session(driver_.connection);
        pn_session_open(session_);
    }

    pn_link_t* find(LinkId id) const {
        const auto found = links_.find(id);
        return found == links_.end() ? nullptr : found->second;
    }

    bool hear(ByteView input) {
        while (!input.empty()) {
            const auto room = pn_connection_driver_read_buffer(&driver_);
            if (room.size == 0) return false;
            const auto count = std::min(room.size, input.size());
            std::memcpy(room.start, input.data(), count);
            pn_connection_driver_read_done(&driver_, count);
            input = input.subspan(count);
            handle_events();
        }
        return true;
    }

    void handle_events() {
        if (handling_) return;  // inside a call of the peer's; the loop that made it goes on behind it
        handling_ = true;
        while (auto* const event = pn_connection_driver_next_event(&driver_))
            handle(event);
        handling_ = false;
    }

    void handle(pn_event_t* event) {
        switch (pn_event_type(event)) {
            case PN_CONNECTION_REMOTE_OPEN:
                peer_.opened(text_of(pn_connection_remote_hostname(driver_.connection)),
                             text_of(pn_connection_remote_container(driver_.connection)));
                pn_connection_open(driver_.connection);
                break;
            case PN_SESSION_REMOTE_OPEN:
                pn_session_open(pn_event_session(event));
                break;
            case PN_LINK_REMOTE_OPEN:
                on_attach(pn_event_link(event));
                break;
            case PN_DELIVERY:
                on_delivery(pn_event_delivery(event));
                break;
            case PN_LINK_FLOW:
                on_flow(pn_event_link(event));
                break;
            case PN_LINK_REMOTE_CLOSE:
            case PN_LINK_REMOTE_DETACH:
                on_detach(pn_event_link(event), pn_event_type(event) == PN_LINK_REMOTE_CLOSE);
                break;
            case PN_SESSION_REMOTE_CLOSE:
                on_session_end(pn_event_session(event));
                break;
            case PN_CONNECTION_REMOTE_CLOSE:
                on_close();
                break;
            case PN_TRANSPORT_ERROR:
            case PN_TRANSPORT_CLOSED:
                over_ = true;
                break;
            default:
                break;
        }
    }

    void on_attach(pn_link_t* link) {
        if (const auto own = as_id(pn_link_get_context(link)); own != 0) {
            // Without a terminus it is a refusal: why comes with the detach behind it.
            auto* const end =
                pn_link_is_receiver(link) ? pn_link_remote_source(link) : pn_link_remote_target(link);
            if (links_.contains(own) && pn_terminus_get_type(end) != PN_UNSPECIFIED) peer_.answered(own);
            return;
        }
        const LinkId id = ++last_id_;
        pn_link_set_context(link, as_context(id));
        if (links_.size() >= options_.links_max) {
            pn_link_open(link);
            set_condition(pn_link_condition(link),
                          {"amqp:resource-limit-exceeded", "too many links on one connection"});
            pn_link_close(link);
            return pn_link_free(link);
        }
        links_.emplace(id, link);
        const bool client_sends = pn_link_is_receiver(link);
        auto* const source = pn_link_remote_source(link);
        auto* const target = pn_link_remote_target(link);
        auto* const ours = client_sends ? target : source;
        peer_.attached({.link = id,
                        .session = reinterpret_cast<std::uintptr_t>(pn_link_session(link)),
                        .client_sends = client_sends,
                        .name = text_of(pn_link_name(link)),
                        .address = text_of(pn_terminus_get_address(ours)),
                        .other_address = text_of(pn_terminus_get_address(client_sends ? source : target)),
                        .properties = value_of(pn_link_remote_properties(link)),
                        .filter = value_of(pn_terminus_filter(source)),
                        .wants_metrics = has_symbol(value_of(pn_terminus_capabilities(source)),
                                                    "com.microsoft:enable-receiver-runtime-metric")});
    }

    void on_delivery(pn_delivery_t* delivery) {
        auto* const link = pn_delivery_link(delivery);
        const auto id = as_id(pn_link_get_context(link));
        if (!links_.contains(id)) return;
        if (pn_link_is_receiver(link))
            on_transfer(link, id, delivery);
        else if (pn_delivery_updated(delivery))
            on_outcome(id, delivery);
    }

    void on_transfer(pn_link_t* link, LinkId id, pn_delivery_t* delivery) {
        if (pn_delivery_aborted(delivery)) {
            pn_delivery_settle(delivery);
            return top_up(link);
        }
        if (pn_delivery_pending(delivery) > options_.message_bytes_max) {
            peer_.detached(id);
            return end_link(link, id,
                            {"amqp:link:message-size-exceeded", "a transfer above the link's message size"});
        }
        // Proton holds what is not whole yet; a peer has one such delivery a link, within the bound above.
        if (pn_delivery_partial(delivery) || !pn_delivery_readable(delivery)) return;
        transfer_.resize(pn_delivery_pending(delivery));
        const auto count = pn_link_recv(link, reinterpret_cast<char*>(transfer_.data()), transfer_.size());
        transfer_.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
        pn_link_advance(link);
        const bool settled = pn_delivery_settled(delivery);
        const DeliveryId number = ++last_id_;
        if (settled) {
            pn_delivery_settle(delivery);
        } else {
            pn_delivery_set_context(delivery, as_context(number));
            deliveries_.emplace(number, delivery);
        }
        peer_.message(id, number, transfer_, settled);
        if (transfer_.capacity() > (64u << 10)) Bytes().swap(transfer_);
        if (settled && links_.contains(id)) top_up(link);
    }

    void on_outcome(LinkId id, pn_delivery_t* delivery) {
        const auto number = as_id(pn_delivery_get_context(delivery));
        const auto state = pn_delivery_remote_state(delivery);
        if (number == 0 || (state == 0 && !pn_delivery_settled(delivery))) return;
        auto outcome = Outcome::Released;  // settled without an outcome: nobody took it
        if (state == PN_ACCEPTED) outcome = Outcome::Accepted;
        if (state == PN_REJECTED) outcome = Outcome::Rejected;
        if (state == PN_MODIFIED) {
            outcome = pn_disposition_is_failed(pn_delivery_remote(delivery)) ? Outcome::Modified
                                                                             : Outcome::Released;
        }
        deliveries_.erase(number);
        pn_delivery_settle(delivery);
        peer_.outcome(id, number, outcome);
    }

    void on_flow(pn_link_t* link) {
        const auto id = as_id(pn_link_get_context(link));
        if (!links_.contains(id) || !pn_link_is_sender(link)) return;
        if (pn_link_credit(link) > 0) peer_.credit(id);
        // Drain: what we did not use is given back (part 2 section 2.6.7).
        if (links_.contains(id) && pn_link_get_drain(link)) pn_link_drained(link);
    }

    // Credit is what may be unsettled: a client that outruns the journal waits.
    void top_up(pn_link_t* link) {
        const auto id = as_id(pn_link_get_context(link));
        const auto window = windows_.find(id);
        if (window == windows_.end()) return;
        const int open = pn_link_credit(link) + pn_link_unsettled(link);
        if (open <= window->second - std::max(1, window->second / 4)) {
            pn_link_flow(link, window->second - open);
        }
    }

    void forget(pn_link_t* link, LinkId id) {
        for (auto* one = pn_unsettled_head(link); one != nullptr; one = pn_unsettled_next(one))
            deliveries_.erase(as_id(pn_delivery_get_context(one)));
        links_.erase(id);
        windows_.erase(id);
    }

    void end_link(pn_link_t* link, LinkId id, const Condition& condition) {
        forget(link, id);
        set_condition(pn_link_condition(link), condition);
        pn_link_close(link);
    }

    void on_detach(pn_link_t* link, bool closed) {
        const auto id = as_id(pn_link_get_context(link));
        if (links_.contains(id)) {
            peer_.ended(id, condition_of(pn_link_remote_condition(link)));
            forget(link, id);
        }
        if (closed)
            pn_link_close(link);
        else
            pn_link_detach(link);
        pn_link_free(link);
    }

    void on_session_end(pn_session_t* session) {
        std::vector<std::pair<LinkId, pn_link_t*>> gone;
        for (const auto& one : links_)
            if (pn_link_session(one.second) == session) gone.push_back(one);
        std::sort(gone.begin(), gone.end());
        for (const auto& [id, link] : gone) {
            peer_.detached(id);
            forget(link, id);
        }
        pn_session_close(session);
        pn_session_free(session);
    }

    void on_close() {
        peer_.closed();
        pn_connection_close(driver_.connection);
        over_ = true;
    }

    Peer& peer_;
    EngineOptions options_;
    pn_connection_driver_t driver_{};
    std::unordered_map<LinkId, pn_link_t*> links_;  // open ones, at most links_max
    std::unordered_map<LinkId, int> windows_;
    std::unordered_map<DeliveryId, pn_delivery_t*> deliveries_;  // unsettled, within the links' credit
    std::uint64_t last_id_ = 0;
    Bytes transfer_;
    pn_session_t* session_ = nullptr;  // of a client
    EndedSessions ended_sessions_;
    bool handling_ = false, over_ = false;
};

Engine::Engine(Peer& peer, const EngineOptions& options) : impl_(std::make_unique<Impl>(peer, options)) {}
Engine::~Engine() = default;

bool Engine::received(ByteView input) {
    return impl_->received(input);
}
void Engine::take_output(Bytes& out) {
    impl_->take_output(out);
}
std::chrono::milliseconds Engine::tick(std::chrono::milliseconds now) {
    return impl_->tick(now);
}
bool Engine::finished() const {
    return impl_->finished();
}
std::string Engine::error() const {
    return impl_->error();
}
void Engine::accept(LinkId link, int credit) {
    impl_->accept(link, credit);
}
void Engine::refuse(LinkId link, const Condition& condition) {
    impl_->refuse(link, condition);
}
void Engine::detach(LinkId link, const Condition& condition) {
    impl_->detach(link, condition);
}
void Engine::close(const Condition& condition) {
    impl_->close(condition);
}
void Engine::settle(DeliveryId delivery, Outcome outcome, const Condition& condition) {
    impl_->settle(delivery, outcome, condition);
}
LinkId Engine::open_receiver(const std::string& name, const std::string& address, const Value& filter,
                             int credit) {
    return impl_->open_receiver(name, address, filter, credit);
}
LinkId Engine::open_sender(const std::string& name, const std::string& address) {
    return impl_->open_sender(name, address);
}
int Engine::credit_of(LinkId link) const {
    return impl_->credit_of(link);
}
DeliveryId Engine::send(LinkId link, ByteView message, bool settled) {
    return impl_->send(link, message, settled);
}

}  // namespace fieldwatch::amqp
