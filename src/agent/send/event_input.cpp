#include "agent/send/event_input.hpp"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>

#include "agent/aggregation/observation.hpp"
#include "base/time.hpp"
#include "base/uuid.hpp"
#include "fieldwatch/security_message.h"

namespace fieldwatch::agent {

using Json = nlohmann::ordered_json;

namespace {

constexpr std::size_t kEventsMax = 4'096;
constexpr std::size_t kPayloadsMax = 4'096;
constexpr std::size_t kAgentIdCharacters = 36;
constexpr std::size_t kDepthMax = 16;

int append(void* out, const char* data, std::size_t size) {
    static_cast<std::string*>(out)->append(data, size);
    return 0;
}

Error refused(const std::string& where, std::string_view what) {
    return {Errc::InvalidArgument, where + ": " + std::string(what)};
}

// The deepest nesting of lists and objects; braces within strings are text.
std::size_t depth_of(std::string_view text) {
    std::size_t depth = 0;
    std::size_t deepest = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '"') in_string = !in_string;
        if (in_string) {
            if (c == '\\') ++i;
            continue;
        }
        if (c == '{' || c == '[') deepest = std::max(deepest, ++depth);
        if ((c == '}' || c == ']') && depth > 0) --depth;
    }
    return deepest;
}

fieldwatch_status put_field(fieldwatch_encoder& encoder, const std::string& name, const Json& value) {
    if (value.is_string()) {
        const auto& text = value.get_ref<const std::string&>();
        return fieldwatch_field_text(&encoder, name.c_str(), text.data(), text.size());
    }
    if (value.is_boolean()) return fieldwatch_field_boolean(&encoder, name.c_str(), value.get<bool>());
    const bool too_large = value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX;
    if (value.is_number_integer() && !too_large)
        return fieldwatch_field_integer(&encoder, name.c_str(), value.get<std::int64_t>());
    return FIELDWATCH_SCHEMA_VIOLATION;
}

Result<void> put_payload(fieldwatch_encoder& encoder, const Json& payload, const std::string& where) {
    if (!payload.is_object()) return std::unexpected(refused(where, "must be an object"));
    fieldwatch_payload_begin(&encoder);
    for (const auto& [name, value] : payload.items()) {
        if (name == "ExtraDetails") continue;
        if (put_field(encoder, name, value) != FIELDWATCH_OK)
            return std::unexpected(refused(where + "/" + name.substr(0, 64),
                                           "no such field of this kind, or a value it cannot have"));
    }
    if (const auto extra = payload.find("ExtraDetails"); extra != payload.end()) {
        if (!extra->is_object())
            return std::unexpected(refused(where + "/ExtraDetails", "must be an object"));
        for (const auto& [key, value] : extra->items()) {
            if (value.is_structured() || value.is_null())
                return std::unexpected(
                    refused(where + "/ExtraDetails/" + key.substr(0, 64), "must be a text"));
            const auto text = value.is_string() ? value.get<std::string>() : value.dump();
            fieldwatch_extra_text(&encoder, key.c_str(), text.data(), text.size());
        }
    }
    if (fieldwatch_payload_end(&encoder) == FIELDWATCH_SCHEMA_VIOLATION)
        return std::unexpected(refused(where, "a required field is missing"));
    return {};
}

/// What is there has its type, and nothing is there besides; what is missing is made.
struct Member {
    std::string_view name;
    Json::value_t type;
};
using JsonType = Json::value_t;
constexpr Member kEnvelopeMembers[] = {{"AgentVersion", JsonType::string},
                                       {"AgentId", JsonType::string},
                                       {"MessageSchemaVersion", JsonType::string},
                                       {"Events", JsonType::array}};
constexpr Member kEventMembers[] = {
    {"Id", JsonType::string},           {"TimestampLocal", JsonType::string},
    {"TimestampUTC", JsonType::string}, {"Category", JsonType::string},
    {"Name", JsonType::string},         {"EventType", JsonType::string},
    {"IsEmpty", JsonType::boolean},     {"PayloadSchemaVersion", JsonType::string},
    {"Payload", JsonType::null}};  // looked at by itself
Result<void> check_members(const Json& object, std::span<const Member> members, const std::string& where) {
    for (const auto& [key, value] : object.items()) {
        const auto found = std::ranges::find(members, key, &Member::name);
        const auto at = where + "/" + key.substr(0, 64);
        if (found == members.end()) return std::unexpected(refused(at, "there is no such member"));
        if (found->type != JsonType::null && found->type != value.type())
            return std::unexpected(
                refused(at, std::string("must be of type ") + Json(found->type).type_name()));
    }
    return {};
}

