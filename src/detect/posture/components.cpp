#include "detect/posture/components.hpp"

#include <algorithm>
#include <array>
#include <tuple>

#include <fmt/format.h>

#include "base/hash.hpp"
#include "detect/posture/open_ports.hpp"

namespace fieldwatch::detect {

namespace {

constexpr char kCell = '\x1f';  // between the cells of a package's line; texts of packages hold none
constexpr std::string_view kComponentType = "IoT_X_VulnerablePackage";

/// What os-release calls them, and what advisories are written for.
std::string distribution_family(std::string_view id) {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kSame{
        {{"raspbian", "debian"},
         {"ol", "rhel"},
         {"centos", "rhel"},
         {"opensuse-leap", "opensuse"},
         {"opensuse-tumbleweed", "opensuse"},
         {"openeuler", "openEuler"}}};
    const auto name = lower_case(id);
    const auto* const found = std::ranges::find(kSame, name, [](const auto& pair) { return pair.first; });
    return found == kSame.end() ? name : std::string(found->second);
}

/// What packages are when nobody says so: published lists are of dpkg.
std::string_view default_type(std::string_view distribution) {
    constexpr std::array<std::string_view, 3> kApk{"alpine", "wolfi", "chainguard"};
    constexpr std::array<std::string_view, 8> kRpm{"rhel", "fedora",   "rocky",     "almalinux",
                                                   "sles", "opensuse", "openEuler", "mageia"};
    if (std::ranges::find(kApk, distribution) != kApk.end()) return "apk";
    return std::ranges::find(kRpm, distribution) != kRpm.end() ? "rpm" : "deb";
}

void add_cell(std::string& line, std::string_view text) {
    for (const char c : text)
        line.push_back(c == kCell || c == '\n' ? ' ' : c);
    line.push_back(kCell);
}

/// type, name, version, source, its version, and whether Ubuntu made it.
std::string package_line(const model::OtherPayload& package) {
    std::string line;
    for (const std::string_view key : {"Type", "Name", "Version", "Source", "SourceVersion"})
        add_cell(line, model::find(package.fields, key));
    const bool ubuntu = lower_case(model::find(package.fields, "Vendor")).find("ubuntu") != std::string::npos;
    add_cell(line, ubuntu ? "ubuntu" : "");
    line.push_back('\n');
    return line;
}

std::array<std::string_view, 6> cells_of(std::string_view line) {
    std::array<std::string_view, 6> out;
    for (auto& cell : out) {
        const auto end = std::min(line.find(kCell), line.size());
        cell = line.substr(0, end);
        line.remove_prefix(std::min(end + 1, line.size()));
    }
    return out;
}

std::string sorted_lines(std::string_view text) {
    std::vector<std::string_view> lines;
    for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != text.npos; at = end + 1)
        lines.push_back(text.substr(at, end + 1 - at));
    std::ranges::sort(lines);
    std::string out;
    for (const auto line : lines)
        out += line;
    return out;
}

/// Who must be mended first: what is exploited, then what is grave, then what others can reach. 0 to 100.
int priority_of(const PackageVulnerability& worst, bool exposed) {
    const int likely = std::max(worst.probability, 0) * 3 / 1'000;  // up to 30
    return (worst.exploited ? 60 : likely) + worst.score * 3 / 10 + (exposed ? 10 : 0);
}

/// Somebody is expected to try within a month.
bool is_likely(const PackageVulnerability& one) {
    return one.probability >= 1'000;
}

model::Severity severity_of(const PackageVulnerability& worst, bool exposed) {
    if (worst.exploited || worst.score >= 90 || (worst.score >= 70 && (exposed || is_likely(worst))))
        return model::Severity::High;
    return worst.score == 0 || worst.score >= 40 ? model::Severity::Medium : model::Severity::Low;
}

std::string score_text(int tenths) {
    return tenths == 0 ? std::string() : fmt::format("{}.{}", tenths / 10, tenths % 10);
}

/// In whole percent, so that what an estimate does from day to day is no news.
std::string percent_text(int ten_thousandths) {
    return ten_thousandths < 0 ? std::string() : std::to_string((ten_thousandths + 50) / 100);
}

std::string vulnerability_list(const std::vector<PackageVulnerability>& found) {
    std::string out;
    JsonWriter json(out);
    json.begin_array();
    for (std::size_t i = 0; i < std::min(found.size(), Components::kVulnerabilitiesMax); ++i) {
        const auto& one = found[i];
        json.begin_object()
            .member("Id", one.id)
            .member_if("Score", score_text(one.score))
            .member_if("FixedVersion", one.fixed_version)
            .member("KnownExploited", one.exploited ? "true" : "false")
            .member_if("ExploitPercent", percent_text(one.probability))
            .member("Source", one.source)
            .end_object();
    }
    json.end_array();
    return out;
}

/// The version that mends all of it; "" while one has none.
std::string version_that_mends(const std::vector<PackageVulnerability>& found, std::string_view type) {
    std::string out;
    for (const auto& one : found) {
        if (one.fixed_version.empty()) return {};
        if (out.empty() || compare_versions(order_of(type), one.fixed_version, out) > 0)
            out = one.fixed_version;
    }
    return out;
}

}  // namespace

