// The server: opens every part, joins them, waits for the signal to end, closes them in the opposite order.
// Reading this file and server.cpp top to bottom is the map of a running Fieldwatch.
#pragma once

#include "app/server_config.hpp"
#include "base/result.hpp"

namespace fieldwatch::app {

/// Runs until SIGTERM or SIGINT. Errors: what kept a part from opening.
Result<void> serve(const ServerConfig& config);

}  // namespace fieldwatch::app
