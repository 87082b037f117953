#include "hub/amqp/device_endpoint.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "hub/amqp/session.hpp"
#include "hub/ingress.hpp"

namespace fieldwatch::hub {

DeviceEndpoint::DeviceEndpoint(AmqpSession& session, Admission admission)
    : session_(session),
      id_(session.hub().next_id()),
      speaker_(session.speaker()),
      publishes_(session.hub().options.publishes_per_second, session.hub().options.publishes_burst) {
    auto& shared = hub();
    speaker_.identity = admission.identity;
    renew(admission);
    session_.core().core.endpoints.emplace(id_, this);
    shared.counters.connects.add();
    if (const auto older = shared.table.enter(speaker_.identity, {session_.core().core.index, id_}))
        shared.close(*older, 400027, "the same identity connected again");
    shared.table.came(speaker_.identity, shared.parts.clock.now());
    log("Connections", "deviceConnect");
}

DeviceEndpoint::~DeviceEndpoint() {
    session_.core().core.endpoints.erase(id_);
}

Shared& DeviceEndpoint::hub() const {
    return session_.hub();
}

void DeviceEndpoint::renew(const Admission& admission) {
    speaker_.auth_type = admission.auth_type;
    speaker_.mask_address = admission.mask_addresses;
    speaker_.certificate = admission.certificate;
    stamps_ = make_stamps(admission, {});
    token_end_.reset();
    if (!admission.expiry) return;
    speaker_.sas_expiry = to_iso8601(*admission.expiry, 0);
    token_end_ = *admission.expiry + std::chrono::duration_cast<Ticks>(hub().options.token_grace);
}

void DeviceEndpoint::set_client_version(std::string_view text) {
    if (!text.empty()) speaker_.sdk_version = text.substr(0, 256);
}

void DeviceEndpoint::lapse() {
    constexpr std::string_view kWhy = "the token has expired";
    log("Connections", "deviceDisconnect", 401003, kWhy);
    leave(404104, "the connection was closed after its token expired");
    session_.end_endpoint(*this, condition_of(401003, kWhy));  // spec section 5.2
}

void DeviceEndpoint::leave(int result, std::string_view description) {
    if (std::exchange(left_, true)) return;
    hub().table.leave(speaker_.identity, id_);
    hub().table.went(speaker_.identity, hub().parts.clock.now());
    hub().commands.release(id_);
    log("Connections", "deviceDisconnect", result, description);
}

void DeviceEndpoint::end(int result, std::string_view description) {
    leave(result, description);
    session_.end_endpoint(*this, condition_of(result, description));  // this is gone afterwards
}

void DeviceEndpoint::log(std::string_view category, std::string_view name, int result,
                         std::string_view description) {
    hub().log.append({.category = category, .name = name, .result = result, .description = description},
                     speaker_);
}

amqp::Condition condition_of(int result, std::string_view description) {
    const auto named = [&](std::string_view name) {
        return amqp::Condition{std::string(name), std::string(description)};
    };
    switch (result) {
        case 400027:
            return named("amqp:connection:forced");
        case 401002:
        case 401003:
        case 403012:
            return named("amqp:unauthorized-access");
        case 403002:
            return named("com.microsoft:quota-exceeded");
        case 403004:
            return named("amqp:resource-limit-exceeded");
        case 404001:
        case 404010:
            return named("amqp:not-found");
        case 412002:
            return named("com.microsoft:message-lock-lost");
        case 412001:
            return named("com.microsoft:precondition-failed");
        case 413001:
            return named("amqp:link:message-size-exceeded");
        case 429001:
            return named("com.microsoft:device-container-throttled");
        case 400003:
            return named("amqp:not-allowed");
        case 400006:
            return named("amqp:decode-error");
        default:
            return named(result / 1'000 == 400 ? "com.microsoft:argument-error" : "amqp:internal-error");
    }
}

}  // namespace fieldwatch::hub