void Components::observe(const model::Event& event, Context& context) {
    if (!context.settings.extensions || event.device.empty()) return;
    if (event.kind == model::EventKind::SBoM) return observe_packages(event, context);
    if (event.kind == model::EventKind::SystemInformation) return observe_system(event, context);
    if (event.kind != model::EventKind::ListeningPorts) return;
    auto* const device = devices_.find(device_key(event.hub, event.device));
    if (device == nullptr ||
        device->exposed == OpenPorts::is_exposed(context.posture, event.hub, event.device))
        return;
    judge(*device, event.time, context);
}

void Components::observe_system(const model::Event& event, Context& context) {
    for (const auto& item : event.items) {
        const auto* const system = std::get_if<model::OtherPayload>(&item.payload);
        if (system == nullptr) continue;
        const auto text = [&](std::string_view key) { return model::find(system->fields, key); };
        if (text("OsDist").empty()) continue;
        const auto distribution = distribution_family(text("OsDist"));
        const auto version = text("OsDistVersion").empty() ? text("OsVersion") : text("OsDistVersion");
        const auto release = release_of(distribution, version);
        auto& device = devices_.get(device_key(event.hub, event.device));
        device.hub = event.hub;
        device.name = event.device;
        if (device.distribution == distribution && device.release == release) continue;
        device.distribution = distribution;
        device.release = release;
        judge(device, event.time, context);
    }
}

void Components::observe_packages(const model::Event& event, Context& context) {
    const auto key = device_key(event.hub, event.device);
    std::string text;
    for (const auto& item : event.items) {
        const auto* const package = std::get_if<model::OtherPayload>(&item.payload);
        if (package != nullptr && text.size() < kBillBytesMax) text += package_line(*package);
    }
    text = sorted_lines(text);
    auto& device = devices_.get(key);
    device.hub = event.hub;
    device.name = event.device;
    device.position = event.position;
    device.bill = hex(sha256(as_bytes(text))).substr(0, 32);
    bills_.get(device.bill) = std::move(text);
    judge(device, event.time, context);
}

/// Components in the order of their rank.
std::vector<Components::Found> Components::find(const std::string& bill, const Device& device,
                                                const AdvisoryTable& advisories) const {
    std::map<std::pair<std::string, std::string>, Found> by_name;  // by type and name
    std::string_view rest = bill;
    for (std::size_t end = 0; (end = rest.find('\n')) != rest.npos; rest.remove_prefix(end + 1)) {
        const auto [said_type, name, version, source, source_version, maker] = cells_of(rest.substr(0, end));
        const auto type = said_type.empty() ? default_type(device.distribution) : said_type;
        std::string_view distribution = device.distribution;
        if (distribution.empty() && type == "deb") distribution = maker.empty() ? "debian" : maker;
        auto found = advisories.find({.type = type,
                                      .distribution = distribution,
                                      .release = device.release,
                                      .name = name,
                                      .version = version,
                                      .source = source,
                                      .source_version = source_version});
        if (found.empty()) continue;
        auto& component = by_name[{std::string(type), std::string(source.empty() ? name : source)}];
        component.type = type;
        component.name = source.empty() ? name : source;
        if (component.version.empty()) component.version = version;
        if (std::ranges::find(component.packages, name) == component.packages.end())
            component.packages.emplace_back(name);
        for (auto& one : found) {
            if (std::ranges::find(component.vulnerabilities, one.id, &PackageVulnerability::id) ==
                component.vulnerabilities.end())
                component.vulnerabilities.push_back(std::move(one));
        }
    }
    std::vector<Found> out;
    const auto rank = [](const PackageVulnerability& one) {
        return std::tuple(!one.exploited, -one.score, one.id);
    };
    for (auto& [key, component] : by_name) {
        std::ranges::sort(component.vulnerabilities, {}, rank);
        out.push_back(std::move(component));
    }
    std::ranges::stable_sort(out, {}, [&](const Found& one) {
        return std::tuple(rank(one.vulnerabilities.front()), one.type, one.name);
    });
    if (out.size() > kComponentsMax) out.resize(kComponentsMax);
    return out;
}

