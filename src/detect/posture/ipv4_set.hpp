// Sets of IPv4 addresses as disjoint ranges: what an address filter accepts is computed by union, not by the
// text of its rules (spec/recommendations.md section 4.1).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/ip_address.hpp"
#include "detect/registry_document.hpp"

namespace fieldwatch::detect {

struct Ipv4Range {
    std::uint32_t first = 0, last = 0;  ///< both in it
    friend auto operator<=>(const Ipv4Range&, const Ipv4Range&) = default;
    std::uint64_t size() const { return std::uint64_t{last} - first + 1; }
};
Ipv4Range range_of(const IpPrefix& prefix);  ///< of an IPv4 prefix

class Ipv4Set {
  public:
    void add(Ipv4Range range);
    void remove(Ipv4Range range);
    bool empty() const { return ranges_.empty(); }
    bool is_everything() const { return ranges_.size() == 1 && ranges_[0] == Ipv4Range{0, 0xFFFF'FFFF}; }
    bool covers(Ipv4Range range) const;
    std::span<const Ipv4Range> ranges() const { return ranges_; }

  private:
    std::vector<Ipv4Range> ranges_;  // sorted, apart from each other
};

/// What a classic filter lets in: rules in order, the first that fits decides, none = accepted.
Ipv4Set accepted_by(std::span<const IpFilterRule> rules);
/// Whether the filter's last word is to reject: the rule that completes the cover of all addresses does.
bool rejects_by_default(std::span<const IpFilterRule> rules);

}  // namespace fieldwatch::detect
