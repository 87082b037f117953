// Tokens that are for some hubs only: which requests are of which hub.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "portal/security_shapes.hpp"

namespace fieldwatch::portal {
namespace {

/// Of the hub that the parameter names.
constexpr std::array<std::string_view, 6> kByParameter{"/api/v1/alerts",   "/api/v1/recommendations",
                                                       "/api/v1/overview", "/api/v1/stream",
                                                       "/api/v1/risk",     "/api/v1/vulnerabilities"};
/// Of no hub, and harmless: who am I, which are mine.
constexpr std::array<std::string_view, 4> kOfAnyone{"/api/v1/who", "/api/v1/hubs", kSolutions,
                                                    kSolutionsOfSubscription};

bool owns(const Principal& who, std::string_view hub) {
    return std::ranges::find(who.hubs, hub) != who.hubs.end();
}

std::unexpected<Error> not_of_token(const Call& call) {
    return fail(Errc::Forbidden,
                fmt::format("the token \"{}\" is for {} of the hubs only: this is of another, "
                            "or of the whole server",
                            call.who.name, call.who.hubs.size()));
}

/// Every hub that writes into the workspace is one of the token's.
Result<bool> owns_workspace(const Context& context, const Principal& who, std::string_view id) {
    bool any = false;
    for (const auto& hub : FIELDWATCH_TRY(context.parts.registry.hubs())) {
        if (hub.workspace != id) continue;
        if (!owns(who, hub.name.value)) return false;
        any = true;
    }
    return any;
}

}  // namespace

std::optional<std::string> hub_in_path(const Route& route, const Call& call) {
    std::size_t number = 0;
    for (auto rest = route.pattern; !rest.empty();) {
        const auto open = rest.find('{');
        if (open == std::string_view::npos) return std::nullopt;
        if (rest.substr(open).starts_with("{hub}"))
            return number < call.names.size() ? std::optional(call.names[number]) : std::nullopt;
        ++number;
        rest.remove_prefix(rest.find('}', open) + 1);
    }
    return std::nullopt;
}

Result<void> check_workspace(const Context& context, const Call& call, std::string_view id) {
    if (call.who.hubs.empty() || FIELDWATCH_TRY(owns_workspace(context, call.who, id))) return {};
    return not_of_token(call);
}

Result<void> check_hubs(const Context& context, const Route& route, const Call& call) {
    if (call.who.hubs.empty()) return {};
    if (const auto hub = hub_in_path(route, call))
        return owns(call.who, *hub) ? Result<void>() : Result<void>(not_of_token(call));
    if (route.pattern.starts_with("/v1/workspaces/{id}/"))
        return check_workspace(context, call, call.names.at(0));
    if (std::ranges::find(kOfAnyone, route.pattern) != kOfAnyone.end()) return {};
    const bool by_parameter = std::ranges::any_of(kByParameter, [&](std::string_view prefix) {
        return route.pattern == prefix || route.pattern.starts_with(std::string(prefix) + "/");
    });
    const auto named = call.request.parameter("hub");
    if (by_parameter && named && owns(call.who, *named)) return {};
    return not_of_token(call);
}

}  // namespace fieldwatch::portal