void Components::judge(Device& device, Timestamp time, Context& context, FoundCache* cache) {
    device.exposed = OpenPorts::is_exposed(context.posture, device.hub, device.name);
    const auto* const bill = bills_.find(device.bill);
    if (bill == nullptr || (context.advisories.empty() && device.components.empty())) return;
    std::vector<Found> own;
    const auto* found = &own;
    if (cache != nullptr) {
        const auto [at, fresh] =
            cache->try_emplace(device.bill + '/' + device.distribution + '/' + device.release);
        if (fresh) at->second = find(*bill, device, context.advisories);
        found = &at->second;
    } else {
        own = find(*bill, device, context.advisories);
    }
    std::vector<std::string> now_active;
    for (const auto& component : *found) {
        const auto& worst = component.vulnerabilities.front();
        auto name = component.type + "/" + component.name;
        RecommendationBook::Assessment assessment{.type = kComponentType,
                                                  .hub = device.hub,
                                                  .device = device.name,
                                                  .component = name,
                                                  .health = Health::Unhealthy,
                                                  .time = time,
                                                  .additional_json = {},
                                                  .evidence = {device.position},
                                                  .severity = severity_of(worst, device.exposed)};
        JsonWriter(assessment.additional_json)
            .begin_object()
            .member("Component", component.name)
            .member("Type", component.type)
            .member("Version", component.version)
            .member_if("Distribution", device.distribution)
            .member_if("Release", device.release)
            .member_if("FixedVersion", version_that_mends(component.vulnerabilities, component.type))
            .member_if("Score", score_text(worst.score))
            .member("KnownExploited", worst.exploited ? "true" : "false")
            .member("Exposed", device.exposed ? "true" : "false")
            .member_if("ExploitPercent", percent_text(worst.probability))
            .member("Priority", std::to_string(priority_of(worst, device.exposed)))
            .member("Packages", json_list(component.packages))
            .member("VulnerabilityCount", std::to_string(component.vulnerabilities.size()))
            .member("Vulnerabilities", vulnerability_list(component.vulnerabilities))
            .end_object();
        context.posture.assess(std::move(assessment), context.settings, context.now, context.out);
        now_active.push_back(std::move(name));
    }
    for (const auto& before : device.components) {
        if (std::ranges::find(now_active, before) != now_active.end()) continue;
        context.posture.assess({.type = kComponentType,
                                .hub = device.hub,
                                .device = device.name,
                                .component = before,
                                .health = Health::Healthy,
                                .time = time,
                                .additional_json = {},
                                .evidence = {device.position}},
                               context.settings, context.now, context.out);
    }
    device.components = std::move(now_active);
}

void Components::advance(Context& context) {
    if (judged_with_ != context.advisories.hash()) {
        judged_with_ = context.advisories.hash();
        todo_.clear();
        for (const auto& [key, device] : devices_)
            if (!device.bill.empty()) todo_.push_back(key);
    }
    FoundCache cache;
    for (std::size_t i = 0; i < kDevicesAtOnce && !todo_.empty(); ++i) {
        if (auto* const device = devices_.find(todo_.front())) judge(*device, context.now, context, &cache);
        todo_.pop_front();
    }
}

void Components::save(ByteWriter& out) const {
    out.text(judged_with_);
    write(out, std::vector<std::string>(todo_.begin(), todo_.end()));
    out.u64(bills_.evictions());
    out.u32(static_cast<std::uint32_t>(bills_.size()));
    for (const auto& [key, text] : bills_) {
        out.text(key);
        out.text(text);
    }
    out.u64(devices_.evictions());
    out.u32(static_cast<std::uint32_t>(devices_.size()));
    for (const auto& [key, device] : devices_) {
        for (const auto* text :
             {&device.hub, &device.name, &device.distribution, &device.release, &device.bill})
            out.text(*text);
        write(out, device.position);
        out.u8(device.exposed ? 1 : 0);
        write(out, device.components);
    }
}

Result<void> Components::restore(ByteReader& in) {
    bills_.clear();
    devices_.clear();
    judged_with_ = FIELDWATCH_TRY(read_text(in));
    const auto todo = FIELDWATCH_TRY(read_texts(in));
    todo_.assign(todo.begin(), todo.end());
    bills_.set_evictions(FIELDWATCH_TRY(in.u64()));
    const auto bills = FIELDWATCH_TRY(read_count(in, kBillsMax));
    for (std::uint32_t i = 0; i < bills; ++i) {
        const auto key = FIELDWATCH_TRY(in.text());
        bills_.get(key) = FIELDWATCH_TRY(read_text(in));
    }
    devices_.set_evictions(FIELDWATCH_TRY(in.u64()));
    const auto devices = FIELDWATCH_TRY(read_count(in, kDevicesMax));
    for (std::uint32_t i = 0; i < devices; ++i) {
        Device device;
        for (auto* text : {&device.hub, &device.name, &device.distribution, &device.release, &device.bill})
            *text = FIELDWATCH_TRY(read_text(in));
        device.position = FIELDWATCH_TRY(read_position(in));
        device.exposed = FIELDWATCH_TRY(in.u8()) != 0;
        device.components = FIELDWATCH_TRY(read_texts(in));
        devices_.get(device_key(device.hub, device.name)) = std::move(device);
    }
    // Earlier states end with the parts of lists that had begun: those lists come again.
    static_cast<void>(FIELDWATCH_TRY(in.bytes(in.rest().size())));
    return {};
}

}  // namespace fieldwatch::detect
