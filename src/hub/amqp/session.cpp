#include "hub/amqp/session.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "hub/amqp/device_endpoint.hpp"

namespace fieldwatch::hub {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kCloseAfter{1};  // for a client that was told that it is over
constexpr seconds kLookAgain{60};  // at tokens, and at proton's clock, at the latest
// Tokens for who is in already. SDKs renew one every few minutes at the earliest; a reader of events shows
// one for each of its partitions, at once.
constexpr double kRenewalsPerSecond = 1;
constexpr double kRenewalsAtOnce = 128;

}  // namespace

AmqpSession::AmqpSession(net::Connection& connection, AmqpCore& core, std::string_view protocol)
    : connection_(connection),
      core_(core),
      id_(core.core.shared.next_id()),
      engine_(*this, {}),
      renewals_(kRenewalsPerSecond, kRenewalsAtOnce) {
    speaker_.protocol = protocol;
    speaker_.address = connection.address();
    speaker_.tls_version = connection.tls_version();
    speaker_.tls_cipher = connection.tls_cipher();
    core_.sessions.emplace(id_, this);
    authenticate_until_ = now() + hub().options.connect_timeout;
    arm();
}

AmqpSession::~AmqpSession() {
    links_.clear();
    endpoints_.clear();
    core_.sessions.erase(id_);
}

std::size_t AmqpSession::received(ByteView input) {
    if (closing_) return input.size();
    if (paused_) return 0;
    inside_ = true;
    const bool alive = engine_.received(input);
    inside_ = false;
    pump();
    if (!alive || engine_.finished()) finish();
    if (std::exchange(arm_again_, false) && !closing_) arm();
    return input.size();
}

void AmqpSession::pump() {
    if (inside_) return;
    const auto before = connection_.output().size();
    inside_ = true;
    engine_.take_output(connection_.output());
    inside_ = false;
    if (connection_.output().size() != before) connection_.flush();
}

void AmqpSession::finish() {
    if (std::exchange(closing_, true)) return;
    if (const auto error = engine_.error(); !error.empty() && !clean_)
        log::debug("hub", "an AMQP connection ended: " + error);
    connection_.close();
}

void AmqpSession::closed(net::CloseReason reason) {
    closing_ = true;
    const bool too_slow = reason == net::CloseReason::TooSlow;
    if (too_slow) hub().counters.slow_consumers.add();
    for (auto& [id, open] : links_)
        open.link->detached();
    for (auto& [identity, endpoint] : endpoints_) {
        if (clean_)
            endpoint->leave(0, {});
        else
            endpoint->leave(404104, too_slow ? kTooSlow : "the connection was lost without a close");
    }
}

void AmqpSession::closed() {
    clean_ = true;
}

// Time.

void AmqpSession::deadline() {
    const auto time = now();
    const bool is_somebody = service_ || events_ || applicant_ || !endpoints_.empty();
    if (!is_somebody && time >= authenticate_until_) return finish();
    if (close_at_ && time >= *close_at_) {
        clean_ = true;
        engine_.close({"amqp:connection:forced", "the identity may not be connected any more"});
    }
    inside_ = true;
    engine_.tick(std::chrono::duration_cast<milliseconds>(time));
    inside_ = false;
    check_tokens();
    pump();
    if (engine_.finished()) return finish();
    if (paused_ && time >= paused_until_) {
        paused_ = false;
        bool done = true;
        for (auto& [identity, endpoint] : endpoints_)
            done = endpoint->take_held() && done;
        pump();
        if (done && !paused_) connection_.resume();
    }
    arm();
}

void AmqpSession::arm() {
    const auto time = now();
    auto next = time + seconds(kLookAgain);
    if (!service_ && !events_ && !applicant_ && endpoints_.empty())
        next = std::min(next, authenticate_until_);
    if (paused_) next = std::min(next, paused_until_);
    if (close_at_) next = std::min(next, *close_at_);
    if (const auto end = first_token_end()) {
        // Of a token for a thousand years no more than fits into nanoseconds.
        const auto left = std::min<Ticks>(*end - hub().parts.clock.now(), kLookAgain);
        next = std::min<std::chrono::nanoseconds>(next, time + left);
    }
    const auto wanted = engine_.tick(std::chrono::duration_cast<milliseconds>(time));
    if (wanted.count() > 0) next = std::min<std::chrono::nanoseconds>(next, time + wanted);
    connection_.deadline_after(std::max(milliseconds(1), std::chrono::ceil<milliseconds>(next - time)));
}

void AmqpSession::check_tokens() {
    const auto time = hub().parts.clock.now();
    const auto grace = std::chrono::duration_cast<Ticks>(hub().options.token_grace);
    std::vector<DeviceEndpoint*> over;
    for (auto& [identity, endpoint] : endpoints_)
        if (endpoint->lapsed(time)) over.push_back(endpoint.get());
    for (auto* const endpoint : over)
        endpoint->lapse();
    const bool service_over = service_ && time >= service_->expiry + grace;
    const bool events_over = events_ && time >= events_->expiry + grace;
    if (!service_over && !events_over) return;
    engine_.close({"amqp:unauthorized-access", "the token has expired"});
    clean_ = true;
}

