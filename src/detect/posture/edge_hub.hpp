// R17, memory of a gateway's hub: protocol heads that nobody has used for a week. spec/recommendations.md
// section 4. Judged by the hub's home shard, which sees what devices behind a gateway do.
#pragma once

#include <array>
#include <map>

#include "detect/detector.hpp"

namespace fieldwatch::detect {

/// One strand. Past its bounds further gateways and devices are not looked at, and counted.
class EdgeHub final : public Detector {
  public:
    static constexpr std::size_t kGatewaysMax = 50'000;
    static constexpr std::size_t kChildrenMax = 200'000;
    static constexpr Ticks kUnusedFor = std::chrono::hours(24 * 7);

    std::string_view section() const override { return "edge-hub"; }
    void observe(const model::Event& event, Context& context) override;
    void identity(const IdentityDocument& identity, const model::RegistryChange& change,
                  Context& context) override;
    void twin(const TwinDocument& twin, const model::RegistryChange& change, Context& context) override;
    void advance(Context& context) override;
    void save(ByteWriter& out) const override;
    Result<void> restore(ByteReader& in) override;

  private:
    using Key = std::pair<std::string, std::string>;  // hub, device
    struct Gateway {
        std::array<Timestamp, 3> since;  ///< when the head was switched on, or last used; 0 = it is off
        model::LogPosition evidence;
    };
    void use(const Key& key, std::size_t head, Timestamp time, Context& context);
    static void assess(const Key& key, const Gateway& gateway, Context& context);

    std::map<Key, Gateway> gateways_;
    std::map<Key, std::vector<std::string>> parents_;
    Timestamp looked_{0};
    std::uint64_t refused_ = 0;
};

}  // namespace fieldwatch::detect
