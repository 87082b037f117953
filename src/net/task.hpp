// Coroutines of net: Task, the completion token that makes an I/O error a value, and Gate, the scope that
// every spawned coroutine belongs to. Only src/net includes this: Asio is heavy.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <list>
#include <memory>

namespace fieldwatch::net {

namespace asio = boost::asio;

template <class T = void>
using Task = asio::awaitable<T>;

/// `const auto [error, size] = co_await stream.async_read_some(buffer, kAsTuple);`
inline constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

/// A scope for coroutines on one core: stopping is cancel, drain, join. Lives on that core's strand; only
/// `stop_and_wait` may be called from another thread. Bound: whoever spawns counts its connections.
class Gate {
  public:
    explicit Gate(asio::io_context& core);
    ~Gate();  ///< all coroutines must have ended: stop() or stop_and_wait() came first

    /// Starts `task`. After stop() it is dropped unstarted. An exception that leaves the task is logged as a
    /// bug.
    void spawn(Task<> task);
    /// Cancels everything (terminal) and returns when the last coroutine has ended.
    Task<> stop();
    /// The same from a thread that does not run the core's loop; blocks.
    void stop_and_wait();

    std::size_t size() const;
    bool stopping() const;

  private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace fieldwatch::net
