#include "portal/portal.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "portal/assets.hpp"
#include "portal/context.hpp"
#include "portal/oidc/provider.hpp"
#include "portal/openapi.hpp"
#include "portal/reply.hpp"

namespace fieldwatch::portal {
namespace {

constexpr std::string_view kStream = "/api/v1/stream";

bool same(std::string_view a, std::string_view b, bool any_case) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return any_case ? std::ranges::equal(a, b, {}, lower, lower) : a == b;
}

/// What `{…}` of the pattern stands for, or nullopt when the path is another. Segments are compared decoded;
/// those of resource ids without case.
std::optional<std::vector<std::string>> match(std::string_view pattern, std::string_view path) {
    std::vector<std::string> names;
    const bool any_case = pattern.starts_with("/subscriptions/") || pattern.starts_with("/providers/");
    while (!pattern.empty() && !path.empty()) {
        pattern.remove_prefix(1);  // the slash of both
        path.remove_prefix(1);
        const auto wanted = pattern.substr(0, pattern.find('/'));
        const auto given = path.substr(0, path.find('/'));
        if (wanted.starts_with('{')) {
            if (given.empty()) return std::nullopt;
            names.emplace_back(given);
        } else if (!same(wanted, given, any_case)) {
            return std::nullopt;
        }
        pattern.remove_prefix(wanted.size());
        path.remove_prefix(given.size());
    }
    if (!pattern.empty() || !path.empty()) return std::nullopt;
    return names;
}

/// Users, sessions, tokens: what may end somebody's access.
bool is_of_accounts(std::string_view pattern) {
    return pattern.starts_with("/api/v1/users") || pattern.starts_with("/api/v1/session") ||
           pattern.starts_with("/api/v1/tokens");
}

bool is_api(std::string_view path) {
    return path.starts_with("/api/") || path.starts_with("/v1/");
}

std::optional<std::uint64_t> sequence_in(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// GET is the server's to subscribe; what comes here asks for the head of something that has no end.
Answer stream_is_elsewhere(const Context&, const Call&) {
    return fail(Errc::Unsupported, "the stream is answered to GET only");
}

Answer get_openapi(const Context& context, const Call&) {
    if (!context.openapi) return std::unexpected(context.openapi.error());
    return net::HttpResponse{.headers = {{"content-type", "application/json; charset=utf-8"}},
                             .body = *context.openapi};
}

}  // namespace

Result<model::Identity> identity_of(const Call& call) {
    model::Identity identity;
    identity.hub = FIELDWATCH_TRY(model::parse_hub_name(call.names[0]));
    identity.device = FIELDWATCH_TRY(model::parse_device_id(call.names[1]));
    if (call.names.size() > 2) identity.module = FIELDWATCH_TRY(model::parse_module_id(call.names[2]));
    return identity;
}

Answer told(const Context& context, const Call& call, std::string_view category, std::string_view name,
            Answer (*handle)(const Context&, const Call&)) {
    auto answer = handle(context, call);
    const auto identity = identity_of(call);
    if (!identity) return answer;  // nobody's operation
    context.parts.devices.operated({.category = category,
                                    .name = name,
                                    .identity = *identity,
                                    .caller = call.who.name,
                                    .address = call.request.peer,
                                    .message_bytes = call.request.body.size(),
                                    .error = answer ? nullptr : &answer.error()});
    return answer;
}

Result<Scope> scope_of_hub(const Context& context, std::string_view hub) {
    Scope scope;
    const auto name = FIELDWATCH_TRY(model::parse_hub_name(hub));
    scope.hub = FIELDWATCH_TRY(context.parts.registry.hub(name));
    scope.workspace = context.parts.workspace(scope.hub.workspace);
    if (scope.workspace == nullptr) {
        return fail(Errc::Unavailable, fmt::format("the workspace of hub {} is not open", hub));
    }
    return scope;
}

Result<Scope> scope_of(const Context& context, const Call& call) {
    if (const auto named = call.request.parameter("hub")) return scope_of_hub(context, *named);
    const auto hubs = FIELDWATCH_TRY(context.parts.registry.hubs());
    if (hubs.size() == 1) return scope_of_hub(context, hubs.front().name.value);
    if (hubs.empty()) return fail(Errc::NotFound, "there is no hub yet: create one first");
    return fail(Errc::InvalidArgument,
                fmt::format("the parameter \"hub\" is required where there are {} hubs", hubs.size()));
}

std::vector<Route> all_routes() {
    std::vector<Route> out{{"GET", kStream, Role::Reader, stream_is_elsewhere},
                           {"GET", kOpenApiPath, Role::Public, get_openapi}};
    for (const auto& group : {settings_routes(),
                              retention_routes(),
                              expectation_routes(),
                              query_routes(),
                              hub_routes(),
                              certificate_routes(),
                              device_routes(),
                              twin_routes(),
                              alert_routes(),
                              recommendation_routes(),
                              overview_routes(),
                              group_routes(),
                              provisioning_routes(),
                              intel_routes(),
                              vulnerability_routes(),
                              rule_trial_routes(),
                              scheduled_rule_routes(),
                              rule_routes(),
                              backup_routes(),
                              purge_routes(),
                              user_routes(),
                              token_routes(),
                              session_routes(),
                              system_routes(),
                              security_routes(),
                              export_routes(),
                              connector_routes(),
                              risk_routes(),
                              profile_routes()})
        out.insert(out.end(), group.begin(), group.end());
    return out;
}

class Portal::Impl {
  public:
    explicit Impl(Parts parts)
        : parts_(std::move(parts)),
          notifier_(parts_.clock),
          routes_(all_routes()),
          openapi_(openapi_json(routes_, api_texts(), parts_.version)),
          provider_(parts_.clock),
          context_{parts_, notifier_, logins_, queries_, provider_, openapi_} {}

