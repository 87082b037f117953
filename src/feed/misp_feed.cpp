#include "feed/misp_feed.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "base/uuid.hpp"
#include "feed/members.hpp"

namespace fieldwatch::feed {

namespace {

using Json = nlohmann::json;
constexpr const char* kVersionMember = "x_version";  ///< of a kept event: the manifest's timestamp

/// As part of a path: nothing but a UUID will do.
std::string uuid_of(std::string_view text) {
    const auto uuid = Uuid::parse(text);
    return uuid ? uuid->text() : std::string();
}

void copy(const Json& from, Json& into, std::initializer_list<const char*> names) {
    for (const auto* const name : names) {
        const auto found = from.find(name);
        if (found != from.end() && !found->is_null()) into[name] = *found;
    }
}

Json tags_of(const Json& tagged) {
    Json out = Json::array();
    const auto tags = tagged.find("Tag");
    if (tags == tagged.end() || !tags->is_array()) return out;
    for (const auto& tag : *tags) {
        if (auto name = text_in(tag, "name"); !name.empty()) out.push_back({{"name", std::move(name)}});
    }
    return out;
}

Json attributes_of(const Json& holder) {
    Json out = Json::array();
    const auto attributes = holder.find("Attribute");
    if (attributes == holder.end() || !attributes->is_array()) return out;
    for (const auto& attribute : *attributes) {
        if (!attribute.is_object()) continue;
        Json kept;
        copy(attribute, kept, {"type", "value", "to_ids", "deleted", "first_seen", "last_seen", "timestamp"});
        if (auto tags = tags_of(attribute); !tags.empty()) kept["Tag"] = std::move(tags);
        if (!kept.is_null()) out.push_back(std::move(kept));
    }
    return out;
}

Json slim(const Json& event) {
    Json out;
    copy(event, out, {"info", "date", "timestamp"});
    if (const auto maker = event.find("Orgc"); maker != event.end())
        out["Orgc"] = {{"name", text_in(*maker, "name")}};
    if (auto tags = tags_of(event); !tags.empty()) out["Tag"] = std::move(tags);
    out["Attribute"] = attributes_of(event);
    Json objects = Json::array();
    if (const auto found = event.find("Object"); found != event.end() && found->is_array()) {
        for (const auto& object : *found) {
            if (!object.is_object()) continue;
            Json kept;
            copy(object, kept, {"deleted"});
            kept["Attribute"] = attributes_of(object);
            objects.push_back(std::move(kept));
        }
    }
    if (!objects.empty()) out["Object"] = std::move(objects);
    return out;
}

}  // namespace

Result<MispVersions> parse_manifest(std::string_view text) {
    if (nests_deeper_than(kDepthMax, text)) return fail(Errc::Malformed, "a manifest that nests too deep");
    const auto document = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!document.is_object())
        return fail(Errc::Malformed,
                    "the manifest is no JSON object; the address must be the folder of manifest.json");
    MispVersions out;
    for (const auto& [name, entry] : document.items()) {
        const auto uuid = uuid_of(name);
        if (uuid.empty() || !entry.is_object())
            return fail(Errc::Malformed,
                        fmt::format("the manifest names \"{}\", which is no event", name.substr(0, 80)));
        out[uuid] = cell_in(entry, "timestamp");
        if (out.size() > kMispEventsMax)
            return fail(Errc::TooLarge,
                        fmt::format("the manifest names more than {} events", kMispEventsMax));
    }
    return out;
}

MispEvents MispEvents::of(std::string_view kept) {
    MispEvents out;
    each_line(kept, [&](std::string_view line) {
        if (nests_deeper_than(kDepthMax, line)) return;
        const auto document = Json::parse(line, nullptr, /*allow_exceptions=*/false);
        const auto event = document.is_object() ? document.find("Event") : document.end();
        if (event == document.end()) return;
        if (const auto uuid = uuid_of(text_in(*event, "uuid")); !uuid.empty())
            out.events_[uuid] = {text_in(*event, kVersionMember), std::string(line)};
    });
    return out;
}

std::vector<std::string> MispEvents::wanted(const MispVersions& manifest) const {
    std::vector<std::string> out;
    for (const auto& [uuid, version] : manifest) {
        const auto found = events_.find(uuid);
        if (found == events_.end() || found->second.version != version || version.empty())
            out.push_back(uuid);
    }
    return out;
}

Result<void> MispEvents::take(const std::string& uuid, const std::string& version, std::string_view text) {
    if (nests_deeper_than(kDepthMax, text)) return fail(Errc::Malformed, "an event that nests too deep");
    const auto document = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    const auto event = document.is_object() ? document.find("Event") : document.end();
    if (event == document.end() || !event->is_object())
        return fail(Errc::Malformed, fmt::format("{}.json is no MISP event", uuid));
    if (uuid_of(text_in(*event, "uuid")) != uuid)
        return fail(Errc::Malformed, fmt::format("{}.json holds another event", uuid));
    auto kept = slim(*event);
    kept["uuid"] = uuid;
    kept[kVersionMember] = version;
    events_[uuid] = {version,
                     Json{{"Event", std::move(kept)}}.dump(-1, ' ', false, Json::error_handler_t::replace)};
    return {};
}

void MispEvents::keep_only(const MispVersions& manifest) {
    std::erase_if(events_, [&](const auto& entry) { return !manifest.contains(entry.first); });
}

Result<std::string> MispEvents::text() const {
    std::string out = "# events of a MISP feed\n";
    for (const auto& [uuid, event] : events_) {
        out += event.line;
        out += '\n';
        if (out.size() > kBytesMax) return fail(Errc::TooLarge, "the feed's events are more than 240 MiB");
    }
    return out;
}

}  // namespace fieldwatch::feed
