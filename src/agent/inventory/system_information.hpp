// What this device is: the SystemInformation snapshot.
#pragma once

#include <string>

#include "agent/aggregation/observation.hpp"

namespace fieldwatch::agent {

/// Reads uname, os-release, meminfo, the kernel's command line, DMI and, where there is none, the device
/// tree, below `root` ("" = this system). What is missing is left out. Serial numbers are readable by root
/// only on most systems: the agent's sender does not see them there.
Observation read_system_information(const std::string& root);

}  // namespace fieldwatch::agent