    net::HttpResponse respond(const net::HttpRequest& request) const {
        auto response = answer(request);
        response.headers.emplace_back("x-content-type-options", "nosniff");
        response.headers.emplace_back("referrer-policy", "no-referrer");
        const bool has_policy = std::ranges::any_of(
            response.headers, [](const auto& header) { return header.first == "cache-control"; });
        if (!has_policy) response.headers.emplace_back("cache-control", "no-store");
        return response;
    }

    std::optional<net::HttpResponse> subscribe(const net::HttpRequest& request,
                                               std::shared_ptr<net::EventStream> stream) {
        const auto subscribed = try_subscribe(request, std::move(stream));
        if (!subscribed) return problem(subscribed.error());
        return std::nullopt;
    }

    Notifier& notifier() { return notifier_; }

  private:
    net::HttpResponse answer(const net::HttpRequest& request) const {
        bool path_known = false;
        const auto method = request.method == "HEAD" ? std::string("GET") : request.method;
        for (const auto& route : routes_) {
            auto names = match(route.pattern, request.path);
            if (!names) continue;
            path_known = true;
            if (route.method != method) continue;
            auto answer = call(route, request, std::move(*names));
            return answer ? std::move(*answer) : problem(answer.error());
        }
        if (path_known) {
            return net::error_response(405, "MethodNotAllowed",
                                       fmt::format("{} is not answered at {}", request.method, request.path));
        }
        if (!is_api(request.path) && method == "GET") {
            if (auto asset = serve_asset(request, embedded_assets())) return std::move(*asset);
        }
        return net::error_response(404, "NotFound", fmt::format("there is nothing at {}", request.path));
    }

    Answer call(const Route& route, const net::HttpRequest& request, std::vector<std::string> names) const {
        auto answer = permitted_call(route, request, std::move(names));
        const bool changes = route.method != "GET" || route.pattern.ends_with("/callback");
        if (changes && is_of_accounts(route.pattern)) review_streams();
        return answer;
    }

    /// Who lost a session or token loses what came in by it.
    void review_streams() const {
        context_.notifier.review(
            [&](const Principal& who) { return still_known(who, parts_.accounts, parts_.clock); });
    }

    Answer permitted_call(const Route& route, const net::HttpRequest& request,
                          std::vector<std::string> names) const {
        Call call{.request = request, .who = {}, .names = std::move(names)};
        if (route.role == Role::Public) return route.handle(context_, call);
        const bool audited = route.method != "GET" && !route.pattern.starts_with("/v1/");
        auto who = authenticate(request, parts_.accounts, parts_.clock);
        if (!who) {
            // A session without its page's word: somebody else's page may be behind it. Who has neither token
            // nor session is a stranger, and does not get to fill the log.
            call.who.name = "(session)";
            if (audited && who.error().code == Errc::Forbidden)
                audit(context_, route, call, problem(who.error()).status);
            return std::unexpected(who.error());
        }
        call.who = std::move(*who);
        auto answer = permitted(route, call);
        if (audited) audit(context_, route, call, answer ? answer->status : problem(answer.error()).status);
        return answer;
    }

    Answer permitted(const Route& route, const Call& call) const {
        if (!suffices(call.who.role, route.role)) {
            return fail(Errc::Forbidden,
                        fmt::format("this needs the role {}; \"{}\" has the role {}", to_string(route.role),
                                    call.who.name, to_string(call.who.role)));
        }
        FIELDWATCH_TRY(check_hubs(context_, route, call));
        return route.handle(context_, call);
    }

    Result<void> try_subscribe(const net::HttpRequest& request, std::shared_ptr<net::EventStream> stream) {
        const auto who = FIELDWATCH_TRY(authenticate(request, parts_.accounts, parts_.clock));
        std::string hub(request.parameter("hub").value_or(""));
        FIELDWATCH_TRY(check_hubs(context_, {"GET", kStream, Role::Reader, nullptr},
                                  {.request = request, .who = who, .names = {}}));
        if (!hub.empty()) FIELDWATCH_TRY(model::parse_hub_name(hub));
        auto after = sequence_in(request.header("last-event-id"));
        if (const auto parameter = request.parameter("after")) after = sequence_in(*parameter);
        FIELDWATCH_TRY(notifier_.subscribe(stream, {.hub = std::move(hub), .who = who}, after));
        // Revoked between the question and the subscription: nobody would review it again.
        if (!still_known(who, parts_.accounts, parts_.clock)) stream->end();
        return {};
    }

    Parts parts_;
    Notifier notifier_;
    LoginGuard logins_;
    QueryGuard queries_;
    std::vector<Route> routes_;
    Result<std::string> openapi_;
    oidc::Provider provider_;
    Context context_;
};

Portal::Portal(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Portal::~Portal() = default;

Result<std::unique_ptr<Portal>> Portal::create(Parts parts) {
    return std::unique_ptr<Portal>(new Portal(std::make_unique<Impl>(std::move(parts))));
}

net::HttpHandler Portal::handler() {
    return {
        .respond = [impl = impl_.get()](const net::HttpRequest& request) { return impl->respond(request); },
        .is_stream =
            [](const net::HttpRequest& request) {
                return request.method == "GET" && request.path == kStream;
            },
        .subscribe =
            [impl = impl_.get()](const net::HttpRequest& request, std::shared_ptr<net::EventStream> stream) {
                return impl->subscribe(request, std::move(stream));
            }};
}

Notifier& Portal::notifier() {
    return impl_->notifier();
}

}  // namespace fieldwatch::portal
