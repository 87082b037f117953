#include "detect/custom/membership.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "detect/state.hpp"

namespace fieldwatch::detect {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kModulesMax = 8;  ///< of one device that carry the tag; security modules are one or two
constexpr std::size_t kTagBytesMax = 512;

bool is_security_module(std::string_view module) {
    return module == model::kSecurityModule || module == "Microsoft.Security" ||
           module == "defender-iot-micro-agent";
}

const Json* member(const Json& object, const char* key) {
    if (!object.is_object()) return nullptr;
    const auto found = object.find(key);
    return found == object.end() ? nullptr : &*found;
}

std::string text_of(const Json* value) {
    return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

std::string security_group(const Json& tags) {
    constexpr std::string_view kTag = "securitygroup";
    if (!tags.is_object()) return {};
    for (const auto& [name, value] : tags.items()) {
        const bool same = name.size() == kTag.size() &&
                          std::equal(name.begin(), name.end(), kTag.begin(), [](char a, char b) {
                              return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
                          });
        if (same && value.is_string()) return value.get<std::string>().substr(0, kTagBytesMax);
    }
    return {};
}

std::optional<Ticks> low_interval(const Json& desired) {
    for (const auto* const name :
         {model::kConfigurationObject.data(), "azureiot*com^securityAgentConfiguration^1*0*0"}) {
        const auto* const object = member(desired, name);
        const auto* value = object == nullptr ? nullptr : member(*object, "lowPriorityMessageFrequency");
        if (value != nullptr && value->is_object()) value = member(*value, "value");
        if (value == nullptr) continue;
        if (const auto duration = parse_iso8601_duration(text_of(value)); duration && duration->count() > 0)
            return std::min<Ticks>(*duration, std::chrono::hours(72));
    }
    return std::nullopt;
}

/// A twin as the service shows it whole, and an identity that carries its tags along.
void read_whole_twin(const Json& body, MembershipChange& out) {
    if (const auto* const tags = member(body, "tags")) out.tag = security_group(*tags);
    if (const auto* const properties = member(body, "properties")) {
        if (const auto* const desired = member(*properties, "desired"))
            out.low_interval = low_interval(*desired);
    }
}

void read_twin(const Json& body, MembershipChange& out) {
    const auto section = text_of(member(body, "section"));
    const auto* const document = member(body, "document");
    if (section.empty()) return read_whole_twin(body, out);
    if (document == nullptr) return;
    if (section == "tags") out.tag = security_group(*document);
    if (section == "desired") out.low_interval = low_interval(*document);
}

void read_identity(const Json& body, MembershipChange& out) {
    const auto* identity = member(body, "identity");
    if (identity == nullptr) identity = &body;
    if (out.device.empty()) out.device = text_of(member(*identity, "deviceId"));
    if (out.module.empty()) out.module = text_of(member(*identity, "moduleId"));
    out.enabled =
        text_of(member(body, "change")) != "delete" && text_of(member(*identity, "status")) != "disabled";
    read_whole_twin(*identity, out);
}

void read_hub(const Json& body, MembershipChange& out) {
    if (const auto* const ours = member(body, "fieldwatch")) {
        if (const auto* const twin_data = member(*ours, "twinData");
            twin_data != nullptr && twin_data->is_boolean())
            out.twin_data = twin_data->get<bool>();
    }
    if (const auto* const off = member(body, "disabledDataSources"); off != nullptr && off->is_array())
        out.twin_data = std::find(off->begin(), off->end(), "TwinData") == off->end();
}

}  // namespace

MembershipChange read_membership(const model::RecordView& record) {
    MembershipChange out{.device = std::string(record.device), .module = std::string(record.module)};
    // Devices report often and at length; nothing of that concerns us.
    if (record.kind == model::RecordKind::Twin &&
        record.body.find(R"("section":"reported")") != record.body.npos)
        return out;
    const auto body = Json::parse(record.body, nullptr, /*allow_exceptions=*/false);
    if (!body.is_object()) return out;
    if (record.kind == model::RecordKind::Twin) {
        if (out.device.empty()) out.device = text_of(member(body, "deviceId"));
        if (out.module.empty()) out.module = text_of(member(body, "moduleId"));
        read_twin(body, out);
    } else if (record.kind == model::RecordKind::IdentityChange) {
        read_identity(body, out);
    } else if (record.kind == model::RecordKind::HubConfiguration) {
        read_hub(body, out);
    }
    return out;
}

void Membership::seen(Timestamp at) {
    spoken_ = true;
    if (periods_.empty()) periods_.push_back({.since = at});
}

void Membership::set_enabled(bool enabled, Timestamp at) {
    if (periods_.empty()) {
        periods_.push_back({.since = at, .enabled = enabled});
        return;
    }
    change({.since = at, .group = periods_.back().group, .enabled = enabled});
}

void Membership::set_tag(std::string_view module, std::string_view value, Timestamp at) {
    std::erase_if(tags_, [&](const auto& tag) { return tag.first == module; });
    if (!value.empty() && tags_.size() < kModulesMax) tags_.emplace_back(module, value);
    const auto group = tag();
    if (periods_.empty() || (!spoken_ && group != periods_.back().group)) {
        const bool enabled = periods_.empty() || periods_.back().enabled;
        periods_.assign(1, {.since = at, .group = group, .enabled = enabled});
    } else {
        change({.since = at, .group = group, .enabled = periods_.back().enabled});
    }
}

void Membership::remove_module(std::string_view module, Timestamp at) {
    if (std::erase_if(tags_, [&](const auto& tag) { return tag.first == module; }) != 0)
        change({.since = at, .group = tag(), .enabled = periods_.empty() || periods_.back().enabled});
}

/// A module's twin before the device's, the security module's before others'.
std::string Membership::tag() const {
    const std::string* of_device = nullptr;
    const std::string* of_module = nullptr;
    for (const auto& [module, value] : tags_) {
        if (module.empty()) {
            of_device = &value;
        } else if (is_security_module(module)) {
            return value;
        } else {
            of_module = &value;
        }
    }
    return of_module != nullptr ? *of_module : of_device != nullptr ? *of_device : "default";
}

void Membership::change(Period period) {
    if (!periods_.empty() && period.group == periods_.back().group &&
        period.enabled == periods_.back().enabled)
        return;
    if (periods_.size() == kPeriodsMax) periods_.erase(periods_.begin());
    periods_.push_back(std::move(period));
}

void Membership::save(ByteWriter& out) const {
    out.u8(spoken_ ? 1 : 0);
    out.u8(static_cast<std::uint8_t>(periods_.size()));
    for (const auto& period : periods_) {
        out.i64(period.since.ticks);
        out.text(period.group);
        out.u8(period.enabled ? 1 : 0);
    }
    out.u8(static_cast<std::uint8_t>(tags_.size()));
    for (const auto& [module, value] : tags_) {
        out.text(module);
        out.text(value);
    }
}

Result<void> Membership::restore(ByteReader& in) {
    spoken_ = FIELDWATCH_TRY(in.u8()) != 0;
    const auto periods = FIELDWATCH_TRY(in.u8());
    if (periods > kPeriodsMax) return fail(Errc::Corrupt, "a device with more changes than are remembered");
    for (std::uint8_t i = 0; i < periods; ++i) {
        auto& period = periods_.emplace_back();
        period.since = FIELDWATCH_TRY(read_time(in));
        period.group = FIELDWATCH_TRY(read_text(in));
        period.enabled = FIELDWATCH_TRY(in.u8()) != 0;
    }
    const auto tags = FIELDWATCH_TRY(in.u8());
    if (tags > kModulesMax) return fail(Errc::Corrupt, "a device with more tagged modules than are kept");
    for (std::uint8_t i = 0; i < tags; ++i) {
        auto module = FIELDWATCH_TRY(read_text(in));
        tags_.emplace_back(std::move(module), FIELDWATCH_TRY(read_text(in)));
    }
    return {};
}

}  // namespace fieldwatch::detect