std::optional<Timestamp> AmqpSession::first_token_end() const {
    const auto grace = std::chrono::duration_cast<Ticks>(core_.core.shared.options.token_grace);
    std::optional<Timestamp> first;
    const auto take = [&](std::optional<Timestamp> end) {
        if (end && (!first || *end < *first)) first = end;
    };
    for (const auto& [identity, endpoint] : endpoints_)
        take(endpoint->token_end());
    if (service_) take(service_->expiry + grace);
    if (events_) take(events_->expiry + grace);
    return first;
}

void AmqpSession::pause_reading(std::chrono::nanoseconds at_most) {
    if (!paused_) connection_.pause();
    paused_ = true;
    paused_until_ = now() + at_most;
    arm();
}

void AmqpSession::mail(const AmqpMail& mail) {
    if (mail.kind == AmqpMail::Kind::HasSpace) {
        for (auto& [identity, endpoint] : endpoints_)
            endpoint->journal_has_space();  // full again, it is to call again
        paused_until_ = now();
        connection_.deadline_after(milliseconds(1));
        return;
    }
    for (auto& [identity, endpoint] : endpoints_)
        endpoint->durable(mail.delivery, mail.kind == AmqpMail::Kind::Durable);
}

void AmqpSession::poke() {
    for (auto& [id, open] : links_)
        open.link->poke();
    pump();
}

// Links, as the engine tells of them.

void AmqpSession::opened(std::string_view hostname, std::string_view) {
    hostname_ = hostname;
    arm_again_ = true;  // it may want frames from us
}

void AmqpSession::message(amqp::LinkId link, amqp::DeliveryId delivery, ByteView bytes, bool settled) {
    const auto found = links_.find(link);
    if (found != links_.end()) found->second.link->message(delivery, bytes, settled);
}

void AmqpSession::credit(amqp::LinkId link) {
    const auto found = links_.find(link);
    if (found == links_.end()) return;
    found->second.outbox.flush(engine_, link);
    found->second.link->credit();
}

void AmqpSession::outcome(amqp::LinkId link, amqp::DeliveryId delivery, amqp::Outcome outcome) {
    const auto found = links_.find(link);
    if (found != links_.end()) found->second.link->outcome(delivery, outcome);
}

void AmqpSession::detached(amqp::LinkId link) {
    const auto found = links_.find(link);
    if (found == links_.end()) return;
    found->second.link->detached();
    links_.erase(found);
}

void AmqpSession::drop_link(amqp::LinkId link, const amqp::Condition& condition) {
    detached(link);
    engine_.detach(link, condition);
    pump();
}

void AmqpSession::push(amqp::LinkId link, Bytes message) {
    const auto found = links_.find(link);
    if (found != links_.end()) found->second.outbox.push(engine_, link, std::move(message));
}

amqp::LinkId AmqpSession::answering(const ReplyTo& to) const {
    std::vector<const decltype(links_)::value_type*> fit;
    for (const auto& one : links_)
        if (one.second.node == to.node && !one.second.client_sends) fit.push_back(&one);
    // What nobody is, rules nobody out.
    const auto narrow = [&](const auto& is_it) {
        auto left = fit;
        std::erase_if(left, [&](const auto* one) { return !is_it(one->second); });
        if (left.empty()) return false;
        fit = std::move(left);
        return true;
    };
    if (!to.address.empty()) {
        narrow([&](const OpenLink& open) {
            return open.other_address == to.address || open.name == to.address;
        });
    }
    if (fit.empty()) return 0;
    const auto request = links_.find(to.request);
    if (fit.size() == 1 || request == links_.end()) return fit.back()->first;
    const auto session = request->second.client_session;
    const bool same = narrow([&](const OpenLink& open) { return open.client_session == session; });
    std::size_t place = 0;
    for (const auto& [id, open] : links_) {
        if (id == to.request) break;
        if (open.node == to.node && open.client_sends && (!same || open.client_session == session)) ++place;
    }
    return fit[std::min(place, fit.size() - 1)]->first;
}

void AmqpSession::answer(const ReplyTo& to, Bytes message) {
    push(answering(to), std::move(message));
}

void AmqpSession::end_endpoint(DeviceEndpoint& endpoint, const amqp::Condition& condition) {
    std::vector<amqp::LinkId> its_links;
    for (const auto& [id, open] : links_)
        if (open.owner == &endpoint) its_links.push_back(id);
    for (const auto id : its_links) {
        detached(id);
        engine_.detach(id, condition);
    }
    const bool alone = endpoints_.size() == 1 && !service_ && !events_;
    endpoints_.erase(endpoint.identity());
    if (alone && its_links.empty()) {
        engine_.close(condition);
        clean_ = true;
    } else if (alone) {
        // The client hears why from its links, and closes: a close of ours on top of that would leave the
        // vendor's Node client waiting for answers to its own detaches.
        close_at_ = now() + kCloseAfter;
        arm();
    }
    pump();
    if (engine_.finished()) finish();
}

}  // namespace fieldwatch::hub
