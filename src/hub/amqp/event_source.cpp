#include "hub/amqp/event_source.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.hpp"

namespace fieldwatch::hub {

namespace {

constexpr std::string_view kSelector = "apache.org:selector-filter:string";
constexpr std::size_t kGroupBytesMax = 50;

std::optional<std::int64_t> number_of(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
    return value;
}

bool is_group(std::string_view text) {
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
               c == '_' || c == '-' || c == '$';
    };
    return !text.empty() && text.size() <= kGroupBytesMax && std::all_of(text.begin(), text.end(), fits);
}

// Annotations of an event, and of what type they are; other names of a record are properties.
enum class Kind : std::uint8_t { Text, Time };
struct Annotation {
    std::string_view name;
    Kind kind;
};
constexpr std::array<Annotation, 12> kAnnotations{{{"iothub-connection-device-id", Kind::Text},
                                                   {"iothub-connection-module-id", Kind::Text},
                                                   {"iothub-connection-auth-generation-id", Kind::Text},
                                                   {"iothub-connection-auth-method", Kind::Text},
                                                   {"iothub-enqueuedtime", Kind::Time},
                                                   {"iothub-message-source", Kind::Text},
                                                   {"iothub-interface-id", Kind::Text},
                                                   {"dt-subject", Kind::Text},
                                                   {"dt-dataschema", Kind::Text},
                                                   {"iothub-creation-time-utc", Kind::Text},
                                                   {"diagnostic-id", Kind::Text},
                                                   {"diagnostic-context", Kind::Text}}};

amqp::Value time_value(std::string_view text) {
    const auto time = parse_iso8601(text);
    return time ? amqp::timestamp_value(time->time) : amqp::string_value(text);
}

bool put_property(amqp::Properties& properties, std::string_view name, std::string_view value) {
    if (name == "message-id")
        properties.message_id = amqp::string_value(value);
    else if (name == "correlation-id")
        properties.correlation_id = amqp::string_value(value);
    else if (name == "user-id")
        properties.user_id = {.type = amqp::Type::Binary, .text = std::string(value)};
    else if (name == "to")
        properties.to = amqp::string_value(value);
    else if (name == "content-type")
        properties.content_type = amqp::symbol_value(value);
    else if (name == "content-encoding")
        properties.content_encoding = amqp::symbol_value(value);
    else if (name == "absolute-expiry-time")
        properties.absolute_expiry_time = time_value(value);
    else
        return false;
    return true;
}

/// Receive time of the first record at or behind `offset`, and where it stands; nullopt at the end.
Result<std::optional<std::pair<std::uint64_t, Timestamp>>> record_at(journal::Reader& reader,
                                                                     std::uint32_t partition,
                                                                     std::uint64_t offset) {
    const auto batch = FIELDWATCH_TRY(reader.read({journal::Stream::Telemetry, partition, offset}, 1, 1));
    if (batch.records.empty()) return std::nullopt;
    const auto record = FIELDWATCH_TRY(model::decode_record(batch.records.front().bytes));
    return std::pair(batch.records.front().offset, record.received);
}

}  // namespace

// `amqp.annotation.x-opt-offset > '-1'` and its like.
Result<EventStart> parse_selector(std::string_view text) {
    const auto refuse = [] {
        return fail(Errc::InvalidArgument,
                    "a filter is x-opt-offset, x-opt-sequence-number or "
                    "x-opt-enqueued-time, > or >=, and a quoted value");
    };
    constexpr std::string_view kPrefix = "amqp.annotation.";
    text = trimmed(text);
    if (!text.starts_with(kPrefix)) return refuse();
    text.remove_prefix(kPrefix.size());
    const auto compare = text.find('>');
    if (compare == std::string_view::npos) return refuse();
    const auto name = trimmed(text.substr(0, compare));
    auto rest = text.substr(compare + 1);
    EventStart start{.inclusive = rest.starts_with('=')};
    if (start.inclusive) rest.remove_prefix(1);
    auto value = trimmed(rest);
    if (value.size() < 2 || value.front() != '\'' || value.back() != '\'') return refuse();
    value = value.substr(1, value.size() - 2);
    if (name != "x-opt-offset" && name != "x-opt-sequence-number" && name != "x-opt-enqueued-time")
        return refuse();
    start.by = name == "x-opt-enqueued-time" ? EventStart::By::Time : EventStart::By::Offset;
    if (value == "@latest" && name == "x-opt-offset") return EventStart{};
    const auto number = number_of(value);
    if (!number) return refuse();
    start.value = *number;
    return start;
}

