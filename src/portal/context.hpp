// What every handler of the portal is given, and what it gives back. Internal to portal.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "portal/access.hpp"
#include "portal/notifier.hpp"
#include "portal/portal.hpp"

namespace fieldwatch::portal {

struct Context {
    const Parts& parts;
    Notifier& notifier;
};

struct Call {
    const net::HttpRequest& request;
    Principal who;
    std::vector<std::string> names;  ///< what stands in the place of the route's {…}, in order
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
Result<Scope> scope_of_hub(const Context& context, std::string_view hub);

std::vector<Route> query_routes();
std::vector<Route> hub_routes();
std::vector<Route> certificate_routes();
std::vector<Route> device_routes();
std::vector<Route> twin_routes();
std::vector<Route> alert_routes();
std::vector<Route> recommendation_routes();
std::vector<Route> overview_routes();
std::vector<Route> settings_routes();
std::vector<Route> group_routes();
std::vector<Route> provisioning_routes();
std::vector<Route> intel_routes();
std::vector<Route> rule_routes();
std::vector<Route> rule_trial_routes();

}  // namespace fieldwatch::portal
