#include <proton/codec.h>
#include <proton/connection.h>
#include <proton/connection_driver.h>
#include <proton/delivery.h>
#include <proton/link.h>
#include <proton/message.h>
#include <proton/session.h>
#include <proton/terminus.h>
#include <proton/transport.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "hub/conversation.hpp"

namespace load {

namespace {

pn_bytes_t bytes_of(std::string_view text) {
    return pn_bytes(text.size(), text.data());
}

/// The put-token request, encoded.
std::string token_message(const std::string& token) {
    auto* const message = pn_message();
    pn_atom_t id{};
    id.type = PN_STRING;
    id.u.as_bytes = bytes_of("1");
    pn_message_set_id(message, id);
    auto* const properties = pn_message_properties(message);
    pn_data_put_map(properties);
    pn_data_enter(properties);
    for (const char* const text :
         {"operation", "put-token", "type", "servicebus.windows.net:sastoken", "name", "device"})
        pn_data_put_string(properties, bytes_of(text));
    pn_data_exit(properties);
    pn_data_put_string(pn_message_body(message), bytes_of(token));
    std::string out(4096 + token.size(), '\0');
    auto size = out.size();
    if (pn_message_encode(message, out.data(), &size) != 0) die("a put-token message cannot be encoded");
    out.resize(size);
    pn_message_free(message);
    return out;
}

/// The status-code of its answer; 0 when there is none.
int status_of(std::string_view bytes) {
    auto* const message = pn_message();
    int status = 0;
    if (pn_message_decode(message, bytes.data(), bytes.size()) == 0) {
        auto* const properties = pn_message_properties(message);
        pn_data_rewind(properties);
        if (pn_data_next(properties) && pn_data_enter(properties)) {
            while (pn_data_next(properties)) {
                const bool wanted = pn_data_type(properties) == PN_STRING &&
                                    std::string_view(pn_data_get_string(properties).start,
                                                     pn_data_get_string(properties).size) == "status-code";
                if (!pn_data_next(properties)) break;
                if (wanted && pn_data_type(properties) == PN_INT) status = pn_data_get_int(properties);
            }
        }
    }
    pn_message_free(message);
    return status;
}

class Amqp final : public Conversation {
  public:
    explicit Amqp(const Client& client) : client_(client) {
        if (pn_connection_driver_init(&driver_, nullptr, nullptr) != 0) die("no memory for AMQP");
    }
    ~Amqp() override { pn_connection_driver_destroy(&driver_); }
    Amqp(const Amqp&) = delete;
    Amqp& operator=(const Amqp&) = delete;

    Heard begin(std::string& out) override {
        const auto host = client_.user.substr(0, client_.user.find_first_of(":/"));
        pn_connection_set_container(driver_.connection, client_.id.c_str());
        pn_connection_set_hostname(driver_.connection, host.c_str());
        pn_connection_open(driver_.connection);
        session_ = pn_session(driver_.connection);
        pn_session_open(session_);
        answers_ = pn_receiver(session_, "cbs-in");
        pn_terminus_set_address(pn_link_source(answers_), "$cbs");
        pn_link_open(answers_);
        pn_link_flow(answers_, 1);
        requests_ = sender("cbs-out", "$cbs");
        return turn(out);
    }

    Heard received(std::string& in, std::string& out) override {
        Heard heard;
        for (std::size_t at = 0; at < in.size();) {
            const auto room = pn_connection_driver_read_buffer(&driver_);
            const auto count = std::min(room.size, in.size() - at);
            if (count == 0) return {.refused = true};
            std::memcpy(room.start, in.data() + at, count);
            pn_connection_driver_read_done(&driver_, count);
            at += count;
            hear(heard);
        }
        in.clear();
        const auto more = turn(out);
        heard.ready = heard.ready || more.ready;
        heard.refused = heard.refused || more.refused;
        heard.acknowledged += more.acknowledged;
        return heard;
    }

    void publish(std::string_view body, std::string& out) override {
        std::string message("\x00\x53\x75\xb0", 4);  // one section of data
        for (int shift = 24; shift >= 0; shift -= 8)
            message += static_cast<char>(body.size() >> shift);
        message += body;
        send(telemetry_, message);
        static_cast<void>(turn(out));  // nothing is heard between reads
    }

  private:
    pn_link_t* sender(const char* name, const std::string& address) {
        auto* const link = pn_sender(session_, name);
        pn_terminus_set_address(pn_link_target(link), address.c_str());
        pn_link_open(link);
        return link;
    }

    void send(pn_link_t* link, std::string_view bytes) {
        ++tag_;
        pn_delivery(link, pn_dtag(reinterpret_cast<const char*>(&tag_), sizeof tag_));
        pn_link_send(link, bytes.data(), bytes.size());
        pn_link_advance(link);
    }

    void hear(Heard& heard) {
        while (auto* const event = pn_connection_driver_next_event(&driver_)) {
            switch (pn_event_type(event)) {
                case PN_LINK_FLOW:
                    on_credit(pn_event_link(event), heard);
                    break;
                case PN_DELIVERY:
                    on_delivery(pn_event_delivery(event), heard);
                    break;
                case PN_LINK_REMOTE_CLOSE:
                case PN_LINK_REMOTE_DETACH:
                case PN_CONNECTION_REMOTE_CLOSE:
                case PN_TRANSPORT_ERROR:
                    heard.refused = true;
                    break;
                default:
                    break;
            }
        }
    }

    void on_credit(pn_link_t* link, Heard& heard) {
        if (link == requests_ && !asked_ && pn_link_credit(link) > 0) {
            asked_ = true;
            send(requests_, token_message(client_.password));
        }
        if (link == telemetry_ && !ready_ && pn_link_credit(link) > 0) ready_ = heard.ready = true;
    }

    void on_delivery(pn_delivery_t* delivery, Heard& heard) {
        auto* const link = pn_delivery_link(delivery);
        if (link == answers_) {
            if (pn_delivery_partial(delivery)) return;
            std::string bytes(pn_delivery_pending(delivery), '\0');
            pn_link_recv(link, bytes.data(), bytes.size());
            pn_delivery_update(delivery, PN_ACCEPTED);
            pn_delivery_settle(delivery);
            heard.refused = status_of(bytes) != 200;
            if (!heard.refused)
                telemetry_ = sender("telemetry", "/devices/" + client_.id + "/messages/events");
            return;
        }
        if (!pn_delivery_updated(delivery) || pn_delivery_remote_state(delivery) == 0) return;
        if (pn_delivery_remote_state(delivery) != PN_ACCEPTED)
            heard.refused = true;
        else if (link == telemetry_)
            ++heard.acknowledged;
        pn_delivery_settle(delivery);
    }

    Heard turn(std::string& out) {
        Heard heard;
        hear(heard);
        for (auto ready = pn_connection_driver_write_buffer(&driver_); ready.size > 0;
             ready = pn_connection_driver_write_buffer(&driver_)) {
            out.append(ready.start, ready.size);
            pn_connection_driver_write_done(&driver_, ready.size);
            hear(heard);
        }
        return heard;
    }

    const Client& client_;
    pn_connection_driver_t driver_{};
    pn_session_t* session_ = nullptr;
    pn_link_t *requests_ = nullptr, *answers_ = nullptr, *telemetry_ = nullptr;
    std::uint64_t tag_ = 0;
    bool asked_ = false, ready_ = false;
};

}  // namespace

std::unique_ptr<Conversation> amqp_conversation(const Client& client) {
    return std::make_unique<Amqp>(client);
}

}  // namespace load
