#include "detect/rules/recorded.hpp"

#include <nlohmann/json.hpp>
#include <optional>

#include "base/limits.hpp"
#include "base/text.hpp"

namespace fieldwatch::detect {
namespace {

constexpr std::size_t kFieldsMax = 4'096;

std::optional<std::string> scalar_text(const nlohmann::json& value) {
    if (value.is_null()) return std::nullopt;
    return value.is_string() ? value.get<std::string>() : value.dump();
}

void flatten(const std::string& name, const nlohmann::json& value, std::size_t depth,
             std::vector<std::pair<std::string, std::optional<std::string>>>& out) {
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

}  // namespace

std::string_view RecordedEvent::keep(std::string text) {
    return texts_->emplace_back(std::move(text));
}

void RecordedEvent::finish(std::string_view product, std::string_view category, std::string_view service) {
    event_->kind = model::EventKind::SigmaEvent;
    model::Item item;
    item.payload =
        model::OtherPayload{.fields = fields_, .product = product, .service = service, .category = category};
    event_->items.push_back(item);
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
    if (nests_deeper_than(limits::json_depth, text))
        return fail(Errc::TooLarge, "recorded event nested too deep");
    auto json = nlohmann::json::parse(text, nullptr, false);
    RecordedEvent recorded;
    if (json.is_object() && json.contains("body") && json["body"].is_object()) {
        for (const auto& [key, into] :
             {std::pair{"hub", &recorded.event_->hub}, std::pair{"device", &recorded.event_->device}}) {
            if (json.contains(key) && json[key].is_string())
                *into = recorded.keep(json[key].get<std::string>());
        }
        if (json.contains("time") && json["time"].is_string()) {
            const auto time = parse_iso8601(json["time"].get<std::string>());
            if (!time) return fail(Errc::Malformed, "/time: " + time.error().message);
            recorded.event_->time = recorded.event_->received = time->time;
        }
        json = nlohmann::json(json["body"]);
    }
    if (!json.is_object() || !json.contains("fields") || !json["fields"].is_object())
        return fail(Errc::Malformed, "not a sigma-event: an object with \"logsource\" and \"fields\"");
    std::vector<std::pair<std::string, std::optional<std::string>>> fields;
    flatten({}, json["fields"], 0, fields);
    for (const auto& [name, value] : fields) {
        const auto kept = recorded.keep(name);
        recorded.fields_.emplace_back(kept, value ? recorded.keep(*value) : std::string_view{});
    }
    const auto source = [&](const char* key) {
        if (!json.contains("logsource") || !json["logsource"].is_object()) return std::string{};
        const auto& from = json["logsource"];
        return from.contains(key) && from[key].is_string() ? from[key].get<std::string>() : std::string{};
    };
    const auto product = recorded.keep(source("product"));
    const auto category = recorded.keep(source("category"));
    recorded.finish(product, category, recorded.keep(source("service")));
    return recorded;
}

void RecordedEvent::set_place(std::size_t number) {
    event_->position.offset = number;
    event_->items.front().position.offset = number;
}

void RecordedEvent::set_origin(std::string hub, std::string device, Timestamp time) {
    event_->hub = keep(std::move(hub));
    event_->device = keep(std::move(device));
    event_->time = event_->received = time;
}

}  // namespace fieldwatch::detect
