#include "app/log_feed.hpp"

#include <fmt/format.h>

#include <future>
#include <utility>

#include "base/log.hpp"

namespace fieldwatch::app {

namespace {

using std::chrono::milliseconds;

/// A partition that got records ticks after a second, so that its windows close; a quiet one keeps design
/// 3a's five.
constexpr Ticks kBusyTick = std::chrono::seconds(1);
constexpr Ticks kQuietTick = std::chrono::seconds(5);
constexpr milliseconds kTurn{500};
constexpr std::size_t kPumpBatch = 256;

/// Appends and waits until all of it is on disk.
class DurableBatch {
  public:
    Result<void> add(journal::Writer& writer, std::uint32_t partition, const model::Record& record) {
        auto promise = std::make_shared<std::promise<Result<void>>>();
        waiting_.push_back(promise->get_future());
        const auto bytes = model::encode(record);
        const auto place =
            writer.append(journal::Stream::Security, partition, bytes,
                          [promise](Result<void> done) { promise->set_value(std::move(done)); });
        if (!place) {
            waiting_.pop_back();
            return std::unexpected(place.error());
        }
        return {};
    }
    Result<void> wait() {
        for (auto& future : waiting_) {
            if (auto done = future.get(); !done) return done;
        }
        return {};
    }

  private:
    std::vector<std::future<Result<void>>> waiting_;
};

}  // namespace

LogFeed::~LogFeed() {
    stop();
}

std::vector<std::uint32_t> LogFeed::partitions_of(const model::Record& record) const {
    const auto count = parts_.journal.partition_count();
    // What no single device owns concerns every shard: a dismissed aggregate, a hub's settings, the content
    // in force.
    const bool of_home =
        record.kind == model::RecordKind::ControlPlane || record.kind == model::RecordKind::QueryFinding;
    if (record.sender.device.empty() && !of_home) {
        std::vector<std::uint32_t> all(count);
        for (std::uint32_t i = 0; i < count; ++i)
            all[i] = i;
        return all;
    }
    std::vector<std::uint32_t> out{model::partition_of(record.sender.hub, record.sender.device, count)};
    // Identities and twins go to the hub's home too, which compares them with each other (ADR 0045).
    const bool compared =
        record.kind == model::RecordKind::IdentityChange || record.kind == model::RecordKind::Twin;
    const auto home = model::partition_of(record.sender.hub, {}, count);
    if (compared && home != out.front()) out.push_back(home);
    return out;
}

Result<void> LogFeed::append_everywhere(const model::Record& record) {
    DurableBatch batch;
    for (const auto partition : partitions_of(record))
        FIELDWATCH_TRY(batch.add(parts_.journal.writer(), partition, record));
    return batch.wait();
}

Result<void> LogFeed::announce_content(const std::string& hash) {
    model::Record record;
    record.kind = model::RecordKind::Content;
    record.received = parts_.clock.now();
    record.body = fmt::format(R"({{"version":1,"hash":"{}"}})", hash);
    return append_everywhere(record);
}

void LogFeed::start() {
    ticks_.resize(parts_.journal.partition_count());
    thread_ = std::thread([this] { run(); });
}

void LogFeed::stop() {
    {
        const std::lock_guard lock(mutex_);
        if (stopping_) return;
        stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void LogFeed::wake() {
    {
        const std::lock_guard lock(mutex_);
        woken_ = true;
    }
    wake_.notify_all();
}

void LogFeed::run() {
    for (bool last = false; !last;) {
        {
            std::unique_lock lock(mutex_);
            wake_.wait_for(lock, kTurn, [this] { return stopping_ || woken_; });
            woken_ = false;
            last = stopping_;
        }
        std::unique_lock pumping(pump_mutex_, std::defer_lock);
        if (last) pumping.lock();
        if (last || pumping.try_lock()) {
            if (const auto done = pump(); !done) log::error("log-feed", done.error().message);
            pumping.unlock();
        }
        if (!last) tick();
    }
}

Result<void> LogFeed::pump() {
    for (;;) {
        auto rows = FIELDWATCH_TRY(parts_.registry.outbox(kPumpBatch));
        if (rows.empty()) return {};
        DurableBatch batch;
        for (auto& row : rows) {
            // Readers drop a sequence they have seen: between this append and outbox_done a crash may come.
            row.record.properties.emplace_back("registry-sequence", std::to_string(row.sequence));
            for (const auto partition : partitions_of(row.record)) {
                FIELDWATCH_TRY(batch.add(parts_.journal.writer(), partition, row.record));
            }
        }
        FIELDWATCH_TRY(batch.wait());
        FIELDWATCH_TRY(parts_.registry.outbox_done(rows.back().sequence));
        if (rows.size() < kPumpBatch) return {};
    }
}

void LogFeed::tick() {
    model::Record record;
    record.kind = model::RecordKind::Tick;
    record.received = parts_.clock.now();
    const auto bytes = model::encode(record);
    for (std::uint32_t partition = 0; partition < ticks_.size(); ++partition) {
        auto& last = ticks_[partition];
        const auto end = parts_.journal.reader().end_offset(journal::Stream::Security, partition);
        const bool busy = end > last.end_offset;
        if (record.received - last.at < (busy ? kBusyTick : kQuietTick)) continue;
        // A full commit buffer is no loss here: the next turn ticks, and records carry time too.
        const auto place =
            parts_.journal.writer().append(journal::Stream::Security, partition, bytes, [](Result<void>) {});
        if (!place) continue;
        last = {.at = record.received, .end_offset = place->offset + 1};
    }
}

}  // namespace fieldwatch::app
