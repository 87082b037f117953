// A provisioning service's answer is one that names a hub, one to wait for, or an error.
#include <cstdint>
#include <cstdlib>

#include "agent/provisioning/provisioning_client.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto answer =
        fieldwatch::agent::read_provisioning_answer({reinterpret_cast<const char*>(data), size});
    if (!answer) return 0;
    const bool assigned = answer->status == "assigned";
    if (assigned ? answer->device.hub.empty() || answer->device.device_id.empty()
                 : answer->operation_id.empty())
        std::abort();
    return 0;
}
