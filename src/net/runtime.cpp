#include "net/runtime.hpp"

#include <algorithm>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <thread>

namespace fieldwatch::net {

namespace asio = boost::asio;

namespace {
struct Loop {
    asio::io_context context{1};  // one thread runs it: Asio then locks less
    asio::executor_work_guard<asio::io_context::executor_type> guard{context.get_executor()};
    std::thread thread;
};
}  // namespace

struct Runtime::Parts {
    explicit Parts(unsigned workers) : pool(workers) {}
    std::vector<std::unique_ptr<Loop>> loops;
    asio::thread_pool pool;
    std::atomic<unsigned> turn{0};
    std::atomic<bool> stopped{false};
};

Runtime::Runtime(Options options) : parts_(std::make_unique<Parts>(std::max(options.workers, 1u))) {
    const auto cores = options.cores != 0 ? options.cores : std::max(1u, std::thread::hardware_concurrency());
    for (unsigned index = 0; index < cores; ++index) {
        auto& loop = *parts_->loops.emplace_back(std::make_unique<Loop>());
        loop.thread = std::thread([&context = loop.context] { context.run(); });
    }
}

Runtime::~Runtime() {
    stop();
}

unsigned Runtime::cores() const {
    return static_cast<unsigned>(parts_->loops.size());
}

asio::io_context& Runtime::core(unsigned index) {
    return parts_->loops[index]->context;
}

unsigned Runtime::next_index() {
    return parts_->turn.fetch_add(1, std::memory_order_relaxed) % cores();
}

asio::io_context& Runtime::next() {
    return core(next_index());
}

void Runtime::post(unsigned index, Work work) {
    asio::post(core(index), std::move(work));
}

void Runtime::post_worker(Work work) {
    asio::post(parts_->pool, std::move(work));
}

void Runtime::stop() {
    if (parts_->stopped.exchange(true)) return;
    parts_->pool.join();  // what a worker began it may finish: registry calls are short
    for (auto& loop : parts_->loops) {
        loop->guard.reset();
        loop->context.stop();
    }
    for (auto& loop : parts_->loops)
        loop->thread.join();
}

}  // namespace fieldwatch::net
