// The clock that kernel programs stamp their records with.
#pragma once

#include <chrono>

namespace fieldwatch {

/// Since this machine booted, time asleep included (CLOCK_BOOTTIME, what bpf_ktime_get_boot_ns() answers).
std::chrono::nanoseconds since_boot();

}  // namespace fieldwatch
