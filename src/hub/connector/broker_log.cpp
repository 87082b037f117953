#include "hub/connector/broker_log.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/ip_address.hpp"
#include "base/text.hpp"

namespace fieldwatch::hub {

namespace {

constexpr std::string_view kConnect = "deviceConnect";
constexpr std::string_view kDisconnect = "deviceDisconnect";
constexpr std::string_view kNotAuthorized = "the broker did not authorise the client";

/// How a line about a client ends, and what that means.
struct Ending {
    std::string_view text, name;
    int result;
    std::string_view description;
};
constexpr std::array<Ending, 8> kEndings{{
    {" disconnected, not authorised.", kConnect, 401002, kNotAuthorized},
    {" disconnected.", kDisconnect, 0, ""},
    {" closed its connection.", kDisconnect, 404104, "the client closed the connection without a word"},
    {" already connected, closing old connection.", kDisconnect, 400027,
     "a new connection of the same client ended this one"},
    {" has exceeded timeout, disconnecting.", kDisconnect, 404104, "the client was silent for too long"},
    {" disconnected due to protocol error.", kDisconnect, 400006, "the client broke the protocol"},
    {" disconnected due to malformed packet.", kDisconnect, 400006, "the client broke the protocol"},
    {" disconnected, server shutting down.", kDisconnect, 404104, "the broker ended"},
}};
constexpr std::string_view kSocketError = "Socket error on client ";
constexpr std::string_view kSocketEnding = ", disconnecting.";

/// `1609459200: …` or `2021-01-01T00:00:00+0000: …`.
std::optional<Timestamp> take_time(std::string_view& line) {
    const auto end = line.find(": ");
    if (end == std::string_view::npos || end == 0 || end > 40) return std::nullopt;
    const auto text = line.substr(0, end);
    std::int64_t seconds = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    std::optional<Timestamp> out;
    if (error == std::errc() && stop == text.data() + text.size()) {
        if (seconds > 0 && seconds < 253'402'300'799) out = Timestamp::from_unix_seconds(seconds);
    } else if (const auto parsed = parse_iso8601(text)) {
        out = parsed->time;
    }
    if (out) line.remove_prefix(end + 2);
    return out;
}

/// The address of `ADDRESS:PORT`.
std::string address_in(std::string_view peer) {
    const auto colon = peer.rfind(':');
    auto address = peer.substr(0, colon);
    if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
    return parse_ip(address) ? std::string(address) : std::string();
}

std::string text_in(const json::Value& object, std::string_view key) {
    return std::string(object.text_of(key));
}

}  // namespace

std::optional<BrokerEvent> BrokerLog::mosquitto_line(std::string_view line) {
    line = trimmed(line);
    if (line.size() > kLineBytesMax) return std::nullopt;
    const auto time = take_time(line);
    constexpr std::string_view kNewConnection = "New connection from ";
    if (line.starts_with(kNewConnection)) {
        const auto peer = line.substr(kNewConnection.size(), line.find(" on port ") - kNewConnection.size());
        if (pending_.size() >= kPendingMax) pending_.pop_front();
        pending_.emplace_back(peer.substr(0, 64));
        return std::nullopt;
    }
    auto event = client_line(line);
    if (event) event->time = time;
    return event;
}

std::optional<BrokerEvent> BrokerLog::client_line(std::string_view line) {
    // New client connected from ADDRESS:PORT as ID (p2, c1, k60, u'USER').
    constexpr std::string_view kConnected = "New client connected from ";
    if (line.starts_with(kConnected)) {
        line.remove_prefix(kConnected.size());
        const auto as = line.find(" as ");
        const auto details = line.rfind(" (p");  // an id may hold anything: its end is the last one
        if (as == std::string_view::npos || details == std::string_view::npos || details < as + 4)
            return std::nullopt;
        const auto peer = line.substr(0, as);
        std::erase(pending_, peer);
        BrokerEvent event{.client = std::string(line.substr(as + 4, details - as - 4)),
                          .user = {},
                          .address = address_in(peer),
                          .name = kConnect,
                          .result = 0,
                          .description = {},
                          .time = {}};
        const auto user = line.find(", u'", details);
        if (user != std::string_view::npos && line.ends_with("')."))
            event.user = line.substr(user + 4, line.size() - 3 - user - 4);
        return event;
    }
    if (line.starts_with(kSocketError) && line.ends_with(kSocketEnding)) {
        const auto id =
            line.substr(kSocketError.size(), line.size() - kSocketError.size() - kSocketEnding.size());
        return BrokerEvent{.client = std::string(id),
                           .user = {},
                           .address = {},
                           .name = kDisconnect,
                           .result = 404104,
                           .description = "the connection broke",
                           .time = {}};
    }
    constexpr std::string_view kClient = "Client ";
    if (!line.starts_with(kClient)) return std::nullopt;
    line.remove_prefix(kClient.size());
    const auto ending =
        std::ranges::find_if(kEndings, [&](const Ending& one) { return line.ends_with(one.text); });
    if (ending == kEndings.end() || line.size() == ending->text.size()) return std::nullopt;
    const auto id = line.substr(0, line.size() - ending->text.size());
    BrokerEvent event{.client = std::string(id),
                      .user = {},
                      .address = {},
                      .name = ending->name,
                      .result = ending->result,
                      .description = ending->description,
                      .time = {}};
    if (id == "<unknown>") {
        event.client.clear();
        // Whose it was is certain when nobody else was on the way.
        if (pending_.size() == 1) event.address = address_in(pending_.front());
        if (!pending_.empty()) pending_.pop_front();
        if (event.name == kDisconnect) return std::nullopt;
    }
    return event;
}

std::optional<BrokerEvent> BrokerLog::message(std::string_view topic, std::string_view payload) {
    if (payload.size() > kLineBytesMax) return std::nullopt;
    if (topic.starts_with("$SYS/broker/log/")) return mosquitto_line(payload);
    if (!topic.starts_with("$SYS/brokers/") || topic.find("/clients/") == std::string_view::npos)
        return std::nullopt;
    if (topic.ends_with("/connected")) return emqx_event(true, payload);
    if (topic.ends_with("/disconnected")) return emqx_event(false, payload);
    return std::nullopt;
}

std::optional<BrokerEvent> BrokerLog::emqx_event(bool connected, std::string_view payload) {
    const auto parsed = reader_.parse(payload);
    if (!parsed || !(*parsed)->is(json::Type::Object)) return std::nullopt;
    const auto& object = **parsed;
    BrokerEvent event{.client = text_in(object, "clientid"),
                      .user = text_in(object, "username"),
                      .address = text_in(object, "ipaddress"),
                      .name = connected ? kConnect : kDisconnect,
                      .result = 0,
                      .description = {},
                      .time = {}};
    if (event.client.empty()) return std::nullopt;
    if (!parse_ip(event.address)) event.address.clear();
    const auto reason = object.text_of("reason");
    if (reason == "discarded" || reason == "takenover" || reason == "takeovered") {
        event.result = 400027;
        event.description = "a new connection of the same client ended this one";
    } else if (!connected && reason != "normal") {
        event.result = 404104;
        event.description = "the connection ended without a goodbye";
    }
    const auto* const time = object.find("ts");
    if (time != nullptr && time->is(json::Type::Integer) && time->integer > 0 &&
        time->integer < 253'402'300'799'000)
        event.time = Timestamp::from_unix_millis(time->integer);
    return event;
}

}  // namespace fieldwatch::hub
