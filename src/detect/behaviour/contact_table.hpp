// Whom one device keeps coming back to, and how regularly: what a beacon to a command server is made of.
#pragma once

#include <array>
#include <cstdint>

#include "detect/behaviour/flow.hpp"
#include "detect/behaviour/flow_tables.hpp"
#include "detect/state.hpp"

namespace fieldwatch::detect {

/// The last contacts of a device with each external address and port. Holds 24; who came once gives way
/// first, then who is longest silent. A scan does not wash them out: what is met once stands in a filter
/// beside.
class ContactTable {
  public:
    static constexpr std::size_t kGaps = 8;
    static constexpr double kBriefSeconds = 120;

    struct Entry {
        IpAddress remote;
        std::uint16_t port = 0;
        Transport transport = Transport::Other;
        bool raised = false;
        bool fresh = false;  ///< first met after the device's standard behaviour had been learned
        std::uint32_t count = 0, unanswered = 0;
        std::uint32_t wordless = 0;  ///< answered, in no protocol that the sensor knows
        std::uint32_t brief = 0;     ///< of at most two minutes
        Timestamp first, last;
        std::array<float, kGaps> gaps{};  ///< seconds between contacts, the newest
        std::uint32_t gap_count = 0;

        double median_gap() const;  ///< seconds; 0 before the first gap
        /// Share of the gaps kept that lie within a quarter of the median; 0 before there are six.
        double regularity() const;
    };

    /// The contact, when it is at least the second within an hour or known already; null otherwise. Contacts
    /// less than a second apart are one. `fresh` is what a new entry is marked with.
    Entry* add(const Flow& flow, bool fresh);
    const std::array<Entry, 24>& entries() const { return entries_; }
    void save(ByteWriter& out) const;
    Result<void> restore(ByteReader& in);

  private:
    /// Met once: a fingerprint and when, in seconds since 1970.
    struct Once {
        std::uint32_t fingerprint = 0, second = 0;
    };
    Entry& make(const Flow& flow, bool fresh);

    std::array<Entry, 24> entries_{};
    std::array<Once, 64> once_{};
};

}  // namespace fieldwatch::detect
