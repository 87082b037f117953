// Endpoints of routes that are streams of others: src/bus delivers, here is what a message says of itself.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "bus/bus.hpp"
#include "hub/routing/route_sink.hpp"

namespace fieldwatch::hub {

struct BusSinkOptions {
    std::string hub;
    std::string user, password;  ///< "" = nobody asks
    std::chrono::milliseconds timeout{30'000};
};
/// Key: the device, so that a device's messages stay in order; id: HUB/PARTITION/OFFSET. Errors:
/// InvalidArgument (the client does not take these settings).
Result<std::unique_ptr<RouteSink>> open_bus_sink(const RouteEndpoint& endpoint, BusSinkOptions options);

/// What the text of a message, as to_json() writes it, says of itself; "" when it does not.
std::string_view device_in(std::string_view message);
std::string id_in(std::string_view message, std::string_view hub);  ///< HUB/PARTITION/OFFSET

}  // namespace fieldwatch::hub
