// STIX 2.0 and 2.1: indicators of a bundle, of a TAXII envelope, or one by itself. Their sources, markings
// and sightings are objects beside them.
#include <map>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "detect/intel/indicator_json.hpp"
#include "detect/intel/indicator_value.hpp"
#include "detect/intel/stix_pattern.hpp"

namespace fieldwatch::detect {

namespace {

using Json = nlohmann::json;

/// Marking definitions that everybody refers to by id: STIX 2.1 section 7.2.1.4, and the extension for
/// TLP 2.0.
const std::map<std::string, Tlp, std::less<>>& well_known_markings() {
    static const std::map<std::string, Tlp, std::less<>> kMarkings{
        {"marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9", Tlp::Clear},
        {"marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da", Tlp::Green},
        {"marking-definition--f88d31f6-486f-44da-b317-01333bde0b82", Tlp::Amber},
        {"marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed", Tlp::Red},
        {"marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487", Tlp::Clear},
        {"marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb", Tlp::Green},
        {"marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421", Tlp::Amber},
        {"marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003", Tlp::AmberStrict},
        {"marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1", Tlp::Red}};
    return kMarkings;
}

/// What indicators refer to.
struct Around {
    std::map<std::string, std::string, std::less<>> names;  ///< of identities
    std::map<std::string, Tlp, std::less<>> markings = well_known_markings();
    std::map<std::string, Timestamp, std::less<>> sighted;  ///< newest sighting of an indicator
    std::map<std::string, std::string, std::less<>>
        indicated;  ///< indicator to what it indicates: a malware's name
};

bool is_stix(const Json& object) {
    return object.is_object() && text_of(object, "id").find("--") != std::string::npos &&
           !text_of(object, "type").empty();
}

void look_around(const Json& object, Around& around) {
    const auto type = text_of(object, "type");
    const auto id = text_of(object, "id");
    if (type == "identity" || type == "malware" || type == "tool" || type == "campaign" ||
        type == "intrusion-set") {
        around.names[id] = text_of(object, "name");
    } else if (type == "marking-definition") {
        auto tlp = tlp_from(text_of(object, "name"));
        if (const auto inner = object.find("definition"); inner != object.end() && tlp == Tlp::None)
            tlp = tlp_from(text_of(*inner, "tlp"));
        if (tlp != Tlp::None) around.markings[id] = tlp;
    } else if (type == "sighting") {
        const auto seen = parse_indicator_time(text_of(object, "last_seen"));
        auto& newest = around.sighted[text_of(object, "sighting_of_ref")];
        if (seen) newest = std::max(newest, *seen);
    } else if (type == "relationship" && text_of(object, "relationship_type") == "indicates") {
        around.indicated[text_of(object, "source_ref")] = text_of(object, "target_ref");
    }
}

Tlp tlp_of(const Json& object, const Around& around) {
    const auto references = object.find("object_marking_refs");
    if (references == object.end() || !references->is_array()) return Tlp::None;
    auto strictest = Tlp::None;
    for (const auto& reference : *references) {
        const auto found = reference.is_string() ? around.markings.find(reference.get<std::string>())
                                                 : around.markings.end();
        if (found != around.markings.end()) strictest = std::max(strictest, found->second);
    }
    return strictest;
}

/// What it indicates by name, else its own kind (`indicator_types`, in 2.0 `labels`), else its name.
std::string category_of(const Json& object, const Around& around) {
    if (const auto target = around.indicated.find(text_of(object, "id")); target != around.indicated.end()) {
        const auto name = around.names.find(target->second);
        if (name != around.names.end() && !name->second.empty()) return name->second;
    }
    for (const auto* const key : {"indicator_types", "labels"}) {
        const auto found = object.find(key);
        if (found != object.end() && found->is_array() && !found->empty() && found->front().is_string())
            return clean_text(found->front().get_ref<const std::string&>());
    }
    return clean_text(text_of(object, "name"));
}

bool names_an_indicator(std::string_view path) {
    for (const std::string_view known :
         {"ipv4-addr:value", "ipv6-addr:value", "domain-name:value", "url:value"}) {
        if (path == known) return true;
    }
    if (path.starts_with("network-traffic:"))
        return path.ends_with("dst_ref.value") || path.ends_with("src_ref.value");
    return path.starts_with("file:hashes.") || path.starts_with("artifact:hashes.");
}

void read_indicator(const Json& object, const Around& around, std::string_view name, std::size_t number,
                    IndicatorFile& out) {
    const auto revoked = object.find("revoked");
    if (revoked != object.end() && revoked->is_boolean() && revoked->get<bool>()) {
        ++out.skipped;
        return;
    }
    const auto language = lower(text_of(object, "pattern_type"));
    if (!language.empty() && language != "stix")
        return out.refuse(number, "a pattern in " + clean_text(language, 40));
    const auto values = pattern_values(text_of(object, "pattern"));
    if (!values) return out.refuse(number, values.error().message);
    Indicator about;
    about.category = category_of(object, around);
    const auto author = around.names.find(text_of(object, "created_by_ref"));
    about.source =
        author != around.names.end() && !author->second.empty() ? author->second : std::string(name);
    about.tlp = tlp_of(object, around);
    about.valid_from = parse_indicator_time(text_of(object, "valid_from"));
    about.first_seen = about.valid_from;
    if (const auto until = text_of(object, "valid_until"); !until.empty()) {
        about.valid_until = parse_indicator_time(until);
        if (!about.valid_until) return out.refuse(number, "\"valid_until\" is not an ISO 8601 time");
    }
    if (const auto seen = around.sighted.find(text_of(object, "id")); seen != around.sighted.end())
        about.last_seen = seen->second;
    if (const auto found = object.find("confidence"); found != object.end() && !found->is_null()) {
        const auto confidence =
            parse_confidence(found->is_string() ? found->get<std::string>() : found->dump());
        if (!confidence) return out.refuse(number, "the confidence must be a number from 0 to 100");
        about.confidence = *confidence;
    }
    bool any = false;
    for (const auto& value : *values) {
        if (names_an_indicator(value.path)) any = append_indicators(value.value, about, out) || any;
    }
    if (!any) out.refuse(number, "a pattern that no single address, name, URL or hash makes true");
}

}  // namespace

bool read_stix(const Json& document, std::string_view name, IndicatorFile& out) {
    Json one = Json::array();
    const Json* objects = nullptr;
    if (document.is_object() && document.contains("objects") && document["objects"].is_array()) {
        objects = &document["objects"];
        if (text_of(document, "type") != "bundle" && !objects->empty() && !is_stix(objects->front()))
            return false;
    } else if (document.is_array() && !document.empty() && is_stix(document.front())) {
        objects = &document;
    } else if (is_stix(document)) {
        one.push_back(document);
        objects = &one;
    }
    if (objects == nullptr) return false;
    Around around;
    for (const auto& object : *objects) {
        if (object.is_object()) look_around(object, around);
    }
    for (std::size_t i = 0; i < objects->size(); ++i) {
        if (text_of((*objects)[i], "type") == "indicator")
            read_indicator((*objects)[i], around, name, i + 1, out);
    }
    return true;
}

}  // namespace fieldwatch::detect
