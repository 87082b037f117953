// What the sender asks of the responder, and its answer: one fixed-size datagram each.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/result.hpp"

namespace fieldwatch::agent {

struct NetworkAddress {
    std::uint8_t family = 4;  ///< 4 or 6
    std::array<std::uint8_t, 16> bytes{};

    std::span<const std::uint8_t> view() const { return std::span(bytes).first(family == 4 ? 4 : 16); }
};

/// An IPv4 address in IPv6's clothes, ::ffff:0:0/96: no packet has it.
bool is_mapped(const NetworkAddress& address);

enum class Verb : std::uint8_t { Kill = 1, Block = 2, Isolate = 3, Restore = 4 };

/// The words of `Response.Allow`: snapshot, processes (both are the sender's own work), kill, block, isolate.
enum Allowed : std::uint32_t {
    kAllowSnapshot = 1,
    kAllowProcesses = 2,
    kAllowKill = 4,
    kAllowBlock = 8,
    kAllowIsolate = 16
};
std::optional<Allowed> allowed_from(std::string_view word);

inline constexpr std::uint32_t kHubAddressesMax = 8;
inline constexpr std::uint32_t kExpirySecondsMax = 7 * 86'400;

/// One datagram. `family` 0 = no address there.
struct ResponseRequest {
    std::uint32_t number = 0;  ///< comes back in the answer
    Verb verb = Verb::Kill;
    std::uint8_t dry_run = 0;
    std::uint8_t address_count = 0;  ///< Block: 1; Isolate: the hub's, at least 1
    std::uint8_t reserved = 0;
    std::uint32_t pid = 0;             ///< Kill
    std::uint32_t expiry_seconds = 0;  ///< Block, Isolate: 1 to kExpirySecondsMax
    std::uint64_t start_ns = 0;        ///< Kill: when the process began, as /proc/PID/stat says
    struct Address {
        std::uint8_t family = 0;
        std::uint8_t bytes[16] = {};
    } addresses[kHubAddressesMax];
};

struct ResponseAnswer {
    std::uint32_t number = 0;
    std::uint32_t code = 0;  ///< 1 + Errc; 0 = done (or, dry, could be done)
    char message[120] = {};  ///< NUL-terminated
};

/// What is wrong with it, whatever is allowed; nothing when it is well-formed.
std::optional<Error> check_request(const ResponseRequest& request);

}  // namespace fieldwatch::agent
