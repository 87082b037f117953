// The agent's own log: one line a fact, on standard error, control characters escaped. spdlog would double
// the agent's size. Never secrets, never a whole command line.
#pragma once

#include <string_view>

namespace fieldwatch::agent {

enum class Severity { Debug, Information, Warning, Error };
void say(Severity severity, std::string_view message);
void set_least_severity(Severity severity);

}  // namespace fieldwatch::agent
