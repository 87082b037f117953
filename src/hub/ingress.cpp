#include "hub/ingress.hpp"

#include "hub/core.hpp"

namespace fieldwatch::hub {

Stamps make_stamps(const Admission& admission, std::string_view model_id) {
    Stamps stamps{{"iothub-connection-device-id", admission.identity.device.value},
                  {"iothub-connection-auth-generation-id", admission.generation_id},
                  {"iothub-connection-auth-method", admission.auth_type},
                  {"iothub-message-source", "Telemetry"}};
    if (!admission.identity.module.empty()) {
        stamps.emplace_back("iothub-connection-module-id", admission.identity.module.value);
    }
    if (!model_id.empty()) stamps.emplace_back("dt-dataschema", model_id.substr(0, 512));
    return stamps;
}

Result<void> append_message(Shared& shared, const Speaker& speaker, const Stamps& stamps,
                            const Message& message, journal::Writer::Durable durable) {
    model::Record record;
    auto& counters = shared.counters;
    const auto dropped = fill_record(record, message, stamps);
    if (!dropped) {
        counters.refused_messages.add();
        return std::unexpected(dropped.error());
    }
    if (*dropped > 0) counters.properties_dropped.add(*dropped);
    record.sender = speaker.identity;
    const bool security = record.kind == model::RecordKind::SecurityMessage;
    const auto stream = security ? journal::Stream::Security : journal::Stream::Telemetry;
    const auto partition =
        model::partition_of(speaker.identity.hub, speaker.identity.device, shared.parts.partition_count);
    const auto place =
        shared.parts.journal.append(stream, partition, model::encode(record), std::move(durable));
    if (!place) {
        (place.error().code == Errc::Exhausted ? counters.stalled : counters.refused_messages).add();
        return std::unexpected(place.error());
    }
    counters.publishes.add();
    counters.publish_bytes.add(message.body.size());
    if (security)
        counters.security_messages.add();
    else
        shared.chosen_metrics.tell(shared, speaker, record);
    shared.table.active(speaker.identity, message.received);
    shared.ingress.add(speaker, security, message.body.size(), partition, shared.log);
    return {};
}

void IngressTable::add(const Speaker& speaker, bool security, std::size_t bytes, std::uint32_t partition,
                       const OperationLog& log) {
    Rows full;
    rows_.with([&](Rows& rows) {
        const Key key{speaker.identity, speaker.protocol, security};
        if (rows.size() >= kRowsMax && !rows.contains(key)) full = std::exchange(rows, {});
        auto& row = rows.try_emplace(key, Row{.speaker = speaker, .partition = partition}).first->second;
        ++row.messages;
        row.bytes += static_cast<std::int64_t>(bytes);
    });
    write(full, log);
}

void IngressTable::flush(const OperationLog& log) {
    write(rows_.with([](Rows& all) { return std::exchange(all, {}); }), log);
}

void IngressTable::write(const Rows& rows, const OperationLog& log) {
    for (const auto& [key, row] : rows)
        log.append(ingress_operation(key.security, row.messages, row.bytes, row.partition), row.speaker);
}

}  // namespace fieldwatch::hub
