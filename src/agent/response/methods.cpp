#include "agent/response/methods.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "agent/bpf/records.h"
#include "agent/collectors/proc.hpp"
#include "agent/interpreter.hpp"
#include "agent/redaction/redactor.hpp"
#include "base/ip_address.hpp"

namespace fieldwatch::agent {

namespace {

using nlohmann::json;

constexpr std::uint32_t kExpirySeconds = 3'600;
constexpr std::size_t kPayloadBytesMax = 4'096;
constexpr std::size_t kProcessesMax = 400;  // at up to 250 bytes each an answer below 128 KiB
constexpr std::size_t kCommandLineMax = 160;

int status_of(Errc code) {
    switch (code) {
        case Errc::InvalidArgument:
        case Errc::Malformed:
        case Errc::TooLarge:
            return 400;
        case Errc::Forbidden:
            return 403;
        case Errc::NotFound:
            return 404;
        case Errc::Unsupported:
        case Errc::Unavailable:
            return 409;
        default:
            return 500;
    }
}

Methods::Answer answer(const json& body) {
    return {200, body.dump(-1, ' ', false, json::error_handler_t::replace)};
}

Methods::Answer refuse(const Error& error) {
    auto out = answer({{"result", "refused"}, {"reason", error.message}});
    out.status = status_of(error.code);
    return out;
}

/// What was asked for, each member checked for its type.
class Parameters {
  public:
    static Result<Parameters> parse(std::string_view payload, std::initializer_list<std::string_view> known) {
        if (payload.size() > kPayloadBytesMax) return fail(Errc::TooLarge, "the payload is over 4 KiB");
        Parameters out;
        out.object_ = payload.empty() ? json::object() : json::parse(payload, nullptr, false);
        if (out.object_.is_null()) out.object_ = json::object();
        if (!out.object_.is_object()) return fail(Errc::InvalidArgument, "the payload is no JSON object");
        for (const auto& [key, value] : out.object_.items()) {
            if (key != "dryRun" && std::ranges::find(known, key) == known.end())
                return fail(Errc::InvalidArgument, "no parameter " + key.substr(0, 64));
        }
        return out;
    }
    Result<std::uint64_t> number(const char* key, std::uint64_t otherwise, std::uint64_t most) const {
        const auto found = object_.find(key);
        if (found == object_.end()) return otherwise;
        if (!found->is_number_unsigned() || found->get<std::uint64_t>() > most)
            return fail(Errc::InvalidArgument,
                        std::string(key) + " must be a number up to " + std::to_string(most));
        return found->get<std::uint64_t>();
    }
    Result<bool> flag(const char* key) const {
        const auto found = object_.find(key);
        if (found == object_.end()) return false;
        if (!found->is_boolean())
            return fail(Errc::InvalidArgument, std::string(key) + " must be true or false");
        return found->get<bool>();
    }
    Result<NetworkAddress> address(const char* key) const {
        const auto found = object_.find(key);
        NetworkAddress out;
        if (found != object_.end() && found->is_string()) {
            const auto parsed = parse_ip(found->get_ref<const std::string&>());
            if (parsed) {
                out.family = parsed->is_v4 ? 4 : 6;
                out.bytes = parsed->bytes;
                if (is_mapped(out)) {  // ::ffff:192.0.2.1 stands for what the packets call 192.0.2.1
                    out.family = 4;
                    std::copy_n(parsed->bytes.begin() + 12, 4, out.bytes.begin());
                    std::fill(out.bytes.begin() + 4, out.bytes.end(), std::uint8_t{0});
                }
                return out;
            }
        }
        return fail(Errc::InvalidArgument, std::string(key) + " must be an IPv4 or IPv6 address");
    }

