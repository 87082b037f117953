#include "hub/routing/routed_message.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/bytes.hpp"
#include "base/json_text.hpp"
#include "hub/message.hpp"

namespace fieldwatch::hub {

namespace {

constexpr std::size_t kRoutedDepthMax = 64;  // of a body; deeper it is bytes
constexpr std::array<std::string_view, 4> kRouteSources{
    "DeviceMessages", "TwinChangeEvents", "DeviceLifecycleEvents", "DeviceConnectionStateEvents"};

/// What conditions call a system property, and what records call it.
struct SystemName {
    std::string_view said, name;
};
constexpr std::array<SystemName, 13> kSystemNames{
    {{"$connectiondeviceid", "iothub-connection-device-id"},
     {"$connectionmoduleid", "iothub-connection-module-id"},
     {"$connectionauthmethod", "iothub-connection-auth-method"},
     {"$connectionauthgenerationid", "iothub-connection-auth-generation-id"},
     {"$enqueuedtime", "iothub-enqueuedtime"},
     {"$messagesource", "iothub-message-source"},
     {"$interfaceid", "iothub-interface-id"},
     {"$messageid", "message-id"},
     {"$correlationid", "correlation-id"},
     {"$userid", "user-id"},
     {"$contenttype", "content-type"},
     {"$contentencoding", "content-encoding"},
     {"$dt-dataschema", "dt-dataschema"}}};

char lower_char(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
bool same_letters(std::string_view left, std::string_view right) {
    return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                      [](char a, char b) { return lower_char(a) == lower_char(b); });
}

using NamedTexts = std::vector<std::pair<std::string_view, std::string_view>>;
query::Value text_named(const NamedTexts& all, std::string_view name) {
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const auto& one) { return same_letters(one.first, name); });
    return found == all.end() ? query::Value() : query::Value(query::Json(found->second));
}

/// JSON text as it was sent, every digit of it: a line end can only stand between its tokens.
std::string on_one_line(std::string_view json) {
    if (json.starts_with("\xEF\xBB\xBF")) json.remove_prefix(3);  // a byte order mark
    std::string out(json);
    std::replace_if(out.begin(), out.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
    return out;
}

/// Headers of HTTP may hold any bytes: those that are no text become question marks.
std::string readable(std::string_view text) {
    std::string out(text);
    if (!is_utf8(out))
        std::replace_if(
            out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '?');
    return out;
}

query::Json tree_of(const json::Value& value) {
    switch (value.type) {
        case json::Type::Null:
            return nullptr;
        case json::Type::Boolean:
            return value.boolean;
        case json::Type::Integer:
            return value.integer;
        case json::Type::Real:
            return value.real;
        case json::Type::String:
            return value.text;
        case json::Type::Array: {
            auto out = query::Json::array();
            for (const auto& element : value.elements)
                out.push_back(tree_of(element));
            return out;
        }
        case json::Type::Object: {
            auto out = query::Json::object();
            for (const auto& [key, member] : value.members)
                out[std::string(key)] = tree_of(member);
            return out;
        }
    }
    return nullptr;
}

}  // namespace

std::string_view to_string(RouteSource source) {
    return kRouteSources[static_cast<std::size_t>(source)];
}

std::optional<RouteSource> route_source_of(std::string_view name) {
    const auto found = std::find_if(kRouteSources.begin(), kRouteSources.end(),
                                    [&](std::string_view one) { return same_letters(one, name); });
    if (found == kRouteSources.end()) return std::nullopt;
    return static_cast<RouteSource>(found - kRouteSources.begin());
}

