// A33: a connection with an address that intelligence knows, as an alert. spec/alerts.md section 7.2.
#pragma once

#include "detect/detector.hpp"
#include "detect/intel/intel.hpp"

namespace fieldwatch::detect {

model::Alert suspicious_address(const model::Event& event, const model::Item& item,
                                const model::ConnectionCreate& connection, const IntelSnapshot::Hit& known);

}  // namespace fieldwatch::detect
