#include "portal/notifier.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "portal/finding_json.hpp"

namespace fieldwatch::portal {

void Notifier::publish(std::span<const workspace::AlertRow> alerts,
                       std::span<const workspace::RecommendationRow> recommendations,
                       const CommitCounts& counts) {
    const std::lock_guard lock(mutex_);
    std::erase_if(clients_, [](const Client& client) { return !client.stream->open(); });
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
        if (hub.empty() || client.hub.empty() || client.hub == hub) client.stream->write(event, body);
    }
    if (event == "counts") return;  // worth nothing later
    history_.push_back(
        {.sequence = sequence_, .hub = std::move(hub), .event = event, .data = std::move(body)});
    if (history_.size() > kHistoryMax) history_.pop_front();
}

Result<void> Notifier::subscribe(std::shared_ptr<net::EventStream> stream, std::string hub,
                                 std::optional<std::uint64_t> after) {
    const std::lock_guard lock(mutex_);
    std::erase_if(clients_, [](const Client& client) { return !client.stream->open(); });
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
    clients_.push_back({.stream = std::move(stream), .hub = std::move(hub)});
    return {};
}

std::uint64_t Notifier::sequence() const {
    const std::lock_guard lock(mutex_);
    return sequence_;
}

}  // namespace fieldwatch::portal
