// Provisioning over HTTPS: devices register, services keep enrollments. The paths and bodies are those of the
// public service, api-version 2021-10-01, so that its SDKs work.
#pragma once

#include <optional>

#include "hub/provisioning/provisioning.hpp"
#include "net/http.hpp"

namespace fieldwatch::hub {

/// Whether the path (decoded) is one of this API's.
bool is_provisioning_path(std::string_view path);

/// Answers a device's or a service's request; blocks on the registry.
net::HttpResponse answer_provisioning(Provisioning& provisioning, const net::HttpRequest& request,
                                      std::optional<net::PeerCertificate> certificate, const Speaker& by);

/// The service's half by itself, for a caller that has shown that it may: `path` begins with /enrollments,
/// /enrollmentGroups or /registrations.
net::HttpResponse answer_enrollments(Provisioning& provisioning, const net::HttpRequest& request,
                                     std::string_view path);

}  // namespace fieldwatch::hub
