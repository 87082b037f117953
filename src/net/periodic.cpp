#include "net/periodic.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <future>

namespace fieldwatch::net {

struct Periodic::State : std::enable_shared_from_this<State> {
    State(boost::asio::io_context& context, std::chrono::milliseconds its_interval,
          std::function<void()> its_work)
        : timer(context), interval(its_interval), work(std::move(its_work)) {}

    void arm() {
        timer.expires_after(interval);
        timer.async_wait([self = shared_from_this()](boost::system::error_code error) {
            if (error || self->ended) return;
            self->work();
            self->arm();
        });
    }

    boost::asio::steady_timer timer;
    std::chrono::milliseconds interval;
    std::function<void()> work;
    bool ended = false;
};

Periodic::Periodic(Runtime& runtime, unsigned core, std::chrono::milliseconds interval,
                   std::function<void()> work)
    : runtime_(runtime),
      core_(core),
      state_(std::make_shared<State>(runtime.core(core), interval, std::move(work))) {
    runtime_.post(core_, [state = state_] { state->arm(); });
}

Periodic::~Periodic() {
    std::promise<void> done;
    runtime_.post(core_, [&] {
        state_->ended = true;
        state_->timer.cancel();
        done.set_value();
    });
    done.get_future().wait();
}

}  // namespace fieldwatch::net
