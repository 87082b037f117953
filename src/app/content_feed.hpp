// What detection runs on may change while the server runs: groups, tuning, indicators. This makes a new
// content version of it and says so in the log, so that every shard takes it up at the same place. One thread
// of its own.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "base/result.hpp"
#include "detect/engine.hpp"
#include "pipeline/content_store.hpp"

namespace fieldwatch::app {

class ContentFeed {
  public:
    struct Parts {
        pipeline::ContentStore& contents;
        std::function<Result<detect::ContentSources>()> sources;        ///< what is in force in the registry
        std::function<Result<void>(const std::string& hash)> announce;  ///< into the log, durably
        std::string hash;                                               ///< the version in force at start
    };
    explicit ContentFeed(Parts parts);
    ~ContentFeed();  ///< joins; a change that was not announced is found at the next start

    /// Something changed: look, soon. Any thread.
    void wake();
    /// Something changed: in force, in the log, when this returns; the hash of it. Any thread. Errors: what
    /// keeps it from compiling or being announced; the version before then stays in force.
    Result<std::string> renew_now();
    /// The version in force.
    std::string hash();

  private:
    void run();
    Result<void> renew();

    Parts parts_;
    std::mutex renewing_;  ///< one version after the other; never taken under mutex_
    std::mutex mutex_;
    std::condition_variable wake_;
    bool woken_ = false, stopping_ = false;
    std::thread thread_;
};

}  // namespace fieldwatch::app
