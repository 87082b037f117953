// Vulnerabilities: the advisories that packages are matched with, which of them a fleet has, and where.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "portal/advisories.hpp"
#include "portal/context.hpp"
#include "portal/reply.hpp"
#include "portal/table_reader.hpp"

namespace fieldwatch::portal {
namespace {

constexpr std::size_t kPageMax = 1'000;
constexpr std::size_t kDevicesMax = 10'000;  ///< of one vulnerability
constexpr std::size_t kAboutMax = 200;       ///< packages that one vulnerability is told of

Result<AdvisoryFiles*> advisory_files_of(const Context& context) {
    if (context.parts.advisories == nullptr)
        return fail(Errc::Unavailable, "this server keeps no advisories");
    return context.parts.advisories;
}

Json source_json(const detect::AdvisoryTable::Source& source) {
    Json bad = Json::array();
    for (const auto& entry : source.bad)
        bad.push_back({{"entry", entry.entry}, {"why", entry.why}});
    return {{"name", source.name},
            {"format", source.format},
            {"advisories", source.advisories},
            {"statements", source.statements},
            {"exploited", source.exploited},
            {"probabilities", source.probabilities},
            {"skipped", source.skipped},
            {"bad", std::move(bad)}};
}

Answer put_advisory_file(const Context& context, const Call& call) {
    auto* const files = FIELDWATCH_TRY(advisory_files_of(context));
    const auto force = call.request.parameter("force");
    const auto kept = FIELDWATCH_TRY(files->import(
        {.name = call.names[0], .text = call.request.body, .may_shrink = force && *force != "false"}));
    auto answer = source_json(kept.source);
    answer["bytes"] = kept.bytes;
    return json_reply(200, answer);
}

Answer delete_advisory_file(const Context& context, const Call& call) {
    auto* const files = FIELDWATCH_TRY(advisory_files_of(context));
    FIELDWATCH_TRY(files->remove(call.names[0]));
    return net::HttpResponse{.status = 204};
}

Answer list_advisory_files(const Context& context, const Call&) {
    auto* const files = FIELDWATCH_TRY(advisory_files_of(context));
    const auto table = FIELDWATCH_TRY(files->in_force());
    Json out = Json::array();
    for (const auto& source : table->sources())
        out.push_back(source_json(source));
    return json_reply(200,
                      {{"value", std::move(out)}, {"inForce", table->size()}, {"bytes", table->bytes()}});
}

/// The components that are vulnerable now. What is active is written again daily (design 3a), so a month
/// finds every live one.
std::string active_components(const Context& context, const Scope& scope) {
    return fmt::format(
        "SecurityRecommendation | where TimeGenerated >= {} and AssessedResourceId endswith {} "
        "and RecommendationName == 'IoT_X_VulnerablePackage' "
        "| summarize arg_max(TimeGenerated, *) by RecommendationId | where RecommendationState == 'Active' "
        "| extend D = parse_json(RecommendationAdditionalData)",
        kql_datetime(context.parts.clock.now() - std::chrono::hours(24 * 30)),
        kql_string("/iothubs/" + scope.hub.name.value));
}

Answer list_vulnerabilities(const Context& context, const Call& call) {
    const auto scope = FIELDWATCH_TRY(scope_of(context, call));
    const auto top = FIELDWATCH_TRY(number_parameter(call.request, "top", 100, 1, kPageMax));
    auto text = active_components(context, scope) + " | where isnotempty(tostring(D.Vulnerabilities))";
    if (const auto device = call.request.parameter("device"))
        text += " | where DeviceId == " + kql_string(*device);
    text += fmt::format(
        " | mv-expand V = parse_json(tostring(D.Vulnerabilities))"
        " | summarize Devices = dcount(DeviceId), Components = make_set(tostring(D.Component), 16),"
        " Score = max(todouble(tostring(V.Score))), Exploited = countif(tostring(V.KnownExploited) == "
        "'true'),"
        " Percent = max(toint(tostring(V.ExploitPercent))), Exposed = dcountif(DeviceId, tostring(D.Exposed) "
        "== "
        "'true') by Id = tostring(V.Id)"
        " | extend Used = iff(Exploited > 0, 1, 0), Reached = iff(Exposed > 0, 1, 0), Grave = "
        "coalesce(Score, 0.0)"
        " | order by Used desc, Reached desc, Grave desc, Devices desc, Id asc | take {}",
        top);
    const auto table = FIELDWATCH_TRY(ask(*scope.workspace, std::move(text), top));
    Json found = Json::array();
    for (std::size_t i = 0; i < table.rows.size(); ++i) {
        const Row row(table, i);
        found.push_back({{"id", row.text("Id")},
                         {"exploited", row.number("Used") != 0},
                         {"exploitPercent", row.json("Percent")},
                         {"score", row.json("Score")},
                         {"devices", row.number("Devices")},
                         {"exposedDevices", row.number("Exposed")},
                         {"components", row.parsed_json("Components")}});
    }
    return json_reply(200, {{"value", std::move(found)}, {"sequence", context.notifier.sequence()}});
}

std::string text_in(const Json& object, const char* key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// What is asked for, under the names that advisories give it.
struct Asked {
    std::set<std::string> ids;
    std::shared_ptr<const detect::AdvisoryTable> table;
};

/// The fixed version of it in this component; nullopt when the component has it not. A component of more
/// vulnerabilities than are named in its recommendation is judged again.
std::optional<std::string> fixed_in(const Json& component, const Asked& asked) {
    const auto named =
        Json::parse(text_in(component, "Vulnerabilities"), nullptr, /*allow_exceptions=*/false);
    if (named.is_array()) {
        for (const auto& one : named)
            if (asked.ids.contains(text_in(one, "Id"))) return text_in(one, "FixedVersion");
        if (std::to_string(named.size()) == text_in(component, "VulnerabilityCount")) return std::nullopt;
    }
    const auto type = text_in(component, "Type"), distribution = text_in(component, "Distribution"),
               release = text_in(component, "Release"), name = text_in(component, "Component"),
               version = text_in(component, "Version");
    for (const auto& one : asked.table->find({.type = type,
                                              .distribution = distribution,
                                              .release = release,
                                              .name = name,
                                              .version = version,
                                              .source = {},
                                              .source_version = {}})) {
        if (asked.ids.contains(one.id)) return one.fixed_version;
    }
    return std::nullopt;
}

Result<Json> devices_with(const Context& context, const Scope& scope, const Asked& asked,
                          const std::vector<detect::AdvisoryTable::About>& about) {
    std::string names = "''", ids;
    for (const auto& one : about)
        names += ", " + kql_string(one.scope.name);
    for (const auto& id : asked.ids)
        ids += (ids.empty() ? "" : " or ") + std::string("RecommendationAdditionalData contains ") +
               kql_string(id);
    const auto table = FIELDWATCH_TRY(ask(
        *scope.workspace,
        active_components(context, scope) +
            fmt::format(" | where {} or tostring(D.Component) in ({}) | project DeviceId, RecommendationId, "
                        "RecommendationSeverity, DiscoveredTimeUTC, RecommendationAdditionalData",
                        ids, names),
        kDevicesMax));
    std::vector<Json> found;
    for (std::size_t i = 0; i < table.rows.size(); ++i) {
        const Row row(table, i);
        const auto component = row.parsed_json("RecommendationAdditionalData");
        const auto fixed = fixed_in(component, asked);
        if (!fixed) continue;
        found.push_back({{"device", row.text("DeviceId")},
                         {"component", text_in(component, "Component")},
                         {"type", text_in(component, "Type")},
                         {"version", text_in(component, "Version")},
                         {"fixedVersion", *fixed},
                         {"severity", row.text("RecommendationSeverity")},
                         {"priority", text_in(component, "Priority")},
                         {"exposed", text_in(component, "Exposed") == "true"},
                         {"since", row.text("DiscoveredTimeUTC")},
                         {"recommendation", row.text("RecommendationId")}});
    }
    std::ranges::stable_sort(found, [](const Json& a, const Json& b) {
        const auto rank = [](const Json& one) {
            return std::tuple(-std::atoi(one["priority"].get_ref<const std::string&>().c_str()),
                              one["device"].get<std::string>(), one["component"].get<std::string>());
        };
        return rank(a) < rank(b);
    });
    return Json(std::move(found));
}

Answer get_vulnerability(const Context& context, const Call& call) {
    const auto scope = FIELDWATCH_TRY(scope_of(context, call));
    auto* const files = FIELDWATCH_TRY(advisory_files_of(context));
    const auto& id = call.names[0];
    Asked asked{.ids = {id}, .table = FIELDWATCH_TRY(files->in_force())};
    const auto about = asked.table->about(id, kAboutMax);
    Json advisories = Json::array();
    int score = 0;
    auto standing = asked.table->standing(id);
    for (const auto& one : about) {
        if (asked.ids.insert(one.id).second) {
            const auto other = asked.table->standing(one.id);
            standing.exploited |= other.exploited;
            standing.probability = std::max(standing.probability, other.probability);
        }
        score = std::max(score, one.score);
        advisories.push_back({{"package", one.scope.name},
                              {"type", one.scope.type},
                              {"distribution", one.scope.distribution},
                              {"release", one.scope.release},
                              {"fixedVersion", one.fixed_version},
                              {"source", one.source}});
    }
    auto devices = FIELDWATCH_TRY(devices_with(context, scope, asked, about));
    if (about.empty() && devices.empty() && !standing.exploited && standing.probability < 0)
        return fail(Errc::NotFound,
                    "no advisory in force and no device of hub " + scope.hub.name.value + " names " + id);
    return json_reply(200,
                      {{"id", id},
                       {"exploited", standing.exploited},
                       {"exploitProbability",
                        standing.probability < 0 ? Json(nullptr) : Json(standing.probability / 10'000.0)},
                       {"score", score == 0 ? Json(nullptr) : Json(score / 10.0)},
                       {"advisories", std::move(advisories)},
                       {"devices", std::move(devices)},
                       {"sequence", context.notifier.sequence()}});
}

}  // namespace

std::vector<Route> vulnerability_routes() {
    return {{"GET", "/api/v1/advisories", Role::Reader, list_advisory_files},
            {"PUT", "/api/v1/advisories/{name}", Role::Administrator, put_advisory_file},
            {"DELETE", "/api/v1/advisories/{name}", Role::Administrator, delete_advisory_file},
            {"GET", "/api/v1/vulnerabilities", Role::Reader, list_vulnerabilities},
            {"GET", "/api/v1/vulnerabilities/{id}", Role::Reader, get_vulnerability}};
}

}  // namespace fieldwatch::portal