  private:
    json object_;
};

void put(ResponseRequest& request, const NetworkAddress& address) {
    auto& place = request.addresses[request.address_count++];
    place.family = address.family;
    std::ranges::copy(address.bytes, place.bytes);
}

/// All processes, or `pid` with its ancestors and descendants.
Result<json> process_tree(std::uint32_t pid) {
    std::unordered_map<std::uint32_t, ProcessFacts> all;
    for (const auto one : list_processes("/proc")) {
        ProcessFacts facts;
        if (read_process("/proc", one, facts)) all.emplace(one, std::move(facts));
    }
    std::unordered_set<std::uint32_t> wanted;
    if (pid != 0 && !all.contains(pid)) return fail(Errc::NotFound, "no such process");
    const auto parent_of = [&](std::uint32_t one) {
        const auto found = all.find(one);
        return found == all.end() ? 0 : found->second.parent_pid;
    };
    for (auto one = pid; one != 0 && wanted.insert(one).second;)
        one = parent_of(one);
    json list = json::array();
    bool truncated = false;
    for (const auto& [one, facts] : all) {
        // A child of it reaches it within the depth of the tree; a loop cannot be, a bound costs nothing.
        bool is_below = pid == 0;
        auto above = one;
        for (int depth = 0; depth < 64 && above != 0 && !is_below; ++depth) {
            is_below = above == pid;
            above = parent_of(above);
        }
        if (!is_below && !wanted.contains(one)) continue;
        if (list.size() >= kProcessesMax) {
            truncated = true;
            break;
        }
        auto command_line = Redactor::built_in().redact_arguments(facts.arguments);
        if (command_line.size() > kCommandLineMax) command_line.resize(kCommandLineMax);
        list.push_back({{"pid", one},
                        {"parentPid", facts.parent_pid},
                        {"userId", std::to_string(facts.uid)},
                        {"start", facts.start_ns},
                        {"executable", facts.executable},
                        {"commandLine", std::move(command_line)}});
    }
    return json{{"processes", std::move(list)}, {"truncated", truncated}};
}

struct Method {
    std::string_view name;
    std::uint32_t needs;
    std::initializer_list<std::string_view> parameters{};  ///< besides dryRun
};
const Method kMethods[] = {{"snapshot", kAllowSnapshot},
                           {"processTree", kAllowProcesses, {"pid"}},
                           {"killProcess", kAllowKill, {"pid", "start"}},
                           {"blockAddress", kAllowBlock, {"address", "expirySeconds"}},
                           {"isolate", kAllowIsolate, {"expirySeconds"}},
                           {"restore", kAllowBlock | kAllowIsolate}};

/// When the process that has this number now began; 0: there is none.
std::uint64_t start_of(std::uint32_t pid) {
    ProcessFacts facts;
    return read_process("/proc", pid, facts) ? facts.start_ns : 0;
}

}  // namespace

Result<void> Methods::ask(ResponseRequest request) {
    if (parts_.socket < 0) return fail(Errc::Unavailable, "the responder does not run");
    request.number = ++number_;
    if (::send(parts_.socket, &request, sizeof request, MSG_NOSIGNAL) < 0)
        return fail(Errc::Unavailable, "the responder has ended");
    for (;;) {
        ResponseAnswer answer;
        const auto size =
            ::recv(parts_.socket, &answer, sizeof answer, 0);  // within the socket's own time limit
        if (size < 0 && errno == EINTR) continue;
        if (size != sizeof answer) return fail(Errc::Unavailable, "the responder does not answer");
        if (answer.number != request.number) continue;  // of an earlier request that took too long
        if (answer.code == 0) return {};
        answer.message[sizeof answer.message - 1] = '\0';
        if (answer.code > static_cast<std::uint32_t>(Errc::Internal) + 1)
            return fail(Errc::Malformed, "the responder's answer");
        return fail(static_cast<Errc>(answer.code - 1), answer.message);
    }
}

Methods::Answer Methods::call(std::string_view name, std::string_view payload, bool enabled) {
    const auto method = std::ranges::find(kMethods, name, &Method::name);
    if (method == std::end(kMethods)) return refuse({Errc::NotFound, "no such method"});
    if ((parts_.allowed & method->needs) == 0)
        return refuse({Errc::Forbidden, "the device's own configuration does not allow it"});
    if (!enabled) return refuse({Errc::Forbidden, "the twin does not enable it: responseEnabled"});
    const auto parameters = Parameters::parse(payload, method->parameters);
    if (!parameters) return refuse(parameters.error());
    const auto dry_run = parameters->flag("dryRun");
    const auto pid = parameters->number("pid", 0, FW_PID_MAX);
    const auto start = parameters->number("start", 0, UINT64_MAX);
    const auto expiry = parameters->number("expirySeconds", kExpirySeconds, kExpirySecondsMax);
    if (!dry_run) return refuse(dry_run.error());
    for (const auto* number : {&pid, &start, &expiry}) {
        if (!*number) return refuse(number->error());
    }
    json done{{"result", *dry_run ? "could be done" : "done"}, {"dryRun", *dry_run}};
    if (name == "snapshot") {
        if (!*dry_run) parts_.take_snapshot();
        return answer(done);
    }
    if (name == "processTree") {
        auto tree = process_tree(static_cast<std::uint32_t>(*pid));
        return tree ? answer(*tree) : refuse(tree.error());
    }
    ResponseRequest request{.dry_run = static_cast<std::uint8_t>(*dry_run),
                            .pid = static_cast<std::uint32_t>(*pid),
                            .expiry_seconds = static_cast<std::uint32_t>(*expiry),
                            .start_ns = *start};
    if (name == "killProcess") {
        request.verb = Verb::Kill;
        // Named by its number alone, it is the one that has the number now, and not whoever gets it next.
        if (*start == 0 && request.pid > 1) request.start_ns = start_of(request.pid);
        if (request.start_ns == 0 && request.pid > 1) return refuse({Errc::NotFound, "no such process"});
    } else if (name == "blockAddress") {
        request.verb = Verb::Block;
        const auto address = parameters->address("address");
        if (!address) return refuse(address.error());
        for (const auto& hub : parts_.hub_addresses()) {
            if (hub.family == address->family && hub.bytes == address->bytes)
                return refuse({Errc::InvalidArgument, "that is the hub: nobody could lift it"});
        }
        put(request, *address);
    } else if (name == "isolate") {
        request.verb = Verb::Isolate;
        for (const auto& hub : parts_.hub_addresses()) {
            if (request.address_count < kHubAddressesMax) put(request, hub);
        }
    } else {
        request.verb = Verb::Restore;
    }
    if (const auto wrong = check_request(request)) return refuse(*wrong);
    if (const auto asked = ask(request); !asked) return refuse(asked.error());
    if (request.verb == Verb::Block || request.verb == Verb::Isolate) done["expirySeconds"] = *expiry;
    if (!*dry_run && request.verb == Verb::Isolate) parts_.isolated(std::chrono::seconds(*expiry));
    if (!*dry_run && request.verb == Verb::Restore) parts_.isolated(std::chrono::seconds(0));
    return answer(done);
}

}  // namespace fieldwatch::agent
