#include "pipeline/input/record_maker.hpp"

#include <fmt/format.h>

#include "base/bytes.hpp"
#include "base/hash.hpp"
#include "base/ip_address.hpp"

namespace fieldwatch::pipeline {
namespace {

constexpr std::size_t kTextMax = 32u << 10;  ///< of one field; what is longer is cut, as the agent does

std::string cut(std::string_view text) {
    return clean_text(text.substr(0, kTextMax));
}

/// Members that are empty stay away; so does the map.
void extra_details(JsonWriter& json,
                   std::initializer_list<std::pair<std::string_view, std::string_view>> entries) {
    bool any = false;
    for (const auto& [name, value] : entries)
        any = any || !value.empty();
    if (!any) return;
    json.key("ExtraDetails").begin_object();
    for (const auto& [name, value] : entries)
        json.member_if(name, cut(value));
    json.end_object();
}

/// A peer that a daemon logged by name only: the schema has addresses, and attempts are counted by address. A
/// unique local one (RFC 4193) made of the name, the same for the same name.
std::string stand_in(std::string_view name) {
    const auto hash = hash64(as_bytes(name));
    return fmt::format("fd66:6965:6c64:{:x}:{:x}:{:x}:{:x}:1", hash >> 48, hash >> 32 & 0xFFFF,
                       hash >> 16 & 0xFFFF, hash & 0xFFFF);
}

}  // namespace

std::string clean_text(std::string_view text) {
    if (is_utf8(text)) return std::string(text);
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        std::size_t length = 1;
        while (length <= 4 && i + length <= text.size() && !is_utf8(text.substr(i, length)))
            ++length;
        if (length > 4 || i + length > text.size()) {
            out += "\xEF\xBF\xBD";
            ++i;
        } else {
            out += text.substr(i, length);
            i += length;
        }
    }
    return out;
}

void RecordMaker::event(const Origin& origin, std::string_view name, std::string_view payload,
                        const RecordSink& sink) {
    const auto time = to_iso8601(origin.time);
    std::string body;
    JsonWriter json(body);
    json.begin_object()
        .member("AgentVersion", "recorded")
        .member("AgentId", "00000000-0000-4000-8000-000000000000")
        .member("MessageSchemaVersion", "1.0");
    json.key("Events").begin_array().begin_object();
    json.member("Id", fmt::format("00000000-0000-4000-8000-{:012x}", ++events_ & 0xFFFF'FFFF'FFFF))
        .member("TimestampLocal", time)
        .member("TimestampUTC", time)
        .member("Category", "Triggered")
        .member("Name", name)
        .member("EventType", "Security");
    json.key("IsEmpty").boolean(false);
    json.member("PayloadSchemaVersion", "1.0").key("Payload").begin_array().raw(payload).end_array();
    json.end_object().end_array().end_object();
    sink({.kind = model::RecordKind::SecurityMessage,
          .received = origin.time,
          .hub = hub_,
          .device = origin.device,
          .module = model::kSecurityModule,
          .properties = {},
          .body = body},
         origin.line);
}

void RecordMaker::process(const Origin& origin, const RecordedProcess& process, const RecordSink& sink) {
    std::string payload;
    JsonWriter json(payload);
    json.begin_object()
        .member("Executable", cut(process.executable))
        .member("ProcessId", process.process_id)
        .member("ParentProcessId", process.parent_process_id)
        .member("UserId", cut(process.user_id))
        .member_if("UserName", cut(process.user_name))
        .member("CommandLine", cut(process.command_line));
    extra_details(json, {{"ParentExecutable", process.parent_executable},
                         {"ParentCommandLine", process.parent_command_line},
                         {"WorkingDirectory", process.working_directory}});
    json.end_object();
    event(origin, "ProcessCreate", payload, sink);
}

void RecordMaker::login(const Origin& origin, const RecordedLogin& login, const RecordSink& sink) {
    std::string payload;
    JsonWriter json(payload);
    json.begin_object()
        .member("ProcessId", login.process_id)
        .member("UserName", cut(login.user.empty() ? "unknown" : login.user))
        .member("Operation", cut(login.operation))
        .member("Executable", cut(login.executable));
    if (parse_ip(login.address)) {
        json.member("RemoteAddress", login.address).member_if("RemotePort", cut(login.port));
    } else if (!login.address.empty()) {
        json.member("RemoteAddress", stand_in(login.address));
        extra_details(json, {{"RemoteHost", login.address}});
    }
    json.member("Result", login.success ? "Success" : "Fail").end_object();
    event(origin, "Login", payload, sink);
}

void RecordMaker::connection(const Origin& origin, const RecordedConnection& connection,
                             const RecordSink& sink) {
    std::string payload;
    JsonWriter json(payload);
    json.begin_object()
        .member("RemoteAddress", connection.remote_address)
        .member("RemotePort", cut(connection.remote_port))
        .member_if("LocalAddress", connection.local_address)
        .member_if("LocalPort", cut(connection.local_port))
        .member("Direction", connection.in ? "In" : "Out")
        .member("Protocol", cut(connection.protocol))
        .member("ProcessId", connection.process_id)
        .member_if("UserId", cut(connection.user_id))
        .member("Executable", cut(connection.executable))
        .member_if("CommandLine", cut(connection.command_line));
    extra_details(json, {{"DnsName", connection.dns_name},
                         {"ConnState", connection.state},
                         {"Service", connection.service},
                         {"Duration", connection.seconds},
                         {"PacketsOut", connection.packets_out},
                         {"PacketsIn", connection.packets_in},
                         {"BytesOut", connection.bytes_out},
                         {"BytesIn", connection.bytes_in}});
    json.end_object();
    event(origin, "ConnectionCreate", payload, sink);
}

void RecordMaker::sigma(const Origin& origin, std::string_view service, const TextFields& fields,
                        const RecordSink& sink) {
    std::string body;
    JsonWriter json(body);
    json.begin_object().key("logsource").begin_object().member("product", "linux").member("service", service);
    json.end_object().key("fields").begin_object();
    for (const auto& [name, value] : fields)
        json.member(clean_text(name), cut(value));
    json.end_object().end_object();
    sink({.kind = model::RecordKind::SigmaEvent,
          .received = origin.time,
          .hub = hub_,
          .device = origin.device,
          .module = {},
          .properties = {},
          .body = body},
         origin.line);
}

}  // namespace fieldwatch::pipeline
