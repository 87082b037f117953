// What a device asks of its twin, answered as spec/iot-hub-protocols.md section 3.5 says. Blocks on the
// registry: runs on a worker.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "registry/registry.hpp"

namespace fieldwatch::hub {

struct TwinRequest {
    bool update = false;  ///< reported PATCH; else GET
    std::string request_id;
    std::optional<std::uint64_t> version;  ///< expected base version of a PATCH
    std::string body;                      ///< of a PATCH; a GET's is never looked at (trap 11)
};

struct TwinResponse {
    int status = 200;
    int result = 0;  ///< six-digit code for the log, 0 = fine
    std::optional<std::uint64_t> version;
    std::string body;
    std::string description;
};

TwinResponse answer(const TwinRequest& request, const model::Identity& identity, registry::Registry& registry,
                    const Clock& clock, Random& random);

/// Error body: Node looks only at its errorCode, Python only at the status (trap 19). Sent together.
TwinResponse twin_error(int status, int result, std::string_view message, const Clock& clock, Random& random);

/// `{"a":1}` with `"$version":n` as its last member.
std::string with_version(std::string_view object_json, std::uint64_t version);

}  // namespace fieldwatch::hub
