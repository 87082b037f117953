// STIX 2.1 (OASIS standard, June 2021). Ids are version 5 UUIDs, so that what is sent twice is one object: of
// observables as section 2.9 names them, of the rest below a name space of our own.
#include <algorithm>
#include <set>

#include "base/ip_address.hpp"
#include "base/json_text.hpp"
#include "export/render.hpp"

namespace fieldwatch::exports {

namespace {

/// Section 2.9.
constexpr Uuid kObservables{
    {0x00, 0xab, 0xed, 0xb4, 0xaa, 0x42, 0x46, 0x6c, 0x9c, 0x01, 0xfe, 0xd2, 0x33, 0x15, 0xa9, 0xb7}};
constexpr Uuid kOurs{
    {0x6a, 0x0e, 0x3c, 0x4f, 0x91, 0xd7, 0x4e, 0x2b, 0xb0, 0x5d, 0x17, 0x8a, 0xc4, 0x39, 0xe6, 0x02}};
constexpr std::string_view kOurBirth = "2026-01-01T00:00:00.000Z";  ///< of objects that never change

std::string id_of(std::string_view type, const std::string& name) {
    return std::string(type) + "--" + Uuid::named(kOurs, std::string(type) + "/" + name).text();
}

/// A cyber observable: type, the member that makes its id, how that is spelled.
struct Observed {
    std::string_view type, member;
    std::string value, id;
};

Observed observed(const Observable& one) {
    const auto made = [&](std::string_view type, std::string_view member, std::string value) {
        std::string name;
        JsonWriter(name).begin_object().member(member, value).end_object();
        // A process has no property that makes its id (section 6.13): ours names it.
        const auto space = type == "process" ? kOurs : kObservables;
        return Observed{type, member, std::move(value),
                        std::string(type) + "--" + Uuid::named(space, name).text()};
    };
    switch (one.what) {
        case Observable::What::IpAddress: {
            const auto address = parse_ip(one.value);
            const bool six = address && !address->is_v4;
            return made(six ? "ipv6-addr" : "ipv4-addr", "value", address ? address->text() : one.value);
        }
        case Observable::What::DomainName:
            return made("domain-name", "value", one.value);
        case Observable::What::Url:
            return made("url", "value", one.value);
        case Observable::What::FilePath:
            return made("file", "name", one.value.substr(one.value.rfind('/') + 1));
        case Observable::What::UserName:
            return made("user-account", "account_login", one.value);
        case Observable::What::CommandLine:
            return made("process", "command_line", one.value);
        case Observable::What::ImageId:
            return made("software", "name", one.value);
    }
    std::unreachable();
}

class Bundle {
  public:
    Bundle(const Finding& finding, const Teller& teller)
        : finding_(finding), teller_(teller), when_(to_iso8601(finding.decided, 3)) {}

    std::string write() {
        json_.begin_object().member("type", "bundle").member("id", id_of("bundle", finding_.delivery_id));
        json_.key("objects").begin_array();
        identity(us_, "Fieldwatch", "system");
        identity(where_, finding_.device.empty() ? finding_.hub : finding_.device, "system");
        finding_.kind == Kind::Alert && !finding_.later ? alert() : state();
        json_.end_array().end_object();
        return std::move(out_);
    }

  private:
    void begin(std::string_view type, std::string_view id, std::string_view created) {
        json_.begin_object()
            .member("type", type)
            .member("spec_version", "2.1")
            .member("id", id)
            .member("created_by_ref", us_)
            .member("created", created)
            .member("modified", created);
    }
    void identity(const std::string& id, std::string_view name, std::string_view what) {
        if (!written_.insert(id).second) return;
        begin("identity", id, kOurBirth);
        json_.member("name", name.empty() ? "Fieldwatch" : name).member("identity_class", what).end_object();
    }

