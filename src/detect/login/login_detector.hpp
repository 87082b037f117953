// Log-ins: local ones (A07, A17) and brute force (A06 when it worked, A36 when it did not), spec/alerts.md
// section 7. Thresholds count hits in event time; what an aggregate says is spread evenly over its interval.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/bounded_table.hpp"
#include "detect/detector.hpp"

namespace fieldwatch::detect {

/// One strand.
class LoginDetector {
  public:
    static constexpr std::size_t kDevicesMax =
        20'000;  ///< a shard's share of 80,000 devices that anyone logs in to
    static constexpr std::size_t kSourcesMax = 64;  ///< addresses a device; past it who failed least goes,
                                                    ///< counted, and counts among "many addresses"
    static constexpr std::size_t kNamesMax = 32;    ///< users, and address:port pairs, kept as evidence

    /// False for one more record of a login that was seen.
    bool observe(const model::Event& event, const model::Item& item, const model::Login& login,
                 Context& context);
    /// Failed attempts whose success can no longer come: A36.
    void advance(Context& context);

    std::uint64_t sources_evicted() const { return sources_evicted_; }
    void save(ByteWriter& out) const;
    Result<void> restore(ByteReader& in);

  private:
    struct Source {
        std::string address;
        std::vector<std::int64_t> recent;  ///< the newest `minFailures` failures, ascending ticks
        bool burst = false;                ///< the threshold was reached
        bool reported = false;             ///< A36 is out
        bool won = false;                  ///< a log-in came, its failures may be late: `last` is its time
        Timestamp start, last;             ///< of the burst, event time
        Timestamp last_received;           ///< log time of its newest failure
        std::int64_t failures = 0;
        std::vector<std::string> users, endpoints;
        std::vector<model::LogPosition> evidence;

        /// Drops what a log-in left; with failures beside it only that it was one.
        void forget_success();
    };
    struct Seen {
        std::int64_t process_id = 0;
        std::uint64_t user = 0;
        std::uint8_t result = 0;
        Timestamp time;
    };
    struct Device {
        std::string hub, name;
        std::vector<Source> sources;  ///< by last use, oldest first
        std::vector<Seen> seen;       ///< the last 16 records, for several records of one login
    };

    bool is_repeat(Device& device, const model::Event& event, const model::Login& login);
    Source& source_of(Device& device, std::string_view address, Context& context);
    void evict_one(Device& device, Context& context);
    void count_among_many(Device& device, const Source& gone, Context& context);
    void fail(Device& device, const model::Event& event, const model::Item& item, const model::Login& login,
              Context& context);
    void succeed(Device& device, const model::Event& event, const model::Item& item,
                 const model::Login& login, Context& context);
    void remember(Device& device, const model::Event& event, const model::Item& item,
                  const model::Login& login, std::string_view address, Context& context);
    /// A06; the source is done with.
    void report_won(Device& device, Source& source, const model::Event& event, std::string_view user,
                    Timestamp at, Context& context);
    void report_failed(const Device& device, Source& source, Context& context);
    void local(const model::Event& event, const model::Item& item, const model::Login& login,
               Context& context);

    BoundedTable<Device> devices_{kDevicesMax};
    std::set<std::pair<std::string, std::string>> open_;  // (device key, address) of bursts not yet reported
    std::uint64_t sources_evicted_ = 0;
};

}  // namespace fieldwatch::detect
