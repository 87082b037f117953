// News for open pages and `--follow`: what a workspace commit has just made visible. app calls publish()
// after each commit, so that whoever is told can also query it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "net/http.hpp"
#include "portal/access.hpp"
#include "workspace/rows.hpp"

namespace fieldwatch::portal {

/// What a commit brought, counted: the page shows that data flow even when nothing is wrong.
struct CommitCounts {
    std::uint64_t raw_events = 0, diagnostics = 0;
};

struct Subscriber {
    std::string hub;  ///< "" = all
    Principal who;
};

/// Any thread. A client that reads too slowly is dropped by its stream's own bound and comes back with the
/// last sequence it saw; the newest kHistoryMax events are kept for that.
class Notifier {
  public:
    static constexpr std::size_t kHistoryMax = 512;  ///< some minutes of a busy day, at most 2 MiB
    static constexpr std::size_t kClientsMax = 256;

    explicit Notifier(const Clock& clock) : clock_(clock) {}

    /// A client whose session or token has expired is cut off before it hears anything of this.
    void publish(std::span<const workspace::AlertRow> alerts,
                 std::span<const workspace::RecommendationRow> recommendations, const CommitCounts& counts);

    /// Sends what `hub` has missed behind `after`, or `reset` when that is no longer known, then all that
    /// comes. Errors: Exhausted at kClientsMax.
    Result<void> subscribe(std::shared_ptr<net::EventStream> stream, Subscriber subscriber,
                           std::optional<std::uint64_t> after);
    /// Cuts off everybody whom `is_known` does not know any more: after a change of accounts.
    void review(const std::function<bool(const Principal&)>& is_known);

    std::uint64_t sequence() const;  ///< of the newest event; 0 = none yet

  private:
    struct News {
        std::uint64_t sequence = 0;
        std::string hub;  ///< "" = all
        std::string_view event;
        std::string data;
    };
    struct Client {
        std::shared_ptr<net::EventStream> stream;
        Subscriber subscriber;
    };
    template <class Keeps>
    void cut_off_unless(const Keeps& keeps);                               ///< under mutex_
    void send(std::string hub, std::string_view event, std::string body);  ///< under mutex_

    const Clock& clock_;
    mutable std::mutex mutex_;
    std::uint64_t sequence_ = 0;
    std::deque<News> history_;
    std::vector<Client> clients_;
};

}  // namespace fieldwatch::portal
