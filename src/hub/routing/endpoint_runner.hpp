// One endpoint's way through the log: reads what is durable, picks what routes lead there, delivers, and
// keeps its place. The journal is the spool: what was acknowledged to a device is delivered at least once, or
// counted.
#pragma once

#include <atomic>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/metrics.hpp"
#include "hub/operation.hpp"
#include "hub/routing/route_sink.hpp"
#include "hub/routing/routing.hpp"
#include "journal/journal.hpp"

namespace fieldwatch::hub {

struct EndpointStatus {
    std::string name;
    RouteEndpoint::Kind kind = RouteEndpoint::Kind::File;
    bool healthy = true;
    std::string last_error;  ///< "" = the last delivery went well
    std::uint64_t delivered =
        0;                      ///< since the server's start or the last change of routes, like the next two
    std::uint64_t refused = 0;  ///< that the receiver will never take
    std::uint64_t dropped = 0;  ///< that waited too long
    std::uint64_t behind = 0;   ///< records of the log that are still to be looked at
};

struct RunnerTimes {
    std::chrono::milliseconds idle{200};  ///< how late a message is at the most, when all is well
    std::chrono::milliseconds first_wait{1'000}, wait_max{300'000};  ///< between tries; doubled each time
    std::chrono::milliseconds keep_every{1'000};  ///< how much is delivered twice after a crash, at the most
};

struct RunnerCounters {
    Counter& delivered;
    Counter& refused;
    Counter& dropped;
    Counter& failures;
};

struct RunnerParts {
    journal::Journal& journal;
    const Clock& clock;
    const OperationLog& log;
    RunnerCounters counters;
    RouteTwins& twins;
    RunnerTimes times{};
};

/// A thread of its own from its making to stop(). Bounds: one batch of kReadBytes and its text.
class EndpointRunner {
  public:
    EndpointRunner(RunnerParts parts, model::HubName hub, RouteEndpoint endpoint,
                   std::shared_ptr<const Routing> routing, std::unique_ptr<RouteSink> sink);
    ~EndpointRunner();  ///< stop()

    /// Ends a delivery that is under way, keeps the place, joins.
    void stop();
    EndpointStatus status() const;

    /// The journal's consumer: known from the endpoint's first start on, which begins with what comes then.
    static std::string consumer_of(const model::HubName& hub, std::string_view endpoint);

  private:
    struct Source {
        Source(journal::Stream its_stream, std::uint32_t its_partition, bool is_needed)
            : stream(its_stream), partition(its_partition), needed(is_needed) {}
        const journal::Stream stream;
        const std::uint32_t partition;
        const bool needed;  ///< false: no route leads from here; it only keeps up
        std::atomic<std::uint64_t> next = 0;
        std::uint64_t kept = 0;
        journal::Place place() const { return {stream, partition, next}; }
    };
    struct Line {
        std::string text;
        std::uint64_t next = 0;  ///< where to read on when it is delivered
    };
    enum class Step : std::uint8_t { Idle, Moved, Failed };

    void run();
    Step read_on(Source& source);
    /// Moves `source` past what waited too long at the front, so that it counts once.
    std::vector<Line> lines_of(const journal::Batch& batch, Source& source);
    /// False: the receiver does not take it now, and `source` stands behind what it took.
    bool deliver(Source& source, std::span<Line> lines);
    bool deliver_some(Source& source, std::span<Line> lines);
    void failed(const Error& error);
    void refused(const Error& error);  ///< one message, for good
    void succeeded(std::size_t count);
    void keep(bool now);
    bool wait(std::chrono::milliseconds span);  ///< false: stopping
    void tell(std::string_view operation, int result, std::string_view why, std::int64_t messages) const;

    const RunnerParts parts_;
    const model::HubName hub_;
    const RouteEndpoint endpoint_;
    const std::shared_ptr<const Routing> routing_;
    const std::unique_ptr<RouteSink> sink_;
    const std::string consumer_;
    std::list<Source> sources_;
    RoutedMessageReader reader_;
    std::chrono::nanoseconds kept_at_{0}, all_kept_at_{0}, refusals_told_at_{0};
    std::int64_t refusals_untold_ = 0;
    unsigned failures_ = 0;  ///< in a row

    std::atomic<std::uint64_t> delivered_ = 0, refused_ = 0, dropped_ = 0;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    bool stopping_ = false, healthy_ = true;
    std::string last_error_;
    std::thread thread_;
};

}  // namespace fieldwatch::hub
