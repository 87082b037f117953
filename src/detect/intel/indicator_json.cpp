#include "detect/intel/indicator_json.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/ip_address.hpp"
#include "base/text.hpp"
#include "detect/intel/indicator_fields.hpp"
#include "detect/intel/indicator_value.hpp"

namespace fieldwatch::detect {

namespace {

using Json = nlohmann::json;

/// A member's value as the cell of a table: the first of a list, numbers and truth as text.
std::string cell_of(const Json& value) {
    if (value.is_string()) return value.get<std::string>();
    if (value.is_number() || value.is_boolean()) return value.dump();
    if (value.is_array() && !value.empty() && !value.front().is_structured()) return cell_of(value.front());
    return {};
}

/// An object that describes a feed's file, as Spamhaus puts it behind the others.
bool is_about_the_file(const Json& object) {
    return text_of(object, "type") == "metadata";
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
        if (fieldwatch::parse_prefix(text)) {
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

/// `{"domains": ["bad.example"]}`; not the words that a document lists besides.
bool is_list_of_values(const Json& list) {
    return list.front().is_string() && classify_value(list.front().get_ref<const std::string&>()).has_value();
}

}  // namespace

std::string not_one(std::string_view value) {
    return "\"" + clean_text(value, 80) + "\" is no address, network, domain, URL or hash";
}

std::string text_of(const Json& object, const char* key) {
    if (!object.is_object()) return {};
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

void read_indicator_object(const Json& object, std::string_view name, std::size_t line, IndicatorFile& out) {
    if (object.is_string()) {
        Indicator about;
        about.source = clean_text(name);
        const auto& value = object.get_ref<const std::string&>();
        if (!append_indicators(value, about, out)) out.refuse(line, not_one(value));
        return;
    }
    if (!object.is_object()) return out.refuse(line, "not a JSON object");
    if (is_about_the_file(object)) return;
    IndicatorDescription about(name);
    for (const auto& [key, value] : object.items()) {
        const auto field = field_of(key);
        // Members that hold lists of values hold each of them.
        const bool is_list = field == IndicatorField::Value && value.is_array();
        for (const auto& each : is_list ? value : Json::array({value})) {
            if (auto wrong = about.take(field, cell_of(each))) return out.refuse(line, std::move(*wrong));
        }
    }
    if (!about.append_to(out)) out.refuse(line, "no member is an address, network, domain, URL or hash");
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
        if (!list.is_array() || list.empty()) continue;
        if (!list.front().is_object() && !is_list_of_values(list)) continue;
        for (const auto& object : list)
            read_indicator_object(object, name, 0, out);
        any = true;
    }
    return any;
}

}  // namespace fieldwatch::detect