/// What was said of the event, where it was said, is what is true of it.
Result<void> check_agrees(const Json& event, const std::string& encoded, const std::string& where) {
    const auto whole = Json::parse(encoded, nullptr, false);
    for (const char* key : {"Category", "EventType", "IsEmpty", "PayloadSchemaVersion"}) {
        const auto said = event.find(key);
        if (said != event.end() && *said != whole[key])
            return std::unexpected(refused(where + "/" + key, "must be " + whole[key].dump()));
    }
    return {};
}

Result<std::string> encode(const Json& event, const std::string& where, const Clock& clock, Random& random) {
    if (!event.is_object()) return std::unexpected(refused(where, "must be an object"));
    FIELDWATCH_TRY(check_members(event, kEventMembers, where));
    const auto text = [&](const char* key) {
        const auto found = event.find(key);
        return found != event.end() && found->is_string() ? found->get<std::string>() : std::string();
    };
    const auto name = text("Name");
    const auto kind = fieldwatch_kind_from_name(name.data(), name.size());
    if (kind == 0)
        return std::unexpected(refused(where + "/Name", "no kind of event: " + name.substr(0, 64)));
    auto id = text("Id");
    if (!event.contains("Id")) id = Uuid::random(random).text();
    if (id.size() != 36) return std::unexpected(refused(where + "/Id", "must have 36 characters"));
    auto time_ms = clock.now().unix_millis();
    for (const char* key : {"TimestampLocal", "TimestampUTC"}) {
        if (!event.contains(key)) continue;
        const auto parsed = parse_iso8601(text(key));
        if (!parsed) return std::unexpected(refused(where + "/" + key, parsed.error().message));
        if (key == std::string_view("TimestampUTC")) time_ms = parsed->time.unix_millis();
    }
    auto payloads = event.value("Payload", Json::array());
    if (payloads.is_object()) payloads = Json::array({payloads});
    if (!payloads.is_array()) return std::unexpected(refused(where + "/Payload", "must be a list"));
    if (payloads.size() > kPayloadsMax)
        return std::unexpected(refused(where + "/Payload", "must hold at most 4096"));
    std::string out;
    fieldwatch_encoder encoder;
    fieldwatch_encoder_init(&encoder, append, &out, FIELDWATCH_MESSAGE_BYTES_MAX - 1'024);
    const fieldwatch_event_header header{id.c_str(), time_ms, local_offset_minutes(time_ms),
                                         payloads.empty()};
    if (fieldwatch_event_begin(&encoder, kind, &header) != FIELDWATCH_OK)
        return std::unexpected(
            refused(where + "/Payload", payloads.empty() ? "must not be empty" : "must be empty"));
    std::size_t index = 0;
    for (const auto& payload : payloads)
        FIELDWATCH_TRY(put_payload(encoder, payload, where + "/Payload/" + std::to_string(index++)));
    const auto ended = fieldwatch_event_end(&encoder);
    if (ended == FIELDWATCH_TOO_LARGE) return fail(Errc::TooLarge, where + ": over the hub's 256 KiB");
    if (ended != FIELDWATCH_OK) return std::unexpected(refused(where, "does not follow the schema"));
    FIELDWATCH_TRY(check_agrees(event, out, where));
    return out;
}

}  // namespace

Result<std::vector<std::string>> read_events(std::string_view line, const Clock& clock, Random& random) {
    if (line.size() > kInputLineBytesMax) return fail(Errc::TooLarge, "a line holds at most 1 MiB");
    if (depth_of(line) > kDepthMax) return fail(Errc::Malformed, "nested too deeply");
    const auto root = Json::parse(line, nullptr, false);
    if (root.is_discarded() || !root.is_object()) return fail(Errc::Malformed, "no JSON object");
    std::vector<std::string> out;
    const auto events = root.find("Events");
    if (events == root.end()) {
        out.push_back(FIELDWATCH_TRY(encode(root, "", clock, random)));
        return out;
    }
    if (!events->is_array() || events->empty() || events->size() > kEventsMax)
        return fail(Errc::InvalidArgument, "/Events: must be a list of 1 to 4096");
    FIELDWATCH_TRY(check_members(root, kEnvelopeMembers, ""));
    if (root.value("MessageSchemaVersion", "1.0") != "1.0")
        return fail(Errc::InvalidArgument, "/MessageSchemaVersion: must be \"1.0\"");
    if (root.contains("AgentId") &&
        root["AgentId"].get_ref<const std::string&>().size() != kAgentIdCharacters)
        return fail(Errc::InvalidArgument, "/AgentId: must have 36 characters");
    std::size_t index = 0;
    for (const auto& event : *events)
        out.push_back(FIELDWATCH_TRY(encode(event, "/Events/" + std::to_string(index++), clock, random)));
    return out;
}

}  // namespace fieldwatch::agent
