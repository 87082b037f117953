#include "detect/intel/hunt_finding.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json_text.hpp"
#include "detect/behaviour/evidence_query.hpp"
#include "detect/detector.hpp"
#include "detect/intel/indicator_json.hpp"

namespace fieldwatch::detect {

namespace {

using HuntBody = nlohmann::json;

constexpr std::string_view kHuntRule = "fieldwatch-x-known-indicator-in-history";
constexpr std::string_view kHuntMember = "hunt";
constexpr std::size_t kHuntTextMax = 8'192;  ///< of one member: values have 4,096 at most

std::optional<IndicatorType> type_from(std::string_view name) {
    for (std::size_t i = 0; i < kIndicatorTypes; ++i) {
        if (to_string(static_cast<IndicatorType>(i)) == name) return static_cast<IndicatorType>(i);
    }
    return std::nullopt;
}

std::int64_t count_in(const HuntBody& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_number_integer()
               ? std::max<std::int64_t>(found->get<std::int64_t>(), 0)
               : 0;
}

Result<HuntFinding> read_hunt(const HuntBody& body) {
    HuntFinding out;
    const auto& hunt = body.at(std::string(kHuntMember));
    out.value = text_of(hunt, "indicator");
    const auto type = type_from(text_of(hunt, "type"));
    const auto first = parse_iso8601(text_of(hunt, "firstSeen")),
               last = parse_iso8601(text_of(hunt, "lastSeen"));
    if (out.value.empty() || !type || !first || !last)
        return fail(Errc::Malformed, "a hunt's finding without its indicator, type or times");
    out.type = *type;
    out.first_seen = first->time;
    out.last_seen = std::max(first->time, last->time);
    out.seen = text_of(hunt, "seen");
    out.category = text_of(hunt, "category");
    out.source = text_of(hunt, "source");
    out.tlp = tlp_from(text_of(hunt, "tlp"));
    out.confidence = static_cast<int>(std::min<std::int64_t>(count_in(hunt, "confidence"), 100));
    out.device_count = count_in(hunt, "deviceCount");
    out.rows = count_in(hunt, "rows");
    out.query = text_of(hunt, "query");
    const auto devices = hunt.find("devices");
    if (devices != hunt.end() && devices->is_array()) {
        for (const auto& device : *devices) {
            if (device.is_string() && out.devices.size() < HuntFinding::kDevicesMax)
                out.devices.push_back(device.get<std::string>());
        }
    }
    for (const auto* text : {&out.value, &out.seen, &out.category, &out.source, &out.query}) {
        if (text->size() > kHuntTextMax)
            return fail(Errc::Malformed, "a hunt's finding with too long a text");
    }
    return out;
}

bool is_hash_type(IndicatorType type) {
    return type == IndicatorType::Sha256 || type == IndicatorType::Sha1 || type == IndicatorType::Md5;
}

void add_seen(EntityWriter& entities, const HuntFinding& finding) {
    switch (finding.type) {
        case IndicatorType::Ipv4:
        case IndicatorType::Ipv6:
        case IndicatorType::Cidr:
            entities.add("ip", {{"Address", finding.seen}, {"ThreatIntelligence", finding.source}});
            return;
        case IndicatorType::Domain:
            entities.add("dns", {{"DomainName", finding.value}});
            return;
        case IndicatorType::Url:
        case IndicatorType::UrlPath:
            entities.add("url", {{"Url", finding.seen}});
            return;
        case IndicatorType::Sha256:
        case IndicatorType::Sha1:
        case IndicatorType::Md5:
            entities.add("filehash", {{"Algorithm", to_string(finding.type)}, {"Value", finding.value}});
            return;
    }
}

}  // namespace

model::Record hunt_finding_record(const model::HubName& hub, const HuntFinding& finding, Timestamp now) {
    const HuntBody body{{std::string(kHuntMember),
                         {{"indicator", finding.value},
                          {"seen", finding.seen},
                          {"type", to_string(finding.type)},
                          {"category", finding.category},
                          {"source", finding.source},
                          {"confidence", finding.confidence},
                          {"tlp", to_string(finding.tlp)},
                          {"devices", finding.devices},
                          {"deviceCount", finding.device_count},
                          {"rows", finding.rows},
                          {"firstSeen", to_iso8601(finding.first_seen)},
                          {"lastSeen", to_iso8601(finding.last_seen)},
                          {"query", finding.query}}}};
    model::Record record;
    record.kind = model::RecordKind::QueryFinding;
    record.received = now;
    record.sender.hub = hub;
    record.sender.device.value = finding.device;
    record.body = body.dump(-1, ' ', false, HuntBody::error_handler_t::replace);
    return record;
}

bool is_hunt_finding(const HuntBody& body) {
    const auto found = body.is_object() ? body.find(std::string(kHuntMember)) : body.end();
    return found != body.end() && found->is_object();
}

Result<model::Alert> alert_of_hunt_finding(const model::RecordView& record, const HuntBody& body) {
    const auto finding = FIELDWATCH_TRY(read_hunt(body));
    const bool of_device = !record.device.empty();
    model::Alert alert;
    alert.type = "IoT_X_KnownIndicatorInHistory";
    alert.display_name = "Newly known indicator in stored history";
    alert.severity = is_hash_type(finding.type) ? model::Severity::High : model::Severity::Medium;
    alert.description = fmt::format(
        "Threat intelligence names something now that {} dealt with before: {}.",
        of_device ? "the device" : fmt::format("{} devices", finding.device_count), finding.value);
    alert.component = of_device ? "Agent" : "IoT Hub";
    alert.intent = is_hash_type(finding.type) ? "Execution" : "CommandAndControl";
    alert.remediation = {
        "Look at the rows that the evidence query gives, and at what the device did since the first of them"};
    alert.hub.value = record.hub;
    alert.compromised_entity = of_device ? record.device : record.hub;
    alert.discriminator = finding.value;
    alert.start = finding.first_seen;
    alert.end = finding.last_seen;
    alert.hit_count = std::max<std::int64_t>(finding.rows, 1);
    alert.rule = {.id = std::string(kHuntRule),
                  .title = alert.display_name,
                  .author = "Fieldwatch",
                  .license = {},
                  .references = {}};
    EntityWriter entities(alert.entities_json, record.hub, record.device);
    add_seen(entities, finding);
    entities.end();
    JsonWriter json(alert.extended_json);
    json.begin_object()
        .member("Indicator", finding.value)
        .member("IndicatorType", to_string(finding.type))
        .member("IndicatorCategory", finding.category)
        .member("IndicatorSource", finding.source)
        .member("IndicatorConfidence", static_cast<std::int64_t>(finding.confidence))
        .member_if("IndicatorTlp", to_string(finding.tlp))
        .member("Seen", finding.seen)
        .member("FirstSeen", to_iso8601(finding.first_seen))
        .member("LastSeen", to_iso8601(finding.last_seen))
        .member("Rows", std::to_string(finding.rows))
        .member("DeviceCount", std::to_string(finding.device_count))
        .member("Devices", json_list(finding.devices))
        .member(kEvidenceQueryKey, finding.query);
    if (of_device) json.member("DeviceId", record.device);
    json.end_object();
    return alert;
}

}  // namespace fieldwatch::detect
