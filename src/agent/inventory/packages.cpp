#include "agent/inventory/packages.hpp"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "agent/collectors/proc.hpp"
#include "agent/inventory/text.hpp"
#include "base/uuid.hpp"

namespace fieldwatch::agent {

namespace {

constexpr std::size_t kDatabaseBytesMax = 32u << 20;
constexpr std::size_t kNameBytesMax = 256;

struct Database {
    const char* path;
    const char* type;
};
constexpr Database kStatusFiles[] = {{"/var/lib/dpkg/status", "deb"},
                                     {"/usr/lib/opkg/status", "opkg"},
                                     {"/var/lib/opkg/status", "opkg"},
                                     {"/opt/lib/opkg/status", "opkg"}};
constexpr const char* kStatusFolder =
    "/var/lib/dpkg/status.d";  // images without a package manager keep a file a package
constexpr const char* kApkFiles[] = {"/lib/apk/db/installed", "/usr/lib/apk/db/installed"};
constexpr const char* kRpmFiles[] = {"/usr/lib/sysimage/rpm/rpmdb.sqlite", "/var/lib/rpm/rpmdb.sqlite"};

void keep(Package&& package, std::vector<Package>& out) {
    if (package.name.empty() || out.size() >= kPackagesMax) return;
    package.name.resize(std::min(package.name.size(), kNameBytesMax));
    package.version.resize(std::min(package.version.size(), kNameBytesMax));
    package.vendor.resize(std::min(package.vendor.size(), kNameBytesMax));
    package.source.resize(std::min(package.source.size(), kNameBytesMax));
    package.source_version.resize(std::min(package.source_version.size(), kNameBytesMax));
    out.push_back(std::move(package));
}

std::vector<std::string> files_in(const std::string& folder) {
    struct Close {
        void operator()(DIR* directory) const { ::closedir(directory); }
    };
    std::vector<std::string> out;
    const std::unique_ptr<DIR, Close> directory(::opendir(folder.c_str()));
    while (directory && out.size() < kPackagesMax) {
        const auto* entry = ::readdir(directory.get());
        if (!entry) break;
        const std::string_view name = entry->d_name;
        if (!name.starts_with('.') && !name.ends_with(".md5sums"))
            out.push_back(folder + "/" + entry->d_name);
    }
    std::ranges::sort(out);
    return out;
}

/// Characters that package URLs keep; the rest is percent-encoded (purl specification).
std::string encoded(std::string_view text) {
    static constexpr char kDigits[] = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                           c == '.' || c == '-' || c == '_' || c == '~';
        if (plain) {
            out += c;
        } else {
            const auto byte = static_cast<unsigned char>(c);
            out.append({'%', kDigits[byte >> 4], kDigits[byte & 15]});
        }
    }
    return out;
}

}  // namespace

void parse_status_file(std::string_view text, const char* type, std::vector<Package>& out) {
    Package package;
    bool installed = true;  // files of status.d name no status
    const auto end_stanza = [&] {
        package.type = type;
        if (installed && !package.version.empty()) keep(std::move(package), out);
        package = {};
        installed = true;
    };
    each_line(text, [&](std::string_view line) {
        if (line.empty()) return end_stanza();
        const auto colon = line.find(':');
        if (colon == std::string_view::npos || line[0] == ' ' || line[0] == '\t') return;
        const auto key = line.substr(0, colon);
        const auto value = trimmed(line.substr(colon + 1));
        if (key == "Package") {
            package.name = value;
        } else if (key == "Version") {
            package.version = value;
        } else if (key == "Maintainer") {
            package.vendor = value;
        } else if (key == "Architecture") {
            package.architecture = value;
        } else if (key == "Source") {  // `glibc` or `glibc (2.36-9)`
            const auto blank = value.find(' ');
            package.source = value.substr(0, blank);
            if (blank != value.npos) package.source_version = fieldwatch::trimmed(value.substr(blank), " ()");
        } else if (key == "Status") {
            installed = value.ends_with(" installed");
        }
    });
    end_stanza();
}

