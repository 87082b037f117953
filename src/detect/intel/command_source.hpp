// What intelligence says of the places that a command line downloads from: asked of live events (A18) and of
// stored ones when new indicators come.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "detect/command/command.hpp"
#include "detect/intel/intel.hpp"

namespace fieldwatch::detect {

/// Whether a line fetches anything, so that known_source() is worth asking.
bool may_have_source(CommandLine& command);
/// The first known one in the order of the line's segments; `command` is parsed. `scratch` keeps its memory.
std::optional<IntelSnapshot::Hit> known_source(const IntelSnapshot& intel, CommandLine& command,
                                               Timestamp now, std::vector<std::string_view>& scratch);

}  // namespace fieldwatch::detect
