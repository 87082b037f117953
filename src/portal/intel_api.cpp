// Indicators: import, list, remove, look up.
#include <fmt/format.h>

#include "portal/context.hpp"
#include "portal/indicators.hpp"
#include "portal/reply.hpp"

namespace fieldwatch::portal {
namespace {

Result<IndicatorFiles*> files_of(const Context& context) {
    if (context.parts.indicators == nullptr)
        return fail(Errc::Unavailable, "this server keeps no indicators");
    return context.parts.indicators;
}

Json types_json(const std::array<std::size_t, detect::kIndicatorTypes>& counts) {
    Json out = Json::object();
    for (std::size_t i = 0; i < counts.size(); ++i) {
        if (counts[i] != 0)
            out[std::string(detect::to_string(static_cast<detect::IndicatorType>(i)))] = counts[i];
    }
    return out;
}

Json bad_json(const std::vector<detect::BadLine>& bad) {
    Json out = Json::array();
    for (const auto& entry : bad)
        out.push_back({{"line", entry.line}, {"why", entry.why}});
    return out;
}

std::size_t count_of(const detect::WarningValues& warnings) {
    return warnings.prefixes.size() + warnings.exact.size() + warnings.names.size() +
           warnings.substrings.size();
}

Answer put_file(const Context& context, const Call& call) {
    auto* const files = FIELDWATCH_TRY(files_of(context));
    const auto force = call.request.parameter("force");
    const auto file = FIELDWATCH_TRY(files->import(
        {.name = call.names[0], .text = call.request.body, .may_shrink = force && *force != "false"}));
    std::array<std::size_t, detect::kIndicatorTypes> types{};
    for (const auto& indicator : file.indicators)
        ++types[static_cast<std::size_t>(indicator.type)];
    return json_reply(200, {{"name", call.names[0]},
                            {"indicators", file.indicators.size()},
                            {"byType", types_json(types)},
                            {"warningListEntries", count_of(file.warnings)},
                            {"skipped", file.skipped},
                            {"bad", bad_json(file.bad)}});
}

Answer delete_file(const Context& context, const Call& call) {
    auto* const files = FIELDWATCH_TRY(files_of(context));
    FIELDWATCH_TRY(files->remove(call.names[0]));
    return net::HttpResponse{.status = 204};
}

/// How asking history for new indicators fares.
Json hunt_json(const HuntHealth::Status& status) {
    return {{"last", status.last ? Json(to_iso8601(*status.last)) : Json(nullptr)},
            {"waiting", status.waiting},
            {"hunts", status.hunts},
            {"findings", status.findings},
            {"leftOut", status.left_out},
            {"problem", status.problem}};
}

Answer list_files(const Context& context, const Call&) {
    auto* const files = FIELDWATCH_TRY(files_of(context));
    const auto intel = FIELDWATCH_TRY(files->in_force());
    Json out = Json::array();
    for (const auto& source : intel->sources())
        out.push_back({{"name", source.name},
                       {"indicators", source.indicators},
                       {"warningListEntries", source.warnings},
                       {"skipped", source.skipped},
                       {"bad", bad_json(source.bad)}});
    Json answer{
        {"value", std::move(out)}, {"inForce", intel->size()}, {"byType", types_json(intel->by_type())}};
    if (context.parts.hunt != nullptr) answer["hunt"] = hunt_json(context.parts.hunt->status());
    return json_reply(200, answer);
}

Answer look_up(const Context& context, const Call& call) {
    auto* const files = FIELDWATCH_TRY(files_of(context));
    const auto value = call.request.parameter("value");
    if (!value || value->empty())
        return fail(Errc::InvalidArgument,
                    "the parameter \"value\" is required: an address, name, URL or hash");
    const auto intel = FIELDWATCH_TRY(files->in_force());
    const auto hit = intel->find(*value, context.parts.clock.now());
    Json out{{"value", *value}, {"found", hit.has_value()}};
    if (hit) out["indicator"] = Json::parse(detect::to_json(*hit));
    return json_reply(200, out);
}

}  // namespace

std::vector<Route> intel_routes() {
    // Those of feeds and bundles first: what they are called is no file's name there.
    auto out = intel_feed_routes();
    out.insert(out.end(), {{"GET", "/api/v1/intel", Role::Reader, list_files},
                           {"GET", "/api/v1/intel/lookup", Role::Reader, look_up},
                           {"PUT", "/api/v1/intel/{name}", Role::Administrator, put_file},
                           {"DELETE", "/api/v1/intel/{name}", Role::Administrator, delete_file}});
    return out;
}

}  // namespace fieldwatch::portal
