// Many senders on any thread, one receiver on one core: what the journal's committing thread uses to tell
// sessions that their records are durable. One wake-up per batch, not one per message.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "net/runtime.hpp"

namespace fieldwatch::net {

/// Copies share one box, which lives until the last copy is gone. Bound: the senders' own (each item answers
/// something that was admitted under a bound).
template <class T>
class Mailbox {
  public:
    /// `consume` runs on the core's thread with everything that came since its last run.
    Mailbox(Runtime& runtime, unsigned core, std::move_only_function<void(std::vector<T>&)> consume)
        : state_(std::make_shared<State>(runtime, core)) {
        state_->consume = std::move(consume);
    }

    void push(T item) const {
        bool wake = false;
        {
            const std::lock_guard lock(state_->mutex);
            wake = state_->items.empty() && !state_->closed;
            state_->items.push_back(std::move(item));
        }
        if (wake) state_->runtime.post(state_->core, [state = state_] { deliver(*state); });
    }

    /// On the core's thread: nothing is delivered from now on.
    void close() const {
        const std::lock_guard lock(state_->mutex);
        state_->closed = true;
    }

  private:
    struct State {
        State(Runtime& its_runtime, unsigned its_core) : runtime(its_runtime), core(its_core) {}
        Runtime& runtime;
        unsigned core;
        std::move_only_function<void(std::vector<T>&)> consume;
        std::mutex mutex;
        std::vector<T> items;  // guarded by mutex
        bool closed = false;   // guarded by mutex
        std::vector<T> taken;  // the core's; kept for its capacity
    };

    static void deliver(State& state) {
        {
            const std::lock_guard lock(state.mutex);
            if (state.closed) return;
            state.taken.swap(state.items);
        }
        state.consume(state.taken);
        state.taken.clear();
    }

    std::shared_ptr<State> state_;
};

/// A value that several cores and outside threads look at: short critical sections only, never a call out.
template <class T>
class Guarded {
  public:
    Guarded() = default;
    explicit Guarded(T value) : value_(std::move(value)) {}
    template <class... Arguments>  // of a value that cannot be moved
    explicit Guarded(std::in_place_t, Arguments&&... arguments)
        : value_(std::forward<Arguments>(arguments)...) {}
    template <class Function>
    auto with(Function&& function) {
        const std::lock_guard lock(mutex_);
        return function(value_);
    }
    template <class Function>
    auto with(Function&& function) const {
        const std::lock_guard lock(mutex_);
        return function(value_);
    }

  private:
    mutable std::mutex mutex_;
    T value_;
};

}  // namespace fieldwatch::net
