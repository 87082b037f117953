// What people expect of devices, line by line: the settings' behaviour.expectations, listed with what each
// covers, added to and taken back. docs/decisions/0195.
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/bytes.hpp"
#include "base/hash.hpp"
#include "detect/settings.hpp"
#include "portal/context.hpp"
#include "portal/reply.hpp"
#include "portal/table_reader.hpp"

namespace fieldwatch::portal {
namespace {

constexpr const char* kLines = "behaviour.expectations";
constexpr std::size_t kIdDigits = 16;
constexpr std::chrono::hours kCoveredSpan{24 * 30};

/// The settings document, and its lines.
struct SettingsLines {
    Json document = Json::object();
    Json lines = Json::array();
    std::vector<detect::Expectation> parsed;
};

Result<SettingsLines> settings_lines(const Context& context) {
    SettingsLines out;
    if (const auto text = FIELDWATCH_TRY(context.parts.registry.setting(kDetectionSettings))) {
        out.document = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
        if (!out.document.is_object())
            return fail(Errc::Corrupt, fmt::format("the setting {} is no JSON object", kDetectionSettings));
    }
    if (const auto found = out.document.find(kLines); found != out.document.end()) out.lines = *found;
    out.parsed = FIELDWATCH_TRY(detect::parse_expectations(out.lines));
    return out;
}

/// A line has no name of its own: what it says is its name. Two lines that say the same are one to a person.
std::string id_of_line(const Json& line) {
    return hex(sha256(as_bytes(line.dump()))).substr(0, kIdDigits);
}

/// An alert of the models, as far as a line speaks of it.
struct ModelAlert {
    std::string hub, device, type, cause, feedback;
};

/// Of the last 30 days, of all workspaces.
Result<std::vector<ModelAlert>> model_alerts(const Context& context) {
    std::vector<ModelAlert> out;
    std::set<std::string> seen;
    for (const auto& hub : FIELDWATCH_TRY(context.parts.registry.hubs())) {
        if (!seen.insert(hub.workspace).second) continue;
        auto* const workspace = context.parts.workspace(hub.workspace);
        if (workspace == nullptr) continue;
        const auto found = FIELDWATCH_TRY(
            ask(*workspace,
                fmt::format(
                    "SecurityAlert | where TimeGenerated > {} "
                    "| where AlertType startswith \"IoT_X_Rare\" or AlertType in "
                    "(\"IoT_X_VolumeAnomaly\", \"IoT_X_UnusualMetric\") "
                    "| summarize arg_max(TimeGenerated, AlertType, CompromisedEntity, ResourceId, "
                    "ExtendedProperties) by SystemAlertId "
                    "| extend E = parse_json(ExtendedProperties) "
                    "| project AlertType, CompromisedEntity, Hub = tostring(split(ResourceId, \"/\")[-1]), "
                    "Cause = iff(isempty(tostring(E.Metric)), tostring(E.Cause), tostring(E.Metric)), "
                    "Feedback = tostring(E.Feedback)",
                    kql_datetime(context.parts.clock.now() - kCoveredSpan))));
        for (std::size_t i = 0; i < found.rows.size(); ++i) {
            const Row row(found, i);
            out.push_back({.hub = row.text("Hub"),
                           .device = row.text("CompromisedEntity"),
                           .type = row.text("AlertType"),
                           .cause = row.text("Cause"),
                           .feedback = row.text("Feedback")});
        }
    }
    return out;
}

Json line_json(const Json& line, const detect::Expectation& parsed, Timestamp now) {
    Json out{{"id", id_of_line(line)},
             {"verdict", detect::to_string(parsed.verdict)},
             {"until", to_iso8601(parsed.until)},
             {"over", now >= parsed.until}};
    for (const auto* member : {"hub", "device", "type", "cause", "by", "note"})
        out[member] = line.value(member, std::string());
    return out;
}

Answer list_expectations(const Context& context, const Call&) {
    const auto settings = FIELDWATCH_TRY(settings_lines(context));
    const auto alerts =
        settings.parsed.empty() ? std::vector<ModelAlert>{} : FIELDWATCH_TRY(model_alerts(context));
    Json out = Json::array();
    for (std::size_t i = 0; i < settings.parsed.size(); ++i) {
        auto line = settings.parsed[i];
        auto json = line_json(settings.lines[i], line, context.parts.clock.now());
        line.until = kTimestampMax;  // its scope alone
        std::size_t covered = 0, told = 0;
        for (const auto& alert : alerts) {
            if (!line.covers({.hub = alert.hub,
                              .device = alert.device,
                              .type = alert.type,
                              .cause = alert.cause,
                              .now = {}}))
                continue;
            ++covered;
            told += alert.feedback == detect::to_string(line.verdict);
        }
        json["alerts"] = covered;
        json["earlier"] = told;
        out.push_back(std::move(json));
    }
    return json_reply(200, {{"value", std::move(out)}});
}

/// The document with other lines, in force with the next content version.
Result<void> keep_lines(const Context& context, SettingsLines settings) {
    if (settings.lines.empty())
        settings.document.erase(kLines);
    else
        settings.document[kLines] = std::move(settings.lines);
    const auto text = settings.document.dump();
    static_cast<void>(FIELDWATCH_TRY(detect::parse_settings(text)));
    FIELDWATCH_TRY(context.parts.registry.set_setting(kDetectionSettings, text));
    context.parts.content_changed();
    return {};
}

Answer post_expectation(const Context& context, const Call& call) {
    const auto body = FIELDWATCH_TRY(
        body_object(call.request, {"verdict", "until", "hub", "device", "type", "cause", "note"}));
    Json line = Json::object();
    for (const auto& [name, value] : body.items())
        if (value != "") line[name] = value;
    const auto checked = FIELDWATCH_TRY(detect::parse_expectations(Json::array({line})));
    if (checked.front().until <= context.parts.clock.now())
        return fail(Errc::InvalidArgument, "\"until\" must lie in the future");
    line["by"] = call.who.name;
    auto settings = FIELDWATCH_TRY(settings_lines(context));
    const auto id = id_of_line(line);
    const bool there =
        std::ranges::any_of(settings.lines, [&](const Json& one) { return id_of_line(one) == id; });
    if (there) return fail(Errc::AlreadyExists, "this line is there already");
    if (settings.lines.size() >= detect::kExpectationsMax)
        return fail(Errc::Exhausted, fmt::format("there are {} lines already: withdraw those that are over",
                                                 detect::kExpectationsMax));
    call.detail = line.dump();
    settings.lines.push_back(line);
    FIELDWATCH_TRY(keep_lines(context, std::move(settings)));
    return json_reply(201, line_json(line, checked.front(), context.parts.clock.now()));
}

Answer delete_expectation(const Context& context, const Call& call) {
    auto settings = FIELDWATCH_TRY(settings_lines(context));
    Json rest = Json::array();
    for (const auto& line : settings.lines) {
        if (id_of_line(line) == call.names[0])
            call.detail = line.dump();
        else
            rest.push_back(line);
    }
    if (call.detail.empty())
        return fail(Errc::NotFound, fmt::format("no line of {} has the id \"{}\"", kLines, call.names[0]));
    settings.lines = std::move(rest);
    FIELDWATCH_TRY(keep_lines(context, std::move(settings)));
    return net::HttpResponse{.status = 204};
}

}  // namespace

std::vector<Route> expectation_routes() {
    return {{"GET", "/api/v1/expectations", Role::Reader, list_expectations},
            {"POST", "/api/v1/expectations", Role::Administrator, post_expectation},
            {"DELETE", "/api/v1/expectations/{id}", Role::Administrator, delete_expectation}};
}

}  // namespace fieldwatch::portal
