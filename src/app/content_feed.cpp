#include "app/content_feed.hpp"

#include <fmt/format.h>

#include <chrono>

#include "base/log.hpp"

namespace fieldwatch::app {

namespace {
/// Changes come in handfuls, and a version is compiled for all of them at once.
constexpr std::chrono::milliseconds kSettle{200};
}  // namespace

ContentFeed::ContentFeed(Parts parts) : parts_(std::move(parts)) {
    thread_ = std::thread([this] { run(); });
}

ContentFeed::~ContentFeed() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
}

void ContentFeed::wake() {
    {
        const std::lock_guard lock(mutex_);
        woken_ = true;
    }
    wake_.notify_all();
}

std::string ContentFeed::hash() {
    const std::lock_guard lock(mutex_);
    return parts_.hash;
}

void ContentFeed::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait(lock, [this] { return woken_ || stopping_; });
        if (wake_.wait_for(lock, kSettle, [this] { return stopping_; })) return;
        woken_ = false;
        lock.unlock();
        // What does not compile is not put in force: the running version stays, and the log says why.
        if (const auto done = renew_now(); !done)
            log::error("content", fmt::format("the change is not in force: {}", done.error().message));
        lock.lock();
    }
}

Result<std::string> ContentFeed::renew_now() {
    const std::lock_guard lock(renewing_);
    FIELDWATCH_TRY(renew());
    return hash();
}

Result<void> ContentFeed::renew() {
    const auto sources = FIELDWATCH_TRY(parts_.sources());
    if (sources.hash() == this->hash()) return {};
    auto hash = FIELDWATCH_TRY(parts_.contents.put(sources));
    FIELDWATCH_TRY(parts_.announce(hash));
    log::info("content", fmt::format("version {} is in force", hash.substr(0, 12)));
    const std::lock_guard lock(mutex_);
    parts_.hash = std::move(hash);
    return {};
}

}  // namespace fieldwatch::app
