#include "hub/https/api.hpp"

#include <algorithm>
#include <thread>

#include "base/limits.hpp"
#include "hub/https/identity_json.hpp"
#include "hub/https/job_runner.hpp"
#include "hub/provisioning/http_api.hpp"
#include "protocol/api_version.hpp"

namespace fieldwatch::hub {

namespace {

constexpr std::size_t kMethodStep = 4'096;  // spec section 10: methods are counted in such steps
constexpr std::size_t kRunningMax = 2'000;  // requests that wait for a worker; more are told to come back
constexpr std::size_t kServiceBodyMax = 2u << 20;        // a hundred bulk entries with twins
constexpr std::size_t kBodyWithoutTokenMax = 64u << 10;  // provisioning by certificate

std::vector<std::string> segments_of(std::string_view path) {
    std::vector<std::string> out;
    while (!path.empty()) {
        const auto end = std::min(path.find('/'), path.size());
        if (end > 0) out.emplace_back(path.substr(0, end));
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    return out;
}

net::HttpResponse busy() {
    auto response = api_error(429001, "the hub is busy");
    response.headers.emplace_back("retry-after", "1");
    return response;
}

bool has_signature(const net::HttpRequest& request) {
    return request.parameter("sig").has_value() && request.parameter("sr").has_value();
}

}  // namespace

Api::Api(Shared& shared, Devices& devices)
    : shared_(shared),
      devices_(devices),
      uploads_(shared.parts.files, shared.options.uploads_directory, shared.parts.random,
               shared.parts.metrics),
      jobs_(std::make_unique<JobRunner>(shared, devices)),
      requests_(shared.parts.metrics.counter("fieldwatch_hub_https_requests_total",
                                             "Requests to the hub over HTTPS")) {}

Api::~Api() = default;

std::expected<std::size_t, net::HttpResponse> Api::body_bytes_max(const net::HttpRequest& head) const {
    const auto path = segments_of(head.path);
    // Nobody makes this server hold megabytes without a key: what a head can prove is looked at first.
    if (path.size() > 1 && path[0] == kUploadContainer && has_signature(head)) {
        if (!is_signed(head, blob_name(path)))
            return std::unexpected(blob_error(403, "AuthenticationFailed"));
        return kBlockBytesMax;
    }
    // A batch of messages carries them in base64.
    if (head.path.ends_with("/messages/events")) return 2 * limits::message_bytes;
    return head.header("authorization").empty() ? kBodyWithoutTokenMax : kServiceBodyMax;
}

void Api::handle(net::HttpRequest request, const net::Connection& connection,
                 net::WebHandlers::Respond respond) {
    requests_.add();
    Call call;
    call.path = segments_of(request.path);
    call.certificate = connection.certificate();
    call.speaker.protocol = "Https";
    call.speaker.address = connection.address();
    call.speaker.tls_version = connection.tls_version();
    call.speaker.tls_cipher = connection.tls_cipher();
    call.speaker.sdk_version = std::string(request.header("user-agent").substr(0, 256));
    call.request = std::move(request);
    call.respond = std::move(respond);
    call.begun = shared_.parts.clock.monotonic();
    if (stopping_ || running_ >= kRunningMax) {
        return call.respond(busy());
    }
    running_.fetch_add(1);
    shared_.parts.runtime.post_worker([this, call = std::move(call)]() mutable {
        serve(std::move(call));
        running_.fetch_sub(1);
    });
}

void Api::stop() {
    stopping_ = true;
    jobs_->stop();
    while (running_ != 0)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

void Api::serve(Call call) {
    if (shared_.provisioning != nullptr && is_provisioning_path(call.request.path)) {
        return call.respond(answer_provisioning(*shared_.provisioning, call.request,
                                                std::move(call.certificate), call.speaker));
    }
    Reply reply;
    try {
        reply = route(call);
    } catch (
        const std::exception& problem) {  // the JSON library's, of a value that is not of the type it has
        reply = Answer(fail(Errc::InvalidArgument, problem.what()));
    }
    if (!reply) return;
    if (!call.respond) return;  // answered already
    auto& answer = *reply;
    auto response =
        answer ? std::move(*answer) : api_error(error_code(answer.error(), false), answer.error().message);
    if (const auto id = call.request.header("request-id"); !id.empty())
        response.headers.emplace_back("x-ms-request-id", std::string(id));
    call.respond(std::move(response));
}

Api::Reply Api::route(Call& call) {
    if (call.path.size() > 1 && call.path[0] == kUploadContainer && has_signature(call.request))
        return blob(call);
    if (!is_api_version(call.request.parameter("api-version").value_or("")))
        return api_error(400001, "api-version is missing or malformed");
    const auto hub = shared_.hubs.find(call.request.header("host"));
    if (!hub) return api_error(404002, "no hub has this host name");
    call.hub = hub->name;
    call.speaker.mask_address = hub->mask_addresses;
    if (call.at(0, "devices")) return route_devices(call);
    if (call.at(0, "twins")) return route_twins(call);
    if (call.at(0, "messages")) return route_service_messages(call);
    if (call.at(0, "statistics") && call.path.size() == 2) return statistics(call);
    if (call.at(0, "configurations")) return configurations(call);
    if (call.at(0, "jobs")) return route_jobs(call);
    return api_error(404002, "there is nothing at this address");
}

Api::Reply Api::route_devices(Call& call) {
    const auto size = call.path.size();
    const bool reads = call.is("GET");
    if (size == 1) {
        if (auto refusal = refuse_service(call, reads ? Right::RegistryRead : Right::RegistryWrite))
            return *refusal;
        if (auto busy = refuse_rate(call, Throttle::Registry)) return *busy;
        if (reads) return list_devices(call);
        if (call.is("POST")) return bulk(call);
    }
    if (size == 2 && call.at(1, "query") && call.is("POST")) {
        if (auto refusal = refuse_service(call, Right::ServiceConnect)) return *refusal;
        if (auto busy = refuse_rate(call, Throttle::Queries)) return *busy;
        return run_query(call);
    }
    if (size >= 3 && (call.at(2, "messages") || call.at(2, "files"))) return route_device_messages(call, 2);
    if (size >= 5 && call.at(2, "modules") && call.at(4, "messages")) return route_device_messages(call, 4);
    if (size == 3 && call.at(2, "commands") && call.is("DELETE")) {
        if (auto refusal = refuse_service(call, Right::ServiceConnect, call.path[1])) return *refusal;
        return purge(call, call.identity(call.path[1]));
    }
    if (size == 3 && call.at(2, "applyConfigurationContent") && call.is("POST")) {
        if (auto refusal = refuse_service(call, Right::ServiceConnect, call.path[1])) return *refusal;
        return apply_content(call, call.identity(call.path[1]));
    }
    const bool one_device = size == 2;
    const bool one_module = size == 4 && call.at(2, "modules");
    const bool modules = size == 3 && call.at(2, "modules") && reads;
    if (one_device || one_module || modules) {
        const auto identity = call.identity(call.path[1], one_module ? call.path[3] : std::string());
        if (auto refusal = refuse_service(call, reads ? Right::RegistryRead : Right::RegistryWrite,
                                          identity.device.value, identity.module.value))
            return *refusal;
        if (auto busy = refuse_rate(call, Throttle::Registry)) return *busy;
        if (modules) return list_modules(call, identity);
        if (reads) return get_identity(call, identity);
        if (call.is("PUT")) return put_identity(call, identity);
        if (call.is("DELETE")) return delete_identity(call, identity);
    }
    return api_error(404002, "there is nothing at this address");
}

Api::Reply Api::route_device_messages(Call& call, std::size_t first) {
    const std::string device = call.path[1];
    const std::string module = first == 4 ? call.path[3] : std::string();
    Stamps stamps;
    if (auto refusal = refuse_device(call, device, module, &stamps)) return *refusal;
    const auto rest = call.path.size() - first;
    if (call.at(first, "messages") && call.at(first + 1, "events") && rest == 2 && call.is("POST")) {
        if (!shared_.throttles.take_message(call.speaker, shared_.parts.clock.monotonic())) return busy();
        const auto type = call.request.header("content-type");
        if (type.starts_with("application/vnd.microsoft.iothub.json")) return post_batch(call, stamps);
        return post_event(call, stamps);
    }
    if (call.at(first, "messages") && call.at(first + 1, "devicebound")) {
        if (rest == 2 && call.is("GET")) {
            if (auto busy = refuse_rate(call, Throttle::CommandReceives)) return *busy;
            return receive_command(call);
        }
        if (rest == 3 && call.is("DELETE")) {
            const bool rejects = call.request.parameter("reject").has_value();
            return settle_command(call, call.path[first + 2], rejects ? "reject" : "complete");
        }
        if (rest == 4 && call.is("POST") && call.at(first + 3, "abandon"))
            return settle_command(call, call.path[first + 2], "abandon");
    }
    if (call.at(first, "files") && call.is("POST")) {
        if (rest == 1) return begin_upload(call);
        if (call.at(first + 1, "notifications"))
            return end_upload(call, rest > 2 ? std::string_view(call.path[first + 2]) : std::string_view());
    }
    return api_error(404002, "there is nothing at this address");
}

Api::Reply Api::route_twins(Call& call) {
    if (call.path.size() < 2) return api_error(404002, "there is nothing at this address");
    const bool of_module = call.path.size() >= 4 && call.at(2, "modules");
    const auto identity = call.identity(call.path[1], of_module ? call.path[3] : std::string());
    const std::size_t first = of_module ? 4 : 2;
    const auto rest = call.path.size() - first;
    const bool calls_method = rest == 1 && call.at(first, "methods") && call.is("POST");
    // An edge module calls methods of others with its own token; it may reach its own device only.
    const auto edge = call.request.header("x-ms-edge-moduleid");
    if (calls_method && !edge.empty()) {
        const auto slash = edge.find('/');
        if (slash == std::string_view::npos || edge.substr(0, slash) != identity.device.value)
            return api_error(401002, "a module calls methods of its own device only");
        if (auto refusal = refuse_device(call, edge.substr(0, slash), edge.substr(slash + 1)))
            return *refusal;
        if (auto busy = refuse_method_rate(call)) return *busy;
        return call_method(call, identity);
    }
    if (auto refusal =
            refuse_service(call, Right::ServiceConnect, identity.device.value, identity.module.value))
        return *refusal;
    if (calls_method) {
        if (auto busy = refuse_method_rate(call)) return *busy;
        return call_method(call, identity);
    }
    if (auto busy = refuse_rate(call, call.is("GET") ? Throttle::TwinReads : Throttle::TwinUpdates))
        return *busy;
    if (rest == 0) {
        if (call.is("GET")) return get_twin(call, identity);
        if (call.is("PATCH")) return change_twin(call, identity, false, "");
        if (call.is("PUT")) return change_twin(call, identity, true, "");
    }
    if (rest == 1 && call.at(first, "tags") && call.is("PUT"))
        return change_twin(call, identity, true, "tags");
    if (rest == 2 && call.at(first, "properties") && call.at(first + 1, "desired") && call.is("PUT"))
        return change_twin(call, identity, true, "desired");
    return api_error(404002, "there is nothing at this address");
}

Api::Reply Api::route_service_messages(Call& call) {
    if (auto refusal = refuse_service(call, Right::ServiceConnect)) return *refusal;
    if (call.path.size() == 2 && call.at(1, "devicebound") && call.is("POST")) {
        if (auto busy = refuse_rate(call, Throttle::CommandSends)) return *busy;
        return send_command(call);
    }
    if (call.path.size() >= 3 && call.at(1, "servicebound")) {
        if (call.at(2, "feedback")) return receive_notices(call, registry::NoticeKind::Feedback);
        if (call.at(2, "filenotifications")) return receive_notices(call, registry::NoticeKind::File);
    }
    return api_error(404002, "there is nothing at this address");
}

Answer Api::route_jobs(Call& call) {
    const bool v2 = call.at(1, "v2");
    const auto right = v2               ? Right::ServiceConnect
                       : call.is("GET") ? Right::RegistryRead
                                        : Right::RegistryWrite;
    if (auto refusal = refuse_service(call, right)) return *refusal;
    if (!v2) return api_error(400003, "import and export jobs are not offered; use POST /devices");
    return jobs_->answer(call);
}

std::optional<net::HttpResponse> Api::refuse_rate(const Call& call, Throttle what, double amount) {
    if (shared_.throttles.take(what, call.speaker, shared_.parts.clock.monotonic(), amount))
        return std::nullopt;
    return busy();
}

std::optional<net::HttpResponse> Api::refuse_method_rate(const Call& call) {
    const auto steps = call.request.body.size() / kMethodStep + 1;
    return refuse_rate(call, Throttle::MethodBytes, static_cast<double>(steps * kMethodStep));
}

std::optional<net::HttpResponse> Api::refuse_service(Call& call, Right right, std::string_view device,
                                                     std::string_view module) {
    const AuthenticationLimits limits{.clock_skew =
                                          std::chrono::duration_cast<Ticks>(shared_.options.clock_skew)};
    auto caller = authenticate_service(call.request.header("authorization"), call.request.header("host"),
                                       shared_.hubs, shared_.parts.clock, limits);
    if (caller) {
        const auto hub = shared_.hubs.find(call.request.header("host"));
        const auto rule = judge_network(*hub, call.speaker.address, call.speaker.tls_version);
        if (!rule) caller = std::unexpected(rule.error());
    }
    if (!caller) {
        auto refusal = caller.error();
        if (refusal.hub.empty()) refusal.hub = call.hub;
        shared_.log_refusal(refusal, call.speaker, {}, {});
        return api_error(refusal.result, refusal.description);
    }
    call.caller = std::move(*caller);
    call.speaker.auth_type = service_auth_type();
    call.speaker.policy = call.caller.policy.name;
    call.speaker.identity = call.identity(device, module);
    if (!call.caller.may(right) || !call.caller.covers(device, module)) {
        log(call, "DeviceIdentityOperations", "unauthorizedAccess", call.speaker.identity, 401002,
            "the policy lacks the right " + std::string(to_string(right)));
        return api_error(401002, "the policy " + call.caller.policy.name + " lacks the right " +
                                     std::string(to_string(right)) + " here");
    }
    return std::nullopt;
}

std::optional<net::HttpResponse> Api::refuse_device(Call& call, std::string_view device,
                                                    std::string_view module, Stamps* stamps) {
    Credentials credentials{.host = call.request.header("host"),
                            .device = device,
                            .module = module,
                            .address = call.speaker.address,
                            .tls_version = call.speaker.tls_version};
    const auto token = call.request.header("authorization");
    if (!token.empty())
        credentials.password = token;
    else
        credentials.certificate = std::move(call.certificate);
    const AuthenticationLimits limits{.clock_skew =
                                          std::chrono::duration_cast<Ticks>(shared_.options.clock_skew)};
    const auto admission =
        authenticate(credentials, shared_.hubs, shared_.parts.registry, shared_.parts.clock, limits);
    if (!admission) {
        shared_.log_refusal(admission.error(), call.speaker, device, module);
        // 401 whatever it was: who does not hold the key learns nothing of who is registered.
        const auto code = admission.error().result;
        return api_error(code / 1'000 == 500 ? code : 401003, admission.error().description);
    }
    call.speaker.identity = admission->identity;
    call.speaker.auth_type = admission->auth_type;
    call.speaker.mask_address = admission->mask_addresses;
    call.speaker.certificate = admission->certificate;
    if (stamps != nullptr) *stamps = make_stamps(*admission, {});
    shared_.table.active(admission->identity, now());
    return std::nullopt;
}

void Api::log(const Call& call, std::string_view category, std::string_view name,
              const model::Identity& identity, int result, std::string_view description) const {
    auto speaker = call.speaker;
    speaker.identity = identity;
    const auto duration =
        std::chrono::duration_cast<std::chrono::milliseconds>(shared_.parts.clock.monotonic() - call.begun)
            .count();
    Operation operation{.category = category,
                        .name = name,
                        .result = result,
                        .description = description,
                        .duration_ms = duration};
    operation.counts.emplace_back("messageSize", static_cast<std::int64_t>(call.request.body.size()));
    shared_.log.append(operation, speaker);
}

}  // namespace fieldwatch::hub
