// The threads that sockets live on: one event loop per core, each connection pinned to one of them, and a
// small pool for calls that block (the registry's durable writes). Asio itself stays behind this header; what
// needs it inside net includes net/task.hpp.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace boost::asio {
class io_context;
}

namespace fieldwatch::net {

/// Owns the loops and their threads; lives longer than every server and stream on it. Any thread may call.
class Runtime {
  public:
    using Work = std::move_only_function<void()>;

    struct Options {
        unsigned cores = 0;  ///< event loops; 0 = as many as the machine has cores
        unsigned workers =
            2;  ///< threads for blocking calls: SQLite has one writer, a second hides a slow read
    };

    explicit Runtime(Options options);
    Runtime() : Runtime(Options{}) {}
    ~Runtime();  ///< stop()
    Runtime(const Runtime&) = delete;
    Runtime& operator=(const Runtime&) = delete;

    unsigned cores() const;
    boost::asio::io_context& core(unsigned index);
    boost::asio::io_context& next();  ///< the cores in turn, for a new connection
    unsigned next_index();

    void post(unsigned core, Work work);  ///< runs on that core's thread, in order of posting
    void post_worker(Work work);  ///< runs on the pool; whoever posts bounds how much it has outstanding

    /// Ends the loops and joins their threads. Servers are stopped first: what still waits is destroyed
    /// unrun.
    void stop();

  private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace fieldwatch::net
