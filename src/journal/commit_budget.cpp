#include "journal/commit_budget.hpp"

#include "base/assert.hpp"

namespace fieldwatch::journal {

Result<void> CommitBudget::take(std::size_t bytes) {
    if (stopped()) {
        const std::lock_guard lock(mutex_);
        return fail(Errc::Io, "the journal stopped taking records: " + reason_);
    }
    if (disk_low_.load(std::memory_order_relaxed)) {
        return fail(Errc::Exhausted, "the disk of the journal is above its high-water mark");
    }
    auto used = used_.load();
    while (true) {
        // One record always fits an empty buffer, whatever its size.
        if (used != 0 && used + bytes > bytes_max_) {
            return fail(Errc::Exhausted, "the journal's commit buffer is full");
        }
        if (used_.compare_exchange_weak(used, used + bytes)) return {};
    }
}

void CommitBudget::give_back(std::size_t bytes) {
    const auto before = used_.fetch_sub(bytes);
    FIELDWATCH_ASSERT(before >= bytes);
    if (!waited_for_.load() || !has_space()) return;
    std::vector<std::move_only_function<void()>> callbacks;
    {
        const std::lock_guard lock(mutex_);
        callbacks.swap(waiting_);
        waited_for_.store(false);
    }
    for (auto& callback : callbacks)
        callback();
}

void CommitBudget::on_space(std::move_only_function<void()> callback) {
    {
        const std::lock_guard lock(mutex_);
        waiting_.push_back(std::move(callback));
        waited_for_.store(true);
    }
    // A commit may have ended between the refusal and here: look once more, so that no wake-up is lost.
    give_back(0);
}

void CommitBudget::stop(const Error& reason) {
    const std::lock_guard lock(mutex_);
    if (stopped()) return;
    reason_ = reason.message;
    stopped_.store(true, std::memory_order_release);
}

}  // namespace fieldwatch::journal
