#include "hub/connector/settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/text.hpp"

namespace fieldwatch::hub {

namespace {

using ConnectorJson = nlohmann::json;

constexpr std::size_t kTextMax = 1'024;
constexpr std::size_t kCertificatesMax = 64u << 10;
constexpr std::string_view kDevice = "{device}";

std::unexpected<Error> wrong(std::string_view member, std::string_view what) {
    return fail(Errc::InvalidArgument, fmt::format("\"{}\" {}", member, what));
}

bool is_connector_name(std::string_view text) {
    return !text.empty() && text.size() <= 50 && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    });
}

Result<std::uint16_t> port_in(std::string_view text, std::string_view member) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value == 0 || value > 65'535)
        return wrong(member, "has a port that is none");
    return static_cast<std::uint16_t>(value);
}

/// Host and port, the latter optional; an IPv6 address in brackets.
Result<void> split_host(std::string_view text, std::string_view member, std::string& host,
                        std::uint16_t& port) {
    const auto bracket = text.starts_with('[') ? text.find(']') : std::string_view::npos;
    const auto colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
    if (colon != std::string_view::npos) port = FIELDWATCH_TRY(port_in(text.substr(colon + 1), member));
    auto name = text.substr(0, colon);
    if (bracket != std::string_view::npos) name = text.substr(1, bracket - 1);
    if (name.empty() || name.find_first_of(" /\r\n\t") != std::string_view::npos)
        return wrong(member, "names no host");
    host = name;
    return {};
}

class Members {
  public:
    explicit Members(const ConnectorJson& object) : object_(object) {}

    Result<void> text(const char* name, std::string& into, std::size_t bytes_max = kTextMax) const {
        const auto found = object_.find(name);
        if (found == object_.end() || found->is_null()) return {};
        if (!found->is_string()) return wrong(name, "must be a text");
        const auto& value = found->get_ref<const std::string&>();
        if (value.size() > bytes_max || value.find('\0') != std::string::npos)
            return wrong(name, fmt::format("must have at most {} bytes, none of them 0", bytes_max));
        into = value;
        return {};
    }
    Result<void> flag(const char* name, bool& into) const {
        const auto found = object_.find(name);
        if (found == object_.end() || found->is_null()) return {};
        if (!found->is_boolean()) return wrong(name, "must be true or false");
        into = found->get<bool>();
        return {};
    }
    Result<void> choice(const char* name, std::string_view first, std::string_view second,
                        bool& is_second) const {
        std::string said;
        FIELDWATCH_TRY(text(name, said));
        if (!said.empty() && said != first && said != second)
            return wrong(name, fmt::format("must be {} or {}; it is \"{}\"", first, second, said));
        is_second = said == second;
        return {};
    }
    /// Errors for a member that nobody reads.
    Result<void> only(std::initializer_list<std::string_view> known) const {
        for (const auto& [name, value] : object_.items()) {
            if (std::ranges::find(known, name) == known.end()) return wrong(name, "is not known here");
        }
        return {};
    }

  private:
    const ConnectorJson& object_;
};

Result<void> read_topics(const ConnectorJson& object, ConnectorSettings& out) {
    const auto found = object.find("topics");
    if (found == object.end()) return {};
    if (!found->is_array() || found->size() > ConnectorSettings::kTopicsMax)
        return wrong("topics", fmt::format("must be an array of at most {}", ConnectorSettings::kTopicsMax));
    for (const auto& one : *found) {
        if (!one.is_object()) return wrong("topics", "must hold objects with \"topic\"");
        const Members members(one);
        FIELDWATCH_TRY(members.only({"topic", "security"}));
        TopicMapping mapping;
        FIELDWATCH_TRY(members.text("topic", mapping.pattern));
        FIELDWATCH_TRY(members.flag("security", mapping.security));
        FIELDWATCH_TRY(check_pattern(mapping.pattern));
        out.topics.push_back(std::move(mapping));
    }
    return {};
}

