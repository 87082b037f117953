// Feeds of indicators that the server pulls, signed bundles, and whose signatures count. Administrators only:
// an address may be a secret itself.
#include <fmt/format.h>

#include <charconv>

#include "feed/bundles.hpp"
#include "feed/feeds.hpp"
#include "portal/context.hpp"
#include "portal/reply.hpp"

namespace fieldwatch::portal {
namespace {

Result<feed::Feeds*> feeds_of(const Context& context) {
    if (context.parts.feeds == nullptr) return fail(Errc::Unavailable, "this server pulls no feeds");
    return context.parts.feeds;
}
Result<feed::Bundles*> bundles_of(const Context& context) {
    if (context.parts.bundles == nullptr) return fail(Errc::Unavailable, "this server keeps no bundles");
    return context.parts.bundles;
}

bool is_set(const Call& call, std::string_view name) {
    const auto value = call.request.parameter(name);
    return value && *value != "false";
}

Json optional_time(const std::optional<Timestamp>& time) {
    return time ? Json(to_iso8601(*time)) : Json(nullptr);
}

Json bad_lines(const std::vector<detect::BadLine>& bad) {
    Json out = Json::array();
    for (const auto& entry : bad)
        out.push_back({{"line", entry.line}, {"why", entry.why}});
    return out;
}

Json feed_json(const feed::Feeds::Shown& shown) {
    auto out = Json::parse(feed::to_json(shown.feed, feed::Secrets::Hidden));
    const auto& status = shown.status;
    out["status"] = {{"state", !status.problem.empty() ? "failing"
                               : status.last_success   ? "well"
                                                       : "waiting"},
                     {"lastRun", optional_time(status.last_run)},
                     {"lastSuccess", optional_time(status.last_success)},
                     {"lastChange", optional_time(status.last_change)},
                     {"runs", status.runs},
                     {"failures", status.failures},
                     {"indicators", status.indicators},
                     {"warningListEntries", status.warnings},
                     {"skipped", status.skipped},
                     {"bad", bad_lines(status.bad)},
                     {"problem", status.problem}};
    return out;
}

Answer list_feeds(const Context& context, const Call&) {
    auto* const feeds = FIELDWATCH_TRY(feeds_of(context));
    Json out = Json::array();
    for (const auto& shown : FIELDWATCH_TRY(feeds->list()))
        out.push_back(feed_json(shown));
    return json_reply(200, {{"value", std::move(out)}});
}

Answer get_feed(const Context& context, const Call& call) {
    auto* const feeds = FIELDWATCH_TRY(feeds_of(context));
    return json_reply(200, feed_json(FIELDWATCH_TRY(feeds->get(call.names[0]))));
}

Answer put_feed(const Context& context, const Call& call) {
    auto* const feeds = FIELDWATCH_TRY(feeds_of(context));
    return json_reply(200, feed_json(FIELDWATCH_TRY(feeds->put(call.names[0], call.request.body))));
}

Answer delete_feed(const Context& context, const Call& call) {
    auto* const feeds = FIELDWATCH_TRY(feeds_of(context));
    FIELDWATCH_TRY(feeds->remove(call.names[0]));
    return net::HttpResponse{.status = 204};
}

/// That the feed's server fails is an answer, no refusal of ours.
Answer run_feed(const Context& context, const Call& call) {
    auto* const feeds = FIELDWATCH_TRY(feeds_of(context));
    return json_reply(200,
                      feed_json(FIELDWATCH_TRY(feeds->run(call.names[0], is_set(call, "acceptShrink")))));
}

Json bundle_json(const feed::Bundles::Shown& shown) {
    Json versions = Json::array();
    for (const auto& kept : shown.versions)
        versions.push_back({{"version", kept.version},
                            {"created", to_iso8601(kept.created, 0)},
                            {"signedBy", kept.signed_by.empty() ? Json(nullptr) : Json(kept.signed_by)},
                            {"files", kept.files}});
    return {{"name", shown.name},
            {"current", shown.current},
            {"highest", shown.highest},
            {"versions", std::move(versions)}};
}

Json applied_json(const feed::Bundles::Applied& applied) {
    auto out = bundle_json(applied.shown);
    out["indicators"] = applied.indicators;
    out["warningListEntries"] = applied.warnings;
    out["skipped"] = applied.skipped;
    out["bad"] = bad_lines(applied.bad);
    return out;
}

Answer list_bundles(const Context& context, const Call&) {
    auto* const bundles = FIELDWATCH_TRY(bundles_of(context));
    Json out = Json::array();
    for (const auto& shown : FIELDWATCH_TRY(bundles->list()))
        out.push_back(bundle_json(shown));
    return json_reply(200, {{"value", std::move(out)}});
}

Answer apply_bundle(const Context& context, const Call& call) {
    auto* const bundles = FIELDWATCH_TRY(bundles_of(context));
    return json_reply(
        200, applied_json(FIELDWATCH_TRY(bundles->apply(call.request.body, is_set(call, "acceptShrink")))));
}

Answer roll_bundle_back(const Context& context, const Call& call) {
    auto* const bundles = FIELDWATCH_TRY(bundles_of(context));
    std::uint64_t version = 0;
    if (const auto to = call.request.parameter("to"); to && !to->empty()) {
        const auto read = std::from_chars(to->data(), to->data() + to->size(), version);
        if (read.ec != std::errc{} || read.ptr != to->data() + to->size())
            return fail(Errc::InvalidArgument, "the parameter \"to\" must be a version");
    }
    return json_reply(200, applied_json(FIELDWATCH_TRY(bundles->roll_back(call.names[0], version))));
}

Answer delete_bundle(const Context& context, const Call& call) {
    auto* const bundles = FIELDWATCH_TRY(bundles_of(context));
    FIELDWATCH_TRY(bundles->remove(call.names[0]));
    return net::HttpResponse{.status = 204};
}

Json trust_json(const feed::Trust& trust) {
    Json keys = Json::array();
    for (const auto& [name, key] : trust.keys)
        keys.push_back({{"name", name}, {"id", key.id()}});
    return {{"required", trust.required}, {"keys", std::move(keys)}};
}

Answer get_trust(const Context& context, const Call&) {
    auto* const bundles = FIELDWATCH_TRY(bundles_of(context));
    return json_reply(200, trust_json(FIELDWATCH_TRY(bundles->trust())));
}

/// `{"required": true, "add": {"name": PEM}, "remove": ["name"]}`: each member by itself.
Answer change_trust(const Context& context, const Call& call) {
    auto* const bundles = FIELDWATCH_TRY(bundles_of(context));
    const auto body = Json::parse(call.request.body, nullptr, /*allow_exceptions=*/false);
    if (!body.is_object()) return fail(Errc::InvalidArgument, "the body must be a JSON object");
    auto trust = FIELDWATCH_TRY(bundles->trust());
    for (const auto& [member, value] : body.items()) {
        if (member == "required" && value.is_boolean()) {
            trust.required = value.get<bool>();
        } else if (member == "add" && value.is_object()) {
            for (const auto& [name, pem] : value.items())
                trust.keys[name] =
                    FIELDWATCH_TRY(public_key_of(pem.is_string() ? pem.get<std::string>() : std::string()));
        } else if (member == "remove" && value.is_array()) {
            for (const auto& name : value) {
                if (!name.is_string() || trust.keys.erase(name.get<std::string>()) == 0)
                    return fail(Errc::NotFound, fmt::format("no trusted key is named {}", name.dump()));
            }
        } else {
            return fail(
                Errc::InvalidArgument,
                R"("required" is true or false, "add" an object of names and PEM keys, "remove" a list of names)");
        }
    }
    FIELDWATCH_TRY(bundles->set_trust(trust));
    return json_reply(200, trust_json(trust));
}

}  // namespace

std::vector<Route> intel_feed_routes() {
    return {{"GET", "/api/v1/intel/feeds", Role::Administrator, list_feeds},
            {"GET", "/api/v1/intel/feeds/{name}", Role::Administrator, get_feed},
            {"PUT", "/api/v1/intel/feeds/{name}", Role::Administrator, put_feed},
            {"DELETE", "/api/v1/intel/feeds/{name}", Role::Administrator, delete_feed},
            {"POST", "/api/v1/intel/feeds/{name}/run", Role::Administrator, run_feed},
            {"GET", "/api/v1/intel/bundles", Role::Administrator, list_bundles},
            {"POST", "/api/v1/intel/bundles", Role::Administrator, apply_bundle},
            {"POST", "/api/v1/intel/bundles/{name}/rollback", Role::Administrator, roll_bundle_back},
            {"DELETE", "/api/v1/intel/bundles/{name}", Role::Administrator, delete_bundle},
            {"GET", "/api/v1/intel/trust", Role::Administrator, get_trust},
            {"PATCH", "/api/v1/intel/trust", Role::Administrator, change_trust}};
}

}  // namespace fieldwatch::portal
