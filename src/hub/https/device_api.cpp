// What devices ask over HTTPS: telemetry, their messages, uploads. Source: spec/iot-hub-protocols.md
// section 6.
#include <algorithm>
#include <atomic>
#include <charconv>
#include <memory>

#include "base/limits.hpp"
#include "hub/https/api.hpp"

namespace fieldwatch::hub {

namespace {

/// One answer for several messages, when the last of them is durable.
struct Waiting {
    explicit Waiting(net::WebHandlers::Respond its_respond, std::size_t count)
        : respond(std::move(its_respond)), left(count) {}
    net::WebHandlers::Respond respond;
    std::atomic<std::size_t> left;
    std::atomic<bool> failed = false;

    void done(std::size_t count) {
        if (left.fetch_sub(count) != count) return;
        respond(failed ? api_error(500001, "the journal cannot be written") : empty_response());
    }
};

}  // namespace

Api::Reply Api::append(Call& call, const Stamps& stamps, std::vector<HttpMessage> messages) {
    auto waiting = std::make_shared<Waiting>(std::move(call.respond), messages.size());
    std::size_t begun = 0;
    for (const auto& one : messages) {
        const auto done = append_message(shared_, call.speaker, stamps,
                                         {.properties = one.properties, .body = one.body, .received = now()},
                                         [waiting](const Result<void>& result) {
                                             if (!result) waiting->failed = true;
                                             waiting->done(1);
                                         });
        if (done) {
            ++begun;
            continue;
        }
        const auto code = done.error().code == Errc::Exhausted ? 429001 : error_code(done.error(), false);
        log(call, kTelemetry, "ingress", call.speaker.identity, code, done.error().message);
        if (begun == 0) {
            waiting->respond(api_error(code, done.error().message));
            return std::nullopt;
        }
        // Some are under way: the sender hears of a failure and sends all of it again.
        waiting->failed = true;
        waiting->done(messages.size() - begun);
        return std::nullopt;
    }
    return std::nullopt;
}

Api::Reply Api::post_event(Call& call, const Stamps& stamps) {
    std::vector<mqtt::Property> properties;
    for (const auto& [name, value] : call.request.headers) {
        if (properties.size() >= limits::properties_per_message) break;
        if (auto property = property_of_header(name, value)) {
            if (!is_utf8(property->value)) return fail(Errc::Malformed, "a property is not UTF-8");
            properties.push_back(std::move(*property));
        }
    }
    std::vector<HttpMessage> one;
    one.push_back({std::move(properties), std::move(call.request.body)});
    return append(call, stamps, std::move(one));
}

Api::Reply Api::post_batch(Call& call, const Stamps& stamps) {
    auto messages = read_batch(call.request.body);
    if (!messages) {
        const auto code = error_code(messages.error(), false);
        log(call, kTelemetry, "ingress", call.speaker.identity, code, messages.error().message);
        return api_error(code, messages.error().message);
    }
    return append(call, stamps, std::move(*messages));
}

Answer Api::receive_command(Call& call) {
    auto lock_for = shared_.commands.limits().lock_for;
    if (const auto text = call.request.parameter("messageLockTimeout")) {
        std::int64_t seconds = 0;
        const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), seconds);
        if (error != std::errc{} || seconds < 1 || seconds > 300)
            return fail(Errc::InvalidArgument, "messageLockTimeout is 1 to 300 seconds");
        lock_for = std::chrono::seconds(seconds);
    }
    const auto taken = FIELDWATCH_TRY(shared_.commands.take(
        call.speaker.identity, {.count_max = 1, .holder = 0, .lock_for = lock_for}, call.speaker));
    if (taken.empty()) return empty_response();
    const auto& command = taken.front().command;
    net::HttpResponse response{.status = 200, .headers = {}, .body = command.body};
    auto& headers = response.headers;
    headers.emplace_back("etag", "\"" + taken.front().lock_token + "\"");
    headers.emplace_back("iothub-sequencenumber", std::to_string(command.sequence));
    headers.emplace_back("iothub-enqueuedtime", to_iso8601(command.enqueued));
    headers.emplace_back("iothub-deliverycount", std::to_string(command.delivery_count));
    static constexpr std::pair<std::string_view, std::string_view> kNames[] = {
        {"message-id", "iothub-messageid"},
        {"correlation-id", "iothub-correlationid"},
        {"user-id", "iothub-userid"},
        {"to", "iothub-to"},
        {"content-type", "iothub-contenttype"},
        {"content-encoding", "iothub-contentencoding"},
        {"absolute-expiry-time", "iothub-expiry"},
        {"iothub-ack", "iothub-ack"}};
    for (const auto& [name, value] : command.properties) {
        std::string header = std::string(kApplicationPrefix) + name;
        for (const auto& [system, its_header] : kNames) {
            if (name == system) header = its_header;
        }
        // What no header can carry stays out: a line break would begin another header.
        const auto plain = [](std::string_view text) {
            return std::all_of(text.begin(), text.end(),
                               [](unsigned char c) { return c >= 0x20 && c != 0x7f; });
        };
        if (plain(header) && header.find_first_of(" :") == std::string::npos && plain(value))
            headers.emplace_back(std::move(header), value);
    }
    return response;
}

Answer Api::settle_command(Call& call, std::string_view token, std::string_view how) {
    auto& commands = shared_.commands;
    const auto& identity = call.speaker.identity;
    if (token.size() > 1 && token.front() == '"' && token.back() == '"')
        token = token.substr(1, token.size() - 2);
    const auto done = how == "complete" ? commands.complete(identity, token, call.speaker)
                      : how == "reject" ? commands.reject(identity, token, call.speaker)
                                        : commands.abandon(identity, token, call.speaker);
    if (!done) return api_error(command_error_code(done.error()), done.error().message);
    return empty_response();
}

}  // namespace fieldwatch::hub