Result<void> read_mqtt(const ConnectorJson& object, ConnectorSettings& out) {
    const Members members(object);
    FIELDWATCH_TRY(members.only({"type", "enabled", "registerDevices", "caPem", "url", "clientId", "user",
                                 "password", "topics", "logTopic", "logFile", "deviceIs"}));
    std::string url;
    FIELDWATCH_TRY(members.text("url", url));
    std::string_view rest = url;
    if (rest.starts_with("mqtts://")) {
        rest.remove_prefix(8);
    } else if (rest.starts_with("mqtt://")) {
        rest.remove_prefix(7);
        out.tls = false;
        out.port = 1883;
    } else {
        return wrong("url",
                     fmt::format("must be mqtts://HOST[:PORT] or mqtt://HOST[:PORT]; it is \"{}\"", url));
    }
    if (rest.ends_with('/')) rest.remove_suffix(1);
    FIELDWATCH_TRY(split_host(rest, "url", out.host, out.port));
    FIELDWATCH_TRY(members.text("clientId", out.client_id, 128));
    FIELDWATCH_TRY(members.text("user", out.user));
    FIELDWATCH_TRY(members.text("password", out.password));
    FIELDWATCH_TRY(members.text("logTopic", out.log_topic));
    FIELDWATCH_TRY(members.text("logFile", out.log_file));
    FIELDWATCH_TRY(members.choice("deviceIs", "clientId", "user", out.device_is_user));
    FIELDWATCH_TRY(read_topics(object, out));
    if (out.client_id.empty()) out.client_id = "fieldwatch-" + out.name;
    if (!out.log_file.empty() && !out.log_file.starts_with('/'))
        return wrong("logFile", "must be a path from /");
    if (out.topics.empty() && out.log_topic.empty() && out.log_file.empty())
        return fail(
            Errc::InvalidArgument,
            "a broker's connector needs \"topics\", \"logTopic\" or \"logFile\": else nothing is read");
    return {};
}

Result<void> read_event_hubs(const ConnectorJson& object, ConnectorSettings& out) {
    const Members members(object);
    FIELDWATCH_TRY(members.only(
        {"type", "enabled", "registerDevices", "caPem", "connection", "consumerGroup", "start"}));
    FIELDWATCH_TRY(members.text("connection", out.connection));
    FIELDWATCH_TRY(members.text("consumerGroup", out.consumer_group, 50));
    FIELDWATCH_TRY(members.choice("start", "latest", "earliest", out.from_earliest));
    if (out.consumer_group.empty() || out.consumer_group.find_first_of("/ ") != std::string::npos)
        return wrong("consumerGroup", "is no name of a consumer group");
    out.events = FIELDWATCH_TRY(parse_event_hub_address(out.connection));
    return {};
}

}  // namespace

Result<EventHubAddress> parse_event_hub_address(std::string_view connection_string) {
    EventHubAddress out;
    std::string_view endpoint;
    for (const auto part : split(trimmed(connection_string), ';')) {
        const auto equals = part.find('=');
        if (equals == std::string_view::npos) continue;
        const auto name = part.substr(0, equals);
        const auto value = part.substr(equals + 1);
        if (name == "Endpoint") endpoint = value;
        if (name == "SharedAccessKeyName") out.policy = value;
        if (name == "SharedAccessKey") out.key = value;
        if (name == "EntityPath") out.entity = value;
    }
    if (!endpoint.starts_with("sb://"))
        return wrong("connection",
                     "needs Endpoint=sb://HOST/: it is the Event Hubs compatible connection "
                     "string of the built-in endpoint, not the hub's own");
    endpoint.remove_prefix(5);
    if (endpoint.ends_with('/')) endpoint.remove_suffix(1);
    FIELDWATCH_TRY(split_host(endpoint, "connection", out.host, out.port));
    if (out.policy.empty() || out.key.empty())
        return wrong("connection", "needs SharedAccessKeyName and SharedAccessKey");
    if (out.entity.empty()) return wrong("connection", "needs EntityPath, the event hub's name");
    return out;
}

Result<void> check_pattern(std::string_view pattern) {
    const auto refuse = [&](std::string_view why) {
        return wrong("topic", fmt::format("\"{}\" {}", pattern, why));
    };
    if (pattern.empty() || pattern.size() > 512) return refuse("must have 1 to 512 bytes");
    const auto levels = split(pattern, '/');
    if (std::ranges::count(levels, kDevice) != 1)
        return refuse("must have one level that is {device}, such as factory/{device}/telemetry");
    for (std::size_t i = 0; i < levels.size(); ++i) {
        if (levels[i] == kDevice || levels[i] == "+") continue;
        if (levels[i] == "#" && i + 1 == levels.size()) continue;
        if (levels[i].find_first_of("+#{}") != std::string_view::npos)
            return refuse("has + # { or } inside of a level: each stands alone, and # at the end");
    }
    return {};
}

