// One record of the log between the hub and everything else: who, when, what kind, properties, body.
// The byte form is described in docs/formats/record.md; the journal itself sees only bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "model/ids.hpp"

namespace fieldwatch::model {

/// What a record carries. Values are written to disk: never renumber.
enum class RecordKind : std::uint8_t {
    SecurityMessage = 1,   ///< body: the device's JSON, as sent
    Telemetry = 2,         ///< customer's message; a stream of its own
    Operation = 3,         ///< body: operation-log record, JSON of spec/hub-signals.md section 1
    ControlPlane = 4,      ///< body: JSON of spec/hub-signals.md section 3
    Twin = 5,              ///< body: JSON {"section":"desired|reported|tags","document":{…},"version":n}
    IdentityChange = 6,    ///< body: JSON {"change":"create|update|delete","identity":{…}}; never keys
    HubConfiguration = 7,  ///< body: JSON of spec/hub-signals.md section 5
    Content = 8,           ///< control: content version in force from here on, body JSON {"version","hash"}
    Tick = 9,              ///< control: time passes; no body
    AlertState = 10,       ///< control: a person's decision, body JSON: model/alert_decision.hpp
    SigmaEvent = 11,       ///< offline input only: {"logsource":{…},"fields":{…}}
    QueryFinding = 12,     ///< control: what a scheduled query or a hunt found: detect/scheduled,
                           ///< detect/intel/hunt_finding.hpp
    FleetFact = 13,        ///< control: what a shard tells of a device to all: detect/rules/fleet_fact.hpp
};

std::string_view to_string(RecordKind kind);

/// What a record says. Strings own their bytes: a record outlives the connection that brought it.
struct Record {
    RecordKind kind = RecordKind::Tick;
    Timestamp received;  ///< hub's receive time
    Identity sender;     ///< empty for control records
    std::vector<std::pair<std::string, std::string>>
        properties;  ///< system ones by name ("message-id"), then application ones
    std::string body;
};

/// A record read in place: views into the journal's batch, valid as long as that is.
struct RecordView {
    RecordKind kind = RecordKind::Tick;
    Timestamp received;
    std::string_view hub;
    std::string_view device;
    std::string_view module;
    std::vector<std::pair<std::string_view, std::string_view>> properties;
    std::string_view body;
};

/// The record as a reader sees it; valid as long as it is.
RecordView view_of(const Record& record);

Bytes encode(const Record& record);
/// Errors: Malformed, Unsupported for a version of the future.
Result<RecordView> decode_record(ByteView bytes);

}  // namespace fieldwatch::model
