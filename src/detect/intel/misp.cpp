// MISP events, as its API answers them and its feeds publish them, one file an event.
// misp-project.org/datamodels.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "detect/intel/indicator_json.hpp"
#include "detect/intel/indicator_value.hpp"

namespace fieldwatch::detect {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kCategoryMax = 128;

Tlp tlp_of(const Json& tagged) {
    const auto tags = tagged.find("Tag");
    if (tags == tagged.end() || !tags->is_array()) return Tlp::None;
    for (const auto& tag : *tags) {
        if (const auto tlp = tlp_from(text_of(tag, "name")); tlp != Tlp::None) return tlp;
    }
    return Tlp::None;
}

/// The taxonomy that says how sure its author is; nullopt when no tag does.
std::optional<int> confidence_of_tags(const Json& tagged) {
    constexpr std::string_view kLevel = "misp:confidence-level=";
    const auto tags = tagged.find("Tag");
    if (tags == tagged.end() || !tags->is_array()) return std::nullopt;
    for (const auto& tag : *tags) {
        const auto name = lower(text_of(tag, "name"));
        if (!name.starts_with(kLevel)) continue;
        const auto level = trimmed(std::string_view(name).substr(kLevel.size()), "\"");
        if (level == "completely-confident") return 100;
        if (level == "usually-confident") return 75;
        if (level == "fairly-confident") return 50;
        if (level == "rarely-confident") return 25;
        if (level == "unconfident") return 0;
    }
    return std::nullopt;
}

bool is_true(const Json& object, const char* key, bool absent) {
    const auto found = object.find(key);
    if (found == object.end()) return absent;
    return found->is_boolean() ? found->get<bool>() : found->is_string() ? *found == "1" : *found == 1;
}

/// The values that an attribute's type says it has: `filename|sha256` has the second, `domain|ip` both.
std::vector<std::string> values_of(const std::string& type, const std::string& value) {
    const auto bar = type.find('|');
    if (type == "malware-sample" || type.starts_with("filename|")) return {value.substr(value.find('|') + 1)};
    if (bar == type.npos) return {value};
    const auto cut = value.find('|');
    if (cut == value.npos) return {value};
    if (type == "domain|ip") return {value.substr(0, cut), value.substr(cut + 1)};
    return {value.substr(0, cut)};  // ip-dst|port, hostname|port
}

bool is_matched(const std::string& type) {
    static constexpr std::string_view kTypes[] = {"ip-src",
                                                  "ip-dst",
                                                  "ip-src|port",
                                                  "ip-dst|port",
                                                  "domain",
                                                  "hostname",
                                                  "hostname|port",
                                                  "domain|ip",
                                                  "url",
                                                  "link",
                                                  "uri",
                                                  "md5",
                                                  "sha1",
                                                  "sha256",
                                                  "filename|md5",
                                                  "filename|sha1",
                                                  "filename|sha256",
                                                  "malware-sample"};
    return std::find(std::begin(kTypes), std::end(kTypes), type) != std::end(kTypes);
}

void read_attribute(const Json& attribute, const Indicator& event, IndicatorFile& out) {
    if (!attribute.is_object()) return out.refuse(0, "an attribute is not an object");
    const auto type = text_of(attribute, "type");
    // What is not meant for detection is context: file names, references, and what was taken back.
    if (!is_matched(type) || !is_true(attribute, "to_ids", true) || is_true(attribute, "deleted", false)) {
        ++out.skipped;
        return;
    }
    Indicator about = event;
    if (about.category.empty()) {  // attributes that were searched for carry their event
        const auto inner = attribute.find("Event");
        about.category = inner == attribute.end() ? "" : clean_text(text_of(*inner, "info"), kCategoryMax);
    }
    if (const auto tlp = tlp_of(attribute); tlp != Tlp::None) about.tlp = tlp;
    if (const auto confidence = confidence_of_tags(attribute)) about.confidence = *confidence;
    if (const auto first = parse_indicator_time(text_of(attribute, "first_seen"))) about.first_seen = first;
    about.last_seen = parse_indicator_time(text_of(attribute, "last_seen"));
    if (!about.last_seen) {
        const auto changed = attribute.find("timestamp");
        if (changed != attribute.end())
            about.last_seen =
                parse_indicator_time(changed->is_string() ? changed->get<std::string>() : changed->dump());
    }
    for (const auto& value : values_of(type, text_of(attribute, "value"))) {
        if (!append_indicators(value, about, out))
            out.refuse(0, type + " \"" + clean_text(value, 80) + "\" cannot be read");
    }
}

void read_attributes(const Json& holder, const Indicator& event, IndicatorFile& out) {
    const auto attributes = holder.find("Attribute");
    if (attributes == holder.end() || !attributes->is_array()) return;
    for (const auto& attribute : *attributes)
        read_attribute(attribute, event, out);
}

bool read_event(const Json& event, std::string_view name, IndicatorFile& out) {
    if (!event.is_object() || (!event.contains("Attribute") && !event.contains("Object"))) return false;
    Indicator about;
    about.category = clean_text(text_of(event, "info"), kCategoryMax);
    if (const auto confidence = confidence_of_tags(event)) about.confidence = *confidence;
    const auto organisation = event.find("Orgc");
    about.source = organisation == event.end() ? "" : text_of(*organisation, "name");
    if (about.source.empty()) about.source = name;
    about.tlp = tlp_of(event);
    about.first_seen = parse_indicator_time(text_of(event, "date"));
    read_attributes(event, about, out);
    const auto objects = event.find("Object");
    if (objects == event.end() || !objects->is_array()) return true;
    for (const auto& object : *objects) {
        if (object.is_object() && !is_true(object, "deleted", false)) read_attributes(object, about, out);
    }
    return true;
}

}  // namespace

bool read_misp(const Json& document, std::string_view name, IndicatorFile& out) {
    if (document.is_array()) {
        bool any = false;
        for (const auto& entry : document) {
            if (entry.is_object() && (entry.contains("Event") || entry.contains("Attribute")))
                any = read_misp(entry, name, out) || any;
        }
        return any;
    }
    if (!document.is_object()) return false;
    if (const auto response = document.find("response");
        response != document.end() && response->is_structured())
        return read_misp(*response, name, out);
    if (const auto event = document.find("Event"); event != document.end())
        return read_event(*event, name, out);
    return read_event(document, name, out);
}

}  // namespace fieldwatch::detect