std::string TopicMapping::filter() const {
    std::string out = pattern;
    out.replace(out.find(kDevice), kDevice.size(), "+");
    return out;
}

std::string_view TopicMapping::device_of(std::string_view topic) const {
    const auto wanted = split(pattern, '/');
    const auto levels = split(topic, '/');
    std::string_view device;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        if (wanted[i] == "#") return device;
        if (i >= levels.size()) return {};
        if (wanted[i] == kDevice)
            device = levels[i];
        else if (wanted[i] != "+" && wanted[i] != levels[i])
            return {};
    }
    return levels.size() == wanted.size() ? device : std::string_view();
}

std::string_view to_string(ConnectorSettings::Kind kind) {
    return kind == ConnectorSettings::Kind::Mqtt ? "mqtt" : "event-hubs";
}

Result<ConnectorSettings> read_connector(std::string_view name, std::string_view json) {
    ConnectorSettings out;
    if (!is_connector_name(name))
        return fail(Errc::InvalidArgument,
                    fmt::format("\"{}\" is no name: 1 to 50 lower-case letters, digits and -", name));
    out.name = name;
    if (nests_deeper_than(8, json)) return fail(Errc::InvalidArgument, "the settings nest too deep");
    const auto object = ConnectorJson::parse(json, nullptr, /*allow_exceptions=*/false);
    if (!object.is_object()) return fail(Errc::InvalidArgument, "the settings must be a JSON object");
    const Members members(object);
    std::string type;
    FIELDWATCH_TRY(members.text("type", type));
    FIELDWATCH_TRY(members.flag("enabled", out.enabled));
    FIELDWATCH_TRY(members.flag("registerDevices", out.register_devices));
    FIELDWATCH_TRY(members.text("caPem", out.ca_pem, kCertificatesMax));
    if (type == "event-hubs") {
        FIELDWATCH_TRY(read_event_hubs(object, out));
    } else if (type == "mqtt") {
        out.kind = ConnectorSettings::Kind::Mqtt;
        FIELDWATCH_TRY(read_mqtt(object, out));
    } else {
        return wrong("type", fmt::format("must be event-hubs or mqtt; it is \"{}\"", type));
    }
    return out;
}

std::string to_json(const ConnectorSettings& settings, ConnectorSecrets secrets) {
    const bool shown = secrets == ConnectorSecrets::Shown;
    ConnectorJson out{{"type", to_string(settings.kind)},
                      {"enabled", settings.enabled},
                      {"registerDevices", settings.register_devices}};
    if (!settings.ca_pem.empty()) out["caPem"] = settings.ca_pem;
    if (settings.kind == ConnectorSettings::Kind::EventHubs) {
        out["consumerGroup"] = settings.consumer_group;
        out["start"] = settings.from_earliest ? "earliest" : "latest";
        const auto& events = settings.events;
        out["connection"] = shown ? settings.connection
                                  : fmt::format("Endpoint=sb://{}:{}/;SharedAccessKeyName={};EntityPath={}",
                                                events.host, events.port, events.policy, events.entity);
        return out.dump();
    }
    const bool literal = settings.host.find(':') != std::string::npos;
    out["url"] = fmt::format("{}://{}{}{}:{}", settings.tls ? "mqtts" : "mqtt", literal ? "[" : "",
                             settings.host, literal ? "]" : "", settings.port);
    out["clientId"] = settings.client_id;
    if (!settings.user.empty()) out["user"] = settings.user;
    if (shown && !settings.password.empty()) out["password"] = settings.password;
    if (!settings.log_topic.empty()) out["logTopic"] = settings.log_topic;
    if (!settings.log_file.empty()) out["logFile"] = settings.log_file;
    out["deviceIs"] = settings.device_is_user ? "user" : "clientId";
    auto& topics = out["topics"] = ConnectorJson::array();
    for (const auto& one : settings.topics)
        topics.push_back({{"topic", one.pattern}, {"security", one.security}});
    return out.dump();
}

}  // namespace fieldwatch::hub
