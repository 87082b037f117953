// The Event Hubs compatible endpoint of a hub elsewhere, as its consumer: AMQP 1.0 over TLS, a token on $cbs,
// the partitions by $management, a receiver each. Source: spec/iot-hub-protocols.md sections 5.1 and 6.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "base/bytes.hpp"
#include "hub/amqp/telemetry.hpp"
#include "hub/connector/foreign_event.hpp"
#include "hub/connector/source.hpp"
#include "protocol/amqp/engine.hpp"
#include "protocol/amqp/message.hpp"
#include "protocol/sas/token.hpp"

namespace fieldwatch::hub {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kEventHubAnswerWait{60};    // for what must be answered before messages can come
constexpr seconds kTokenLife{3'600};          // and renewed when three quarters of it are over
constexpr milliseconds kEventHubTurn{1'000};  // how late a place is kept and a stop is seen at the most
constexpr int kCredit = 256;                  // of a partition; what is on its way is bounded by it
constexpr std::size_t kPartitionsMax = 1'024;
constexpr std::size_t kEventBytesMax = 2u << 20;  // an Event Hubs message has 1 MiB, and what is around it

class EventHubSource final : public ConnectorSource, private amqp::Peer {
  public:
    explicit EventHubSource(const ConnectorSettings& settings) : settings_(settings) {}

    Result<void> run(const SourceParts& parts) override {
        parts_ = &parts;
        error_ = {};
        nodes_.clear();
        partitions_.clear();
        waiting_.clear();
        const auto& events = settings_.events;
        auto stream = FIELDWATCH_TRY(net::OutboundStream::connect({.host = events.host,
                                                                   .port = events.port,
                                                                   .tls = true,
                                                                   .ca_file = {},
                                                                   .ca_pem = settings_.ca_pem},
                                                                  patience(kEventHubAnswerWait)));
        amqp::Engine engine(*this, {.container = "fieldwatch-" + settings_.name,
                                    .links_max = kPartitionsMax + 8,
                                    .message_bytes_max = kEventBytesMax,
                                    .connect_to = events.host});
        engine_ = &engine;
        const auto done = turn_on(stream, engine);
        engine_ = nullptr;
        // What was taken but not acknowledged comes again: its place was not kept.
        FIELDWATCH_TRY(parts.place.keep(true));
        return done;
    }

  private:
    struct Node {
        amqp::LinkId sender = 0, receiver = 0;
        bool asked = false;
    };
    struct Waiting {
        amqp::DeliveryId delivery = 0;
        std::string partition, offset;
    };

    net::Patience patience(milliseconds span) const { return net::Patience::of(span, &parts_->interrupt); }

    Result<void> turn_on(net::OutboundStream& stream, amqp::Engine& engine) {
        auto& intake = parts_->intake;
        std::vector<std::byte> buffer(64u << 10);
        Bytes out;
        const auto answered_by = intake.monotonic() + kEventHubAnswerWait;
        while (true) {
            engine.take_output(out);
            if (!out.empty()) FIELDWATCH_TRY(stream.write_all(out, patience(kEventHubAnswerWait)));
            out.clear();
            if (error_) return std::unexpected(*error_);
            if (engine.finished()) return over(engine);
            const auto now = intake.monotonic();
            if (partitions_.empty() && now > answered_by)
                return fail(Errc::Timeout, settings_.events.host + " does not answer in time");
            const auto next = engine.tick(std::chrono::duration_cast<milliseconds>(now));
            const auto wait = next.count() > 0 ? std::min(next, kEventHubTurn) : kEventHubTurn;
            const auto got = stream.read_some(buffer, patience(wait));
            if (!got && got.error().code != Errc::Timeout) return std::unexpected(got.error());
            if (got && *got == 0)
                return fail(Errc::Unavailable, settings_.events.host + " closed the connection");
            if (got) engine.received(std::span(buffer).first(*got));
            FIELDWATCH_TRY(settle(engine));
            FIELDWATCH_TRY(parts_->place.keep(false));
            if (renew_at_.count() > 0 && now >= renew_at_) FIELDWATCH_TRY(put_token());
        }
    }

    std::unexpected<Error> over(const amqp::Engine& engine) const {
        const auto why = engine.error();
        return fail(Errc::Unavailable, settings_.events.host + " ended the connection" +
                                           (why.empty() ? std::string() : ": " + why));
    }

    /// What was taken is on disk: only now does the sender hear of it, and is its place ours.
    Result<void> settle(amqp::Engine& engine) {
        if (waiting_.empty()) return {};
        FIELDWATCH_TRY(parts_->intake.settle());
        for (const auto& one : waiting_) {
            engine.settle(one.delivery, amqp::Outcome::Accepted);
            if (!one.offset.empty()) parts_->place.set(place_of(one.partition), one.offset);
        }
        waiting_.clear();
        return {};
    }

    std::string place_of(std::string_view partition) const {
        return fmt::format("{}/{}/{}", settings_.events.entity, settings_.consumer_group, partition);
    }

    void failed(Errc code, std::string why) {
        if (!error_) error_ = Error{code, std::move(why)};
    }

    // The peer, as the engine tells of it.
    bool authenticate(const amqp::SaslAttempt&) override { return false; }
    void attached(amqp::Attach attach) override {
        engine_->refuse(attach.link, {"amqp:not-allowed", "this is a client"});
    }
    void outcome(amqp::LinkId, amqp::DeliveryId, amqp::Outcome) override {}
    void closed() override {}
    void detached(amqp::LinkId link) override { ended(link, {}); }

    void opened(std::string_view, std::string_view) override { open_node("$cbs"); }

    void open_node(const std::string& address) {
        auto& node = nodes_[address];
        const auto name = "fieldwatch-" + address.substr(1);
        node.receiver = engine_->open_receiver(name, address, {}, 4);
        node.sender = engine_->open_sender(name, address);
    }

    void credit(amqp::LinkId link) override {
        for (auto& [address, node] : nodes_) {
            if (node.sender != link || node.asked) continue;
            node.asked = true;
            const auto done = address == "$cbs" ? put_token() : ask_partitions();
            if (!done) failed(done.error().code, done.error().message);
        }
    }

    void ended(amqp::LinkId link, const amqp::Condition& why) override {
        const auto partition = partitions_.find(link);
        const auto of_what =
            partition == partitions_.end() ? std::string("a link") : "partition " + partition->second;
        const bool unauthorized = why.name == "amqp:unauthorized-access";
        failed(unauthorized ? Errc::Unauthorized : Errc::Unavailable,
               fmt::format("{} ended {}: {} {}", settings_.events.host, of_what, why.name, why.description));
    }

    std::string audience() const {
        return fmt::format("sb://{}/{}", settings_.events.host, settings_.events.entity);
    }

    Result<void> put_token() {
        const auto& node = nodes_["$cbs"];
        const auto key = base64(as_bytes(settings_.events.key));  // of an event hub the key is its text
        const auto resource = audience();
        const auto token = FIELDWATCH_TRY(sas::make_token({.resource = resource,
                                                           .key_base64 = key,
                                                           .expiry = parts_->intake.now() + kTokenLife,
                                                           .policy = settings_.events.policy}));
        amqp::Message request;
        request.properties.message_id = amqp::string_value("token");
        request.properties.reply_to = amqp::string_value("fieldwatch-cbs");
        request.application_properties.add("operation", amqp::string_value("put-token"))
            .add("type", amqp::string_value("servicebus.windows.net:sastoken"))
            .add("name", amqp::string_value(resource));
        request.body = amqp::string_value(token);
        engine_->send(node.sender, amqp::encode_message(request), true);
        renew_at_ = parts_->intake.monotonic() + kTokenLife * 3 / 4;
        return {};
    }

    Result<void> ask_partitions() {
        amqp::Message request;
        request.properties.message_id = amqp::string_value("partitions");
        request.properties.reply_to = amqp::string_value("fieldwatch-management");
        request.application_properties.add("operation", amqp::string_value("READ"))
            .add("name", amqp::string_value(settings_.events.entity))
            .add("type", amqp::string_value("com.microsoft:eventhub"));
        request.body = amqp::Value{};
        engine_->send(nodes_["$management"].sender, amqp::encode_message(request), true);
        return {};
    }

    void message(amqp::LinkId link, amqp::DeliveryId delivery, ByteView bytes, bool) override {
        const auto decoded = amqp::decode_message(bytes);
        const auto partition = partitions_.find(link);
        if (partition != partitions_.end()) {
            if (decoded) return take_event(partition->second, delivery, *decoded);
            parts_->intake.refuse("an event that is no AMQP message: " + decoded.error().message);
            waiting_.push_back({.delivery = delivery, .partition = partition->second, .offset = {}});
            return;
        }
        engine_->settle(delivery, amqp::Outcome::Accepted);
        if (!decoded) return failed(Errc::Malformed, "an answer that is no AMQP message");
        const auto* status = decoded->application_properties.find("status-code");
        const auto* description = decoded->application_properties.find("status-description");
        if (status == nullptr || status->number() < 200 || status->number() > 299) {
            const bool unauthorized = status != nullptr && status->number() == 401;
            return failed(
                unauthorized ? Errc::Unauthorized : Errc::Unavailable,
                fmt::format("{} refuses {}: {} {}", settings_.events.host,
                            link == nodes_["$cbs"].receiver ? "the token" : "to name its partitions",
                            status == nullptr ? 0 : status->number(),
                            description == nullptr ? "" : amqp::to_text(*description)));
        }
        if (link != nodes_["$cbs"].receiver)
            open_partitions(*decoded);
        else if (!nodes_.contains("$management"))
            open_node("$management");
    }

    void open_partitions(const amqp::Message& answer) {
        const auto* const ids = answer.body ? answer.body->find("partition_ids") : nullptr;
        if (ids == nullptr || ids->items.empty() || ids->items.size() > kPartitionsMax)
            return failed(Errc::Malformed,
                          settings_.events.host + " names no partitions of " + settings_.events.entity);
        if (!partitions_.empty()) return;
        for (const auto& id : ids->items) {
            const auto partition = amqp::to_text(id);
            const auto address = fmt::format("{}/ConsumerGroups/{}/Partitions/{}", settings_.events.entity,
                                             settings_.consumer_group, partition);
            const auto link = engine_->open_receiver(
                "fieldwatch-" + partition, address,
                start_filter(parts_->place.get(place_of(partition)), settings_.from_earliest), kCredit);
            partitions_.emplace(link, partition);
        }
        parts_->connected();
    }

    void take_event(const std::string& partition, amqp::DeliveryId delivery, const amqp::Message& event) {
        const auto* const offset = event.annotations.find("x-opt-offset");
        waiting_.push_back({.delivery = delivery,
                            .partition = partition,
                            .offset = offset == nullptr ? std::string() : amqp::to_text(*offset)});
        if (const auto taken = take_foreign_event(event, parts_->intake); !taken)
            failed(taken.error().code, taken.error().message);
    }

    const ConnectorSettings settings_;
    const SourceParts* parts_ = nullptr;
    amqp::Engine* engine_ = nullptr;
    std::map<std::string, Node, std::less<>> nodes_;
    std::map<amqp::LinkId, std::string> partitions_;
    std::vector<Waiting> waiting_;  // at most the credit of all partitions
    std::chrono::nanoseconds renew_at_{0};
    std::optional<Error> error_;
};

}  // namespace

std::unique_ptr<ConnectorSource> make_event_hub_source(const ConnectorSettings& settings) {
    return std::make_unique<EventHubSource>(settings);
}

}  // namespace fieldwatch::hub
