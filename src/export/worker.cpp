#include "export/worker.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"

namespace fieldwatch::exports {

namespace {

constexpr std::size_t kBatch = 100;
/// What a wake-up missed, a row of another process's time, is found by then.
constexpr std::chrono::seconds kLook{5};

}  // namespace

Worker::Worker(Destination destination, Parts parts, Progress progress,
               std::unique_ptr<net::Interrupt> interrupt)
    : destination_(std::move(destination)),
      parts_(std::move(parts)),
      interrupt_(std::move(interrupt)),
      delivered_(parts_.metrics.counter("fieldwatch_export_delivered_total",
                                        "Findings that a destination took",
                                        {{"destination", destination_.name}})),
      dropped_(parts_.metrics.counter("fieldwatch_export_dropped_total",
                                      "Findings that waited too long for a destination",
                                      {{"destination", destination_.name}})),
      refused_(parts_.metrics.counter("fieldwatch_export_refused_total",
                                      "Findings that a destination will never take",
                                      {{"destination", destination_.name}})),
      failures_(parts_.metrics.counter("fieldwatch_export_failures_total", "Attempts that failed",
                                       {{"destination", destination_.name}})),
      backoff_(parts_.random),
      selection_(destination_),
      sender_(make_sender(destination_, {.files = parts_.files,
                                         .clock = parts_.clock,
                                         .directory = parts_.files_directory,
                                         .teller = parts_.teller,
                                         .interrupt = *interrupt_})),
      progress_(std::move(progress)) {}

Result<std::unique_ptr<Worker>> Worker::create(Destination destination, Parts parts, Progress progress) {
    auto interrupt = FIELDWATCH_TRY(net::Interrupt::create());
    return std::unique_ptr<Worker>(
        new Worker(std::move(destination), std::move(parts), std::move(progress), std::move(interrupt)));
}

Worker::~Worker() {
    stop();
}

void Worker::start() {
    thread_ = std::thread([this] { run(); });
}

void Worker::stop() {
    {
        const std::lock_guard lock(mutex_);
        if (stopping_) return;
        stopping_ = true;
    }
    interrupt_->raise();
    sender_->interrupt();
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
    keep();
}

void Worker::wake() {
    {
        const std::lock_guard lock(mutex_);
        woken_ = true;
    }
    wake_.notify_all();
}

void Worker::run() {
    for (;;) {
        const auto more = turn();
        if (!more && more.error().code != Errc::Cancelled) failed(more.error(), std::chrono::seconds(0));
        std::unique_lock lock(mutex_);
        if (pause_.count() > 0) {
            // A new finding does not make a receiver well again.
            wake_.wait_for(lock, pause_, [this] { return stopping_; });
        } else if (more && !*more) {
            wake_.wait_for(lock, kLook, [this] { return stopping_ || woken_; });
        }
        if (stopping_) return;
        woken_ = false;
    }
}

/// One batch of each workspace at most; whether there is more. A failure ends it: the receiver is the same
/// for all.
Result<bool> Worker::turn() {
    if (destination_.quiet && destination_.quiet->end_of(parts_.clock.now())) return false;
    if (gathers()) return false;
    emptying_ = true;
    bool more = false;
    for (const auto& source : parts_.sources()) {
        {
            const std::lock_guard lock(mutex_);
            if (stopping_) return false;
        }
        more = FIELDWATCH_TRY(turn(source)) || more;
        const std::lock_guard lock(mutex_);
        if (pause_.count() > 0) return false;
    }
    emptying_ = more;
    return more;
}

/// Of a digest nothing leaves before its time since the last one is over, over restarts too; then everything
/// that waits does.
bool Worker::gathers() const {
    const std::chrono::minutes interval{destination_.mail.digest_minutes};
    const std::lock_guard lock(mutex_);
    return interval.count() > 0 && !emptying_ && parts_.clock.now() - progress_.last_delivered < interval;
}

Result<bool> Worker::turn(const Source& source) {
    const auto end = source.workspace->outbox_end();
    auto after = cursor(source.id);
    if (after > end) {
        log::warning("export", fmt::format("{}: the outbox of {} began anew", destination_.name, source.id));
        after = 0;
    }
    const auto rows = FIELDWATCH_TRY(source.workspace->outbox({.after = after, .count_max = kBatch}));
    if (rows.empty()) {
        const std::lock_guard lock(mutex_);
        progress_.cursors[source.id] = end;
        pause_ = {};
        return false;
    }
    std::vector<Finding> batch;
    std::vector<Judged> judged;
    for (const auto& row : rows)
        judged.push_back(judge(row, end, batch));
    Sent sent;
    if (!batch.empty()) {
        const std::lock_guard sending(send_mutex_);
        sent = sender_->send(batch);
    }
    pass(source, judged, sent);
    if (sent.problem) {
        if (sent.problem->code == Errc::Cancelled) return std::unexpected(*sent.problem);
        failed(*sent.problem, sent.retry_after);
        return false;
    }
    const std::lock_guard lock(mutex_);
    pause_ = {};
    if (batch.empty()) return rows.size() == kBatch;  // how the receiver is, nobody asked
    if (!problem_.empty()) log::info("export", fmt::format("{}: answers again", destination_.name));
    problem_.clear();
    failing_since_ = next_try_ = {};
    backoff_.reset();
    return rows.size() == kBatch;
}

Worker::Judged Worker::judge(const workspace::OutboxRow& row, std::uint64_t end,
                             std::vector<Finding>& batch) {
    using enum Judged::Verdict;
    auto finding = read_finding(row);
    if (!finding) {
        log::error("export",
                   fmt::format("{}: row {}: {}", destination_.name, row.sequence, finding.error().message));
        return {row.sequence, Drop};
    }
    if (!destination_.wants(*finding)) return {row.sequence, Pass};
    const Ticks keep = std::chrono::hours(24 * destination_.keep_days);
    if (parts_.clock.now() - finding->decided > keep || end - std::min(end, row.sequence) > kRowsMax)
        return {row.sequence, Drop};
    // Asked last: what is wanted counts as left once its row is done.
    if (!selection_.wants(*finding, row.sequence)) return {row.sequence, Pass};
    batch.push_back(std::move(*finding));
    return {row.sequence, Send};
}

/// Moves the cursor over what is done, up to the first row that is not.
void Worker::pass(const Source& source, std::span<const Judged> rows, const Sent& sent) {
    std::size_t left = sent.done;
    std::uint64_t dropped = 0;
    std::uint64_t done = 0;
    {
        const std::lock_guard lock(mutex_);
        auto& cursor = progress_.cursors[source.id];
        for (const auto& row : rows) {
            if (row.verdict == Judged::Verdict::Send && left-- == 0) break;
            dropped += row.verdict == Judged::Verdict::Drop ? 1 : 0;
            cursor = done = row.sequence;
        }
        progress_.delivered += sent.done - sent.refused;
        progress_.refused += sent.refused;
        progress_.dropped += dropped;
        if (sent.done > sent.refused) progress_.last_delivered = parts_.clock.now();
    }
    selection_.settle(done);
    delivered_.add(sent.done - sent.refused);
    refused_.add(sent.refused);
    dropped_.add(dropped);
    if (dropped > 0)
        log::warning("export", fmt::format("{}: {} findings were dropped", destination_.name, dropped));
    keep();
}

void Worker::failed(const Error& error, std::chrono::seconds retry_after) {
    failures_.add();
    const auto now = parts_.clock.now();
    const auto pause = std::max<std::chrono::milliseconds>(backoff_.next(), retry_after);
    const std::lock_guard lock(mutex_);
    if (problem_ != error.message)
        log::warning("export", fmt::format("{}: {}; trying again", destination_.name, error.message));
    problem_ = error.message;
    if (failing_since_ == Timestamp{}) failing_since_ = now;
    next_try_ = now + std::chrono::duration_cast<Ticks>(pause);
    pause_ = pause;
}

/// What cannot be kept is sent twice after a restart, and never lost.
void Worker::keep() {
    if (const auto done = save_progress(parts_.files, parts_.progress_path, progress()); !done)
        log::error("export", fmt::format("{}: {}", destination_.name, done.error().message));
}

Status Worker::status() const {
    std::uint64_t waiting = 0;
    for (const auto& source : parts_.sources()) {
        const auto end = source.workspace->outbox_end();
        waiting += end - std::min(end, cursor(source.id));
    }
    const std::lock_guard lock(mutex_);
    return {.waiting = waiting,
            .delivered = progress_.delivered,
            .dropped = progress_.dropped,
            .refused = progress_.refused,
            .last_delivered = progress_.last_delivered,
            .failing_since = failing_since_,
            .next_try = next_try_,
            .quiet_until = destination_.quiet
                               ? destination_.quiet->end_of(parts_.clock.now()).value_or(Timestamp{})
                               : Timestamp{},
            .problem = problem_};
}

std::uint64_t Worker::cursor(std::string_view workspace) const {
    const std::lock_guard lock(mutex_);
    const auto found = progress_.cursors.find(workspace);
    return found == progress_.cursors.end() ? 0 : found->second;
}

Progress Worker::progress() const {
    const std::lock_guard lock(mutex_);
    return progress_;
}

Result<void> Worker::send_now(const Finding& finding) {
    const std::lock_guard sending(send_mutex_);
    const auto sent = sender_->send(std::span(&finding, 1));
    if (sent.problem) return std::unexpected(*sent.problem);
    if (sent.refused > 0)
        return fail(Errc::InvalidArgument, "the receiver refuses it: it does not take such a body");
    return {};
}

}  // namespace fieldwatch::exports
