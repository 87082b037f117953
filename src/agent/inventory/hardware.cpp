#include "agent/inventory/hardware.hpp"

#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>

#include "agent/collectors/proc.hpp"
#include "agent/directory.hpp"
#include "agent/inventory/text.hpp"

namespace fieldwatch::agent {

namespace {

constexpr std::size_t kDevicesMax = 512;
constexpr std::size_t kPropertiesMax = 64;

std::vector<std::string> names_in(const std::string& path) {
    std::vector<std::string> out;
    const Directory directory(::opendir(path.c_str()));
    while (directory && out.size() < kDevicesMax) {
        const auto* entry = ::readdir(directory.get());
        if (!entry) break;
        if (entry->d_name[0] != '.') out.emplace_back(entry->d_name);
    }
    std::ranges::sort(out);  // the same hardware always gives the same snapshot
    return out;
}

std::string attribute(const std::string& device, const char* name) {
    const auto text = read_small(device + "/" + name, 256);
    return std::string(trimmed(text));
}

Observation device(const char* category, std::string subcategory, std::string name) {
    Observation out{.kind = FIELDWATCH_CONNECTED_HARDWARE};
    out.text("HardwareCategory", category);
    out.text("HardwareSubCategory", std::move(subcategory));
    out.text("HardwareName", std::move(name));
    return out;
}

/// USB class codes, usb.org "Defined Class Codes".
std::string usb_class(std::string_view code) {
    static constexpr std::pair<std::string_view, const char*> kClasses[] = {{"01", "Audio"},
                                                                            {"02", "Communications"},
                                                                            {"03", "Human Interface"},
                                                                            {"06", "Image"},
                                                                            {"07", "Printer"},
                                                                            {"08", "Storage"},
                                                                            {"09", "Hub"},
                                                                            {"0e", "Video"},
                                                                            {"e0", "Wireless"},
                                                                            {"ff", "Vendor Specific"},
                                                                            {"00", "Device"},
                                                                            {"0a", "CDC Data"},
                                                                            {"0b", "Smart Card"},
                                                                            {"0d", "Security"},
                                                                            {"ef", "Miscellaneous"}};
    for (const auto& [known, name] : kClasses) {
        if (code == known) return name;
    }
    return "Class " + std::string(code.empty() ? "unknown" : code);
}

/// The base class of a PCI class code `0x020000`, PCI Code and ID Assignment Specification.
std::string pci_class(std::string_view code) {
    static constexpr const char* kClasses[] = {
        "Unclassified", "Storage",       "Network",     "Display",   "Multimedia", "Memory",
        "Bridge",       "Communication", "System",      "Input",     "Docking",    "Processor",
        "Serial Bus",   "Wireless",      "Intelligent", "Satellite", "Encryption", "Signal Processing"};
    unsigned base = 0;
    if (code.size() < 4 || std::from_chars(code.data() + 2, code.data() + 4, base, 16).ec != std::errc{})
        return "Unknown";
    return base < std::size(kClasses) ? kClasses[base] : "Unknown";
}

void read_usb(const std::string& root, std::vector<Observation>& out) {
    const auto folder = root + "/sys/bus/usb/devices/";
    for (const auto& name : names_in(folder)) {
        const auto path = folder + name;
        const auto vendor = attribute(path, "idVendor");
        if (vendor.empty()) continue;  // an interface of a device, not a device
        const auto id = vendor + ":" + attribute(path, "idProduct");
        const auto product = attribute(path, "product");
        auto one = device("USB", usb_class(attribute(path, "bDeviceClass")), product.empty() ? id : product);
        one.extra("Manufacturer", attribute(path, "manufacturer"));
        one.extra("UsbId", id);
        one.extra("Port", name);
        out.push_back(std::move(one));
    }
}

void read_pci(const std::string& root, std::vector<Observation>& out) {
    const auto folder = root + "/sys/bus/pci/devices/";
    for (const auto& name : names_in(folder)) {
        const auto path = folder + name;
        auto one = device("PCI", pci_class(attribute(path, "class")), name);
        one.extra("Vendor", attribute(path, "vendor"));
        one.extra("Device", attribute(path, "device"));
        out.push_back(std::move(one));
    }
}

void read_disks(const std::string& root, std::vector<Observation>& out) {
    const auto folder = root + "/sys/block/";
    for (const auto& name : names_in(folder)) {
        if (name.starts_with("loop") || name.starts_with("ram") || name.starts_with("zram")) continue;
        const auto path = folder + name;
        auto one = device("Storage", attribute(path, "removable") == "1" ? "Removable Disk" : "Disk", name);
        one.extra("Model", attribute(path, "device/model"));
        one.extra("SizeInSectors", attribute(path, "size"));
        out.push_back(std::move(one));
    }
}

void read_links(const std::string& root, std::vector<Observation>& out) {
    const auto folder = root + "/sys/class/net/";
    for (const auto& name : names_in(folder)) {
        const auto path = folder + name;
        if (attribute(path, "type") == "772") continue;  // ARPHRD_LOOPBACK
        const bool physical = !read_link(path + "/device").empty();
        const bool wireless = !names_in(path + "/wireless").empty() || !read_link(path + "/phy80211").empty();
        auto one = device("Network",
                          wireless   ? "Wireless Adapter"
                          : physical ? "Adapter"
                                     : "Virtual Adapter",
                          name);
        one.extra("MacAddress", attribute(path, "address"));
        out.push_back(std::move(one));
    }
}

void read_named(const std::string& root, const char* folder, std::string_view prefix, const char* category,
                const char* attribute_name, std::vector<Observation>& out) {
    for (const auto& name : names_in(root + folder)) {
        if (!name.starts_with(prefix)) continue;
        const auto label = attribute(root + folder + name, attribute_name);
        out.push_back(device(category, "Device", label.empty() ? name : label));
    }
}

/// `13` of `PRODUCT=1d6b/2/13`-like texts: the numbers between slashes.
std::vector<std::int64_t> numbers(std::string_view text, int base) {
    std::vector<std::int64_t> out;
    while (out.size() < 3) {
        std::int64_t value = 0;
        const auto end = std::min(text.find('/'), text.size());
        const auto [stop, error] = std::from_chars(text.data(), text.data() + end, value, base);
        if (error != std::errc{} || stop != text.data() + end) return {};
        out.push_back(value);
        if (end == text.size()) break;
        text.remove_prefix(end + 1);
    }
    return out;
}

}  // namespace

std::vector<Observation> read_hardware(const std::string& root) {
    std::vector<Observation> out;
    read_usb(root, out);
    read_pci(root, out);
    read_disks(root, out);
    read_links(root, out);
    read_named(root, "/sys/class/input/", "input", "Input", "name", out);
    read_named(root, "/sys/class/sound/", "card", "Sound Device", "id", out);
    if (out.size() > kDevicesMax) out.resize(kDevicesMax);
    return out;
}

std::optional<Uevent> parse_uevent(std::string_view message) {
    const auto head = message.substr(0, message.find('\0'));
    const auto at = head.find('@');
    if (at == std::string_view::npos || at == 0 || head.size() == message.size()) return std::nullopt;
    Uevent out{.action = head.substr(0, at), .properties = {}};
    message.remove_prefix(head.size() + 1);
    while (!message.empty() && out.properties.size() < kPropertiesMax) {
        const auto line = message.substr(0, message.find('\0'));
        message.remove_prefix(std::min(line.size() + 1, message.size()));
        const auto equals = line.find('=');
        if (equals != std::string_view::npos)
            out.properties.emplace(line.substr(0, equals), line.substr(equals + 1));
    }
    return out;
}

std::optional<Observation> describe_peripheral(const Uevent& uevent, std::int64_t time_unix_ms) {
    if (uevent.action != "add" && uevent.action != "remove") return std::nullopt;
    const auto property = [&](std::string_view name) {
        const auto found = uevent.properties.find(name);
        return found == uevent.properties.end() ? std::string_view() : found->second;
    };
    Observation out{.kind = FIELDWATCH_PERIPHERAL, .time_unix_ms = time_unix_ms};
    out.text("ActionType", uevent.action == "add" ? "connect" : "disconnect");
    if (property("SUBSYSTEM") == "net") {
        out.text("InterfaceName", std::string(property("INTERFACE")));
        return out;
    }
    if (property("SUBSYSTEM") != "usb" || property("DEVTYPE") != "usb_device") return std::nullopt;
    const auto one = [&](const char* field, std::string_view name) {
        if (const auto value = numbers(property(name), 10); value.size() == 1) out.integer(field, value[0]);
    };
    one("BusNumber", "BUSNUM");
    one("KernelDeviceNumber", "DEVNUM");
    if (const auto type = numbers(property("TYPE"), 10); type.size() == 3) {
        out.integer("DeviceClass", type[0]);
        out.integer("DeviceSubclass", type[1]);
        out.integer("DeviceProtocol", type[2]);
    }
    out.extra("UsbId", std::string(property("PRODUCT")));
    return out;
}

UeventSocket::UeventSocket() {
    socket_ = ::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = 1;  // the kernel's own messages, not udevd's
    if (socket_ >= 0 && ::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        ::close(socket_);
        socket_ = -1;
    }
}

UeventSocket::~UeventSocket() {
    if (socket_ >= 0) ::close(socket_);
}

std::string UeventSocket::next() {
    std::string out(8'192, '\0');
    sockaddr_nl from{};
    for (int tries = 0; tries < 64; ++tries) {
        socklen_t size = sizeof from;
        const auto got =
            ::recvfrom(socket_, out.data(), out.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
        if (got < 0 && errno == ENOBUFS) {
            ++overflows_;
            continue;
        }
        if (got < 0) break;
        if (from.nl_pid != 0) continue;  // only the kernel is believed
        out.resize(static_cast<std::size_t>(got));
        return out;
    }
    return {};
}

}  // namespace fieldwatch::agent
