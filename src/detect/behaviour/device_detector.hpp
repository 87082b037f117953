// Deviation of devices from their standard behaviour, window by window: which windows are unusual enough to
// say so, and why. Only with the setting `behaviour`. docs/decisions/0033.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/bounded_table.hpp"
#include "detect/behaviour/alert_budget.hpp"
#include "detect/behaviour/device_model.hpp"
#include "detect/behaviour/expectation.hpp"
#include "detect/detector.hpp"

namespace fieldwatch::detect {

/// Windows are of log time: what arrives in the same five minutes. One strand.
class DeviceDetector {
  public:
    static constexpr std::size_t kDevicesMax = 20'000;  ///< a shard's; at most 14 KiB each with the network's
    static constexpr std::size_t kHubsMax = 256;
    static constexpr Ticks kWindow = std::chrono::minutes(5);
    static constexpr std::int64_t kGapWindowsMax = 12;  ///< a longer silence of the log teaches nothing

    void observe(const model::Event& event, const model::Item& item, Context& context);
    /// Closes the windows that log time has passed.
    void advance(Context& context);

    void save(ByteWriter& out) const;
    Result<void> restore(ByteReader& in);

  private:
    struct Device {
        std::string hub, name;
        DeviceModel model;
        LastAlert raised;
        std::string raised_type, raised_discriminator;
    };
    struct Judged {
        Device* device;
        WindowScore score;
        std::string type, discriminator;   ///< empty: nothing to raise
        Verdict verdict = Verdict::Usual;  ///< of people, on what weighs most
    };
    using CauseCounts = std::map<std::pair<std::string, std::string>, std::uint32_t>;  ///< by hub and cause
    static CauseCounts devices_by_cause(const std::vector<Judged>& judged);
    void close_windows(std::int64_t window, Context& context);
    static void decide(Judged& judged, Timestamp end, const Context& context);
    void raise_fleet(std::vector<Judged>& judged, Timestamp end, Context& context);
    void raise(Judged& judged, Timestamp end, Context& context);
    bool is_frozen(const Device& device, const Context& context) const;

    BoundedTable<Device> devices_{kDevicesMax};
    BoundedTable<PeerGroup> groups_{kHubsMax};
    std::int64_t window_ = -1;   ///< number of the running one since 1970
    std::vector<Count> counts_;  // scratch
    std::vector<Token> tokens_;  // scratch
};

}  // namespace fieldwatch::detect
