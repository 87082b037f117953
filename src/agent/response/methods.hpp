// Direct methods of the module: what an operator may have this device do. Off unless the local configuration
// allows the verb (`Response.Allow`) and the twin enables them (`responseEnabled`).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/response/request.hpp"
#include "base/result.hpp"

namespace fieldwatch::agent {

/// One thread.
class Methods {
  public:
    struct Parts {
        std::uint32_t allowed = 0;  ///< of the local configuration, enum Allowed
        int socket = -1;            ///< to the responder; -1 = there is none
        std::function<void()> take_snapshot;
        std::function<std::vector<NetworkAddress>()> hub_addresses;
        /// The device is isolated for so long from now; zero: it is not any more.
        std::function<void(std::chrono::seconds)> isolated;
    };
    explicit Methods(Parts parts) : parts_(std::move(parts)) {}

    struct Answer {
        int status = 200;  ///< as in HTTP
        std::string body;  ///< JSON object
    };
    /// Methods: `snapshot` {}, `processTree` {pid?}, `killProcess` {pid, start?}, `blockAddress` {address,
    /// expirySeconds?}, `isolate` {expirySeconds?}, `restore` {}; each with `dryRun`? (boolean). `payload` is
    /// JSON, an object or null. Never fails otherwise than by its answer: 400 bad parameters, 403 not enabled
    /// or not allowed, 404 no such method or process, 409 cannot be done here, 500.
    Answer call(std::string_view method, std::string_view payload, bool enabled);

  private:
    Result<void> ask(ResponseRequest request);

    Parts parts_;
    std::uint32_t number_ = 0;
};

}  // namespace fieldwatch::agent