void parse_apk_file(std::string_view text, std::vector<Package>& out) {
    Package package;
    const auto end_stanza = [&] {
        package.type = "apk";
        if (!package.version.empty()) keep(std::move(package), out);
        package = {};
    };
    each_line(text, [&](std::string_view line) {
        if (line.empty()) return end_stanza();
        if (line.size() < 2 || line[1] != ':') return;
        const auto value = line.substr(2);
        if (line[0] == 'P') package.name = value;
        if (line[0] == 'V') package.version = value;
        if (line[0] == 'A') package.architecture = value;
        if (line[0] == 'm') package.vendor = value;
        if (line[0] == 'o') package.source = value;
    });
    end_stanza();
}

std::string PackageReader::stamp() const {
    std::string out;
    const auto add = [&](const char* path) {
        struct stat status{};
        if (::stat((root_ + path).c_str(), &status) != 0) return;
        out += std::string(path) + "|" + std::to_string(status.st_ino) + "|" +
               std::to_string(status.st_mtim.tv_sec) + "." + std::to_string(status.st_mtim.tv_nsec) + "|" +
               std::to_string(status.st_size) + "\n";
    };
    for (const auto& database : kStatusFiles)
        add(database.path);
    add(kStatusFolder);
    for (const auto* path : kApkFiles)
        add(path);
    for (const auto* path : kRpmFiles)
        add(path);
    return out;
}

bool PackageReader::changed() const {
    return stamp() != seen_;
}

std::vector<Package> PackageReader::read() {
    seen_ = stamp();
    std::vector<Package> out;
    for (const auto& database : kStatusFiles)
        parse_status_file(read_small(root_ + database.path, kDatabaseBytesMax), database.type, out);
    for (const auto& path : files_in(root_ + kStatusFolder))
        parse_status_file(read_small(path, 1u << 20), "deb", out);
    for (const auto* path : kApkFiles)
        parse_apk_file(read_small(root_ + path, kDatabaseBytesMax), out);
    for (const auto* path : kRpmFiles) {
        if (parse_rpm_database(read_small(root_ + path, kDatabaseBytesMax), out)) break;
    }
    std::ranges::sort(out, [](const Package& left, const Package& right) {
        return std::tie(left.name, left.version, left.architecture) <
               std::tie(right.name, right.version, right.architecture);
    });
    return out;
}

std::vector<Observation> to_observations(const std::vector<Package>& packages) {
    std::vector<Observation> out;
    out.reserve(packages.size());
    for (const auto& package : packages) {
        auto& one = out.emplace_back(Observation{.kind = FIELDWATCH_SBOM});
        one.text("Name", package.name);
        one.text("Version", package.version);
        if (!package.vendor.empty()) one.text("Vendor", package.vendor);
        one.extra("Architecture", package.architecture);
        one.extra("Type", package.type);
        one.extra("Source", package.source);
        one.extra("SourceVersion", package.source_version);
    }
    return out;
}

std::string to_cyclonedx(const std::vector<Package>& packages, std::string_view distribution, Timestamp now,
                         Random& random) {
    nlohmann::ordered_json out;
    out["bomFormat"] = "CycloneDX";
    out["specVersion"] = "1.5";
    out["serialNumber"] = "urn:uuid:" + Uuid::random(random).text();
    out["version"] = 1;
    out["metadata"] = {
        {"timestamp", to_iso8601(now, 0)},
        {"tools", {{"components", {{{"type", "application"}, {"name", "fieldwatch-agent"}}}}}}};
    auto components = nlohmann::ordered_json::array();
    for (const auto& package : packages) {
        auto url = "pkg:" + std::string(package.type) + "/";
        if (!distribution.empty()) url += encoded(distribution) + "/";
        url += encoded(package.name) + "@" + encoded(package.version);
        if (!package.architecture.empty()) url += "?arch=" + encoded(package.architecture);
        nlohmann::ordered_json component = {{"type", "library"},
                                            {"bom-ref", url},
                                            {"name", package.name},
                                            {"version", package.version},
                                            {"purl", url}};
        if (!package.vendor.empty()) component["supplier"] = {{"name", package.vendor}};
        components.push_back(std::move(component));
    }
    out["components"] = std::move(components);
    return out.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace fieldwatch::agent
