// What each half of the agent may ask of the kernel, for systems without systemd's sandbox and beneath it: a
// seccomp filter that lists what is allowed; the rest fails with EPERM. Nothing that runs a program is on
// either list.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.hpp"

struct sock_filter;

namespace fieldwatch::agent {

enum class Half : std::uint8_t { Collector, Sender };

/// Instructions of the filter. The collector's sockets are netlink and Unix only: it has no network.
std::vector<sock_filter> system_call_filter(Half half);

/// Puts it on this process, for good. Errors: Unsupported where the kernel has no seccomp.
Result<void> limit_system_calls(Half half);

}  // namespace fieldwatch::agent
