#include "hub/amqp/event_links.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "hub/amqp/session.hpp"

namespace fieldwatch::hub {

namespace {

constexpr std::size_t kReadBytes = 256u << 10;  // one read of the journal: the largest message fits
constexpr std::size_t kReadRecords = 256;
constexpr std::size_t kUnsettledBytesMax = 512u << 10;  // half of what may wait for a slow peer

amqp::Value hub_map(const registry::Hub& hub, std::string_view name, std::uint32_t partition_count) {
    amqp::Value ids{.type = amqp::Type::Array};
    for (std::uint32_t partition = 0; partition < partition_count; ++partition)
        ids.items.push_back(amqp::string_value(std::to_string(partition)));
    auto map = amqp::map_value();
    map.add("name", amqp::string_value(name))
        .add("type", amqp::string_value("com.microsoft:eventhub"))
        .add("created_at", amqp::timestamp_value(hub.created))
        .add("partition_count", amqp::int_value(static_cast<std::int32_t>(partition_count)))
        .add("partition_ids", std::move(ids));
    return map;
}

amqp::Value partition_map(std::string_view name, std::uint32_t partition, const PartitionInfo& info) {
    const bool empty = info.end == info.first;
    const auto last = info.end == 0 ? std::int64_t{-1} : static_cast<std::int64_t>(info.end - 1);
    auto map = amqp::map_value();
    map.add("name", amqp::string_value(name))
        .add("type", amqp::string_value("com.microsoft:partition"))
        .add("partition", amqp::string_value(std::to_string(partition)))
        .add("begin_sequence_number", amqp::long_value(static_cast<std::int64_t>(info.first)))
        .add("last_enqueued_sequence_number", amqp::long_value(last))
        .add("last_enqueued_offset", amqp::string_value(std::to_string(last)))
        .add("last_enqueued_time_utc", amqp::timestamp_value(info.last_enqueued))
        .add("is_partition_empty", amqp::boolean(empty));
    return map;
}

struct Answer {
    int status = 200;
    std::string description = "OK";
    amqp::Value body;
};

Answer answer_management(Shared& shared, journal::Reader& reader, const model::HubName& hub_name,
                         const amqp::Value& request) {
    if (text_under(request, "operation") != "READ") return {400, "only READ is offered here", {}};
    const auto hub = shared.parts.registry.hub(hub_name);
    const auto name = text_under(request, "name");
    if (!hub) return {500, "the registry cannot be read", {}};
    const auto type = text_under(request, "type");
    const auto partition_count = shared.parts.partition_count;
    if (type == "com.microsoft:eventhub") return {200, "OK", hub_map(*hub, name, partition_count)};
    if (type != "com.microsoft:partition") return {400, "no such entity type", {}};
    const auto source = event_source({.group = "$Default", .partition = text_under(request, "partition")}, {},
                                     partition_count);
    if (!source) return {404, "no such partition", {}};
    return {200, "OK", partition_map(name, source->partition, partition_info(source->partition, reader))};
}

}  // namespace

void ManagementLink::message(amqp::DeliveryId delivery, ByteView bytes, bool settled) {
    auto& engine = session_.engine();
    auto request = amqp::decode_message(bytes);
    if (!request)
        return engine.settle(delivery, amqp::Outcome::Rejected,
                             condition_of(400006, request.error().message));
    if (!settled) engine.settle(delivery, amqp::Outcome::Accepted);
    session_.ask(
        [hub = hub_, reader = session_.core().shared.reader,
         properties = std::move(request->application_properties)](Shared& shared) {
            return answer_management(shared, *reader, hub, properties);
        },
        [request_link = id(), correlation = std::move(request->properties.message_id),
         reply_to = amqp::to_text(request->properties.reply_to)](AmqpSession& session, Answer answer) {
            amqp::Message response;
            response.properties.correlation_id = correlation;
            response.application_properties.add("status-code", amqp::int_value(answer.status))
                .add("status-description", amqp::string_value(answer.description));
            response.body = std::move(answer.body);
            session.answer({.node = amqp::Node::Management, .request = request_link, .address = reply_to},
                           amqp::encode_message(response));
        });
}

PartitionLink::PartitionLink(amqp::LinkId id, AmqpSession& session, EventSource source)
    : AmqpLink(id), session_(session), source_(std::move(source)) {
    // "From now on" is from the attach, not from the first credit.
    if (source_.start.by == EventStart::By::Latest)
        next_ = session.core().shared.reader->end_offset(journal::Stream::Telemetry, source_.partition);
}

Result<PartitionLink::Read> PartitionLink::read(Shared& shared, journal::Reader& reader,
                                                const EventSource& source, std::optional<std::uint64_t> from,
                                                std::size_t count_max) {
    if (!from) from = FIELDWATCH_TRY(first_offset_of(source, reader));
    const auto kept = reader.first_offset(journal::Stream::Telemetry, source.partition);
    Read out{.next = std::max(*from, kept)};  // retention went past a slow reader
    if (out.next >= reader.end_offset(journal::Stream::Telemetry, source.partition)) return out;
    const auto batch = FIELDWATCH_TRY(
        reader.read({journal::Stream::Telemetry, source.partition, out.next}, count_max, kReadBytes));
    PartitionInfo info;
    if (source.wants_metrics) info = partition_info(source.partition, reader);
    const auto hub = shared.hubs.find(source.hub.value);
    const auto* const routing = hub && hub->name == source.hub ? hub->routing.get() : nullptr;
    RoutedMessageReader messages(shared.parts.partition_count, &shared.route_twins);
    for (const auto& one : batch.records) {
        const auto record = model::decode_record(one.bytes);
        if (!record || record->hub != source.hub.value) continue;
        if (routing != nullptr) {
            const auto* const message = messages.read(*record, {source.partition, one.offset});
            if (message != nullptr && !routing->to_events(*message)) continue;
        }
        auto event = event_of(*record, one.offset);
        if (source.wants_metrics) add_metrics(event, info, shared.parts.clock.now());
        out.events.push_back({one.offset, amqp::encode_message(event)});
    }
    out.next = batch.next_offset;
    return out;
}

void PartitionLink::poke() {
    const auto credit = session_.engine().credit_of(id());
    if (reading_ || credit <= 0 || unsettled_bytes_ >= kUnsettledBytesMax) return;
    auto* const reader = session_.core().shared.reader;
    if (next_ && *next_ >= reader->end_offset(journal::Stream::Telemetry, source_.partition)) return;
    reading_ = true;
    const auto count = std::min(static_cast<std::size_t>(credit), kReadRecords);
    session_.ask([reader, source = source_, from = next_,
                  count](Shared& shared) { return read(shared, *reader, source, from, count); },
                 [link = id()](AmqpSession& session, Result<Read> read) {
                     if (auto* const its_link = session.partition_link(link)) its_link->send(std::move(read));
                 });
}

void PartitionLink::send(Result<Read> read) {
    reading_ = false;
    if (!read) return log::error("hub", "reading events: " + read.error().message);
    next_ = read->next;
    for (const auto& event : read->events) {
        const auto delivery = session_.engine().send(id(), event.message);
        if (delivery == 0) {  // the client took its credit back
            next_ = event.offset;
            return;
        }
        unsettled_.emplace(delivery, event.message.size());
        unsettled_bytes_ += event.message.size();
    }
    poke();
}

void PartitionLink::outcome(amqp::DeliveryId delivery, amqp::Outcome) {
    const auto found = unsettled_.find(delivery);
    if (found == unsettled_.end()) return;
    unsettled_bytes_ -= found->second;
    unsettled_.erase(found);
    poke();
}

void PartitionLink::detached() {
    session_.core().shared.readers.leave(source_.place(), {session_.core().core.index, session_.id(), id()});
}

}  // namespace fieldwatch::hub
