// Files that are part of the agent's program, by their path in the source tree.
#pragma once

#include <string_view>

namespace fieldwatch::agent {

/// "" when there is no such file: a bug of the build, which tests see.
std::string_view embedded_file(std::string_view name);

}  // namespace fieldwatch::agent
