// Direct methods: a service calls, a connected device answers, or time runs out. Callers and devices may be
// on any protocol. Source: spec/iot-hub-protocols.md sections 3.7 and 7.6.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "hub/endpoint.hpp"
#include "hub/operation.hpp"
#include "hub/session_table.hpp"
#include "net/mailbox.hpp"

namespace fieldwatch::hub {

struct MethodLimits {
    std::size_t payload_bytes_max = 128u << 10;  ///< request and response
    std::size_t in_flight_max = 10;              ///< of one device or module
    std::size_t pending_max = 10'000;            ///< of the server
};

struct MethodCall {
    model::Identity identity;
    std::string name;
    std::string payload_json = "null";
    std::chrono::seconds response_timeout{30};
    std::chrono::seconds connect_timeout{0};  ///< how long to wait for the device to be there
    /// Set, from any thread, to wait no more for a device that was not asked yet; null = never.
    std::shared_ptr<const std::atomic<bool>> called_off = nullptr;
};

inline constexpr int kMethodCalledOff = 409000;  ///< by who called it; no device has heard of it

struct MethodResult {
    int error = 0;  ///< six-digit code: 404103, 504101, 502001, 429001, 413001, kMethodCalledOff; 0 = the
                    ///< device answered
    std::string description;
    int status = 0;  ///< the device's own
    std::string payload_json;
};

/// Any thread.
class Methods {
  public:
    using Done = std::move_only_function<void(MethodResult)>;
    /// Runs a function on the strand of an endpoint, with null when that is gone.
    using OnEndpoint = std::function<void(SessionTable::Where, std::move_only_function<void(Endpoint*)>)>;

    Methods(const SessionTable& table, OnEndpoint on_endpoint, const OperationLog& log, const Clock& clock,
            MethodLimits limits)
        : table_(table), on_endpoint_(std::move(on_endpoint)), log_(log), clock_(clock), limits_(limits) {}

    /// `done` is called once, from any thread, perhaps before this returns.
    void call(MethodCall call, const Speaker& by, Done done);
    /// What a device said. Unknown, late, and other devices' ids are ignored.
    void respond(const model::Identity& identity, std::string_view request_id, int status,
                 std::string_view payload);
    /// Ends what is overdue; asks again whoever waits for a device. Several times a second.
    void tick();
    /// Ends all of it.
    void stop();

  private:
    struct Pending {
        MethodCall call;
        Speaker by;
        Done done;
        std::chrono::nanoseconds begun{0}, connect_until{0}, respond_until{0};
        enum class State : std::uint8_t { Waiting, Asking, Asked } state = State::Waiting;
    };
    struct State {
        std::map<std::string, Pending, std::less<>> pending;
        std::map<model::Identity, std::size_t> in_flight;
        std::uint64_t next = 1;
    };

    void ask(const std::string& id);
    void asked(const std::string& id, bool taken);
    void finish(const std::string& id, MethodResult result);

    const SessionTable& table_;
    const OnEndpoint on_endpoint_;
    const OperationLog& log_;
    const Clock& clock_;
    const MethodLimits limits_;
    net::Guarded<State> state_;
};

}  // namespace fieldwatch::hub
