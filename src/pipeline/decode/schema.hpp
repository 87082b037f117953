// The payload kinds of security messages as tables: what spec/security-messages.md sections 5 and 8.3 say,
// checked by one loop. A field's place in its table is its slot; the enumerators beside each table name the
// slots.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "model/event.hpp"
#include "protocol/json/json.hpp"

namespace fieldwatch::pipeline {

enum class FieldType : std::uint8_t {
    Text,
    Integer,
    Boolean,
    Ip,            ///< exactly one IPv4 or IPv6 literal
    IpOrUnknown,   ///< the same; COMPAT: "?", as some PAM modules say for an address that they do not know
    Port,          ///< a string; COMPAT: integer 0 or "" for the side that aggregation removed
    TextOrNumber,  ///< a string; 2.0 also a number
    Choice,        ///< one of `choices`, case-sensitive
    ChoiceNoCase,  ///< one of `choices`; another letter case is COMPAT and normalised
    TextMap,       ///< object of strings; COMPAT: integer HitCount
    Rows,          ///< array of anything, 2.0 only, kept as it is
};

inline constexpr std::string_view kUnknownAddress = "?";

struct Field {
    std::string_view name;
    FieldType type = FieldType::Text;
    bool required = false;
    std::span<const std::string_view> choices = {};         ///< STRICT
    std::span<const std::string_view> compat_choices = {};  ///< accepted besides, as COMPAT
};

inline constexpr std::size_t kFieldsMax = 24;
using Slots = std::array<const json::Value*, kFieldsMax>;  ///< by place in the table; null = absent

enum class Cadence : std::uint8_t { Triggered, Periodic };

struct PayloadSchema {
    std::string_view name;  ///< wire name
    model::EventKind kind = model::EventKind::Custom;
    std::string_view type;  ///< EventType
    Cadence cadence = Cadence::Triggered;
    bool version_2 = false;
    bool aggregates = false;  ///< Category Aggregated is COMPAT for it
    std::span<const Field> fields;
};

/// The kind called `name` under payload schema 1.0 or 2.0; null when there is none.
const PayloadSchema* find_schema(std::string_view name, bool version_2);

namespace slot {
// One enumeration per table, in its order.
namespace process_create {
enum { Executable, ProcessId, ParentProcessId, UserId, UserName, CommandLine, ExtraDetails };
}
namespace process_terminate {
enum { Executable, ProcessId, ExitStatus, ExtraDetails };
}
namespace connection_create {
enum {
    RemoteAddress,
    RemotePort,
    LocalAddress,
    LocalPort,
    Direction,
    Protocol,
    ProcessId,
    UserId,
    Executable,
    CommandLine,
    ExtraDetails
};
}
namespace login {
enum {
    ProcessId,
    UserId,
    UserName,
    Operation,
    Executable,
    RemoteAddress,
    RemotePort,
    LocalPort,
    Result,
    ExtraDetails
};
}
namespace listening_ports {
enum { Protocol, LocalPort, LocalAddress, RemoteAddress, RemotePort, ExtraDetails };
}
namespace local_users {
enum { UserName, UserId, GroupNames, GroupIds, ExtraDetails };
}
namespace firewall {
enum {
    Enabled,
    Action,
    Priority,
    Direction,
    ChainName,
    Application,
    SourceAddress,
    DestinationAddress,
    SourcePort,
    DestinationPort,
    Protocol,
    ExtraDetails
};
}
namespace hardware {
enum { Category, SubCategory, Name, ConnectedHardware, ExtraDetails };
}
namespace baseline {
enum { Description, CceId, Result, Error, Severity, ExtraDetails };
}
namespace configuration_error {
enum { ConfigurationName, ErrorType, UsedConfiguration, Message, ExtraDetails };
}
namespace dropped {
enum { Queue, Collected, Dropped, ExtraDetails };
}
namespace message_statistics {
enum { Sent, Under4Kb, Failed, ExtraDetails };
}
namespace process_2 {
enum {
    Timestamp,
    ProcessId,
    ParentProcessId,
    Commandline,
    Executable,
    UserId,
    EventType,
    HitCount,
    ExtraDetails
};
}
namespace network_2 {
enum {
    Timestamp,
    LocalAddress,
    RemoteAddress,
    LocalPort,
    RemotePort,
    BytesIn,
    BytesOut,
    Protocol,
    ProcessId,
    UserId,
    Executable,
    Commandline,
    ApplicationProtocol,
    ExtendedProperties,
    HitCount,
    ExtraDetails
};
}
namespace login_2 {
enum { Timestamp, Operation, ProcessId, UserId, UserName, Executable, RemoteAddress, HitCount, ExtraDetails };
}
namespace baseline_2 {
enum { Id, Result, Error, Description, Remediation, Severity, ExtraDetails };
}
namespace file_2 {
enum { Timestamp, Mask, Path, HitCount, ExtraDetails };
}
}  // namespace slot

}  // namespace fieldwatch::pipeline
