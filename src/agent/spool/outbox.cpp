#include "agent/spool/outbox.hpp"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <unordered_set>

namespace fieldwatch::agent {

namespace {

// Of the cache, in tenths; the tenth that is left goes to whoever needs it (spec/agent.md section 6.2).
constexpr std::size_t kReservedTenths[kQueueCount] = {4, 4, 1};
constexpr std::size_t kBlockBytes = 4'096;

int append_text(void* out, const char* data, std::size_t size) {
    static_cast<std::string*>(out)->append(data, size);
    return 0;
}

}  // namespace

void Outbox::set_options(Options options) {
    options_ = options;
    shrink();
}

void Outbox::add(Queue queue, std::string json, std::int64_t now_ns) {
    auto& counters = counters_[index(queue)];
    ++counters.collected;
    if (json.size() + 1'024 > std::min<std::size_t>(options_.message_bytes, FIELDWATCH_MESSAGE_BYTES_MAX)) {
        ++counters.dropped_large;
        return;
    }
    bytes_[index(queue)] += json.size();
    queues_[index(queue)].push_back({next_number_++, queue, false, now_ns, std::move(json)});
    shrink();
}

void Outbox::restore(WaitingEvent event) {
    next_number_ = std::max(next_number_, event.number + 1);
    bytes_[index(event.queue)] += event.json.size();
    queues_[index(event.queue)].push_back(std::move(event));
    shrink();
}

void Outbox::shrink() {
    while (bytes() > options_.cache_bytes) {
        bool dropped = false;
        for (const auto queue : {Queue::Low, Queue::High, Queue::Operational}) {
            const auto reserved = options_.cache_bytes / 10 * kReservedTenths[index(queue)];
            if (bytes_[index(queue)] > reserved && drop_oldest(queue)) {
                dropped = true;
                break;
            }
        }
        // Nobody is over: what is in flight fills the rest. Then the order alone decides.
        for (const auto queue : {Queue::Low, Queue::High, Queue::Operational}) {
            if (!dropped) dropped = drop_oldest(queue);
        }
        if (!dropped) return;
    }
}

bool Outbox::drop_oldest(Queue queue) {
    if (queues_[index(queue)].empty()) return false;
    const auto event = pop(queue);
    ++counters_[index(queue)].dropped_full;
    if (on_gone) on_gone(event);
    return true;
}

void Outbox::drop_large(Queue queue) {
    const auto event = pop(queue);
    ++counters_[index(queue)].dropped_large;
    if (on_gone) on_gone(event);
}

WaitingEvent Outbox::pop(Queue queue) {
    auto event = std::move(queues_[index(queue)].front());
    queues_[index(queue)].pop_front();
    bytes_[index(queue)] -= event.json.size();
    return event;
}

Outbox::Batch Outbox::take(Queue trigger, std::size_t envelope) {
    Batch batch;
    const auto room = std::min<std::size_t>(options_.message_bytes, FIELDWATCH_MESSAGE_BYTES_MAX - 1'024);
    std::vector<WaitingEvent> taken;
    const auto fill = [&](Queue queue, std::size_t bytes_max) {
        while (!empty(queue)) {
            const auto size = queues_[index(queue)].front().json.size() + 1;
            if (envelope + size > room) {  // it came when messages might be larger
                drop_large(queue);
                continue;
            }
            if (envelope + batch.bytes + size > bytes_max) return;
            batch.bytes += size;
            taken.push_back(pop(queue));
        }
    };
    fill(Queue::Operational, room);
    fill(trigger, room);
    if (taken.empty()) return batch;
    const auto block_end = (envelope + batch.bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
    fill(trigger == Queue::Low ? Queue::High : Queue::Low, std::min(room, block_end));
    batch.id = next_batch_++;
    for (const auto& event : taken)
        in_flight_bytes_ += event.json.size();
    const auto& kept = in_flight_[batch.id] = std::move(taken);
    for (const auto& event : kept)
        batch.events.push_back(&event);
    return batch;
}

void Outbox::acknowledged(std::uint64_t batch) {
    const auto found = in_flight_.find(batch);
    if (found == in_flight_.end()) return;
    for (const auto& event : found->second) {
        in_flight_bytes_ -= event.json.size();
        if (on_gone) on_gone(event);
    }
    in_flight_.erase(found);
}

void Outbox::lost(std::uint64_t batch) {
    const auto found = in_flight_.find(batch);
    if (found == in_flight_.end()) return;
    for (auto event = found->second.rbegin(); event != found->second.rend(); ++event) {
        in_flight_bytes_ -= event->json.size();
        bytes_[index(event->queue)] += event->json.size();
        queues_[index(event->queue)].push_front(std::move(*event));
    }
    in_flight_.erase(found);
    shrink();
}

void Outbox::lose_all() {
    while (!in_flight_.empty())
        lost(in_flight_.rbegin()->first);
}

std::size_t Outbox::waiting() const {
    std::size_t count = 0;
    for (const auto& queue : queues_)
        count += queue.size();
    for (const auto& [batch, events] : in_flight_)
        count += events.size();
    return count;
}

std::size_t Outbox::bytes() const {
    return std::accumulate(bytes_.begin(), bytes_.end(), in_flight_bytes_);
}

std::int64_t Outbox::oldest_ns(Queue queue) const {
    return empty(queue) ? INT64_MAX : queues_[index(queue)].front().since_ns;
}

void Outbox::spool_unwritten(std::int64_t older_than_ns,
                             const std::function<bool(const WaitingEvent&)>& write) {
    for (auto& queue : queues_) {
        for (auto& event : queue) {
            if (!event.spooled && event.since_ns <= older_than_ns) event.spooled = write(event);
        }
    }
    for (auto& [batch, events] : in_flight_) {
        for (auto& event : events) {
            if (!event.spooled && event.since_ns <= older_than_ns) event.spooled = write(event);
        }
    }
}

void Outbox::renumber_unspooled(std::uint64_t taken) {
    next_number_ = std::max(next_number_, taken + 1);
    const auto renumber = [this](auto& events) {
        for (auto& event : events) {
            if (!event.spooled) event.number = next_number_++;
        }
    };
    for (auto& [batch, events] : in_flight_)
        renumber(events);
    for (auto& queue : queues_)
        renumber(queue);
}

void Outbox::spool_again(const std::vector<std::uint64_t>& numbers,
                         const std::function<bool(const WaitingEvent&)>& write) const {
    const std::unordered_set<std::uint64_t> wanted(numbers.begin(), numbers.end());
    each([&](const WaitingEvent& event) {
        if (wanted.contains(event.number)) (void)write(event);
    });
}

void Outbox::each(const std::function<void(const WaitingEvent&)>& visit) const {
    for (const auto& [batch, events] : in_flight_) {
        for (const auto& event : events)
            visit(event);
    }
    for (const auto& queue : queues_) {
        for (const auto& event : queue)
            visit(event);
    }
}

Result<std::string> build_message(std::string_view agent_version, std::string_view agent_id,
                                  const std::vector<const WaitingEvent*>& events) {
    std::string body;
    fieldwatch_encoder encoder;
    fieldwatch_encoder_init(&encoder, append_text, &body, FIELDWATCH_MESSAGE_BYTES_MAX);
    fieldwatch_message_begin(&encoder, std::string(agent_version).c_str(), std::string(agent_id).c_str());
    for (const auto* event : events)
        fieldwatch_message_raw_event(&encoder, event->json.data(), event->json.size());
    if (fieldwatch_message_end(&encoder) != FIELDWATCH_OK) return fail(Errc::TooLarge, "message");
    return body;
}

std::size_t envelope_bytes(std::string_view agent_version, std::string_view agent_id) {
    return 84 + agent_version.size() + agent_id.size();
}

}  // namespace fieldwatch::agent
