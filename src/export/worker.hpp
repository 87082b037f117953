// One destination at work: reads the outboxes behind its cursors, sends, tries again later.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/metrics.hpp"
#include "export/backoff.hpp"
#include "export/progress.hpp"
#include "export/selection.hpp"
#include "export/sender.hpp"
#include "workspace/workspace.hpp"

namespace fieldwatch::exports {

/// A workspace whose findings leave.
struct Source {
    std::string id;
    workspace::Workspace* workspace = nullptr;
};

/// How a destination does.
struct Status {
    std::uint64_t waiting = 0;  ///< rows that it has not looked at
    std::uint64_t delivered = 0, dropped = 0, refused = 0;
    Timestamp last_delivered;           ///< ticks 0 = never
    Timestamp failing_since, next_try;  ///< ticks 0 = all is well
    Timestamp quiet_until;              ///< ticks 0 = these are no quiet hours
    std::string problem;                ///< of the last attempt; "" = all is well
};

/// A thread of its own. Any thread may call; a mutex holds what the API reads of it (ADR 0083).
class Worker {
  public:
    /// Rows further back than these are dropped: about 200 MiB of a workspace.
    static constexpr std::uint64_t kRowsMax = 100'000;

    /// Everything outlives the worker.
    struct Parts {
        FileSystem& files;
        const Clock& clock;
        Random& random;
        Metrics& metrics;
        std::string progress_path;
        std::string files_directory;
        const Teller& teller;
        std::function<std::vector<Source>()> sources;
    };

    static Result<std::unique_ptr<Worker>> create(Destination destination, Parts parts, Progress progress);
    ~Worker();  ///< stop()

    void start();
    void stop();  ///< ends an attempt under way; keeps the progress
    void wake();  ///< there may be something new

    const Destination& destination() const { return destination_; }
    Status status() const;
    std::uint64_t cursor(std::string_view workspace) const;
    Progress progress() const;  ///< after stop(): for who takes its place
    /// Sends one finding now, past the outbox. Errors: what the receiver said.
    Result<void> send_now(const Finding& finding);

  private:
    /// A row with what is to become of it.
    struct Judged {
        std::uint64_t sequence = 0;
        enum class Verdict : std::uint8_t { Pass, Drop, Send } verdict = Verdict::Pass;
    };

    Worker(Destination destination, Parts parts, Progress progress,
           std::unique_ptr<net::Interrupt> interrupt);
    void run();
    Result<bool> turn();
    Result<bool> turn(const Source& source);
    bool gathers() const;
    Judged judge(const workspace::OutboxRow& row, std::uint64_t end, std::vector<Finding>& batch);
    void pass(const Source& source, std::span<const Judged> rows, const Sent& sent);
    void failed(const Error& error, std::chrono::seconds retry_after);
    void keep();

    const Destination destination_;
    Parts parts_;
    const std::unique_ptr<net::Interrupt> interrupt_;
    Counter& delivered_;
    Counter& dropped_;
    Counter& refused_;
    Counter& failures_;
    Backoff backoff_;
    Selection selection_;    ///< of the thread
    bool emptying_ = false;  ///< of the thread: a digest's time has come, and not all of it has left

    std::mutex send_mutex_;  ///< the sender has one user at a time: the thread, or a test
    std::unique_ptr<Sender> sender_;

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    Progress progress_;
    std::string problem_;
    Timestamp failing_since_, next_try_;
    std::chrono::milliseconds pause_{0};
    bool woken_ = false, stopping_ = false;
    std::thread thread_;
};

}  // namespace fieldwatch::exports
