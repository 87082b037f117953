// A record of the log as a route sees it: a message of a device, or an event of the hub in the same envelope.
// Source: spec/iot-hub-protocols.md sections 7.5 and 11.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hub/query/expression.hpp"
#include "hub/routing/route_twins.hpp"
#include "model/record.hpp"
#include "protocol/json/json.hpp"

namespace fieldwatch::hub {

enum class RouteSource : std::uint8_t {
    DeviceMessages,
    TwinChangeEvents,
    DeviceLifecycleEvents,
    DeviceConnectionStateEvents
};
std::string_view to_string(RouteSource source);
std::optional<RouteSource> route_source_of(std::string_view name);  ///< any case

/// Where a record lies, for its receiver to tell repeats by.
struct RecordPlace {
    std::uint32_t partition = 0;
    std::uint64_t offset = 0;
};

/// Views into the record and into the reader that made it: valid until its next read().
struct RoutedMessage {
    RouteSource source = RouteSource::DeviceMessages;
    RecordPlace place;
    Timestamp received;
    std::string_view hub, device, module;
    std::vector<std::pair<std::string_view, std::string_view>> system, properties;
    std::string_view body;
    const json::Value* json = nullptr;  ///< the body, when it is JSON
    RouteTwins* twins = nullptr;        ///< null: there are none

    /// What a path of a condition stands for: `$body.a.b`, `$twin.tags.a` and `$twin.properties.reported.a`
    /// of the sender, a system property (`$connectionDeviceId`, `$contentType`, …), or an application
    /// property, in any case. Only `$twin` reads the registry.
    query::Value resolve(const query::Path& path) const;
};

/// Telemetry that was just taken, as a condition sees it; `json` is its body, where that is JSON. Views into
/// both.
RoutedMessage telemetry_message(const model::Record& telemetry, const json::Value* json, RouteTwins* twins);

/// One strand.
class RoutedMessageReader {
  public:
    /// `twins` outlives it; null where no condition is evaluated.
    explicit RoutedMessageReader(std::uint32_t partition_count, RouteTwins* twins = nullptr)
        : partition_count_(partition_count) {
        message_.twins = twins;
    }

    /// Null for a record that no route can take: another kind, a failed operation, the copy that the hub's
    /// home partition has. Never fails: a body that is no JSON is bytes.
    const RoutedMessage* read(const model::RecordView& record, RecordPlace place);

  private:
    bool read_telemetry(const model::RecordView& record);
    bool read_twin(const model::RecordView& record);
    bool read_identity(const model::RecordView& record);
    bool read_connection(const model::RecordView& record);
    /// The envelope of an event of the hub's own.
    void hub_event(const model::RecordView& record, std::string_view operation, std::string_view schema);
    void parse_body();

    std::uint32_t partition_count_;
    json::Reader reader_;
    RoutedMessage message_;
    std::string time_, body_;
};

/// The message as one line of JSON, without its end: docs/routes.md.
std::string to_json(const RoutedMessage& message, const std::vector<std::string_view>& routes);

}  // namespace fieldwatch::hub
