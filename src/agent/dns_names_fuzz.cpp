// A name server's answer, from whoever can send a packet to the device.
#include <cstdint>
#include <cstdlib>

#include "agent/dns_names.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fieldwatch::agent::DnsNames names;
    names.take({reinterpret_cast<const std::byte*>(data), size});
    const std::uint8_t address[16] = {};
    for (const std::uint8_t family : {4, 6}) {
        for (const char c : names.of(address, family)) {
            if (c <= ' ' || c > '~') std::abort();
        }
    }
    return 0;
}
