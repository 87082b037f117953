#include "hub/connector/feed.hpp"

#include <condition_variable>
#include <mutex>
#include <optional>

namespace fieldwatch::hub {

struct Feed::State {
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t waiting = 0;
    std::optional<Error> error;
};

Feed::Feed(journal::Writer& journal, std::uint32_t partition_count, const Clock& clock)
    : journal_(journal),
      partition_count_(partition_count),
      clock_(clock),
      state_(std::make_shared<State>()) {}

std::uint32_t Feed::partition_of(const model::Record& record) const {
    return model::partition_of(record.sender.hub, record.sender.device, partition_count_);
}

Result<void> Feed::append(const model::Record& record) {
    const auto stream =
        record.kind == model::RecordKind::Telemetry ? journal::Stream::Telemetry : journal::Stream::Security;
    return append_to(stream, partition_of(record), model::encode(record));
}

Result<void> Feed::append_connect(const model::Record& record) {
    const auto bytes = model::encode(record);
    const auto own = partition_of(record);
    FIELDWATCH_TRY(append_to(journal::Stream::Security, own, bytes));
    const auto home = model::partition_of(record.sender.hub, {}, partition_count_);
    if (home == own) return {};
    return append_to(journal::Stream::Security, home, bytes);
}

Result<void> Feed::append_to(journal::Stream stream, std::uint32_t partition, ByteView bytes) {
    constexpr std::chrono::milliseconds kFullWait{50};
    const auto until = clock_.monotonic() + kPatience;
    {
        std::unique_lock lock(state_->mutex);
        state_->changed.wait(lock, [&] { return state_->waiting < kWaitingMax; });
        if (state_->error) return std::unexpected(*state_->error);
        ++state_->waiting;
    }
    for (;;) {
        auto place = journal_.append(stream, partition, bytes, [state = state_](const Result<void>& done) {
            const std::lock_guard lock(state->mutex);
            --state->waiting;
            if (!done) state->error = done.error();
            state->changed.notify_all();
        });
        if (place) return {};
        std::unique_lock lock(state_->mutex);
        if (place.error().code != Errc::Exhausted || clock_.monotonic() >= until) {
            --state_->waiting;
            return std::unexpected(std::move(place).error());
        }
        state_->changed.wait_for(lock, kFullWait);
    }
}

Result<void> Feed::settle() {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [&] { return state_->waiting == 0; });
    if (state_->error) return std::unexpected(*state_->error);
    return {};
}

}  // namespace fieldwatch::hub
