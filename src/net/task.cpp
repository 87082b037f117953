#include "net/task.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <exception>
#include <future>

#include "base/assert.hpp"
#include "base/log.hpp"

namespace fieldwatch::net {

struct Gate::State {
    explicit State(asio::io_context& core) : context(core), drained(core) {}
    asio::io_context& context;
    std::list<asio::cancellation_signal> running;
    asio::steady_timer drained;  // its expiry is moved to "now" by the last coroutine
    bool stopping = false;

    void cancel_all() {
        stopping = true;
        // emit() may end a coroutine at once and take its signal out of the list.
        for (auto next = running.begin(); next != running.end();) {
            (next++)->emit(asio::cancellation_type::terminal);
        }
    }
};

Gate::Gate(asio::io_context& core) : state_(std::make_shared<State>(core)) {}

Gate::~Gate() {
    FIELDWATCH_ASSERT(state_->running.empty() || state_->context.stopped());
}

void Gate::spawn(Task<> task) {
    if (state_->stopping) return;
    const auto signal = state_->running.emplace(state_->running.end());
    asio::co_spawn(state_->context, std::move(task),
                   asio::bind_cancellation_slot(signal->slot(),
                                                [state = state_, signal](const std::exception_ptr& failure) {
                                                    if (failure) {
                                                        try {
                                                            std::rethrow_exception(failure);
                                                        } catch (const std::exception& exception) {
                                                            log::error("net", exception.what());
                                                        }
                                                    }
                                                    state->running.erase(signal);
                                                    if (state->running.empty()) state->drained.cancel();
                                                }));
}

Task<> Gate::stop() {
    const auto state = state_;
    state->cancel_all();
    while (!state->running.empty()) {
        state->drained.expires_at(asio::steady_timer::time_point::max());
        co_await state->drained.async_wait(kAsTuple);
    }
}

void Gate::stop_and_wait() {
    std::promise<void> done;
    asio::co_spawn(state_->context, stop(), [&done](const std::exception_ptr&) { done.set_value(); });
    done.get_future().wait();
}

std::size_t Gate::size() const {
    return state_->running.size();
}

bool Gate::stopping() const {
    return state_->stopping;
}

}  // namespace fieldwatch::net
