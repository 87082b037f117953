#include "detect/posture/hub_configuration.hpp"

#include <algorithm>

#include "detect/posture/ipv4_set.hpp"
#include "detect/posture/transport.hpp"

namespace fieldwatch::detect {

namespace {

constexpr std::uint64_t kLargeRange = 65'536;
constexpr std::int64_t kRetentionDays = 365;

using Assessment = RecommendationBook::Assessment;

bool is(std::string_view text, std::string_view word) {
    return lower_case(text) == lower_case(word);
}

void assess_tls(const HubDocument& hub, Assessment found, Context& context) {
    const bool strong = !hub.minimum_tls.empty() && !is_weak_tls_version(hub.minimum_tls);
    found.type = "IoT_VulnerableTLSCipherSuite";
    found.health = strong ? Health::Healthy : Health::Unhealthy;
    JsonWriter(found.additional_json)
        .begin_object()
        .member("TlsVersion", hub.minimum_tls)
        .member("CipherSuite", "")
        .member("Scope", "hub")
        .end_object();
    context.posture.assess(std::move(found), context.settings, context.now, context.out);
}

void assess_default(const HubDocument& hub, Assessment found, Context& context) {
    const bool closed = is(hub.public_network_access, "Disabled") || is(hub.network_default, "Deny") ||
                        rejects_by_default(hub.ip_rules);
    found.type = "IoT_IPFilter_DenyAll";
    found.health = closed ? Health::Healthy : Health::Unhealthy;
    std::string rules;
    JsonWriter json(rules);
    json.begin_array();
    for (const auto& rule : hub.ip_rules)
        json.begin_object()
            .member("filterName", rule.name)
            .member("action", rule.accepts ? "Accept" : "Reject")
            .member("ipMask", rule.mask)
            .end_object();
    json.end_array();
    JsonWriter(found.additional_json)
        .begin_object()
        .member("IpFilterRules", rules)
        .member("DefaultAction", hub.network_default.empty() ? "Accept" : hub.network_default)
        .end_object();
    context.posture.assess(std::move(found), context.settings, context.now, context.out);
}

struct LargeRanges {
    std::string flagged, shadowed;
    std::size_t flagged_count = 0, shadowed_count = 0;
};

/// An accepting rule counts while earlier rejections leave anything of it.
LargeRanges large_ranges(const HubDocument& hub) {
    LargeRanges out;
    JsonWriter flagged(out.flagged), shadowed(out.shadowed);
    flagged.begin_array();
    shadowed.begin_array();
    Ipv4Set rejected;
    const auto look = [&](const IpFilterRule& rule) {
        if (!rule.range || !rule.range->address.is_v4) return;
        const auto range = range_of(*rule.range);
        if (!rule.accepts) return rejected.add(range);
        if (range.size() <= kLargeRange) return;
        const bool hidden = rejected.covers(range);
        ++(hidden ? out.shadowed_count : out.flagged_count);
        (hidden ? shadowed : flagged)
            .begin_object()
            .member("FilterName", rule.name)
            .member("IpMask", rule.mask)
            .member("Size", static_cast<std::int64_t>(range.size()))
            .end_object();
    };
    std::ranges::for_each(hub.ip_rules, look);
    rejected = {};  // the newer rule set is a list of its own
    std::ranges::for_each(hub.network_rules, look);
    flagged.end_array();
    shadowed.end_array();
    return out;
}

void assess_ranges(const HubDocument& hub, Assessment found, Context& context) {
    const auto ranges = large_ranges(hub);
    found.type = "IoT_IPFilter_PermissiveRule";
    found.health = ranges.flagged_count > 0 ? Health::Unhealthy : Health::Healthy;
    JsonWriter json(found.additional_json);
    json.begin_object().member("Rules", ranges.flagged);
    if (ranges.shadowed_count > 0) json.member("ShadowedRules", ranges.shadowed);
    json.end_object();
    context.posture.assess(std::move(found), context.settings, context.now, context.out);
}

void assess_diagnostics(const HubDocument& hub, Assessment found, Context& context) {
    const std::vector<std::string> wanted = {"Connections", "DeviceTelemetry"};
    std::vector<std::string> missing;
    std::int64_t shortest = 0;  // of those that are too short
    bool any = false;
    for (const auto& category : wanted) {
        bool kept = false;
        for (const auto& setting : hub.diagnostics) {
            if (!setting.has_destination) continue;
            for (const auto& log : setting.categories) {
                if (!log.enabled) continue;
                any = true;
                if (!is(log.name, category) && !is(log.name, "allLogs")) continue;
                const bool too_short = log.retention_days > 0 && log.retention_days < kRetentionDays;
                if (too_short)
                    shortest = shortest == 0 ? log.retention_days : std::min(shortest, log.retention_days);
                kept = true;
            }
        }
        if (!kept) missing.push_back(category);
    }
    const bool complete = context.settings.diagnostics_require_all ? missing.empty() : any;
    found.type = "IoT_DiagnosticsLogsDisabled";
    found.health = complete && shortest == 0 ? Health::Healthy : Health::Unhealthy;
    JsonWriter(found.additional_json)
        .begin_object()
        .member("MissingCategories", json_list(missing))
        .member("RetentionDays", std::to_string(shortest))
        .end_object();
    context.posture.assess(std::move(found), context.settings, context.now, context.out);
}

}  // namespace

void HubConfiguration::hub(const HubDocument& hub, const model::RegistryChange& change, Context& context) {
    if (!change.role.home) return;
    const Assessment found{.type = {},
                           .hub = change.hub,
                           .device = {},
                           .health = Health::Unknown,
                           .time = change.time,
                           .additional_json = {},
                           .evidence = {change.position}};
    assess_tls(hub, found, context);
    assess_default(hub, found, context);
    assess_ranges(hub, found, context);
    assess_diagnostics(hub, found, context);
}

}  // namespace fieldwatch::detect
