// Which security group a device is in, since when, and whether it was there at all: what the log's registry
// records say. spec/custom-alerts.md section 1.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "model/record.hpp"

namespace fieldwatch::detect {

/// One device's membership through time. A change takes effect for windows that start afterwards.
class Membership {
  public:
    static constexpr std::size_t kPeriodsMax =
        8;  ///< changes remembered: moves within the lateness of a window

    struct Period {
        Timestamp since;
        std::string group =
            "default";        ///< the tag as given; a name that there is no group of means `default`
        bool enabled = true;  ///< registered and enabled
        friend bool operator==(const Period&, const Period&) = default;
    };

    bool known() const { return !periods_.empty(); }
    /// A record of the device came: it is registered, since now if nobody said so before.
    void seen(Timestamp at);
    /// What the identity registry says of the device.
    void set_enabled(bool enabled, Timestamp at);
    /// The tag of the device's twin or of a module's; empty when there is none.
    void set_tag(std::string_view module, std::string_view value, Timestamp at);
    void remove_module(std::string_view module, Timestamp at);

    /// Oldest first.
    const std::vector<Period>& periods() const { return periods_; }

    void save(ByteWriter& out) const;
    Result<void> restore(ByteReader& in);

  private:
    void change(Period period);
    std::string tag() const;

    std::vector<Period> periods_;
    std::vector<std::pair<std::string, std::string>> tags_;  ///< (module, value), at most 8; "" is the device
    bool spoken_ = false;  ///< until a device does, its tags say where it begins, not that it moved
};

/// What a registry record means for custom alerts.
struct MembershipChange {
    std::string device, module;
    std::optional<bool> enabled;        ///< of an identity record; false also when it was deleted
    std::optional<std::string> tag;     ///< of a record that shows the tags: `SecurityGroup`, or empty
    std::optional<Ticks> low_interval;  ///< the agent's lowPriorityMessageFrequency, from the desired twin
    std::optional<bool> twin_data;      ///< of hub configuration: off turns custom alerts off
};
/// Reads the log's own records and the whole twins and identities of spec/hub-signals.md section 4. What
/// cannot be read says nothing.
MembershipChange read_membership(const model::RecordView& record);

}  // namespace fieldwatch::detect
