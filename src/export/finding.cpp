#include "export/finding.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/bytes.hpp"
#include "base/ip_address.hpp"
#include "base/text.hpp"

namespace fieldwatch::exports {

namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr std::size_t kObservablesMax = 64;
constexpr std::size_t kDepthMax = 64;  ///< ours nest by ten; what is deeper is none of ours
/// Names what has no SystemAlertId of its own: states of recommendations, later ones of alerts.
constexpr Uuid kDeliveries{
    {0x1e, 0x52, 0x0c, 0x9d, 0x84, 0x7a, 0x4b, 0x0f, 0xa1, 0x66, 0x2f, 0x93, 0x0d, 0xc8, 0x5b, 0x71}};

std::string text_of(const OrderedJson& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Timestamp time(const OrderedJson& object, const char* name) {
    const auto parsed = parse_iso8601(text_of(object, name));
    return parsed ? parsed->time : Timestamp{};
}

std::vector<std::string> texts(const OrderedJson& object, const char* name) {
    std::vector<std::string> out;
    const auto found = object.find(name);
    if (found == object.end() || !found->is_array()) return out;
    for (const auto& one : *found) {
        if (one.is_string()) out.push_back(one.get<std::string>());
    }
    return out;
}

class Observables {
  public:
    explicit Observables(std::vector<Observable>& out) : out_(out) {}

    void add(Observable::What what, std::string value) {
        if (value.empty() || value == "?" || out_.size() >= kObservablesMax) return;
        if (what == Observable::What::IpAddress && !parse_ip(value)) return;
        Observable one{what, std::move(value)};
        if (std::ranges::find(out_, one) == out_.end()) out_.push_back(std::move(one));
    }
    void add_entity(const OrderedJson& entity) {
        using enum Observable::What;
        const auto type = text_of(entity, "Type");
        if (type == "ip") add(IpAddress, text_of(entity, "Address"));
        if (type == "network-connection") {
            add(IpAddress, text_of(entity, "SourceAddress"));
            add(IpAddress, text_of(entity, "DestinationAddress"));
        }
        if (type == "dns") add(DomainName, text_of(entity, "DomainName"));
        if (type == "url") add(Url, text_of(entity, "Url"));
        if (type == "account") add(UserName, text_of(entity, "Name"));
        if (type == "process") add(CommandLine, text_of(entity, "CommandLine"));
        if (type == "container-image") add(ImageId, text_of(entity, "ImageId"));
        if (type == "file") {
            const auto directory = text_of(entity, "Directory"), name = text_of(entity, "Name");
            if (!name.empty())
                add(FilePath, directory.empty() || directory.ends_with('/') ? directory + name
                                                                            : directory + "/" + name);
        }
    }

  private:
    std::vector<Observable>& out_;
};

void read_alert(const OrderedJson& object, Finding& out) {
    out.kind = Kind::Alert;
    out.id = text_of(object, "SystemAlertId");
    out.delivery_id = out.id;
    out.type = text_of(object, "AlertType");
    out.title = text_of(object, "DisplayName");
    out.description = text_of(object, "Description");
    out.severity = model::severity_from(text_of(object, "AlertSeverity")).value_or(model::Severity::Low);
    out.state = text_of(object, "Status");
    if (const auto more = object.find("ExtendedProperties"); more != object.end() && more->is_object())
        out.incident = text_of(*more, "IncidentId");
    out.device = text_of(object, "CompromisedEntity");
    if (out.device == out.hub) out.device.clear();
    out.first = time(object, "StartTime");
    out.last = time(object, "EndTime");
    if (const auto hits = object.find("HitCount"); hits != object.end() && hits->is_number_integer())
        out.hits = hits->get<std::int64_t>();
    out.component = text_of(object, "ProductComponentName");
    out.tactics = text_of(object, "Tactics");
    out.techniques = texts(object, "Techniques");
    out.remediation = texts(object, "RemediationSteps");
    if (const auto rule = object.find("Rule"); rule != object.end() && rule->is_object()) {
        out.rule_id = text_of(*rule, "id");
        out.rule_title = text_of(*rule, "title");
    }
    const auto entities = object.find("Entities");
    if (entities == object.end() || !entities->is_array()) return;
    Observables observables(out.observables);
    for (const auto& entity : *entities) {
        if (entity.is_object()) observables.add_entity(entity);
    }
}

void read_recommendation(const OrderedJson& object, Finding& out) {
    out.kind = Kind::Recommendation;
    out.id = text_of(object, "RecommendationId");
    out.type = text_of(object, "RecommendationName");
    out.title = text_of(object, "RecommendationDisplayName");
    out.severity =
        model::severity_from(text_of(object, "RecommendationSeverity")).value_or(model::Severity::Low);
    out.state = text_of(object, "RecommendationState");
    out.device = text_of(object, "DeviceId");
    out.first = time(object, "DiscoveredTimeUTC");
    out.last = time(object, "StatusChangeDate");
    out.rule_id = out.type;
    out.rule_title = out.title;
    const auto more = object.find("RecommendationAdditionalData");
    const auto detail = more == object.end() ? std::string() : more->dump();
    if (detail != "{}") out.description = detail;
    out.delivery_id = Uuid::named(kDeliveries, out.id + "/" + out.state + "/" +
                                                   text_of(object, "StatusChangeDate") + "/" + detail)
                          .text();
}

}  // namespace

Result<Finding> read_finding(const workspace::OutboxRow& row) {
    if (nests_deeper_than(kDepthMax, row.body_json))
        return fail(Errc::Malformed, "a row of the outbox nests too deep");
    auto body = OrderedJson::parse(row.body_json, nullptr, /*allow_exceptions=*/false);
    if (!body.is_object()) return fail(Errc::Malformed, "a row of the outbox holds no JSON object");
    Finding out;
    out.decided = time(body, "decided");
    auto object =
        body.contains("finding") ? body["finding"] : std::move(body);  // rows of before: the finding alone
    if (!object.is_object()) return fail(Errc::Malformed, "a row of the outbox holds no finding");
    out.hub = text_of(object, "Hub");
    if (row.kind == "alert") {
        read_alert(object, out);
    } else if (row.kind == "alert-state") {
        read_alert(object, out);
        out.later = true;
        out.delivery_id =
            Uuid::named(kDeliveries, out.id + "/" + out.state + "/" + to_iso8601(out.decided)).text();
    } else if (row.kind == "recommendation") {
        read_recommendation(object, out);
    } else {
        return fail(Errc::Malformed, "a row of the outbox is of the kind " + row.kind);
    }
    if (out.id.empty() || out.type.empty()) return fail(Errc::Malformed, "a finding without id or type");
    if (out.decided == Timestamp{}) out.decided = out.last;
    object.erase("Evidence");  // places in our log, which mean nothing elsewhere
    object["DeliveryId"] = out.delivery_id;
    object["DecidedTime"] = to_iso8601(out.decided);
    out.json = object.dump();
    return out;
}

Finding test_finding(Timestamp now, Random& random) {
    const auto id = Uuid::random(random).text();
    const auto when = to_iso8601(now);
    const OrderedJson object{
        {"kind", "alert"},
        {"AlertType", "Fieldwatch_ExportTest"},
        {"AlertSeverity", "Informational"},
        {"CompromisedEntity", ""},
        {"StartTime", when},
        {"EndTime", when},
        {"Entities", OrderedJson::array()},
        {"ExtendedProperties", OrderedJson::object()},
        {"SystemAlertId", id},
        {"DisplayName", "Test of an export"},
        {"Description", "Somebody tried whether findings arrive here. Nothing happened."},
        {"Status", "New"},
        {"HitCount", 1},
        {"Hub", ""},
        {"ProductComponentName", "Fieldwatch"}};
    const OrderedJson body{{"decided", when}, {"finding", object}};
    return *read_finding({.sequence = 0, .kind = "alert", .key = id, .body_json = body.dump()});
}

}  // namespace fieldwatch::exports