    void alert() {
        std::vector<std::string> seen;
        for (const auto& one : finding_.observables) {
            const auto object = observed(one);
            if (object.value.empty() || !written_.insert(object.id).second) continue;
            json_.begin_object()
                .member("type", object.type)
                .member("spec_version", "2.1")
                .member("id", object.id)
                .member(object.member, object.value)
                .end_object();
            seen.push_back(object.id);
        }
        const auto first = to_iso8601(std::min(finding_.first, finding_.last), 3),
                   last = to_iso8601(finding_.last, 3);
        const auto count = std::clamp<std::int64_t>(finding_.hits, 1, 999'999'999);
        const auto data = id_of("observed-data", finding_.delivery_id);
        if (!seen.empty()) {
            begin("observed-data", data, when_);
            json_.member("first_observed", first)
                .member("last_observed", last)
                .member("number_observed", count);
            references("object_refs", seen);
            json_.end_object();
        }
        const auto indicator = write_indicator();
        begin("sighting", id_of("sighting", finding_.delivery_id), when_);
        json_.member_if("description", finding_.description)
            .member("first_seen", first)
            .member("last_seen", last)
            .member("count", count)
            .member("sighting_of_ref", indicator);
        if (!seen.empty()) references("observed_data_refs", {data});
        references("where_sighted_refs", {where_});
        external_reference();
        json_.end_object();
    }

    /// The rule, with what ATT&CK calls it. Its pattern is an alert type in our own language: what was
    /// observed once is no indicator elsewhere.
    std::string write_indicator() {
        const auto& rule = finding_.rule_id.empty() ? finding_.type : finding_.rule_id;
        auto id = id_of("indicator", finding_.type + "/" + rule);
        begin("indicator", id, kOurBirth);
        json_.member("name", finding_.title.empty() ? finding_.type : finding_.title)
            .member("pattern_type", "fieldwatch-alert-type")
            .member("pattern", finding_.type)
            .member("valid_from", kOurBirth);
        json_.end_object();
        for (const auto& technique : finding_.techniques) {
            const auto attack = id_of("attack-pattern", technique);
            if (!written_.insert(attack).second) continue;
            begin("attack-pattern", attack, kOurBirth);
            json_.member("name", technique).key("external_references").begin_array().begin_object();
            json_.member("source_name", "mitre-attack")
                .member("external_id", technique)
                .end_object()
                .end_array();
            json_.end_object();
            begin("relationship", id_of("relationship", id + "/" + technique), kOurBirth);
            json_.member("relationship_type", "indicates")
                .member("source_ref", id)
                .member("target_ref", attack);
            json_.end_object();
        }
        return id;
    }

    /// Of a recommendation, and of an alert that was sighted before.
    void state() {
        begin("note", id_of("note", finding_.delivery_id), when_);
        json_.member("abstract", finding_.title + ": " + finding_.state)
            .member("content", finding_.description.empty() ? finding_.title : finding_.description);
        references("object_refs", {where_});
        external_reference();
        json_.end_object();
    }

    void references(std::string_view name, const std::vector<std::string>& ids) {
        json_.key(name).begin_array();
        for (const auto& id : ids)
            json_.string(id);
        json_.end_array();
    }
    void external_reference() {
        json_.key("external_references")
            .begin_array()
            .begin_object()
            .member("source_name", "fieldwatch")
            .member("external_id", finding_.id)
            .member_if("url", link_to(finding_, teller_))
            .end_object()
            .end_array();
    }

    const Finding& finding_;
    const Teller& teller_;
    const std::string when_;
    const std::string us_ = id_of("identity", "fieldwatch");
    const std::string where_ = id_of("identity", finding_.hub + "/" + finding_.device);
    std::set<std::string> written_;
    std::string out_;
    JsonWriter json_{out_};
};

}  // namespace

std::string render_stix(const Finding& finding, const Teller& teller) {
    return Bundle(finding, teller).write();
}

}  // namespace fieldwatch::exports
