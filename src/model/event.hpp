// The normalised event: one shape for what agents of both generations, SDKs and the hub report. Made once per
// record by pipeline's decoder; read by every detector. Strings are views into the decoder's arena: valid
// until the next record.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "model/ids.hpp"
#include "model/registry_change.hpp"

namespace fieldwatch::model {

/// The 14 kinds of the published schema in its order, then ours and the newer generation's. Wire names:
/// to_string.
enum class EventKind : std::uint8_t {
    ProcessCreate,
    ProcessTerminate,
    ConnectionCreate,
    Login,
    ListeningPorts,
    LocalUsers,
    FirewallConfiguration,
    ConnectedHardware,
    SystemInformation,
    OSBaseline,
    Diagnostic,
    ConfigurationError,
    DroppedEventsStatistics,
    MessageStatistics,
    Heartbeat,
    FileSystem,
    Peripheral,
    SBoM,
    Custom,  // 2.0 family
    Operation,
    ControlPlane,  // the hub's own
    SigmaEvent,    // recorded input of any log source
};
std::string_view to_string(EventKind kind);
std::optional<EventKind> event_kind_from(std::string_view name);

/// A map of strings in the order it was sent.
using StringMap = std::span<const std::pair<std::string_view, std::string_view>>;

/// Finds a key of an ExtraDetails map; empty when absent.
std::string_view find(StringMap map, std::string_view key);

struct ProcessCreate {
    std::string_view executable, command_line, user_id, user_name, hash;
    std::string_view parent_executable, parent_command_line, grandparent_executable;
    std::string_view working_directory, container_id, login_uid;
    std::int64_t process_id = 0, parent_process_id = 0;  ///< 0 in an aggregate: never correlate by it
};
struct ProcessTerminate {
    std::string_view executable;
    std::int64_t process_id = 0, exit_status = 0;
};
enum class Direction : std::uint8_t { Unknown, In, Out };
struct ConnectionCreate {
    std::string_view remote_address, remote_port, local_address, local_port, protocol;
    std::string_view executable, command_line, user_id, dns_name;
    std::int64_t process_id = 0;
    std::int64_t bytes_in = 0, bytes_out = 0;  ///< 2.0 kinds only
    Direction direction = Direction::Unknown;
};
enum class LoginResult : std::uint8_t { Success, Fail, Logout };
struct Login {
    std::string_view user_id, user_name, operation, executable, remote_address, remote_port, local_port;
    std::int64_t process_id = 0;
    LoginResult result = LoginResult::Success;
};
struct ListeningPort {
    std::string_view protocol, local_address, local_port, remote_address, remote_port, executable;
};
struct LocalUser {
    std::string_view user_name, user_id, group_names, group_ids;
};
struct FirewallRule {
    bool enabled = true;
    std::string_view action, direction, chain, source_address, source_port, destination_address,
        destination_port, protocol;
    std::optional<std::int64_t> priority;
};
struct BaselineCheck {
    std::string_view id, description, result, error, severity, remediation;
};
struct ConfigurationError {
    std::string_view configuration_name, error_type, used_configuration, message;
};
struct DroppedEvents {
    std::string_view queue;
    std::int64_t collected = 0, dropped = 0;
};
struct MessageStatistics {
    std::int64_t sent = 0, under_4kb = 0, failed = 0;
};
struct FileChange {
    std::string_view path, mask, executable;
};
/// A hub operation, spec/hub-signals.md: the fields detectors read; the rest stays in the raw text.
struct Operation {
    std::string_view category, operation_name, result_type, result_description, level;
    std::string_view protocol, auth_type, auth_scope, auth_failure_reason, ip_address, masked_ip_address,
        sdk_version, status_code, tls_version, cipher_suite, certificate_thumbprint;
    std::int64_t message_count = 0, duration_ms = 0;
    bool is_security_message = false;  ///< ingress of the product's own traffic
};
struct ControlPlaneOperation {
    std::string_view operation_name, result_type, caller, caller_ip_address, correlation_id, resource_id;
    std::string_view result_signature, status_code;
};
/// Kinds whose fields no detector reads by name: hardware, system information, diagnostics, custom, sigma
/// events.
struct OtherPayload {
    StringMap fields;                             ///< flattened top-level scalars, by wire name
    std::string_view product, service, category;  ///< logsource, SigmaEvent only
};

using Payload = std::variant<ProcessCreate, ProcessTerminate, ConnectionCreate, Login, ListeningPort,
                             LocalUser, FirewallRule, BaselineCheck, ConfigurationError, DroppedEvents,
                             MessageStatistics, FileChange, Operation, ControlPlaneOperation, OtherPayload>;

/// One payload of an event, one row of the raw table.
struct Item {
    LogPosition position;  ///< evidence; item counts payloads through the whole record
    Payload payload;
    StringMap extra_details;
    std::string_view details_json;  ///< EventDetails as stored: compact JSON, normalised to STRICT
};

struct Event {
    EventKind kind = EventKind::Custom;
    std::string_view name;      ///< as stored in RawEventName: the wire name, which 2.0 kinds do not share
    std::string_view category;  ///< Periodic or Triggered, normalised
    std::string_view type;      ///< Security, Operational or Diagnostic
    std::string_view id;        ///< the event's GUID as sent
    std::string_view agent_version;
    bool is_empty = false;  ///< "I looked and found nothing": clears earlier findings
    Timestamp time;  ///< event time of design 3a: device's UTC stamp, corrected, never after `received`
    Timestamp device_time;  ///< as the device said
    Timestamp received;
    bool late = false;  ///< too late for detection: store and count only
    std::int64_t hit_count =
        1;  ///< > 1 only for an aggregate, whose window is then [window_start, window_end]
    Timestamp window_start, window_end;
    std::string_view hub, device, module;
    ShardRole role;
    std::uint32_t message_bytes = 0;  ///< size of the message that brought it; 0 behind its first event
    LogPosition position;             ///< of the first item, or of the event itself when it is empty
    std::string_view details_json;    ///< EventDetails of the one row of an empty event
    std::vector<Item> items;          ///< empty when is_empty
};

}  // namespace fieldwatch::model
