// OCSF 1.4.0: https://schema.ocsf.io/1.4.0/classes/detection_finding
#include <algorithm>
#include <array>
#include <utility>

#include "base/json_text.hpp"
#include "base/text.hpp"
#include "export/render.hpp"

namespace fieldwatch::exports {

namespace {

struct Named {
    int id;
    std::string_view name;
};

Named severity_of(model::Severity severity) {
    return {static_cast<int>(severity) + 1, model::to_string(severity)};  // 1 Informational … 4 High
}

/// An observable's type as OCSF numbers them.
Named type_of(Observable::What what) {
    switch (what) {
        case Observable::What::IpAddress:
            return {2, "IP Address"};
        case Observable::What::DomainName:
            return {1, "Hostname"};
        case Observable::What::Url:
            return {6, "URL String"};
        case Observable::What::FilePath:
            return {7, "File Name"};
        case Observable::What::UserName:
            return {4, "User Name"};
        case Observable::What::CommandLine:
            return {13, "Command Line"};
        case Observable::What::ImageId:
            return {10, "Resource UID"};
    }
    std::unreachable();
}

/// Where the value stands in the event, as observables name it.
std::string_view place_of(Observable::What what) {
    switch (what) {
        case Observable::What::IpAddress:
            return "evidences.dst_endpoint.ip";
        case Observable::What::DomainName:
            return "evidences.query.hostname";
        case Observable::What::Url:
            return "evidences.url.url_string";
        case Observable::What::FilePath:
            return "evidences.file.path";
        case Observable::What::UserName:
            return "evidences.actor.user.name";
        case Observable::What::CommandLine:
            return "evidences.process.cmd_line";
        case Observable::What::ImageId:
            return "evidences.container.image.uid";
    }
    std::unreachable();
}

/// ATT&CK's tactics by the words of spec/alerts.md 2.1; those that ATT&CK lacks are left out.
constexpr std::array<std::pair<std::string_view, std::string_view>, 13> kTactics{
    {{"InitialAccess", "TA0001"},
     {"Execution", "TA0002"},
     {"Persistence", "TA0003"},
     {"PrivilegeEscalation", "TA0004"},
     {"DefenseEvasion", "TA0005"},
     {"CredentialAccess", "TA0006"},
     {"Discovery", "TA0007"},
     {"LateralMovement", "TA0008"},
     {"Collection", "TA0009"},
     {"Exfiltration", "TA0010"},
     {"CommandAndControl", "TA0011"},
     {"Impact", "TA0040"},
     {"Probing", "TA0043"}}};

void write_attacks(JsonWriter& json, const Finding& finding) {
    json.key("attacks").begin_array();
    for (const auto& technique : finding.techniques) {
        const auto dot = technique.find('.');
        json.begin_object()
            .key("technique")
            .begin_object()
            .member("uid", technique.substr(0, dot))
            .end_object();
        if (dot != std::string::npos)
            json.key("sub_technique").begin_object().member("uid", technique).end_object();
        json.end_object();
    }
    for (const auto word : split(finding.tactics, ',')) {
        const auto* const known =
            std::ranges::find(kTactics, word, &std::pair<std::string_view, std::string_view>::first);
        if (known == kTactics.end()) continue;
        json.begin_object().key("tactic").begin_object().member("uid", known->second).member("name", word);
        json.end_object().end_object();
    }
    json.end_array();
}

void write_finding_info(JsonWriter& json, const Finding& finding, const Teller& teller) {
    json.key("finding_info")
        .begin_object()
        .member("uid", finding.id)
        .member("title", finding.title.empty() ? finding.type : finding.title)
        .member_if("desc", finding.description)
        .member("created_time", finding.decided.unix_millis())
        .member("first_seen_time", finding.first.unix_millis())
        .member("last_seen_time", finding.last.unix_millis())
        .member_if("src_url", link_to(finding, teller));
    json.key("types").begin_array().string(finding.type).end_array();
    json.key("analytic")
        .begin_object()
        .member("type_id", std::int64_t{1})
        .member("type", "Rule")
        .member("uid", finding.rule_id.empty() ? finding.type : finding.rule_id)
        .member_if("name", finding.rule_title)
        .end_object();
    write_attacks(json, finding);
    json.end_object();
}

void write_observables(JsonWriter& json, const Finding& finding) {
    json.key("observables").begin_array();
    if (!finding.device.empty())
        json.begin_object()
            .member("name", "device.uid")
            .member("type_id", std::int64_t{10})
            .member("type", "Resource UID")
            .member("value", finding.device)
            .end_object();
    for (const auto& one : finding.observables) {
        const auto type = type_of(one.what);
        json.begin_object()
            .member("name", place_of(one.what))
            .member("type_id", std::int64_t{type.id})
            .member("type", type.name)
            .member("value", one.value)
            .end_object();
    }
    json.end_array();
}

/// What the observables point at, one an object.
void write_evidences(JsonWriter& json, const Finding& finding) {
    json.key("evidences").begin_array();
    for (const auto& one : finding.observables) {
        const auto place = split(place_of(one.what), '.');
        json.begin_object();
        for (std::size_t i = 1; i + 1 < place.size(); ++i)
            json.key(place[i]).begin_object();
        json.member(place.back(), one.value);
        for (std::size_t i = 1; i + 1 < place.size(); ++i)
            json.end_object();
        json.end_object();
    }
    json.end_array();
}

struct Phase {
    Named activity, status;
};
Phase phase_of(const Finding& finding) {
    if (finding.state == "Resolved") return {{3, "Close"}, {4, "Resolved"}};
    if (finding.state == "Dismissed") return {{3, "Close"}, {3, "Suppressed"}};
    if (finding.state == "InProgress") return {{2, "Update"}, {2, "In Progress"}};
    return {{1, "Create"}, {1, "New"}};
}

}  // namespace

std::string render_ocsf(const Finding& finding, const Teller& teller) {
    std::string out;
    JsonWriter json(out);
    const auto severity = severity_of(finding.severity);
    const auto [activity, status] = phase_of(finding);
    json.begin_object()
        .member("class_uid", std::int64_t{2004})
        .member("class_name", "Detection Finding")
        .member("category_uid", std::int64_t{2})
        .member("category_name", "Findings")
        .member("activity_id", std::int64_t{activity.id})
        .member("activity_name", activity.name)
        .member("type_uid", std::int64_t{200'400 + activity.id})
        .member("time", finding.decided.unix_millis())
        .member("severity_id", std::int64_t{severity.id})
        .member("severity", severity.name)
        .member("status_id", std::int64_t{status.id})
        .member("status", status.name)
        .member("count", finding.hits)
        .member("message", finding.title);
    json.key("is_alert").boolean(finding.kind == Kind::Alert);
    json.key("metadata")
        .begin_object()
        .member("version", "1.4.0")
        .member("uid", finding.delivery_id)
        .key("profiles")
        .begin_array()
        .string("host")
        .end_array()
        .key("product")
        .begin_object()
        .member("name", "Fieldwatch")
        .member("vendor_name", "Fieldwatch")
        .member("version", teller.version)
        .end_object()
        .end_object();
    write_finding_info(json, finding, teller);
    if (!finding.device.empty()) {
        json.key("device")
            .begin_object()
            .member("type_id", std::int64_t{7})
            .member("type", "IOT")
            .member("uid", finding.device)
            .member("name", finding.device)
            .member_if("domain", finding.hub)
            .end_object();
    }
    write_observables(json, finding);
    write_evidences(json, finding);
    if (!finding.remediation.empty()) {
        std::string steps;
        for (const auto& step : finding.remediation)
            steps += (steps.empty() ? "" : "\n") + step;
        json.key("remediation").begin_object().member("desc", steps).end_object();
    }
    json.key("unmapped").raw(finding.json);
    json.end_object();
    return out;
}

}  // namespace fieldwatch::exports