query::Value RoutedMessage::resolve(const query::Path& path) const {
    if (path.empty()) return std::nullopt;
    if (same_letters(path[0], "$body")) {
        const auto* value = json;
        for (std::size_t i = 1; i < path.size() && value != nullptr; ++i)
            value = value->find(path[i]);
        return value == nullptr ? query::Value() : query::Value(tree_of(*value));
    }
    if (same_letters(path[0], "$twin")) {
        if (twins == nullptr) return std::nullopt;
        const auto twin = twins->twin({{std::string(hub)}, {std::string(device)}, {std::string(module)}});
        return twin ? query::at(*twin, {path.begin() + 1, path.end()}) : query::Value();
    }
    if (path.size() != 1) return std::nullopt;
    const auto known = std::find_if(kSystemNames.begin(), kSystemNames.end(),
                                    [&](const SystemName& one) { return same_letters(one.said, path[0]); });
    return known == kSystemNames.end() ? text_named(properties, path[0]) : text_named(system, known->name);
}

RoutedMessage telemetry_message(const model::Record& telemetry, const json::Value* json, RouteTwins* twins) {
    RoutedMessage out{.received = telemetry.received,
                      .hub = telemetry.sender.hub.value,
                      .device = telemetry.sender.device.value,
                      .module = telemetry.sender.module.value,
                      .system = {},
                      .properties = {},
                      .body = telemetry.body,
                      .json = json,
                      .twins = twins};
    for (const auto& [name, value] : telemetry.properties)
        (is_system_property(name) ? out.system : out.properties).emplace_back(name, value);
    return out;
}

const RoutedMessage* RoutedMessageReader::read(const model::RecordView& record, RecordPlace place) {
    const auto own = model::partition_of(model::HubName{std::string(record.hub)},
                                         model::DeviceId{std::string(record.device)}, partition_count_);
    if (record.device.empty() || own != place.partition) return nullptr;
    message_.place = place;
    message_.received = record.received;
    message_.hub = record.hub;
    message_.device = record.device;
    message_.module = record.module;
    message_.system.clear();
    message_.properties.clear();
    switch (record.kind) {
        case model::RecordKind::Telemetry:
            if (!read_telemetry(record)) return nullptr;
            break;
        case model::RecordKind::Twin:
            if (!read_twin(record)) return nullptr;
            break;
        case model::RecordKind::IdentityChange:
            if (!read_identity(record)) return nullptr;
            break;
        case model::RecordKind::Operation:
            if (!read_connection(record)) return nullptr;
            break;
        default:
            return nullptr;
    }
    parse_body();
    return &message_;
}

void RoutedMessageReader::parse_body() {
    const auto parsed = reader_.parse(message_.body, {.depth_max = kRoutedDepthMax});
    message_.json = parsed ? *parsed : nullptr;
}

bool RoutedMessageReader::read_telemetry(const model::RecordView& record) {
    message_.source = RouteSource::DeviceMessages;
    message_.body = record.body;
    for (const auto& property : record.properties)
        (is_system_property(property.first) ? message_.system : message_.properties).push_back(property);
    return true;
}

void RoutedMessageReader::hub_event(const model::RecordView& record, std::string_view operation,
                                    std::string_view schema) {
    static constexpr std::array<std::string_view, 4> kMessageSources{
        "Telemetry", "twinChangeEvents", "deviceLifecycleEvents", "deviceConnectionStateEvents"};
    time_ = to_iso8601(record.received);
    message_.system = {{"iothub-connection-device-id", record.device},
                       {"iothub-enqueuedtime", time_},
                       {"iothub-message-source", kMessageSources[static_cast<std::size_t>(message_.source)]},
                       {"content-type", "application/json"},
                       {"content-encoding", "utf-8"},
                       {"user-id", record.hub}};
    message_.properties = {{"deviceId", record.device},
                           {"hubName", record.hub},
                           {"operationTimestamp", time_},
                           {"iothub-message-schema", schema},
                           {"opType", operation}};
    if (!record.module.empty()) {
        message_.system.emplace_back("iothub-connection-module-id", record.module);
        message_.properties.emplace_back("moduleId", record.module);
    }
    message_.body = body_;
}

