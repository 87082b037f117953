// R01, open ports: a state of a device, read from its latest snapshot of listening sockets.
// spec/recommendations.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bounded_table.hpp"
#include "detect/detector.hpp"

namespace fieldwatch::detect {

/// One strand.
class OpenPorts {
  public:
    static constexpr std::size_t kDevicesMax =
        65'536;  ///< a shard's devices; past it the one silent longest is forgotten
    static constexpr std::size_t kEndpointsMax =
        1'024;  ///< evidence of one device; more listeners than that say the same

    void observe(const model::Event& event, Context& context);
    /// What is still active is written again once a UTC day, as a snapshot row.
    void advance(Context& context);

    void save(ByteWriter& out) const;
    Result<void> restore(ByteReader& in);

  private:
    struct Device {
        std::string hub, name;
        bool active = false;
        Timestamp evaluated;  ///< event time of the snapshot in force
        Timestamp first_evaluated, discovered, changed;
        std::vector<std::string> endpoints;  ///< sorted, unique
        model::LogPosition evidence;
    };
    model::Recommendation make(const Device& device, Timestamp now) const;

    BoundedTable<Device> devices_{kDevicesMax};
    std::int64_t day_ = -1;  ///< UTC day of the last daily rows
};

}  // namespace fieldwatch::detect
