#include "hub/twin.hpp"

#include "base/json_text.hpp"
#include "base/uuid.hpp"

namespace fieldwatch::hub {

std::string with_version(std::string_view object_json, std::uint64_t version) {
    const auto end = object_json.rfind('}');
    const auto start = object_json.find('{');
    if (end == std::string_view::npos || start == std::string_view::npos) return with_version("{}", version);
    const auto members = object_json.substr(start + 1, end - start - 1);
    const bool empty = members.find_first_not_of(" \t\r\n") == std::string_view::npos;
    std::string text = "{";
    if (!empty) {
        text += members;
        text += ',';
    }
    text += "\"$version\":" + std::to_string(version) + "}";
    return text;
}

TwinResponse twin_error(int status, int result, std::string_view message, const Clock& clock,
                        Random& random) {
    TwinResponse response{.status = status, .result = result, .description = std::string(message)};
    JsonWriter(response.body)
        .begin_object()
        .member("errorCode", std::int64_t{result})
        .member("trackingId", Uuid::random(random).text())
        .member("message", message)
        .member("timestampUtc", to_iso8601(clock.now(), 3))
        .end_object();
    return response;
}

namespace {

TwinResponse refused(const Error& error, const Clock& clock, Random& random) {
    switch (error.code) {
        case Errc::Malformed:
        case Errc::InvalidArgument:
            return twin_error(400, 400004, error.message, clock, random);
        case Errc::TooLarge:
            return twin_error(413, 413001, error.message, clock, random);
        case Errc::Conflict:
            return twin_error(412, 412001, error.message, clock, random);
        case Errc::Exhausted:
            return twin_error(429, 429001, error.message, clock, random);
        case Errc::NotFound:
            return twin_error(404, 404001, error.message, clock, random);
        default:
            return twin_error(500, 500001, "the twin cannot be reached now", clock, random);
    }
}

}  // namespace

TwinResponse answer(const TwinRequest& request, const model::Identity& identity, registry::Registry& registry,
                    const Clock& clock, Random& random) {
    if (request.update) {
        const auto change = registry.patch_reported(identity, request.body, request.version);
        if (!change) return refused(change.error(), clock, random);
        return {.status = 204, .version = change->version};
    }
    const auto twin = registry.twin(identity);
    if (!twin) return refused(twin.error(), clock, random);
    return {.status = 200,
            .body = R"({"desired":)" + with_version(twin->desired_json, twin->desired_version) +
                    R"(,"reported":)" + with_version(twin->reported_json, twin->reported_version) + "}"};
}

}  // namespace fieldwatch::hub
