#include "agent/response/request.hpp"

#include <algorithm>
#include <utility>

#include "agent/bpf/records.h"

namespace fieldwatch::agent {

namespace {

/// Of one host on a network: neither this device itself, nor nobody, nor many.
bool is_of_a_host(const ResponseRequest::Address& one) {
    NetworkAddress address{.family = one.family};
    std::ranges::copy(one.bytes, address.bytes.begin());
    if (address.family == 4) return one.bytes[0] != 0 && one.bytes[0] != 127 && one.bytes[0] < 224;
    const bool is_low =
        std::ranges::all_of(std::span(one.bytes).first(15), [](auto byte) { return byte == 0; });
    return !(is_low && one.bytes[15] <= 1) && one.bytes[0] != 0xff && !is_mapped(address);
}

}  // namespace

bool is_mapped(const NetworkAddress& address) {
    static constexpr std::array<std::uint8_t, 12> kPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return address.family == 6 && std::ranges::equal(std::span(address.bytes).first(12), kPrefix);
}

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
    if (request.dry_run > 1 || request.reserved != 0 || request.address_count > kHubAddressesMax)
        return wrong("a field out of range");
    for (const auto& one : std::span(request.addresses).first(request.address_count)) {
        if (one.family != 4 && one.family != 6) return wrong("no IPv4 or IPv6 address");
    }
    if (request.verb == Verb::Kill && (request.pid <= 1 || request.pid > FW_PID_MAX))
        return wrong("no process that may be ended");
    if (request.verb == Verb::Kill && request.start_ns == 0)
        return wrong("the process must be named by its start too");
    const bool has_expiry = request.verb == Verb::Block || request.verb == Verb::Isolate;
    if (has_expiry && (request.expiry_seconds == 0 || request.expiry_seconds > kExpirySecondsMax))
        return wrong("the expiry must be from one second to seven days");
    if (request.verb == Verb::Block && (request.address_count != 1 || !is_of_a_host(request.addresses[0])))
        return wrong("one address of a host must be given");
    if (request.verb == Verb::Isolate && request.address_count == 0)
        return wrong("without an address of the hub nobody could lift it");
    return std::nullopt;
}

}  // namespace fieldwatch::agent
