#include "agent/inventory/inventory.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "agent/inventory/system_information.hpp"

namespace fieldwatch::agent {
namespace {

namespace fs = std::filesystem;

class Folder {
  public:
    Folder()
        : path_(fs::temp_directory_path() /
                ("inventory-" + std::to_string(::getpid()) + "-" + std::to_string(++count))) {
        fs::create_directories(path_);
    }
    ~Folder() { fs::remove_all(path_); }
    void write(const std::string& name, std::string_view text) const {
        fs::create_directories((path_ / name).parent_path());
        std::ofstream(path_ / name, std::ios::binary) << text;
    }
    std::string path() const { return path_.string(); }

  private:
    static inline int count = 0;
    fs::path path_;
};

std::string text_of(const Observation& one, std::string_view name) {
    for (const auto& field : one.fields) {
        if (name == field.name) return field.is_integer ? std::to_string(field.integer) : field.text;
    }
    for (const auto& extra : one.extras) {
        if (name == extra.name) return extra.text;
    }
    return "(none)";
}

std::string encoded(fieldwatch_kind kind, const std::vector<Observation>& payloads) {
    SeededRandom random(1);
    std::vector<const Observation*> views;
    for (const auto& one : payloads)
        views.push_back(&one);
    const auto json = encode_event(kind, views, {.time_unix_ms = 1'700'000'000'000}, random, 1 << 20);
    return json ? *json : "error: " + json.error().message;
}

std::string read_corpus(const char* name) {
    std::ifstream file(std::string(FIELDWATCH_SOURCE_DIR) + "/tests/corpus/packages/" + name,
                       std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

TEST(SystemInformation, TellsWhatTheDeviceSaysOfItself) {
    Folder root;
    root.write("etc/os-release", "NAME=\"Example Linux\"\nID=example\nVERSION_ID='12'\n");
    root.write("proc/meminfo",
               "MemTotal:        2048 kB\nMemFree:          512 kB\nSwapTotal:       4096 kB\nSwapFree:      "
               "  1024 kB\n");
    root.write("proc/cmdline", "quiet root=/dev/mmcblk0p2 rw\n");
    root.write("sys/class/dmi/id/bios_version", "1.2.3\n");
    root.write("proc/device-tree/model", std::string("Raspberry Pi 4\0", 15));
    const auto one = read_system_information(root.path());
    EXPECT_EQ(text_of(one, "OSName"), "Linux");
    EXPECT_EQ(text_of(one, "OSVendor"), "Example Linux");
    EXPECT_EQ(text_of(one, "TotalPhysicalMemoryInKB"), "2048");
    EXPECT_EQ(text_of(one, "FreePhysicalMemoryInKB"), "512");
    EXPECT_EQ(text_of(one, "TotalVirtualMemoryInKB"), "4096");
    EXPECT_EQ(text_of(one, "FreeVirtualMemoryInKB"), "1024");
    EXPECT_EQ(text_of(one, "BootDevice"), "/dev/mmcblk0p2");
    EXPECT_EQ(text_of(one, "BIOSVersion"), "1.2.3");
    EXPECT_EQ(text_of(one, "OsDistVersion"), "12");
    EXPECT_EQ(text_of(one, "HardwareModel"), "Raspberry Pi 4");
    EXPECT_EQ(text_of(read_system_information(""), "HostName").find("(none)"), std::string::npos);
    EXPECT_TRUE(nlohmann::json::accept(encoded(FIELDWATCH_SYSTEM_INFORMATION, {one})));
}

TEST(Hardware, ListsDevicesAndNoInterfacesOrVirtualDisks) {
    Folder root;
    root.write("sys/bus/usb/devices/1-1/idVendor", "046d\n");
    root.write("sys/bus/usb/devices/1-1/idProduct", "c31c\n");
    root.write("sys/bus/usb/devices/1-1/product", "Keyboard K120\n");
    root.write("sys/bus/usb/devices/1-1/bDeviceClass", "03\n");
    root.write("sys/bus/usb/devices/1-1:1.0/bInterfaceClass", "03\n");
    root.write("sys/bus/pci/devices/0000:00:01.0/class", "0x020000\n");
    root.write("sys/block/sda/size", "1000\n");
    root.write("sys/block/loop0/size", "1000\n");
    root.write("sys/class/net/lo/type", "772\n");
    root.write("sys/class/net/tun0/type", "65534\n");
    const auto found = read_hardware(root.path());
    ASSERT_EQ(found.size(), 4U);
    EXPECT_EQ(text_of(found[0], "HardwareCategory"), "USB");
    EXPECT_EQ(text_of(found[0], "HardwareSubCategory"), "Human Interface");
    EXPECT_EQ(text_of(found[0], "HardwareName"), "Keyboard K120");
    EXPECT_EQ(text_of(found[0], "UsbId"), "046d:c31c");
    EXPECT_EQ(text_of(found[1], "HardwareSubCategory"), "Network");
    EXPECT_EQ(text_of(found[2], "HardwareName"), "sda");
    EXPECT_EQ(text_of(found[3], "HardwareSubCategory"), "Virtual Adapter");
    EXPECT_TRUE(nlohmann::json::accept(encoded(FIELDWATCH_CONNECTED_HARDWARE, found)));
    EXPECT_FALSE(read_hardware("").empty());  // this machine has a disk or a link
}

TEST(Hardware, UnderstandsTheKernelsWordOfAUsbDevice) {
    const std::string message(
        "add@/devices/usb1/1-1\0ACTION=add\0SUBSYSTEM=usb\0DEVTYPE=usb_device\0PRODUCT=46d/c31c/4920\0"
        "TYPE=3/1/2\0BUSNUM=001\0DEVNUM=005\0",
        122);
    const auto uevent = parse_uevent(message);
    ASSERT_TRUE(uevent);
    const auto event = describe_peripheral(*uevent, 5);
    ASSERT_TRUE(event);
    EXPECT_EQ(text_of(*event, "ActionType"), "connect");
    EXPECT_EQ(text_of(*event, "BusNumber"), "1");
    EXPECT_EQ(text_of(*event, "KernelDeviceNumber"), "5");
    EXPECT_EQ(text_of(*event, "DeviceClass"), "3");
    EXPECT_EQ(text_of(*event, "DeviceProtocol"), "2");
    const auto json = nlohmann::json::parse(encoded(FIELDWATCH_PERIPHERAL, {*event}));
    EXPECT_EQ(json["PayloadSchemaVersion"], "2.0");
    EXPECT_FALSE(parse_uevent("libudev\0garbage"));
    EXPECT_FALSE(parse_uevent(""));
}

TEST(Packages, ReadsTheDatabasesOfFourManagers) {
    std::vector<Package> found;
    parse_status_file(read_corpus("dpkg").substr(1), "deb", found);
    ASSERT_EQ(found.size(), 1U);  // the other is removed: only its configuration is left
    EXPECT_EQ(found[0].name, "libc6");
    EXPECT_EQ(found[0].vendor, "GNU Libc Maintainers <x@y>");
    parse_apk_file(read_corpus("apk").substr(1), found);
    ASSERT_EQ(found.size(), 3U);
    EXPECT_EQ(found[1].version, "1.2.4-r2");
    std::vector<Package> rpm;
    ASSERT_TRUE(parse_rpm_database(read_corpus("rpm").substr(1), rpm));  // a file that SQLite wrote
    ASSERT_EQ(rpm.size(), 30U);
    EXPECT_EQ(rpm[7].name, "package-07");
    EXPECT_EQ(rpm[7].version, "2:1.7-3.el9");
    EXPECT_EQ(rpm[29].version, "1.29-3.el9");  // its blob stands on overflow pages
    EXPECT_EQ(rpm[29].architecture, "x86_64");
    EXPECT_FALSE(parse_rpm_database("SQLite format 3", rpm));
}

TEST(Packages, SurviveARpmDatabaseThatEndsAnywhere) {
    const auto whole = read_corpus("rpm").substr(1);
    for (std::size_t size = 0; size < whole.size(); size += 97) {
        std::vector<Package> found;
        (void)parse_rpm_database(std::string_view(whole).substr(0, size), found);
        EXPECT_LE(found.size(), 30U);
    }
}

TEST(Packages, GoOutAsASnapshotAndAsCycloneDx) {
    Folder root;
    root.write(
        "var/lib/dpkg/status",
        "Package: a+b\nStatus: install ok installed\nVersion: 1:2\nArchitecture: armhf\nSource: ab (1:1)\n");
    PackageReader reader(root.path());
    EXPECT_TRUE(reader.changed());
    const auto packages = reader.read();
    EXPECT_FALSE(reader.changed());
    ASSERT_EQ(packages.size(), 1U);
    const auto event = nlohmann::json::parse(encoded(FIELDWATCH_SBOM, to_observations(packages)));
    EXPECT_EQ(event["Name"], "SBoM");
    EXPECT_EQ(event["Payload"][0]["Version"], "1:2");
    EXPECT_EQ(event["Payload"][0]["ExtraDetails"]["Source"], "ab");
    EXPECT_EQ(event["Payload"][0]["ExtraDetails"]["SourceVersion"], "1:1");
    SeededRandom random(3);
    const auto bom = nlohmann::json::parse(to_cyclonedx(packages, "debian", Timestamp{0}, random));
    EXPECT_EQ(bom["bomFormat"], "CycloneDX");
    EXPECT_EQ(bom["components"][0]["purl"], "pkg:deb/debian/a%2Bb@1%3A2?arch=armhf");
}

TEST(FileWatch, TellsEachKindOfChangeOnceWithHowOftenItCame) {
    Folder root;
    root.write("old", "x");
    fs::create_directories(root.path() + "/mine");
    FileWatch watch({.paths = {root.path()}, .recursive = true, .ignored = {root.path() + "/mine"}});
    root.write("new", "1");
    root.write("mine/secret", "1");
    for (int i = 0; i < 3; ++i) {
        std::ofstream(root.path() + "/old", std::ios::app) << "y" << std::flush;
        watch.read();  // the kernel folds equal events that nobody has read yet
    }
    ::chmod((root.path() + "/old").c_str(), 0600);
    fs::rename(root.path() + "/new", root.path() + "/moved");
    fs::remove(root.path() + "/moved");
    watch.read();
    const auto changes = watch.take();
    const auto hits = [&](const std::string& name, std::string_view mask) -> std::string {
        for (const auto& one : changes) {
            if (text_of(one, "Path") == root.path() + name && text_of(one, "Mask") == mask)
                return text_of(one, "HitCount");
        }
        return "-";
    };
    EXPECT_EQ(hits("/new", "Created"), "1");
    EXPECT_EQ(hits("/old", "Modified"), "3");
    EXPECT_EQ(hits("/old", "Metadata changed"), "1");
    EXPECT_EQ(hits("/new", "Moved"), "1");
    EXPECT_EQ(hits("/moved", "Deleted"), "1");
    EXPECT_EQ(hits("/mine/secret", "Created"), "-");
    EXPECT_EQ(watch.lost(), 0U);
    EXPECT_TRUE(nlohmann::json::accept(encoded(FIELDWATCH_FILE_SYSTEM, changes)));
}

TEST(FileWatch, WatchesAFolderThatCameLater) {
    Folder root;
    FileWatch watch({.paths = {root.path()}, .recursive = true, .ignored = {}});
    fs::create_directories(root.path() + "/later");
    watch.read();
    root.write("later/file", "1");
    watch.read();
    const auto changes = watch.take();
    EXPECT_TRUE(std::ranges::any_of(
        changes, [](const auto& one) { return text_of(one, "Path").ends_with("/later/file"); }));
}

TEST(FileWatch, SeesEachReplacementOfAFile) {
    Folder root;
    const auto file = root.path() + "/passwd";
    root.write("passwd", "0");
    FileWatch watch({.paths = {file}, .recursive = true, .ignored = {}});
    const auto changes = [&] {
        watch.read();
        std::vector<std::string> out;
        for (const auto& one : watch.take()) {
            EXPECT_EQ(text_of(one, "Path"), file);
            out.push_back(text_of(one, "Mask"));
        }
        return out;
    };
    const auto has = [](const std::vector<std::string>& masks, std::string_view mask) {
        return std::ranges::find(masks, mask) != masks.end();
    };
    for (int i = 0; i < 4; ++i) {
        root.write("passwd.tmp", std::to_string(i));
        fs::rename(root.path() + "/passwd.tmp", file);
        EXPECT_TRUE(has(changes(), "Moved")) << i;
        root.write("passwd", "in place");
        EXPECT_TRUE(has(changes(), "Modified")) << i;
    }
    fs::remove(file);
    EXPECT_TRUE(has(changes(), "Deleted"));
    root.write("passwd", "again");
    EXPECT_TRUE(has(changes(), "Created"));
    root.write("other", "nobody asked");
    EXPECT_TRUE(changes().empty());
}

TEST(FileWatch, WatchesAFileThatCameLater) {
    Folder root;
    FileWatch watch({.paths = {root.path() + "/later", root.path() + "/later"}, .ignored = {}});
    root.write("later", "1");
    watch.read();
    EXPECT_FALSE(watch.take().empty());
}

TEST(FileWatch, AFileBesideItsWatchedFolderIsToldOnce) {
    Folder root;
    root.write("file", "1");
    FileWatch watch({.paths = {root.path() + "/file", root.path()}, .recursive = false, .ignored = {}});
    root.write("file.tmp", "2");
    fs::rename(root.path() + "/file.tmp", root.path() + "/file");
    watch.read();
    std::size_t moved = 0;
    for (const auto& one : watch.take()) {
        if (text_of(one, "Path") == root.path() + "/file" && text_of(one, "Mask") == "Moved")
            moved += text_of(one, "HitCount") == "1" ? 1 : 100;
    }
    EXPECT_EQ(moved, 1U);
}

TEST(FileWatch, SaysThatNobodyChoseThePaths) {
    for (const bool by_default : {false, true}) {
        Folder root;
        FileWatch watch({.paths = {root.path()}, .ignored = {}, .by_default = by_default});
        root.write("new", "1");
        watch.read();
        const auto changes = watch.take();
        ASSERT_FALSE(changes.empty());
        for (const auto& one : changes) {
            EXPECT_EQ(one.extras.empty(), !by_default);
            if (by_default) {
                EXPECT_EQ(one.extras.front().text, "default");
            }
        }
    }
}

TEST(FileWatch, CountsWhatItsTableCannotHold) {
    Folder root;
    FileWatch watch({.paths = {root.path()}, .recursive = false, .ignored = {}});
    for (std::size_t i = 0; i < FileWatch::kWaitingMax + 100; ++i)
        root.write("f" + std::to_string(i), "");
    watch.read();
    const auto told = watch.take().size();
    EXPECT_EQ(told, FileWatch::kWaitingMax);
    EXPECT_EQ(watch.seen(), told + watch.lost());
}

struct Collected {
    std::vector<std::pair<fieldwatch_kind, std::size_t>> snapshots;
    std::vector<Observation> events;
    Inventory::Handlers handlers() {
        return {.is_off = [](fieldwatch_kind) { return false; },
                .snapshot = [this](fieldwatch_kind kind,
                                   auto payloads) { snapshots.emplace_back(kind, payloads.size()); },
                .event = [this](const Observation& event) { events.push_back(event); },
                .diagnose = [](const std::string&) {}};
    }
    std::size_t count(fieldwatch_kind kind) const {
        return static_cast<std::size_t>(
            std::ranges::count(snapshots, kind, [](const auto& one) { return one.first; }));
    }
};

TEST(Inventory, TellsAnUnchangedThingOnceAndAChangedOneAgain) {
    Folder root;
    root.write("var/lib/dpkg/status", "Package: a\nStatus: install ok installed\nVersion: 1\n");
    Collected out;
    Inventory inventory({.root = root.path(), .watch = {}}, out.handlers());
    inventory.take_snapshots(0);
    inventory.take_snapshots(30'000'000'000);
    EXPECT_EQ(out.count(FIELDWATCH_SBOM), 1U);
    EXPECT_EQ(out.count(FIELDWATCH_CONNECTED_HARDWARE), 1U);
    EXPECT_EQ(out.count(FIELDWATCH_OS_BASELINE), 1U);
    EXPECT_EQ(out.count(FIELDWATCH_HEARTBEAT), 2U);
    EXPECT_EQ(out.count(FIELDWATCH_SYSTEM_INFORMATION), 2U);
    root.write("var/lib/dpkg/status", "Package: a\nStatus: install ok installed\nVersion: 12\n");
    inventory.take_snapshots(60'000'000'000);
    EXPECT_EQ(out.count(FIELDWATCH_SBOM), 2U);
    inventory.take_snapshots(60'000'000'000 + 13LL * 3'600'000'000'000);
    EXPECT_EQ(out.count(FIELDWATCH_SBOM), 3U);
}

TEST(Inventory, CountsOnWhenOtherPathsAreWatched) {
    Folder root;
    Collected out;
    const FileWatch::Options watch{.paths = {root.path()}, .recursive = false, .ignored = {}};
    Inventory inventory({.root = root.path(), .watch = watch}, out.handlers());
    inventory.tick(0);
    root.write("first", "");
    inventory.tick(1);
    const auto seen = inventory.counters().file_changes;
    EXPECT_GE(seen, 1U);
    inventory.set_watched({.paths = {root.path()}, .recursive = true, .ignored = {}});
    EXPECT_EQ(inventory.counters().file_changes, seen);
    EXPECT_FALSE(out.events.empty());  // what waited was told
    inventory.tick(2);
    root.write("second", "");
    inventory.tick(3);
    EXPECT_GT(inventory.counters().file_changes, seen);
}

TEST(Inventory, HearsTheKernelOfADeviceThatComes) {
    Collected out;
    Inventory inventory({.root = "", .watch = {}}, out.handlers());
    std::ofstream trigger("/sys/devices/virtual/mem/null/uevent");
    if (inventory.hardware_fd() < 0 || !trigger.is_open()) GTEST_SKIP() << "needs root and uevents";
    trigger << "add" << std::flush;
    pollfd ready{inventory.hardware_fd(), POLLIN, 0};
    ASSERT_EQ(::poll(&ready, 1, 5'000), 1);
    inventory.tick(1);
    EXPECT_LT(inventory.wake_ns(), INT64_MAX);  // a new look at sysfs is planned
    inventory.tick(2'000'000'000);
    EXPECT_EQ(out.count(FIELDWATCH_CONNECTED_HARDWARE), 1U);
}

}  // namespace
}  // namespace fieldwatch::agent
