#include "detect/scheduled/query_finding.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json_text.hpp"
#include "detect/detector.hpp"
#include "detect/intel/hunt_finding.hpp"

namespace fieldwatch::detect {

namespace {

using FindingBody = nlohmann::json;

struct EntityShape {
    std::string_view kind, type, member;
};
constexpr EntityShape kEntityShapes[] = {{"process", "process", "CommandLine"}, {"file", "file", "Name"},
                                         {"user", "account", "Name"},           {"ip", "ip", "Address"},
                                         {"domain", "dns", "DomainName"},       {"url", "url", "Url"},
                                         {"hash", "filehash", "Value"}};

std::string finding_text(const FindingBody& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::int64_t finding_number(const FindingBody& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

Result<QueryFinding> read_finding(const FindingBody& body) {
    QueryFinding out;
    const auto from = parse_iso8601(finding_text(body, "from")), to = parse_iso8601(finding_text(body, "to"));
    if (!from || !to) return fail(Errc::Malformed, "a query finding without its window");
    out.from = from->time;
    out.to = to->time;
    out.rows = finding_number(body, "rows");
    const auto entities = body.find("entities");
    if (entities != body.end() && entities->is_object()) {
        for (const auto kind : kQueryEntities) {
            auto value = finding_text(*entities, std::string(kind).c_str());
            if (!value.empty()) out.entities.emplace_back(kind, std::move(value));
        }
    }
    const auto sample = body.find("sample");
    if (sample != body.end()) out.sample_json = sample->dump();
    return out;
}

/// The device first, when there is one; then what else the rows name.
std::string query_entities_json(std::string_view hub, const QueryFinding& finding) {
    std::string out;
    EntityWriter writer(out, finding.device().empty() ? std::string_view() : hub, finding.device());
    for (const auto& [kind, value] : finding.entities) {
        for (const auto& shape : kEntityShapes) {
            if (shape.kind == kind) writer.add(shape.type, {{shape.member, value}});
        }
    }
    writer.end();
    return out;
}

}  // namespace

std::string_view QueryFinding::device() const {
    for (const auto& [kind, value] : entities) {
        if (kind == "device") return value;
    }
    return {};
}

std::string QueryFinding::key() const {
    std::string out;
    for (const auto& [kind, value] : entities)
        out.append(kind).append(1, '=').append(value).append(1, '\0');
    return out;
}

model::Record query_finding_record(const model::HubName& hub, const ScheduledRule& rule,
                                   std::uint64_t version, const QueryFinding& finding, Timestamp now) {
    FindingBody entities = FindingBody::object();
    for (const auto& [kind, value] : finding.entities)
        entities[kind] = value;
    const FindingBody body{
        {"rule", rule.id},
        {"version", version},
        {"name", rule.name},
        {"description", rule.description},
        {"author", rule.author},
        {"severity", model::to_string(rule.severity)},
        {"intent", rule.intent},
        {"from", to_iso8601(finding.from)},
        {"to", to_iso8601(finding.to)},
        {"rows", finding.rows},
        {"entities", std::move(entities)},
        {"sample", FindingBody::parse(finding.sample_json, nullptr, /*allow_exceptions=*/false)}};
    model::Record record;
    record.kind = model::RecordKind::QueryFinding;
    record.received = now;
    record.sender.hub = hub;
    record.sender.device.value = finding.device();
    record.body = body.dump(-1, ' ', false, FindingBody::error_handler_t::replace);
    return record;
}

Result<model::Alert> alert_of_query_finding(const model::RecordView& record) {
    const auto body = FindingBody::parse(record.body, nullptr, /*allow_exceptions=*/false);
    if (is_hunt_finding(body)) return alert_of_hunt_finding(record, body);
    const auto rule = body.is_object() ? finding_text(body, "rule") : std::string();
    if (!is_scheduled_rule_id(rule)) return fail(Errc::Malformed, "a query finding without its rule");
    const auto finding = FIELDWATCH_TRY(read_finding(body));
    model::Alert alert;
    alert.type = "IoT_SQ_" + rule;
    alert.display_name = finding_text(body, "name");
    alert.severity = model::severity_from(finding_text(body, "severity")).value_or(model::Severity::Medium);
    alert.description = finding_text(body, "description");
    if (alert.description.empty())
        alert.description =
            fmt::format("The scheduled query \"{}\" found more rows than its threshold.", alert.display_name);
    alert.component = record.device.empty() ? "IoT Hub" : "Agent";
    alert.intent = finding_text(body, "intent");
    alert.remediation = {"Run the rule's query over the alert's time, and look at what its rows say"};
    alert.hub.value = record.hub;
    alert.compromised_entity = record.device.empty() ? record.hub : record.device;
    alert.discriminator = fmt::format("{}@{}/{}", rule, to_iso8601(finding.to, 0), finding.key());
    alert.start = finding.from;
    alert.end = finding.to;
    alert.hit_count = finding.rows;
    alert.rule = {.id = rule,
                  .title = alert.display_name,
                  .author = finding_text(body, "author"),
                  .license = {},
                  .references = {}};
    alert.entities_json = query_entities_json(record.hub, finding);
    JsonWriter json(alert.extended_json);
    json.begin_object()
        .member("RuleId", rule)
        .member("RuleVersion", std::to_string(finding_number(body, "version")))
        .member("WindowStart", to_iso8601(finding.from))
        .member("WindowEnd", to_iso8601(finding.to))
        .member("Rows", std::to_string(finding.rows))
        .member("Sample", finding.sample_json);
    if (!record.device.empty()) json.member("DeviceId", record.device);
    json.end_object();
    return alert;
}

}  // namespace fieldwatch::detect
