#include "portal/notifier.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "portal/finding_json.hpp"

namespace fieldwatch::portal {

template <class Keeps>
void Notifier::cut_off_unless(const Keeps& keeps) {
    std::erase_if(clients_, [&](const Client& client) {
        if (!client.stream->open()) return true;
        if (keeps(client.subscriber.who)) return false;
        client.stream->end();
        return true;
    });
}

void Notifier::review(const std::function<bool(const Principal&)>& is_known) {
    const std::lock_guard lock(mutex_);
    cut_off_unless(is_known);
}

void Notifier::publish(std::span<const workspace::AlertRow> alerts,
                       std::span<const workspace::RecommendationRow> recommendations,
                       const CommitCounts& counts) {
    const std::lock_guard lock(mutex_);
    const auto now = clock_.now();
    cut_off_unless([&](const Principal& who) { return !who.expires || *who.expires > now; });
    for (const auto& row : alerts)
        send(row.alert.hub.value, "alert", alert_json(row));
    for (const auto& row : recommendations) {
        send(row.recommendation.hub.value, "recommendation", recommendation_json(row));
    }
    if (counts.raw_events + counts.diagnostics > 0) {
        send("", "counts",
             fmt::format(R"({{"rawEvents":{},"diagnostics":{}}})", counts.raw_events, counts.diagnostics));
    }
}

void Notifier::send(std::string hub, std::string_view event, std::string body) {
    ++sequence_;
    body.insert(1, fmt::format(R"("sequence":{},)", sequence_));  // bodies are objects with members
    for (const auto& client : clients_) {
        const auto& wanted = client.subscriber.hub;
        if (hub.empty() || wanted.empty() || wanted == hub) client.stream->write(event, body);
    }
    if (event == "counts") return;  // worth nothing later
    history_.push_back(
        {.sequence = sequence_, .hub = std::move(hub), .event = event, .data = std::move(body)});
    if (history_.size() > kHistoryMax) history_.pop_front();
}

Result<void> Notifier::subscribe(std::shared_ptr<net::EventStream> stream, Subscriber subscriber,
                                 std::optional<std::uint64_t> after) {
    const std::lock_guard lock(mutex_);
    cut_off_unless([](const Principal&) { return true; });
    const auto& hub = subscriber.hub;
    if (clients_.size() >= kClientsMax) {
        return fail(Errc::Exhausted,
                    fmt::format("{} event streams are open, which is the most", kClientsMax));
    }
    const auto greeting = fmt::format(R"({{"sequence":{}}})", sequence_);
    // A number from before a restart, or older than the history, cannot be continued.
    const bool whole = after && *after <= sequence_ &&
                       (history_.size() < kHistoryMax || history_.front().sequence <= *after + 1);
    stream->write(!after || whole ? "hello" : "reset", greeting);
    if (whole) {
        for (const auto& news : history_) {
            if (news.sequence > *after && (hub.empty() || news.hub == hub))
                stream->write(news.event, news.data);
        }
    }
    clients_.push_back({.stream = std::move(stream), .subscriber = std::move(subscriber)});
    return {};
}

std::uint64_t Notifier::sequence() const {
    const std::lock_guard lock(mutex_);
    return sequence_;
}

}  // namespace fieldwatch::portal
