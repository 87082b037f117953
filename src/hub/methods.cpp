#include "hub/methods.hpp"

#include <optional>

#include "protocol/json/json.hpp"

namespace fieldwatch::hub {

namespace {

constexpr std::size_t kJsonDepth = 64;  // of a device's answer, which nobody here walks

bool is_json(std::string_view text) {
    json::Reader reader;
    return reader.parse(text, {.bytes_max = 1u << 20, .depth_max = kJsonDepth}).has_value();
}

void log_call(const OperationLog& log, const MethodCall& call, const Speaker& by, const MethodResult& result,
              std::int64_t duration_ms) {
    auto speaker = by;
    speaker.identity = call.identity;
    Operation operation{.category = "DirectMethods",
                        .name = "send",
                        .result = result.error,
                        .description = result.description,
                        .duration_ms = duration_ms};
    operation.properties.emplace_back("methodName", call.name);
    operation.counts.emplace_back("RequestSize", static_cast<std::int64_t>(call.payload_json.size()));
    operation.counts.emplace_back("ResponseSize", static_cast<std::int64_t>(result.payload_json.size()));
    if (result.error == 0) operation.properties.emplace_back("statusCode", std::to_string(result.status));
    log.append(operation, speaker);
}

}  // namespace

void Methods::call(MethodCall call, const Speaker& by, Done done) {
    std::optional<MethodResult> refusal;
    if (call.payload_json.size() > limits_.payload_bytes_max)
        refusal = {.error = 413001, .description = "a method's payload has at most 131072 bytes"};
    std::string id;
    if (!refusal) {
        state_.with([&](State& state) {
            auto& count = state.in_flight[call.identity];
            if (count >= limits_.in_flight_max || state.pending.size() >= limits_.pending_max) {
                if (count == 0) state.in_flight.erase(call.identity);
                refusal = {.error = 429001, .description = "too many methods at once"};
                return;
            }
            ++count;
            id = "m" + std::to_string(state.next++);
            const auto now = clock_.monotonic();
            state.pending.emplace(id, Pending{.call = call,
                                              .by = by,
                                              .done = std::move(done),
                                              .begun = now,
                                              .connect_until = now + call.connect_timeout,
                                              .respond_until = {},
                                              .state = Pending::State::Waiting});
        });
    }
    if (refusal) {
        log_call(log_, call, by, *refusal, 0);
        return done(std::move(*refusal));
    }
    ask(id);
}

void Methods::ask(const std::string& id) {
    std::optional<std::pair<model::Identity, MethodRequest>> todo;
    state_.with([&](State& state) {
        const auto found = state.pending.find(id);
        if (found == state.pending.end() || found->second.state != Pending::State::Waiting) return;
        found->second.state = Pending::State::Asking;
        found->second.respond_until = clock_.monotonic() + found->second.call.response_timeout;
        const auto& call = found->second.call;
        todo.emplace(call.identity, MethodRequest{id, call.name, call.payload_json});
    });
    if (!todo) return;
    const auto where = table_.find(todo->first);
    if (!where) return asked(id, false);
    on_endpoint_(*where, [this, id, request = std::move(todo->second)](Endpoint* endpoint) {
        asked(id, endpoint != nullptr && endpoint->call_method(request));
    });
}

void Methods::asked(const std::string& id, bool taken) {
    const bool gives_up = state_.with([&](State& state) {
        const auto found = state.pending.find(id);
        if (found == state.pending.end()) return false;  // answered already
        found->second.state = taken ? Pending::State::Asked : Pending::State::Waiting;
        return !taken && clock_.monotonic() >= found->second.connect_until;
    });
    if (gives_up) {
        finish(id, {.error = 404103,
                    .description = "The operation failed because the requested device isn't online or "
                                   "hasn't registered the direct method callback."});
    }
}

void Methods::respond(const model::Identity& identity, std::string_view request_id, int status,
                      std::string_view payload) {
    const bool ours = state_.with([&](State& state) {
        const auto found = state.pending.find(request_id);
        return found != state.pending.end() && found->second.call.identity == identity;
    });
    if (!ours) return;
    MethodResult result{.error = 0, .description = {}, .status = status, .payload_json = "null"};
    const bool blank = payload.find_first_not_of(" \t\r\n") == std::string_view::npos;
    if (payload.size() > limits_.payload_bytes_max) {
        result.error = 502001;
        result.description = "The device's answer is larger than 131072 bytes.";
    } else if (!blank && !is_json(payload)) {
        result.error = 502001;
        result.description = "The device's answer is no JSON.";
    } else if (!blank) {
        result.payload_json = payload;
    }
    finish(std::string(request_id), std::move(result));
}

void Methods::tick() {
    std::vector<std::string> late, again, away, off;
    state_.with([&](State& state) {
        const auto now = clock_.monotonic();
        for (const auto& [id, pending] : state.pending) {
            if (pending.state != Pending::State::Waiting) {
                if (now >= pending.respond_until) late.push_back(id);
            } else if (pending.call.called_off && *pending.call.called_off) {
                off.push_back(id);
            } else {
                (now >= pending.connect_until ? away : again).push_back(id);
            }
        }
    });
    for (const auto& id : late)
        finish(id, {.error = 504101, .description = "Timed out waiting for the response from the device."});
    for (const auto& id : off)
        finish(id, {.error = kMethodCalledOff, .description = "The job was cancelled."});
    for (const auto& id : again)
        ask(id);
    for (const auto& id : away)
        asked(id, false);
}

void Methods::stop() {
    std::vector<std::string> all;
    state_.with([&](State& state) {
        for (const auto& [id, pending] : state.pending)
            all.push_back(id);
    });
    for (const auto& id : all)
        finish(id, {.error = 503003, .description = "The hub is stopping."});
}

void Methods::finish(const std::string& id, MethodResult result) {
    std::optional<Pending> pending;
    state_.with([&](State& state) {
        const auto found = state.pending.find(id);
        if (found == state.pending.end()) return;
        pending.emplace(std::move(found->second));
        state.pending.erase(found);
        const auto count = state.in_flight.find(pending->call.identity);
        if (count != state.in_flight.end() && --count->second == 0) state.in_flight.erase(count);
    });
    if (!pending) return;
    const auto duration =
        std::chrono::duration_cast<std::chrono::milliseconds>(clock_.monotonic() - pending->begun).count();
    log_call(log_, pending->call, pending->by, result, duration);
    pending->done(std::move(result));
}

}  // namespace fieldwatch::hub
