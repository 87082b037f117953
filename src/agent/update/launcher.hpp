// The first thing that `fieldwatch-agent run` does where updates are allowed, as root and alone: chooses
// which programs run, and watches those that are on trial from outside of them.
#pragma once

#include <string>

#include "agent/update/manifest.hpp"
#include "base/clock.hpp"

namespace fieldwatch::agent {

// What the unprivileged half lays down in its inbox for root to read, beside an update.
inline constexpr const char* kUpdateConnected = "connected";
inline constexpr const char* kUpdateStopped = "stopped";

struct LaunchOptions {
    std::string slots_directory;  ///< root's alone
    std::string state_directory;  ///< the unprivileged half's: what lies there is not believed
    PublicKey key;
    Version package;  ///< of the programs that launch
    int trial_seconds = 300;
};

/// Becomes the programs of a slot, with the same arguments, and returns only where these ones are to run;
/// what is worth a word is said in the log. A trial has a process of its own beside it until it is connected
/// or its time is up; then what was before runs at the next start, which is who started us to bring about.
void launch(const LaunchOptions& options, char** arguments, const Clock& clock);

/// Whether this process is of a slot already.
bool runs_from(const std::string& slots_directory);

}  // namespace fieldwatch::agent