Result<EventSource> event_source(const amqp::Address& address, const amqp::Value& filter,
                                 std::uint32_t partition_count) {
    const auto partition = number_of(address.partition);
    if (!partition || *partition < 0 || *partition >= std::int64_t{partition_count})
        return fail(Errc::NotFound, "no such partition");
    if (!is_group(address.group)) return fail(Errc::NotFound, "no such consumer group");
    EventSource source{.group = address.group, .partition = static_cast<std::uint32_t>(*partition)};
    if (const auto* const described = filter.find(kSelector)) {
        // A described string; the bare one of older clients means the same.
        const auto& text = described->type == amqp::Type::Described ? described->items[1] : *described;
        source.start = FIELDWATCH_TRY(parse_selector(text.text));
    }
    return source;
}

Result<std::uint64_t> first_offset_of(const EventSource& source, journal::Reader& reader) {
    constexpr auto kStream = journal::Stream::Telemetry;
    auto low = reader.first_offset(kStream, source.partition);
    auto high = reader.end_offset(kStream, source.partition);
    const auto& start = source.start;
    if (start.by == EventStart::By::Latest) return high;
    if (start.by == EventStart::By::Offset) {
        const auto wanted = start.value < 0 ? 0 : static_cast<std::uint64_t>(start.value);
        const auto next = start.value < 0 || start.inclusive ? wanted : wanted + 1;
        return std::clamp(next, low, std::max(low, high));
    }
    // Records of a partition are in order of their receive times, but for steps of the clock.
    const auto since =
        Timestamp::from_unix_millis(std::clamp<std::int64_t>(start.value, 0, 253'402'300'799'000));
    const auto wanted = [&](Timestamp time) {
        return start.inclusive ? time.unix_millis() >= since.unix_millis()
                               : time.unix_millis() > since.unix_millis();
    };
    while (low < high) {
        const auto middle = low + (high - low) / 2;
        const auto record = FIELDWATCH_TRY(record_at(reader, source.partition, middle));
        if (!record || wanted(record->second))
            high = middle;
        else
            low = record->first + 1;
    }
    return low;
}

PartitionInfo partition_info(std::uint32_t partition, journal::Reader& reader) {
    PartitionInfo info{.first = reader.first_offset(journal::Stream::Telemetry, partition),
                       .end = reader.end_offset(journal::Stream::Telemetry, partition)};
    if (info.end > info.first) {
        const auto last = record_at(reader, partition, info.end - 1);
        if (last && *last) info.last_enqueued = (*last)->second;
    }
    return info;
}

amqp::Message event_of(const model::RecordView& record, std::uint64_t offset) {
    amqp::Message event;
    event.annotations.add("x-opt-sequence-number", amqp::long_value(static_cast<std::int64_t>(offset)))
        .add("x-opt-offset", amqp::string_value(std::to_string(offset)))
        .add("x-opt-enqueued-time", amqp::timestamp_value(record.received))
        .add("x-opt-partition-key", amqp::string_value(record.device));
    for (const auto& [name, value] : record.properties) {
        const auto* const annotation =
            std::find_if(kAnnotations.begin(), kAnnotations.end(),
                         [&, &its_name = name](const Annotation& one) { return one.name == its_name; });
        if (annotation != kAnnotations.end()) {
            event.annotations.add(
                name, annotation->kind == Kind::Time ? time_value(value) : amqp::string_value(value));
        } else if (!put_property(event.properties, name, value)) {
            event.application_properties.add(name, amqp::string_value(value));
        }
    }
    event.data = {record.body};
    return event;
}

void add_metrics(amqp::Message& event, const PartitionInfo& info, Timestamp now) {
    const auto last = info.end == 0 ? std::int64_t{-1} : static_cast<std::int64_t>(info.end - 1);
    event.delivery_annotations.add("last_enqueued_sequence_number", amqp::long_value(last))
        .add("last_enqueued_offset", amqp::string_value(std::to_string(last)))
        .add("last_enqueued_time_utc", amqp::timestamp_value(info.last_enqueued))
        .add("runtime_info_retrieval_time_utc", amqp::timestamp_value(now));
}

}  // namespace fieldwatch::hub
