#include "simulate/record.hpp"

#include <fmt/format.h>

#include "base/json_text.hpp"
#include "base/uuid.hpp"

namespace fieldwatch::simulate {
namespace {

struct Shape {
    std::string_view name, category;
    std::string_view version = "1.0", type = "Security";
};

Shape shape_of(ActKind kind) {
    switch (kind) {
        case ActKind::Process:
            return {"ProcessCreate", "Triggered"};
        case ActKind::Connection:
            return {"ConnectionCreate", "Triggered"};
        case ActKind::Login:
            return {"Login", "Triggered"};
        case ActKind::Ports:
            return {"ListeningPorts", "Periodic"};
        case ActKind::Users:
            return {"LocalUsers", "Periodic"};
        case ActKind::File:
            return {"FileSystem", "Triggered", "2.0"};
        case ActKind::Peripheral:
            return {"Peripheral", "Triggered", "2.0"};
        case ActKind::Lookup:
            return {"NetworkActivity", "Triggered", "2.0"};
        case ActKind::ConfigurationError:
            return {"ConfigurationError", "Triggered", "1.0", "Operational"};
        case ActKind::Operation:
        case ActKind::ControlPlane:
            break;
    }
    return {};
}

bool is_told_by_hub(const Act& act) {
    return act.kind == ActKind::Operation || act.kind == ActKind::ControlPlane;
}

/// The parts between separators, none of them empty.
std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> out;
    while (!text.empty()) {
        const auto end = std::min(text.find(separator), text.size());
        if (end > 0) out.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

void aggregate_members(JsonWriter& json, const Act& act) {
    if (act.count < 2) return;
    const auto start = to_iso8601(act.at - act.interval, 3);
    const auto end = to_iso8601(act.at, 3);
    json.member("HitCount", std::to_string(act.count))
        .member("StartTimeUtc", start)
        .member("EndTimeUtc", end);
    json.member("StartTimeLocal", start).member("EndTimeLocal", end);
}

void process(JsonWriter& json, const Act& act, std::int64_t pid) {
    const bool root = act.detail.empty() || act.detail == "root";
    json.member("Executable", act.image).member("ProcessId", act.count > 1 ? 0 : pid);
    json.member("ParentProcessId", act.count > 1 ? 0 : 1).member("UserId", root ? "0" : "1000");
    json.member("UserName", root ? "root" : act.detail).member("CommandLine", act.what);
    json.key("ExtraDetails").begin_object().member_if("ParentExecutable", act.parent);
    aggregate_members(json, act);
    json.end_object();
}

void connection(JsonWriter& json, const Act& act, std::int64_t pid) {
    json.member("RemoteAddress", act.what)
        .member("RemotePort", std::to_string(act.inbound ? 40'000 + pid % 20'000 : act.port));
    json.member("LocalPort", std::to_string(act.inbound ? act.port : 32'768 + pid % 20'000));
    json.member("Direction", act.inbound ? "In" : "Out")
        .member("Protocol", act.port == 53 || act.port == 123 ? "udp" : "tcp");
    json.member("ProcessId", act.count > 1 ? 0 : pid).member("UserId", "0").member("Executable", act.image);
    json.key("ExtraDetails").begin_object();
    if (act.unanswered) json.member("ConnState", "S0").member("PacketsOut", "1").member("PacketsIn", "0");
    aggregate_members(json, act);
    json.end_object();
}

void login(JsonWriter& json, const Act& act, std::int64_t pid) {
    json.member("ProcessId", pid).member("UserName", act.detail);
    json.member("Operation", act.what.empty() ? "login" : "PAM:authentication");
    json.member("Executable", act.what.empty() ? "/bin/login" : "/usr/sbin/sshd");
    if (!act.what.empty())
        json.member("RemoteAddress", act.what).member("RemotePort", "40022").member("LocalPort", "22");
    json.member("Result", act.success ? "Success" : "Fail");
}

void payload(JsonWriter& json, const Act& act, std::int64_t pid) {
    json.begin_object();
    switch (act.kind) {
        case ActKind::Process:
            process(json, act, pid);
            break;
        case ActKind::Connection:
            connection(json, act, pid);
            break;
        case ActKind::Login:
            login(json, act, pid);
            break;
        case ActKind::File:
            json.member("Mask", act.detail).member("Path", act.what).member("HitCount", 1);
            break;
        case ActKind::Peripheral:
            json.member("ActionType", act.detail).member("BusNumber", 1).member("KernelDeviceNumber", 7);
            if (act.what.empty()) json.member("DeviceClass", 8);
            json.member_if("InterfaceName", act.what);
            break;
        case ActKind::Lookup:
            json.member("LocalAddress", "10.0.0.5")
                .member("RemoteAddress", "10.0.0.1")
                .member("LocalPort", 40'000);
            json.member("RemotePort", 53).member("Protocol", "UDP").member("ApplicationProtocol", "DNS");
            json.member("ProcessId", pid)
                .member("UserId", "0")
                .member("Executable", act.image)
                .member("HitCount", 1);
            json.key("ExtendedProperties").begin_object().member("HostName", act.what).end_object();
            break;
        case ActKind::ConfigurationError:
            json.member("ConfigurationName", act.what).member("ErrorType", "TypeMismatch");
            json.member("UsedConfiguration", "PT7M").member("Message", "not a duration");
            break;
        default:
            break;
    }
    json.end_object();
}

/// The rows of a snapshot. Ports: `address:port`. Users: `name:id:group,group`.
void snapshot(JsonWriter& json, const Act& act) {
    for (const auto entry : split(act.what, ';')) {
        const auto parts = split(entry, ':');
        if (act.kind == ActKind::Ports && parts.size() == 2) {
            json.begin_object().member("Protocol", "tcp").member("LocalAddress", parts[0]);
            json.member("LocalPort", parts[1]).end_object();
        } else if (act.kind == ActKind::Users && parts.size() == 3) {
            std::string names;
            std::string ids;
            for (const auto group : split(parts[2], ',')) {
                names.append(names.empty() ? "" : ";").append(group);
                ids.append(ids.empty() ? "" : ";").append(std::to_string(group.size() * 10));
            }
            json.begin_object().member("UserName", parts[0]).member("UserId", parts[1]);
            json.member("GroupNames", names).member("GroupIds", ids).end_object();
        }
    }
}

}  // namespace

RecordWriter::RecordWriter(std::string hub, std::string device, std::uint64_t seed)
    : hub_(std::move(hub)), device_(std::move(device)), random_(seed) {
    agent_id_ = Uuid::random(random_).text();
}

void RecordWriter::write(const std::vector<Act>& acts, Timestamp received, std::string& out) {
    std::vector<const Act*> told;
    for (const auto& act : acts) {
        if (is_told_by_hub(act)) {
            operation(act, out);
        } else {
            told.push_back(&act);
        }
    }
    if (!told.empty()) message(told, received, out);
}

void RecordWriter::message(const std::vector<const Act*>& acts, Timestamp received, std::string& out) {
    JsonWriter json(out);
    json.begin_object().member("time", to_iso8601(received, 3)).member("hub", hub_).member("device", device_);
    json.member("module", "azureiotsecurity").member("kind", "security-message").key("body").begin_object();
    json.member("AgentVersion", "1.0.0").member("AgentId", agent_id_).member("MessageSchemaVersion", "1.0");
    json.key("Events").begin_array();
    for (const auto* const act : acts) {
        const auto shape = shape_of(act->kind);
        const auto time = to_iso8601(act->at, 3);
        json.begin_object().member("Id", Uuid::random(random_).text()).member("TimestampLocal", time);
        json.member("TimestampUTC", time).member("Category", shape.category).member("Name", shape.name);
        json.member("EventType", shape.type).key("IsEmpty").boolean(false);
        json.member("PayloadSchemaVersion", shape.version).key("Payload").begin_array();
        if (act->kind == ActKind::Ports || act->kind == ActKind::Users) {
            snapshot(json, *act);
        } else {
            payload(json, *act, 300 + static_cast<std::int64_t>(random_.below(30'000)));
        }
        json.end_array().end_object();
    }
    json.end_array().end_object().end_object();
    out.push_back('\n');
}

void RecordWriter::operation(const Act& act, std::string& out) {
    const bool control = act.kind == ActKind::ControlPlane;
    std::string properties;
    JsonWriter inner(properties);
    inner.begin_object();
    if (!control) {
        inner.member("deviceId", device_)
            .member("protocol", "Mqtt")
            .member("maskedIpAddress", "203.0.113.XXX");
        const bool x509 = act.detail.starts_with("Cert");
        inner.member("authType", fmt::format(R"({{"scope":"device","type":"{}","issuer":"{}"}})",
                                             x509 ? "x509Certificate" : "sas", x509 ? "external" : "iothub"));
        if (!act.detail.empty()) inner.member("statusCode", "401003").member("authFailureReason", act.detail);
        if (act.count > 1) inner.member("messageCount", act.count);
    }
    inner.end_object();
    JsonWriter json(out);
    json.begin_object().member("time", to_iso8601(act.at, 3)).member("hub", hub_);
    if (!control) json.member("device", device_);
    json.member("kind", control ? "control-plane" : "operation").key("body").begin_object();
    json.member("time", to_iso8601(act.at, 3)).member("operationName", act.what);
    if (control) {
        const std::string_view resource = act.what.find("diagnosticSettings") != std::string::npos
                                              ? "providers/microsoft.insights/diagnosticSettings/d"
                                              : "certificates/root";
        json.member("category", "Administrative")
            .member("resultType", act.detail)
            .member("caller", "ops@example.com");
        json.member("callerIpAddress", "192.0.2.20").member("correlationId", Uuid::random(random_).text());
        json.member("resourceId",
                    fmt::format("/subscriptions/s/resourceGroups/g/providers/Microsoft.Devices/IotHubs/{}/{}",
                                hub_, resource));
    } else {
        json.member("category", act.what == "deviceConnect" ? "Connections" : "DeviceTelemetry");
        json.member("level", act.detail.empty() ? "Information" : "Error");
        json.member("resultType", act.detail.empty() ? "" : "401003").member("durationMs", "3");
    }
    json.member("properties", properties).end_object().end_object();
    out.push_back('\n');
}

}  // namespace fieldwatch::simulate
