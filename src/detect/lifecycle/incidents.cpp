#include "detect/lifecycle/incidents.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/ip_address.hpp"
#include "detect/state.hpp"

namespace fieldwatch::detect {

namespace {

constexpr std::size_t kLinkBytesMax = 256;

/// Text or number of a member; "" for anything else.
std::string member_text(const nlohmann::json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end()) return {};
    if (found->is_string()) return found->get<std::string>();
    return found->is_number() ? found->dump() : std::string();
}

/// Zero stands for many processes (aggregates), one is the ancestor of all.
void add_process(std::vector<std::string>& links, const std::string& id) {
    if (!id.empty() && id != "0" && id != "1") links.push_back("p:" + id);
}

/// An address that says nothing of who it was is none.
bool names_somebody(const std::string& address) {
    const auto ip = parse_ip(address);
    return !address.empty() && address != "?" && (!ip || (!ip->is_loopback() && !ip->is_unspecified()));
}

/// What an alert is about, sorted; empty for one that is of no device.
std::vector<std::string> links_of(const model::Alert& alert) {
    std::vector<std::string> links;
    const auto entities = nlohmann::json::parse(alert.entities_json, nullptr, /*allow_exceptions=*/false);
    if (!entities.is_array()) return links;
    bool of_device = false;
    for (const auto& entity : entities) {
        if (!entity.is_object()) continue;
        const auto type = member_text(entity, "Type");
        of_device |= type == "iotdevice";
        if (type == "process") add_process(links, member_text(entity, "ProcessId"));
        if (const auto name = member_text(entity, "Name"); type == "account" && !name.empty())
            links.push_back("u:" + name);
        if (const auto id = member_text(entity, "Sid"); type == "account" && !id.empty())
            links.push_back("i:" + id);
        if (const auto address = member_text(entity, "Address"); type == "ip" && names_somebody(address))
            links.push_back("a:" + address);
    }
    if (!of_device) return {};
    const auto extended = nlohmann::json::parse(alert.extended_json, nullptr, /*allow_exceptions=*/false);
    if (extended.is_object()) {
        for (const auto* const key : {"ProcessId", "ParentProcessId", "Login Process Id"})
            add_process(links, member_text(extended, key));
    }
    std::erase_if(links, [](const std::string& link) { return link.size() > kLinkBytesMax; });
    std::ranges::sort(links);
    links.erase(std::ranges::unique(links).begin(), links.end());
    return links;
}

std::string device_of(const model::Alert& alert) {
    return alert.hub.value + '\0' + alert.compromised_entity;
}

}  // namespace

Incidents::Open* Incidents::find(Opens& opens, const model::Alert& alert,
                                 const std::vector<std::string>& links) {
    const auto found = std::ranges::find_if(opens, [&](const Open& open) {
        if (alert.start > open.end + kGap || alert.end + kGap < open.start) return false;
        if (std::max(alert.end, open.end) - std::min(alert.start, open.start) > kLongest) return false;
        return std::ranges::any_of(links, [&](const std::string& link) {
            return std::ranges::find(open.links, link) != open.links.end();
        });
    });
    return found == opens.end() ? nullptr : &*found;
}

void Incidents::add(Open& open, const model::Alert& alert, const std::vector<std::string>& links) {
    open.start = std::min(open.start, alert.start);
    open.end = std::max(open.end, alert.end);
    for (const auto& link : links) {
        if (open.links.size() < kLinksMax && std::ranges::find(open.links, link) == open.links.end())
            open.links.push_back(link);
    }
}

Incidents::Joined Incidents::join(const model::Alert& alert, std::string_view key) {
    auto links = links_of(alert);
    if (links.empty()) return {.incident = alert.id};
    auto& opens = devices_.get(device_of(alert));
    if (auto* const open = find(opens, alert, links)) {
        add(*open, alert, links);
        Joined out{.incident = open->first, .shared = true};
        if (!open->shared) out.tell = open->first_key;
        open->shared = true;
        return out;
    }
    std::erase_if(opens, [&](const Open& open) { return open.end + kLongest < alert.start; });
    if (opens.size() >= kOpenMax) opens.erase(std::ranges::min_element(opens, {}, &Open::end));
    opens.push_back({.first = alert.id,
                     .first_key = std::string(key),
                     .start = alert.start,
                     .end = alert.end,
                     .links = std::move(links)});
    return {.incident = alert.id};
}

void Incidents::extend(const model::Alert& alert) {
    if (devices_.peek(device_of(alert)) == nullptr) return;
    const auto links = links_of(alert);
    if (auto* const open = find(devices_.get(device_of(alert)), alert, links)) add(*open, alert, links);
}

void Incidents::save(ByteWriter& out) const {
    out.u64(devices_.evictions());
    out.u32(static_cast<std::uint32_t>(devices_.size()));
    for (const auto& [device, opens] : devices_) {
        out.text(device);
        out.u32(static_cast<std::uint32_t>(opens.size()));
        for (const auto& open : opens) {
            write(out, open.first);
            out.text(open.first_key);
            out.i64(open.start.ticks);
            out.i64(open.end.ticks);
            out.u8(open.shared ? 1 : 0);
            write(out, open.links);
        }
    }
}

Result<void> Incidents::restore(ByteReader& in) {
    devices_.clear();
    devices_.set_evictions(FIELDWATCH_TRY(in.u64()));
    const auto devices = FIELDWATCH_TRY(read_count(in, kDevicesMax));
    for (std::uint32_t i = 0; i < devices; ++i) {
        auto& opens = devices_.get(FIELDWATCH_TRY(in.text()));
        const auto count = FIELDWATCH_TRY(read_count(in, kOpenMax));
        for (std::uint32_t at = 0; at < count; ++at) {
            Open open;
            open.first = FIELDWATCH_TRY(read_uuid(in));
            open.first_key = FIELDWATCH_TRY(read_text(in));
            open.start = FIELDWATCH_TRY(read_time(in));
            open.end = FIELDWATCH_TRY(read_time(in));
            open.shared = FIELDWATCH_TRY(in.u8()) != 0;
            open.links = FIELDWATCH_TRY(read_texts(in));
            opens.push_back(std::move(open));
        }
    }
    return {};
}

}  // namespace fieldwatch::detect
