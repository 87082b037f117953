#include "detect/rules/recorded.hpp"

#include <nlohmann/json.hpp>

#include "base/limits.hpp"

namespace fieldwatch::detect {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kFieldsMax = 4'096;

std::string scalar_text(const Json& value) {
    if (value.is_string()) return value.get<std::string>();
    return value.is_null() ? std::string{} : value.dump();
}

void flatten(const std::string& name, const Json& value, std::size_t depth,
             std::vector<std::pair<std::string, std::string>>& out) {
    if (out.size() >= kFieldsMax || depth > limits::json_depth) return;
    if (value.is_object()) {
        for (const auto& [key, inside] : value.items())
            flatten(name.empty() ? key : name + "." + key, inside, depth + 1, out);
    } else if (value.is_array()) {
        for (const auto& one : value)
            flatten(name, one, depth + 1, out);
    } else {
        out.emplace_back(name, scalar_text(value));
    }
}

/// nlohmann recurses by nesting: count brackets before handing it a stranger's text.
bool too_deep(std::string_view json) {
    std::size_t depth = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < json.size(); ++i) {
        const char c = json[i];
        if (quoted) {
            if (c == '\\') ++i;
            if (c == '"') quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            if (++depth > limits::json_depth) return true;
        } else if ((c == '}' || c == ']') && depth > 0) {
            --depth;
        }
    }
    return false;
}

}  // namespace

std::string_view RecordedEvent::keep(std::string text) {
    return texts_->emplace_back(std::move(text));
}

void RecordedEvent::finish(std::string_view product, std::string_view category, std::string_view service) {
    event_->kind = model::EventKind::SigmaEvent;
    model::Item item;
    item.payload =
        model::OtherPayload{.fields = fields_, .product = product, .service = service, .category = category};
    event_->items.push_back(std::move(item));
}

RecordedEvent RecordedEvent::make(std::string product, std::string category, std::string service,
                                  const std::vector<std::pair<std::string, std::string>>& fields) {
    RecordedEvent recorded;
    for (const auto& [name, value] : fields)
        recorded.fields_.emplace_back(recorded.keep(name), recorded.keep(value));
    const auto kept_product = recorded.keep(std::move(product));
    const auto kept_category = recorded.keep(std::move(category));
    recorded.finish(kept_product, kept_category, recorded.keep(std::move(service)));
    return recorded;
}

Result<RecordedEvent> RecordedEvent::parse(std::string_view text) {
    if (text.size() > limits::message_bytes) return fail(Errc::TooLarge, "recorded event above 256 KiB");
    if (too_deep(text)) return fail(Errc::TooLarge, "recorded event nested too deep");
    auto json = Json::parse(text, nullptr, false);
    if (json.is_object() && json.contains("body") && json["body"].is_object()) json = Json(json["body"]);
    if (!json.is_object() || !json.contains("fields") || !json["fields"].is_object())
        return fail(Errc::Malformed, "not a sigma-event: an object with \"logsource\" and \"fields\"");
    std::vector<std::pair<std::string, std::string>> fields;
    flatten({}, json["fields"], 0, fields);
    const auto source = [&](const char* key) {
        if (!json.contains("logsource") || !json["logsource"].is_object()) return std::string{};
        const auto& from = json["logsource"];
        return from.contains(key) && from[key].is_string() ? from[key].get<std::string>() : std::string{};
    };
    return make(source("product"), source("category"), source("service"), fields);
}

}  // namespace fieldwatch::detect
