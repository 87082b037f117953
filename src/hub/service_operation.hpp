// What a service did to a device beside the hub's own API (the product's page and command line): the hub's
// operation log tells of it all the same, because custom alerts count what happened, not where it was asked.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/result.hpp"
#include "model/ids.hpp"

namespace fieldwatch::hub {

struct ServiceOperation {
    std::string_view category, name;  ///< spec/iot-hub-protocols.md section 11
    model::Identity identity;
    std::string_view caller;   ///< who asked
    std::string_view address;  ///< from where
    std::size_t message_bytes = 0;
    const Error* error = nullptr;  ///< null = done
};

}  // namespace fieldwatch::hub
