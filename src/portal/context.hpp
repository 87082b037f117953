// What every handler of the portal is given, and what it gives back. Internal to portal.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "portal/access.hpp"
#include "portal/login_guard.hpp"
#include "portal/notifier.hpp"
#include "portal/portal.hpp"
#include "portal/query_guard.hpp"

namespace fieldwatch::portal {

namespace oidc {
class Provider;  // portal/oidc/provider.hpp
}

struct Context {
    const Parts& parts;
    Notifier& notifier;
    LoginGuard& logins;
    QueryGuard& queries;
    oidc::Provider& provider;            ///< where people may sign in instead
    const Result<std::string>& openapi;  ///< the API's description, made at start
};

struct Call {
    const net::HttpRequest& request;
    Principal who;
    std::vector<std::string> names;   ///< what stands in the place of the route's {…}, in order
    mutable std::string detail = {};  ///< what the audit log says of it besides the path
};

using Answer = Result<net::HttpResponse>;  ///< an Error becomes the refusal that its code asks for

/// `GET /api/v1/hubs/{hub}`: `{…}` stands for one segment.
struct Route {
    std::string_view method, pattern;
    Role role;
    Answer (*handle)(const Context&, const Call&);
};

/// A hub and its workspace, as the parameter `hub` says; without it the only hub there is.
struct Scope {
    registry::Hub hub;
    workspace::Workspace* workspace = nullptr;
};
Result<Scope> scope_of(const Context& context, const Call& call);
/// Whether a token's hubs allow this request. Routes that are of no hub are for tokens of all hubs. Errors:
/// Forbidden.
Result<void> check_hubs(const Context& context, const Route& route, const Call& call);
/// Whether a token may have its say about a workspace: every hub that writes into it is one of the token's.
/// Errors: Forbidden.
Result<void> check_workspace(const Context& context, const Call& call, std::string_view id);
/// What stands in the place of {hub}; nullopt for a route without one.
std::optional<std::string> hub_in_path(const Route& route, const Call& call);
/// Into the activity log of the hub, or of every workspace where the request is of none: who asked for what,
/// and how it ended. Nothing of what was asked but its digest.
void audit(const Context& context, const Route& route, const Call& call, int status);
Result<Scope> scope_of_hub(const Context& context, std::string_view hub);

/// Device and module of a route that names them behind the hub.
Result<model::Identity> identity_of(const Call& call);
/// Tells the hub's operation log of what a handler did, or could not do, and hands its answer on.
Answer told(const Context& context, const Call& call, std::string_view category, std::string_view name,
            Answer (*handle)(const Context&, const Call&));

std::vector<Route> all_routes();  ///< of the whole API, in the order in which they are looked through
std::vector<Route> query_routes();
std::vector<Route> hub_routes();
std::vector<Route> certificate_routes();
std::vector<Route> device_routes();
std::vector<Route> twin_routes();
std::vector<Route> alert_routes();
std::vector<Route> recommendation_routes();
std::vector<Route> overview_routes();
std::vector<Route> risk_routes();
std::vector<Route> profile_routes();
std::vector<Route> settings_routes();
std::vector<Route> retention_routes();
std::vector<Route> expectation_routes();
std::vector<Route> group_routes();
std::vector<Route> provisioning_routes();
std::vector<Route> intel_routes();
std::vector<Route> intel_feed_routes();
std::vector<Route> vulnerability_routes();
std::vector<Route> rule_routes();
std::vector<Route> rule_trial_routes();
std::vector<Route> scheduled_rule_routes();
std::vector<Route> backup_routes();
std::vector<Route> purge_routes();
std::vector<Route> export_routes();
std::vector<Route> connector_routes();
std::vector<Route> user_routes();
std::vector<Route> token_routes();
std::vector<Route> session_routes();
std::vector<Route> system_routes();
std::vector<Route> security_routes();  ///< the published security API

}  // namespace fieldwatch::portal
