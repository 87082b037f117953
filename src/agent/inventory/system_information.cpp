#include "agent/inventory/system_information.hpp"

#include <sys/utsname.h>

#include <charconv>

#include "agent/collectors/proc.hpp"
#include "agent/inventory/text.hpp"

namespace fieldwatch::agent {

namespace {

constexpr std::size_t kFactsBytesMax = 16 * 1'024;

/// The value of `NAME="a value"` in os-release(5).
std::string release_value(std::string_view text, std::string_view name) {
    auto value = value_after(text, std::string(name) + "=");
    if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') &&
        value.back() == value.front()) {
        value = value.substr(1, value.size() - 2);
    }
    return std::string(value);
}

void memory(Observation& out, std::string_view meminfo, const char* field, std::string_view name) {
    const auto text = value_after(meminfo, name);
    std::int64_t kilobytes = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), kilobytes).ec == std::errc{})
        out.integer(field, kilobytes);
}

std::string first_of(const std::string& root, std::initializer_list<const char*> paths) {
    for (const auto* path : paths) {
        const auto text = read_small(root + path, 256);
        if (const auto value = trimmed(text); !value.empty()) return std::string(value);
    }
    return {};
}

/// `root=` of the kernel's command line, else the device that is mounted on /.
std::string boot_device(const std::string& root) {
    const auto command_line = read_small(root + "/proc/cmdline", kFactsBytesMax);
    for (auto at = command_line.find("root="); at != std::string::npos;
         at = command_line.find("root=", at + 1)) {
        if (at > 0 && command_line[at - 1] != ' ') continue;
        const auto end = command_line.find_first_of(" \n", at);
        return command_line.substr(at + 5, end - at - 5);
    }
    std::string device;
    const auto mounts = read_small(root + "/proc/self/mounts", kFactsBytesMax);
    each_line(mounts, [&](std::string_view line) {
        const auto blank = line.find(' ');
        if (blank != std::string_view::npos && line.substr(blank).starts_with(" / "))
            device = line.substr(0, blank);
    });
    return device;
}

}  // namespace

Observation read_system_information(const std::string& root) {
    Observation out{.kind = FIELDWATCH_SYSTEM_INFORMATION};
    utsname names{};
    if (::uname(&names) == 0) {
        out.text("OSName", names.sysname);
        out.text("OSVersion", std::string(names.release) + " " + names.version);
        out.text("OsArchitecture", names.machine);
        out.text("HostName", names.nodename);
    }
    auto release = read_small(root + "/etc/os-release", kFactsBytesMax);
    if (release.empty()) release = read_small(root + "/usr/lib/os-release", kFactsBytesMax);
    if (auto name = release_value(release, "NAME"); !name.empty()) out.text("OSVendor", std::move(name));
    if (auto version = first_of(root, {"/sys/class/dmi/id/bios_version"}); !version.empty())
        out.text("BIOSVersion", std::move(version));
    if (auto device = boot_device(root); !device.empty()) out.text("BootDevice", std::move(device));
    const auto meminfo = read_small(root + "/proc/meminfo", kFactsBytesMax);
    memory(out, meminfo, "TotalPhysicalMemoryInKB", "MemTotal:");
    memory(out, meminfo, "FreePhysicalMemoryInKB", "MemFree:");
    memory(out, meminfo, "TotalVirtualMemoryInKB", "SwapTotal:");
    memory(out, meminfo, "FreeVirtualMemoryInKB", "SwapFree:");
    out.extra("OsDist", release_value(release, "ID"));
    out.extra("OsDistVersion", release_value(release, "VERSION_ID"));
    out.extra("HardwareVendor", first_of(root, {"/sys/class/dmi/id/sys_vendor"}));
    out.extra("HardwareModel", first_of(root, {"/sys/class/dmi/id/product_name", "/proc/device-tree/model"}));
    out.extra("HardwareSerialNumber",
              first_of(root, {"/sys/class/dmi/id/product_serial", "/proc/device-tree/serial-number"}));
    out.extra("FirmwareVendor", first_of(root, {"/sys/class/dmi/id/bios_vendor"}));
    return out;
}

}  // namespace fieldwatch::agent
