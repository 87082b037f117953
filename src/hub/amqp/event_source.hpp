// The Event Hubs compatible endpoint's view of the journal: where to start, and a record as an event.
// Source: spec/iot-hub-protocols.md section 5.5.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "hub/amqp/core.hpp"
#include "journal/journal.hpp"
#include "model/record.hpp"
#include "protocol/amqp/address.hpp"
#include "protocol/amqp/message.hpp"

namespace fieldwatch::hub {

/// Where a receiver starts, as its filter says.
struct EventStart {
    enum class By : std::uint8_t { Latest, Offset, Time } by = By::Latest;
    std::int64_t value = 0;  ///< an offset (sequence numbers are the same), or milliseconds
    bool inclusive = false;
};
/// Errors: InvalidArgument for a filter that is none of the known ones.
Result<EventStart> parse_selector(std::string_view text);

struct EventSource {
    model::HubName hub;
    std::string group;
    std::uint32_t partition = 0;
    EventStart start;
    std::optional<std::int64_t> epoch;
    bool wants_metrics = false;

    EventReaders::Place place() const { return {hub.value, group, partition}; }
};
/// Errors: NotFound (no such partition, or a group that is no name), InvalidArgument.
Result<EventSource> event_source(const amqp::Address& address, const amqp::Value& filter,
                                 std::uint32_t partition_count);

/// The offset to read from. Blocks on the journal.
Result<std::uint64_t> first_offset_of(const EventSource& source, journal::Reader& reader);

/// What is known of a partition: $management's answer, and the runtime metrics of events.
struct PartitionInfo {
    std::uint64_t first = 0, end = 0;
    Timestamp last_enqueued;  ///< of the last record; the epoch when there is none
};
PartitionInfo partition_info(std::uint32_t partition, journal::Reader& reader);

/// One record as an event. `metrics` adds the partition's end, as delivery annotations.
amqp::Message event_of(const model::RecordView& record, std::uint64_t offset);
void add_metrics(amqp::Message& event, const PartitionInfo& info, Timestamp now);

}  // namespace fieldwatch::hub
