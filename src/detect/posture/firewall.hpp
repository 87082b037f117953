// R02 to R04, the firewall: chain policies and rules of the latest snapshot. spec/recommendations.md section
// 2, "Wide".
#pragma once

#include "detect/detector.hpp"

namespace fieldwatch::detect {

class Firewall final : public Detector {
  public:
    static constexpr std::size_t kRulesMax = 256;  ///< evidence of one device

    void observe(const model::Event& event, Context& context) override;
};

/// Whether an address tag (an address, a range in any of the three notations, a name, a negation) covers more
/// than a /16 of IPv4 or a /48 of IPv6. Private ranges up to a /8 are not wide.
bool is_wide_address(std::string_view tag);
/// Whether a port tag covers more than 1,024 ports.
bool is_wide_ports(std::string_view tag);

}  // namespace fieldwatch::detect
