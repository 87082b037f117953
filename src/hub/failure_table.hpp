// Failed authentications, bounded. A stranger can fail as often as he likes: it costs us a fixed table and a
// fixed number of records a minute, and is counted to the last try (design section 3a, bounds against
// strangers).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace fieldwatch::hub {

/// One strand, or guarded.
class FailureTable {
  public:
    struct Key {
        std::string hub, address;
        std::string device, module;  ///< "" for ids that are not registered: those share a row an address
        int result = 0;
        std::string reason;
        std::string protocol;
        bool mask_address = false;  ///< the hub's setting when it failed
        friend auto operator<=>(const Key&, const Key&) = default;
    };
    struct Row {
        Key key;
        std::uint64_t count = 0;  ///< failures not yet in the log
    };

    static constexpr std::size_t kRowsMax = 4'096;  ///< about 1 MiB; past it one row "other" takes the rest
    static constexpr std::size_t kAddressesMax = 8'192;
    static constexpr std::uint64_t kSingleRecords = 8;  ///< a minute and row, one record each; then condensed

    explicit FailureTable(std::uint64_t failures_per_minute) : failures_per_minute_(failures_per_minute) {}

    /// True: write this one to the log by itself. False: it is counted, and comes with the next flush.
    bool add(const Key& key);
    /// Has this address failed too often this minute?
    bool refuses(const std::string& address) const;
    /// The minute is over: what was condensed, and a fresh table.
    std::vector<Row> flush();

  private:
    struct Counts {
        std::uint64_t total = 0, condensed = 0;
    };
    std::uint64_t failures_per_minute_;
    std::map<Key, Counts> rows_;
    std::map<std::string, std::uint64_t> addresses_;
};

}  // namespace fieldwatch::hub
