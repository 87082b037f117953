// Network behaviour of each device: scans, floods, password guessing, beacons to command servers, data
// carried out, and ports that it never used before. Fixed, high thresholds from the first packet on; what a
// device has shown for half a day moves them. docs/decisions/0032, 0119.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/bounded_table.hpp"
#include "detect/behaviour/contact_table.hpp"
#include "detect/behaviour/flow.hpp"
#include "detect/behaviour/flow_tables.hpp"
#include "detect/behaviour/token_sketch.hpp"
#include "detect/detector.hpp"

namespace fieldwatch::detect {

/// Watches what a network sensor counted always; connections that an agent reports only with the setting
/// `behaviour`. One strand.
class NetworkDetector {
  public:
    static constexpr std::size_t kDevicesMax = 20'000;  ///< a shard's; about 6 KiB each
    static constexpr Ticks kWindow = std::chrono::minutes(5), kLongWindow = std::chrono::hours(1);
    static constexpr Ticks kLearning = std::chrono::hours(12);

    void observe(const model::Event& event, const model::Item& item,
                 const model::ConnectionCreate& connection, Context& context);

    std::uint64_t devices_evicted() const { return devices_.evictions(); }
    void save(ByteWriter& out) const;
    Result<void> restore(ByteReader& in);

  private:
    /// What a device is used to.
    struct Standard {
        float addresses = 0;  ///< most addresses tried in vain on one port in a window
        float flows = 0;      ///< most flows to one address in a window
        float bytes_out = 0;  ///< most bytes to one address in an hour
        std::uint32_t windows = 0;
        std::uint64_t polled = 0;               ///< filter of ports outside that it contacts regularly
        std::array<std::uint64_t, 16> ports{};  ///< filter of ports outside that it used
        std::array<std::uint64_t, 16> nets{};   ///< filter of networks and ports outside
    };
    /// Packets to all outside in the window.
    struct Sent {
        double packets_out = 0, packets_in = 0;
        bool raised = false;
    };
    struct Device {
        Timestamp first;
        std::int64_t window = -1, long_window = -1, day = -1;  ///< number of the running one since 1970
        Timestamp attack;                                      ///< event time of the newest scan or flood
        Timestamp answered;  ///< event time of the newest answer from outside
        PortTable ports, long_ports, day_ports;
        HourTable hour;
        Sent sent;
        DestinationTable destinations;
        ContactTable contacts;
        Standard standard;
        std::uint32_t new_port_flows = 0;
        std::uint16_t new_port = 0;
        Timestamp rare_raised;
    };
    struct Sight;  ///< one flow of one device, while it is judged

    void turn_windows(Device& device, const Flow& flow) const;
    void judge_ports(Sight& sight);
    void judge_destination(Sight& sight);
    void judge_hour(Sight& sight);
    void judge_contact(Sight& sight);
    void judge_new_port(Sight& sight);
    bool beacons(const Sight& sight, const ContactTable::Entry& contact) const;
    bool is_additional(const Sight& sight, const ContactTable::Entry& contact) const;
    bool is_unlike_its_peers(const Sight& sight, const ContactTable::Entry& contact) const;

    BoundedTable<Device> devices_{kDevicesMax};
    /// How many devices keep contact with a network and port outside, of each hub.
    TokenSketch<8192> devices_by_contact_;
};

}  // namespace fieldwatch::detect
