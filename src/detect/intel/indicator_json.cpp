#include "detect/intel/indicator_json.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/ip_address.hpp"
#include "base/text.hpp"
#include "detect/intel/indicator_value.hpp"

namespace fieldwatch::detect {

namespace {

using Json = nlohmann::json;

std::string first_text(const Json& object, std::initializer_list<const char*> keys) {
    for (const auto* const key : keys) {
        if (auto text = text_of(object, key); !text.empty()) return text;
    }
    return {};
}

bool is_warning_list(const Json& document) {
    const auto list = document.is_object() ? document.find("list") : document.end();
    return document.is_object() && list != document.end() && list->is_array() && document.contains("name");
}

/// github.com/MISP/misp-warninglists: `type` says how values are compared.
void read_warning_list(const Json& document, IndicatorFile& out) {
    const auto type = text_of(document, "type");
    for (const auto& value : document["list"]) {
        if (!value.is_string() || value.get_ref<const std::string&>().empty()) continue;
        auto text = lower(value.get_ref<const std::string&>());
        if (parse_prefix(text)) {
            out.warnings.prefixes.push_back(std::move(text));
        } else if (type == "hostname") {
            out.warnings.names.push_back(text.front() == '.' ? text.substr(1) : std::move(text));
        } else if (type == "substring") {
            out.warnings.substrings.push_back(std::move(text));
        } else if (type == "regex" || type == "cidr") {
            out.refuse(0, "a value of type " + type + " that is not compared: " + text.substr(0, 80));
        } else {
            out.warnings.exact.push_back(std::move(text));
        }
    }
}

}  // namespace

std::string text_of(const Json& object, const char* key) {
    if (!object.is_object()) return {};
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

void read_indicator_object(const Json& object, std::string_view name, std::size_t line, IndicatorFile& out) {
    if (!object.is_object()) return out.refuse(line, "not a JSON object");
    auto indicator = classify_value(trimmed(first_text(object, {"value", "indicator", "ioc_value", "ioc"})));
    if (!indicator) return out.refuse(line, "\"value\" is not an address, network, domain, URL or hash");
    indicator->category = first_text(object, {"category", "malware", "malware_printable", "threat_type"});
    indicator->source = first_text(object, {"source", "reporter"});
    if (indicator->source.empty()) indicator->source = name;
    indicator->tlp = tlp_from(text_of(object, "tlp"));
    for (const auto* const key : {"confidence", "confidence_level"}) {
        const auto found = object.find(key);
        if (found == object.end() || found->is_null()) continue;
        const auto value = parse_confidence(found->is_string() ? found->get<std::string>() : found->dump());
        if (!value) return out.refuse(line, "the confidence must be a number from 0 to 100");
        indicator->confidence = *value;
    }
    const auto until = first_text(object, {"validUntil", "valid_until", "expires"});
    if (!until.empty()) {
        indicator->valid_until = parse_indicator_time(until);
        if (!indicator->valid_until) return out.refuse(line, "\"validUntil\" is not an ISO 8601 time");
    }
    indicator->first_seen = parse_indicator_time(first_text(object, {"firstSeen", "first_seen"}));
    indicator->last_seen = parse_indicator_time(first_text(object, {"lastSeen", "last_seen"}));
    out.indicators.push_back(std::move(*indicator));
}

bool read_json_document(const Json& document, std::string_view name, IndicatorFile& out) {
    if (is_warning_list(document)) {
        read_warning_list(document, out);
        return true;
    }
    if (read_stix(document, name, out) || read_misp(document, name, out)) return true;
    if (document.is_array()) {
        for (std::size_t i = 0; i < document.size(); ++i)
            read_indicator_object(document[i], name, i + 1, out);
        return true;
    }
    // ThreatFox's export: a list of objects under each id; others put them under one key.
    bool any = false;
    if (!document.is_object()) return false;
    for (const auto& [key, list] : document.items()) {
        if (!list.is_array() || list.empty() || !list.front().is_object()) continue;
        for (const auto& object : list)
            read_indicator_object(object, name, 0, out);
        any = true;
    }
    return any;
}

}  // namespace fieldwatch::detect
