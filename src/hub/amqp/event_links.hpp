// Readers of the Event Hubs compatible endpoint. Source: spec/iot-hub-protocols.md section 5.5.
#pragma once

#include <map>
#include <vector>

#include "hub/amqp/event_source.hpp"
#include "hub/amqp/link.hpp"

namespace fieldwatch::hub {

class AmqpSession;

/// `$management`, either direction: what the event hub and its partitions are.
class ManagementLink final : public AmqpLink {
  public:
    ManagementLink(amqp::LinkId id, AmqpSession& session, model::HubName hub)
        : AmqpLink(id), session_(session), hub_(std::move(hub)) {}
    void message(amqp::DeliveryId delivery, ByteView bytes, bool settled) override;

  private:
    AmqpSession& session_;
    model::HubName hub_;
};

/// One receiver of one partition: sends as much as it has credit for, and what may be unsettled at once.
class PartitionLink final : public AmqpLink {
  public:
    PartitionLink(amqp::LinkId id, AmqpSession& session, EventSource source);
    void credit() override { poke(); }
    void poke() override;
    void outcome(amqp::DeliveryId delivery, amqp::Outcome outcome) override;
    void detached() override;

  private:
    struct Event {
        std::uint64_t offset = 0;
        Bytes message;
    };
    struct Read {
        std::vector<Event> events;
        std::uint64_t next = 0;
    };
    static Result<Read> read(Shared& shared, journal::Reader& reader, const EventSource& source,
                             std::optional<std::uint64_t> from, std::size_t count_max);
    void send(Result<Read> read);

    AmqpSession& session_;
    EventSource source_;
    std::optional<std::uint64_t> next_;  ///< none: the start has not been looked for yet
    bool reading_ = false;
    std::map<amqp::DeliveryId, std::size_t> unsettled_;
    std::size_t unsettled_bytes_ = 0;
};

}  // namespace fieldwatch::hub