bool RoutedMessageReader::read_twin(const model::RecordView& record) {
    const auto parsed = reader_.parse(record.body, {.depth_max = kRoutedDepthMax});
    if (!parsed) return false;
    const auto section = (*parsed)->text_of("section");
    const auto* const document = (*parsed)->find("document");
    const auto* const version = (*parsed)->find("version");
    if (document == nullptr || section.empty()) return false;
    std::string text;
    json::append(text, *document);
    body_.clear();
    JsonWriter out(body_);
    out.begin_object();
    if (version != nullptr) out.member("version", version->integer);
    if (section == "tags") {
        out.key("tags").raw(text);
    } else {
        out.key("properties").begin_object().key(section).raw(text).end_object();
    }
    out.end_object();
    message_.source = RouteSource::TwinChangeEvents;
    hub_event(record, "updateTwin", "twinChangeNotification");
    return true;
}

bool RoutedMessageReader::read_identity(const model::RecordView& record) {
    const auto parsed = reader_.parse(record.body, {.depth_max = kRoutedDepthMax});
    if (!parsed) return false;
    const auto change = (*parsed)->text_of("change");
    const auto* const identity = (*parsed)->find("identity");
    const bool creates = change == "create";
    if (identity == nullptr || (!creates && change != "delete")) return false;
    body_.clear();
    JsonWriter out(body_);
    out.begin_object();
    for (const auto& [key, value] : identity->members) {
        if (key == "authentication") continue;  // fingerprints of keys are for detection, not for the world
        std::string text;
        json::append(text, value);
        out.key(key).raw(text);
    }
    out.end_object();
    message_.source = RouteSource::DeviceLifecycleEvents;
    const bool is_device = record.module.empty();
    hub_event(record,
              creates ? (is_device ? "createDeviceIdentity" : "createModuleIdentity")
                      : (is_device ? "deleteDeviceIdentity" : "deleteModuleIdentity"),
              "deviceLifecycleNotification");
    return true;
}

bool RoutedMessageReader::read_connection(const model::RecordView& record) {
    const auto parsed = reader_.parse(record.body, {.depth_max = kRoutedDepthMax});
    if (!parsed) return false;
    const auto name = (*parsed)->text_of("operationName");
    const bool connects = name == "deviceConnect";
    if ((*parsed)->text_of("category") != "Connections" || (!connects && name != "deviceDisconnect"))
        return false;
    // A connect that failed changed nothing; a disconnect has happened whatever its reason.
    if (connects && !(*parsed)->text_of("resultType").empty()) return false;
    body_ = fmt::format(R"({{"sequenceNumber":"{:032X}"}})", message_.place.offset);
    message_.source = RouteSource::DeviceConnectionStateEvents;
    hub_event(record, connects ? "deviceConnected" : "deviceDisconnected",
              "deviceConnectionStateNotification");
    return true;
}

std::string to_json(const RoutedMessage& message, const std::vector<std::string_view>& routes) {
    std::string text;
    JsonWriter out(text);
    out.begin_object()
        .member("hub", message.hub)
        .member("source", to_string(message.source))
        .key("routes")
        .begin_array();
    for (const auto route : routes)
        out.string(route);
    out.end_array()
        .member("partition", std::int64_t{message.place.partition})
        .member("offset", static_cast<std::int64_t>(message.place.offset))
        .member("enqueuedTime", to_iso8601(message.received))
        .member("deviceId", message.device)
        .member_if("moduleId", message.module);
    const auto all = [&](std::string_view name, const NamedTexts& texts) {
        out.key(name).begin_object();
        for (std::size_t i = 0; i < texts.size(); ++i) {  // of a name that came twice, the first counts
            const auto before = texts.begin() + static_cast<std::ptrdiff_t>(i);
            if (std::none_of(texts.begin(), before,
                             [&](const auto& one) { return one.first == texts[i].first; }))
                out.member(readable(texts[i].first), readable(texts[i].second));
        }
        out.end_object();
    };
    all("systemProperties", message.system);
    all("properties", message.properties);
    if (message.json != nullptr) {
        out.key("body").raw(on_one_line(message.body));
    } else {
        out.member("bodyBase64", base64(as_bytes(message.body)));
    }
    out.end_object();
    return text;
}

}  // namespace fieldwatch::hub
