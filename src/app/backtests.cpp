#include "app/backtests.hpp"

#include <sys/resource.h>

#include <algorithm>

namespace fieldwatch::app {

namespace {
constexpr int kNice = 10;  ///< live detection comes first
}

Backtests::~Backtests() {
    {
        const std::lock_guard lock(mutex_);
        for (auto& entry : entries_)
            entry->progress.stop = true;
    }
    if (thread_.joinable()) thread_.join();
}

portal::BacktestJob Backtests::snapshot(const Entry& entry) {
    auto out = entry.job;
    out.records = entry.progress.records;
    out.of = entry.progress.of;
    return out;
}

Result<portal::BacktestJob> Backtests::start(Start start) {
    const std::lock_guard lock(mutex_);
    if (!entries_.empty() && entries_.front()->job.state == portal::BacktestJob::State::Running)
        return fail(Errc::Exhausted, "another backtest runs: wait for it, or stop it");
    if (thread_.joinable()) thread_.join();  // it is over, and takes the lock no more
    auto entry = std::make_unique<Entry>();
    entry->job = {.id = std::to_string(next_id_++),
                  .from = start.from,
                  .to = start.to,
                  .started = parts_.clock.now(),
                  .against = start.against_version,
                  .error = {},
                  .diff = start.diff,
                  .report = nullptr};
    entries_.push_front(std::move(entry));
    if (entries_.size() > kKept) entries_.pop_back();
    auto& running = *entries_.front();
    thread_ = std::thread([this, &running, start = std::move(start)] { run(running, start); });
    return snapshot(running);
}

void Backtests::run(Entry& entry, const Start& start) {
    setpriority(PRIO_PROCESS, 0, kNice);  // of this thread alone
    const auto work = [&]() -> Result<pipeline::BacktestReport> {
        const pipeline::BacktestRequest request{.candidate = FIELDWATCH_TRY(start.candidate()),
                                                .against = FIELDWATCH_TRY(start.against()),
                                                .from = start.from,
                                                .to = start.to,
                                                .hub = start.hub};
        return pipeline::backtest(parts_.journal.reader(), parts_.journal.partition_count(), request,
                                  parts_.clock, entry.progress);
    };
    auto report = work();
    const std::lock_guard lock(mutex_);
    using State = portal::BacktestJob::State;
    if (report) {
        entry.job.report = std::make_shared<const pipeline::BacktestReport>(std::move(*report));
        entry.job.state = State::Done;
        return;
    }
    entry.job.error = report.error().message;
    entry.job.state = report.error().code == Errc::Cancelled ? State::Stopped : State::Failed;
}

std::vector<portal::BacktestJob> Backtests::list() const {
    std::vector<portal::BacktestJob> out;
    const std::lock_guard lock(mutex_);
    for (const auto& entry : entries_)
        out.push_back(snapshot(*entry));
    return out;
}

Result<portal::BacktestJob> Backtests::get(const std::string& id) const {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(
        entries_, id, [](const auto& entry) -> const std::string& { return entry->job.id; });
    if (found == entries_.end())
        return fail(Errc::NotFound,
                    "there is no backtest " + id + "; the last " + std::to_string(kKept) + " are kept");
    return snapshot(**found);
}

Result<void> Backtests::stop(const std::string& id) {
    static_cast<void>(FIELDWATCH_TRY(get(id)));
    const std::lock_guard lock(mutex_);
    for (auto& entry : entries_) {
        if (entry->job.id == id) entry->progress.stop = true;
    }
    return {};
}

}  // namespace fieldwatch::app
