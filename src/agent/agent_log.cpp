#include "agent/agent_log.hpp"

#include <unistd.h>

#include <string>

#include "base/clock.hpp"
#include "base/printable.hpp"

namespace fieldwatch::agent {

namespace {
Severity least = Severity::Information;
}

void set_least_severity(Severity severity) {
    least = severity;
}

void say(Severity severity, std::string_view message) {
    if (severity < least) return;
    static constexpr std::string_view kNames[] = {"debug", "info", "warning", "error"};
    std::string line =
        to_iso8601(system_clock().now(), 3) + " " + std::string(kNames[static_cast<int>(severity)]) + " ";
    line.append(printable(message.substr(0, 4'096))).push_back('\n');
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace fieldwatch::agent
