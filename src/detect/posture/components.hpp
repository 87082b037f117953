// R23 by advisories: each component of a device that has known vulnerabilities is a recommendation of its
// own. The newest list of packages stays known, so that advisories act when they arrive and not with the next
// list. docs/vulnerabilities.md.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bounded_table.hpp"
#include "detect/detector.hpp"
#include "detect/vulnerability/advisory_table.hpp"

namespace fieldwatch::detect {

/// One strand. Devices of one model share one list, so that a fleet costs little more than a device.
class Components final : public Detector {
  public:
    static constexpr std::size_t kDevicesMax =
        65'536;  ///< some 20 MiB; a forgotten one is judged at its next list
    static constexpr std::size_t kBillsMax = 256;  ///< different lists, 256 KiB each at most: 64 MiB
    static constexpr std::size_t kBillBytesMax = 256u << 10;
    static constexpr std::size_t kComponentsMax = 64;       ///< of a device: the first in rank
    static constexpr std::size_t kVulnerabilitiesMax = 32;  ///< named of a component: the first in rank
    static constexpr std::size_t kDevicesAtOnce = 256;  ///< judged again in one turn when advisories change

    std::string_view section() const override { return "components"; }
    void observe(const model::Event& event, Context& context) override;
    void advance(Context& context) override;
    void save(ByteWriter& out) const override;
    Result<void> restore(ByteReader& in) override;

  private:
    struct Device {
        std::string hub, name;
        std::string distribution, release;  ///< as its system information says; "" unknown
        std::string bill;                   ///< key in bills_; "" none yet
        model::LogPosition position;        ///< of the newest list
        bool exposed = false;
        std::vector<std::string> components;  ///< that are recommendations now
    };
    struct Found {
        std::string name, version, type;
        std::vector<std::string> packages;
        std::vector<PackageVulnerability> vulnerabilities;
    };
    using FoundCache = std::map<std::string, std::vector<Found>>;  ///< by list, distribution and release

    void observe_packages(const model::Event& event, Context& context);
    void observe_system(const model::Event& event, Context& context);
    std::vector<Found> find(const std::string& bill, const Device& device,
                            const AdvisoryTable& advisories) const;
    void judge(Device& device, Timestamp time, Context& context, FoundCache* cache = nullptr);

    BoundedTable<Device> devices_{kDevicesMax};
    BoundedTable<std::string> bills_{kBillsMax};  // a line a package, sorted, by hash
    std::string judged_with_;       // hash of the advisories that devices were judged by, or are being
    std::deque<std::string> todo_;  // keys of devices that are still to be judged by them
};

}  // namespace fieldwatch::detect
