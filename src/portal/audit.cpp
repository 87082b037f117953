// Who did what in the product: one record for every request that changes something, refused ones too, into
// the activity log (table AzureActivity, operations that begin with Fieldwatch/).
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/log.hpp"
#include "portal/context.hpp"
#include "portal/control_plane.hpp"

namespace fieldwatch::portal {
namespace {

/// "Fieldwatch/hubs/devices/write" of PUT /api/v1/hubs/{hub}/devices/{device}.
std::string operation_of(const Route& route) {
    std::string out = "Fieldwatch";
    for (auto rest = route.pattern; !rest.empty();) {
        rest.remove_prefix(1);
        const auto segment = rest.substr(0, rest.find('/'));
        rest.remove_prefix(segment.size());
        if (segment != "api" && segment != "v1" && !segment.starts_with('{'))
            out += "/" + std::string(segment);
    }
    if (route.method == "DELETE") return out + "/delete";
    return out + (route.method == "POST" ? "/action" : "/write");
}

Result<std::vector<model::HubName>> concerned(const Context& context, const Route& route, const Call& call) {
    auto named = hub_in_path(route, call);
    if (!named && call.request.parameter("hub")) named = std::string(*call.request.parameter("hub"));
    std::vector<model::HubName> out;
    std::set<std::string> workspaces;
    for (const auto& hub : FIELDWATCH_TRY(context.parts.registry.hubs())) {
        if (named && hub.name.value == *named) return std::vector{hub.name};
        if (workspaces.insert(hub.workspace).second) out.push_back(hub.name);
    }
    return out;
}

}  // namespace

void audit(const Context& context, const Route& route, const Call& call, int status) {
    const auto told = [&]() -> Result<void> {
        const auto hubs = FIELDWATCH_TRY(concerned(context, route, call));
        // Without a hub there is no activity log yet.
        if (hubs.empty())
            log::info("audit", fmt::format("{} {} from {}: {}", call.who.name, operation_of(route),
                                           call.request.peer, status));
        for (const auto& hub : hubs) {
            FIELDWATCH_TRY(tell_control_plane(context, call,
                                              {.hub = hub,
                                               .operation = operation_of(route),
                                               .resource = {},
                                               .status = status,
                                               .failed = status >= 400,
                                               .detail = call.detail,
                                               .with_digest = false}));
        }
        return {};
    }();
    // What was done is done: that it is not in the log must not be silent.
    if (!told) log::error("audit", call.who.name + " " + operation_of(route) + ": " + told.error().message);
}

}  // namespace fieldwatch::portal
