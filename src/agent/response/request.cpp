#include "agent/response/request.hpp"

#include <utility>

namespace fieldwatch::agent {

namespace {

constexpr std::uint32_t kPidMax = 1U << 22;

}  // namespace

std::optional<Allowed> allowed_from(std::string_view word) {
    static constexpr std::pair<std::string_view, Allowed> kWords[] = {{"snapshot", kAllowSnapshot},
                                                                      {"processes", kAllowProcesses},
                                                                      {"kill", kAllowKill},
                                                                      {"block", kAllowBlock},
                                                                      {"isolate", kAllowIsolate}};
    for (const auto& [known, allowed] : kWords) {
        if (word == known) return allowed;
    }
    return std::nullopt;
}

std::optional<Error> check_request(const ResponseRequest& request) {
    const auto wrong = [](const char* what) { return Error{Errc::InvalidArgument, what}; };
    if (request.verb < Verb::Kill || request.verb > Verb::Restore) return wrong("no such verb");
    if (request.dry_run > 1 || request.address_count > kHubAddressesMax) return wrong("a field out of range");
    for (const auto& one : std::span(request.addresses).first(request.address_count)) {
        if (one.family != 4 && one.family != 6) return wrong("no IPv4 or IPv6 address");
    }
    if (request.verb == Verb::Kill && (request.pid <= 1 || request.pid > kPidMax))
        return wrong("no process that may be ended");
    const bool has_expiry = request.verb == Verb::Block || request.verb == Verb::Isolate;
    if (has_expiry && (request.expiry_seconds == 0 || request.expiry_seconds > kExpirySecondsMax))
        return wrong("the expiry must be from one second to seven days");
    if (request.verb == Verb::Block && request.address_count != 1) return wrong("one address must be given");
    if (request.verb == Verb::Isolate && request.address_count == 0)
        return wrong("without an address of the hub nobody could lift it");
    return std::nullopt;
}

}  // namespace fieldwatch::agent
