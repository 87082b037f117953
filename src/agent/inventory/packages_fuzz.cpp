// Any bytes as any package database end in a bounded list of packages.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/inventory/packages.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwatch::agent;
    if (size == 0) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    std::vector<Package> packages;
    if (data[0] % 3 == 0) parse_status_file(text, "deb", packages);
    if (data[0] % 3 == 1) parse_apk_file(text, packages);
    if (data[0] % 3 == 2) (void)parse_rpm_database(text, packages);
    if (packages.size() > kPackagesMax) std::abort();
    for (const auto& package : packages) {
        if (package.name.empty() || package.name.size() > 256) std::abort();
    }
    return 0;
}
