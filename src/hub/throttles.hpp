// How fast a hub may be asked: a rate for each kind of operation, and what became of who was over it, in the
// operation log and in metrics. Source: spec/iot-hub-protocols.md section 10.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/bounded_table.hpp"
#include "base/metrics.hpp"
#include "hub/operation.hpp"
#include "hub/rate.hpp"
#include "net/mailbox.hpp"

namespace fieldwatch::hub {

enum class Throttle : std::uint8_t {
    Connects,
    Messages,
    Registry,
    CommandSends,
    CommandReceives,  ///< over HTTPS, which polls
    TwinReads,
    TwinUpdates,
    Queries,
    MethodBytes,    ///< counted in steps of 4 KiB
    Reports,        ///< to Device Defender, before their time: DefenderTable says so, there is no rate here
    BrokenReports,  ///< likewise, those that are none: any number of them is one record a minute
    MetricValues,   ///< likewise, of telemetry: what a chosen path found and is no number
};
inline constexpr std::size_t kThrottles = 12;

struct Rate {
    double per_second = 0;  ///< 0 = without limit
    double burst = 0;
};
using HubRates = std::array<Rate, kThrottles>;

/// The documented rates of that many S1 units; bursts of a minute's worth where the rate is one a minute.
/// Messages are without limit: what bounds them is the journal, which makes devices wait (ADR 0062).
HubRates rates_of_units(std::uint32_t units);

/// Any thread. Bounds: a bucket a hub and kind (hubs are the registry's), and kRowsMax rows of who was over
/// its rate in this minute; past it they share one row a hub.
class Throttles {
  public:
    /// `message_rate`: of one identity over protocols that hold no state of it (HTTPS).
    Throttles(HubRates rates, Rate message_rate, const OperationLog& log, Metrics& metrics);

    /// True: go on. False: it is over the hub's rate, is counted, and in the log.
    bool take(Throttle what, const Speaker& by, std::chrono::nanoseconds now, double amount = 1);
    /// One message of an identity that has no connection to be slowed by; likewise.
    bool take_message(const Speaker& by, std::chrono::nanoseconds now);
    /// An identity was over a rate of its own: counted and in the log likewise. `why` is for the first record
    /// of a minute; "" = as the kind says.
    void over(Throttle what, const Speaker& by, std::string_view why = {});
    /// Writes what was condensed; once a minute, and at the end.
    void flush();

  private:
    static constexpr std::size_t kRowsMax = 4'096;         ///< about 2 MiB
    static constexpr std::size_t kIdentitiesMax = 20'000;  ///< about 4 MiB; then the one unused longest goes
    struct Key {
        model::Identity identity;
        Throttle what = Throttle::Connects;
        friend auto operator<=>(const Key&, const Key&) = default;
    };
    struct Row {
        Speaker by;
        std::int64_t count = 0;  ///< beyond the one that is in the log
    };
    struct State {
        std::map<std::pair<std::string, Throttle>, TokenBucket> buckets;
        BoundedTable<std::optional<TokenBucket>> identities{kIdentitiesMax};
        std::map<Key, Row> rows;
    };
    void write(Throttle what, const Speaker& by, std::int64_t count, std::string_view why) const;

    const HubRates rates_;
    const Rate message_rate_;
    const OperationLog& log_;
    std::array<Counter*, kThrottles> counters_{};
    net::Guarded<State> state_;
};

}  // namespace fieldwatch::hub
