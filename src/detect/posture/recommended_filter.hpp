// R15, recommended rules for the address filter: from the addresses that devices connected from over a week.
// spec/recommendations.md section 4. Judged by the hub's home shard.
#pragma once

#include <map>

#include "base/bounded_table.hpp"
#include "detect/detector.hpp"
#include "detect/posture/ipv4_set.hpp"

namespace fieldwatch::detect {

/// One strand. Of a hub the 4,096 addresses seen last are kept: more than that make no ten rules.
class RecommendedFilter final : public Detector {
  public:
    static constexpr std::size_t kHubsMax = 1'024;
    static constexpr std::size_t kAddressesMax = 4'096;
    static constexpr Ticks kObservedFor = std::chrono::hours(24 * 7);

    std::string_view section() const override { return "recommended-filter"; }
    void observe(const model::Event& event, Context& context) override;
    void hub(const HubDocument& hub, const model::RegistryChange& change, Context& context) override;
    void advance(Context& context) override;
    void save(ByteWriter& out) const override;
    Result<void> restore(ByteReader& in) override;

  private:
    struct Hub {
        Timestamp first_seen;
        std::map<std::uint32_t, std::int64_t> seen;  ///< address to the time it was seen last
        bool configured = false;                     ///< the log has described the filter
        std::vector<Ipv4Range> accepted;
        model::LogPosition evidence;
    };
    static void assess(const std::string& name, const Hub& hub, Context& context);

    std::map<std::string, Hub> hubs_;
    std::int64_t day_ = -1;  ///< UTC day of the last full evaluation
};

/// The smallest set of at most `count_max` prefixes that covers the addresses: neighbours are put together,
/// the nearest first.
std::vector<IpPrefix> covering_prefixes(const std::vector<std::uint32_t>& addresses, std::size_t count_max);

}  // namespace fieldwatch::detect
