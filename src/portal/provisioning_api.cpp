// Enrollments over the product's own API, for the command line and the page: the provisioning service's
// bodies behind this server's tokens.
#include "portal/context.hpp"
#include "portal/reply.hpp"

namespace fieldwatch::portal {

namespace {

constexpr std::string_view kRoot = "/api/v1/provisioning";

Answer forward(const Context& context, const Call& call) {
    if (!context.parts.provisioning) return fail(Errc::Unavailable, "provisioning does not run here");
    return context.parts.provisioning(call.request, std::string_view(call.request.path).substr(kRoot.size()));
}

}  // namespace

std::vector<Route> provisioning_routes() {
    // Keys are in all of it: administrators only.
    std::vector<Route> out{
        {"GET", "/api/v1/provisioning", Role::Administrator, forward},
        {"POST", "/api/v1/provisioning/enrollments/query", Role::Administrator, forward},
        {"POST", "/api/v1/provisioning/enrollmentGroups/query", Role::Administrator, forward},
        {"POST", "/api/v1/provisioning/registrations/{id}/query", Role::Administrator, forward}};
    for (const auto* const pattern :
         {"/api/v1/provisioning/enrollments/{id}", "/api/v1/provisioning/enrollmentGroups/{id}",
          "/api/v1/provisioning/registrations/{id}"}) {
        for (const auto* const method : {"GET", "PUT", "DELETE"})
            out.push_back({method, pattern, Role::Administrator, forward});
    }
    return out;
}

}  // namespace fieldwatch::portal
