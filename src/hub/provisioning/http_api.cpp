#include "hub/provisioning/http_api.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "protocol/sas/token.hpp"

namespace fieldwatch::hub {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kBulkMax = 10;  // the public service's own bound
constexpr std::size_t kPageDefault = 100, kPageMax = 1'000;

std::vector<std::string> split(std::string_view path) {
    std::vector<std::string> segments;
    while (!path.empty()) {
        const auto end = std::min(path.find('/'), path.size());
        if (end > 0) segments.emplace_back(path.substr(0, end));
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    return segments;
}

bool same(std::string_view left, std::string_view right) {
    return sas::same_host(left, right);  // without case
}

net::HttpResponse json_answer(int status, const Json& body) {
    return {.status = status,
            .headers = {{"Content-Type", "application/json; charset=utf-8"}},
            .body = body.dump()};
}

net::HttpResponse of(const ProvisioningAnswer& answer) {
    net::HttpResponse response{.status = answer.status,
                               .headers = {{"Content-Type", "application/json; charset=utf-8"}},
                               .body = answer.body};
    if (answer.retry_after > 0)
        response.headers.emplace_back("Retry-After", std::to_string(answer.retry_after));
    return response;
}

net::HttpResponse refused(Provisioning& provisioning, const Error& error) {
    switch (error.code) {
        case Errc::NotFound:
            return of(provisioning.error(404, 404201, error.message));
        case Errc::Conflict:
            return of(provisioning.error(412, 412201, error.message));
        case Errc::AlreadyExists:
            return of(provisioning.error(409, 409201, error.message));
        case Errc::Exhausted:
            return of(provisioning.error(403, 403201, error.message));
        case Errc::TooLarge:
            return of(provisioning.error(413, 413201, error.message));
        case Errc::InvalidArgument:
        case Errc::Malformed:
        case Errc::Unsupported:
            return of(provisioning.error(400, 400201, error.message));
        default:
            return of(provisioning.error(500, 500001, "the registry cannot be reached now"));
    }
}

/// `"3"`, `3`, `*`: 0 is what no document has.
std::optional<std::uint64_t> etag_of(std::string_view header) {
    while (header.starts_with('"'))
        header.remove_prefix(1);
    while (header.ends_with('"'))
        header.remove_suffix(1);
    if (header.empty() || header == "*") return std::nullopt;
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(header.data(), header.data() + header.size(), value);
    return error == std::errc() && end == header.data() + header.size() ? value : 0;
}

/// Keys that the caller left empty stay as they are: devices have them.
Result<Enrollment> parse_kept(Provisioning& provisioning, std::string_view body, bool is_group) {
    auto enrollment = FIELDWATCH_TRY(parse_enrollment(body, is_group, provisioning.random()));
    const auto json = Json::parse(body, nullptr, false);
    const auto pointer = Json::json_pointer("/attestation/symmetricKey/primaryKey");
    const bool gave_keys = json.contains(pointer) && json[pointer].is_string() && json[pointer] != "";
    const auto before = provisioning.enrollment(is_group, enrollment.id);
    if (before && !gave_keys && before->attestation == Enrollment::Attestation::SymmetricKey)
        enrollment.keys = before->keys;
    return enrollment;
}

net::HttpResponse put_one(Provisioning& provisioning, const net::HttpRequest& request, bool is_group,
                          std::string_view id) {
    auto enrollment = parse_kept(provisioning, request.body, is_group);
    if (!enrollment) return refused(provisioning, enrollment.error());
    const auto in_path = parse_registration_id(id);
    if (!in_path || *in_path != enrollment->id)
        return of(provisioning.error(400, 400201, "the body names another id than the path"));
    const auto header = request.header("if-match");
    const auto kept = provisioning.put_enrollment(std::move(*enrollment), etag_of(header));
    if (!kept) return refused(provisioning, kept.error());
    return json_answer(200, to_json(*kept, EnrollmentForm::Shown));
}

net::HttpResponse bulk(Provisioning& provisioning, const net::HttpRequest& request) {
    const auto json = Json::parse(request.body, nullptr, false);
    const auto mode = json.is_object() ? json.value("mode", "") : "";
    if (!json.is_object() || !json.contains("enrollments") || !json["enrollments"].is_array() ||
        json["enrollments"].size() > kBulkMax) {
        return of(provisioning.error(400, 400201, "a bulk operation has a mode and at most 10 enrollments"));
    }
    Json errors = Json::array();
    for (const auto& one : json["enrollments"]) {
        const auto id = one.is_object() ? one.value("registrationId", "") : "";
        const auto etag = etag_of(one.is_object() ? one.value("etag", "") : "");
        Result<void> done;
        if (mode == "delete") {
            done = provisioning.remove_enrollment(false, id, etag);
        } else if (auto enrollment = parse_kept(provisioning, one.dump(), false); !enrollment) {
            done = std::unexpected(enrollment.error());
        } else {
            const bool exists = provisioning.enrollment(false, id).has_value();
            if (mode == "create" && exists)
                done = fail(Errc::AlreadyExists, "the enrollment exists");
            else if ((mode == "update" || mode == "updateIfMatchETag") && !exists)
                done = fail(Errc::NotFound, "the enrollment is not there");
            else if (const auto kept = provisioning.put_enrollment(
                         std::move(*enrollment), mode == "updateIfMatchETag" ? etag : std::nullopt);
                     !kept)
                done = std::unexpected(kept.error());
        }
        if (done) continue;
        const auto answer = Json::parse(refused(provisioning, done.error()).body);
        errors.push_back(
            {{"registrationId", id}, {"errorCode", answer["errorCode"]}, {"errorStatus", answer["message"]}});
    }
    return json_answer(200, {{"isSuccessful", errors.empty()}, {"errors", std::move(errors)}});
}

net::HttpResponse query_enrollments(Provisioning& provisioning, const net::HttpRequest& request,
                                    bool is_group) {
    std::size_t count = kPageDefault;
    const auto wanted = request.header("x-ms-max-item-count");
    if (!wanted.empty()) std::from_chars(wanted.data(), wanted.data() + wanted.size(), count);
    count = std::clamp<std::size_t>(count, 1, kPageMax);
    const auto found = provisioning.enrollments(
        is_group, {.after = std::string(request.header("x-ms-continuation")), .count_max = count + 1});
    if (!found) return refused(provisioning, found.error());
    Json page = Json::array();
    for (std::size_t at = 0; at < std::min(count, found->size()); ++at)
        page.push_back(to_json((*found)[at], EnrollmentForm::Shown));
    auto response = json_answer(200, page);
    response.headers.emplace_back("x-ms-item-type", is_group ? "EnrollmentGroup" : "Enrollment");
    if (found->size() > count) response.headers.emplace_back("x-ms-continuation", (*found)[count - 1].id);
    return response;
}

net::HttpResponse one_enrollment(Provisioning& provisioning, const net::HttpRequest& request, bool is_group,
                                 const std::vector<std::string>& segments) {
    const auto& id = segments[1];
    if (request.method == "PUT" && segments.size() == 2) return put_one(provisioning, request, is_group, id);
    const bool attestation = segments.size() == 3 && same(segments[2], "attestationmechanism");
    if ((request.method == "GET" && segments.size() == 2) || (request.method == "POST" && attestation)) {
        const auto found = provisioning.enrollment(is_group, id);
        if (!found) return refused(provisioning, found.error());
        const auto json = to_json(*found, EnrollmentForm::Shown);
        return json_answer(200, attestation ? json["attestation"] : json);
    }
    if (request.method == "DELETE" && segments.size() == 2) {
        const auto done = provisioning.remove_enrollment(is_group, id, etag_of(request.header("if-match")));
        return done ? net::HttpResponse{.status = 204} : refused(provisioning, done.error());
    }
    return of(provisioning.error(404, 404201, "there is nothing at this path"));
}

net::HttpResponse registrations(Provisioning& provisioning, const net::HttpRequest& request,
                                const std::vector<std::string>& segments) {
    if (segments.size() == 3 && same(segments[2], "query") && request.method == "POST") {
        const auto all = provisioning.registrations_of(segments[1], kPageMax);
        return all ? json_answer(200, Json(*all)) : refused(provisioning, all.error());
    }
    if (segments.size() == 2 && request.method == "GET") {
        const auto found = provisioning.registration(segments[1]);
        return found ? json_answer(200, *found) : refused(provisioning, found.error());
    }
    if (segments.size() == 2 && request.method == "DELETE") {
        const auto done = provisioning.remove_registration(segments[1], etag_of(request.header("if-match")));
        return done ? net::HttpResponse{.status = 204} : refused(provisioning, done.error());
    }
    return of(provisioning.error(404, 404201, "there is nothing at this path"));
}

bool is_service(Provisioning& provisioning, const net::HttpRequest& request) {
    const auto token = sas::parse_token(request.header("authorization"));
    const auto keys = provisioning.service_keys();
    if (!token || !keys || token->policy != Provisioning::kPolicy) return false;
    // The scope is the host alone; a narrower one is none that the SDKs make.
    if (token->resource.find('/') != std::string::npos) return false;
    if (token->expiry + std::chrono::minutes(5) <= provisioning.clock().now()) return false;
    return sas::verify(*token, keys->primary) || sas::verify(*token, keys->secondary);
}

}  // namespace

bool is_provisioning_path(std::string_view path) {
    const auto segments = split(path);
    if (segments.empty()) return false;
    const auto& first = segments[0];
    if (same(first, "enrollments") || same(first, "enrollmentGroups") || same(first, "registrations"))
        return true;
    // A device of a hub may be called "registrations".
    const bool hubs = same(first, "devices") || same(first, "twins");
    return !hubs && segments.size() >= 4 && same(segments[1], "registrations");
}

net::HttpResponse answer_enrollments(Provisioning& provisioning, const net::HttpRequest& request,
                                     std::string_view path) {
    const auto segments = split(path);
    if (segments.empty()) return of(provisioning.error(404, 404201, "there is nothing at this path"));
    if (same(segments[0], "registrations")) return registrations(provisioning, request, segments);
    const bool is_group = same(segments[0], "enrollmentGroups");
    if (segments.size() == 1 && request.method == "POST" && !is_group) return bulk(provisioning, request);
    if (segments.size() == 2 && same(segments[1], "query") && request.method == "POST")
        return query_enrollments(provisioning, request, is_group);
    if (segments.size() >= 2) return one_enrollment(provisioning, request, is_group, segments);
    return of(provisioning.error(404, 404201, "there is nothing at this path"));
}

net::HttpResponse answer_provisioning(Provisioning& provisioning, const net::HttpRequest& request,
                                      std::optional<net::PeerCertificate> certificate, const Speaker& by) {
    const auto version = request.parameter("api-version");
    if (!version || version->empty()) return of(provisioning.error(400, 400001, "api-version is missing"));
    const auto segments = split(request.path);
    if (segments.size() < 4 || !same(segments[1], "registrations")) {
        if (!is_service(provisioning, request))
            return of(provisioning.error(401, 401002, "the token does not open the provisioning service"));
        return answer_enrollments(provisioning, request, request.path);
    }
    Applicant applicant{.scope = segments[0], .registration_id = segments[2], .by = by};
    if (const auto token = request.header("authorization"); !token.empty())
        applicant.token = std::string(token);
    else
        applicant.certificate = std::move(certificate);
    if (request.method == "PUT" && segments.size() == 4 && same(segments[3], "register"))
        return of(provisioning.register_device(applicant, request.body));
    if (request.method == "GET" && segments.size() == 5 && same(segments[3], "operations"))
        return of(provisioning.operation_status(applicant, segments[4]));
    return of(provisioning.error(404, 404201, "there is nothing at this path"));
}

}  // namespace fieldwatch::hub
