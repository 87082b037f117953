#include "detect/settings.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "detect/custom/security_group.hpp"

namespace fieldwatch::detect {

namespace {

using Json = nlohmann::json;

std::unexpected<Error> bad(std::string_view key, std::string_view what) {
    return fail(Errc::InvalidArgument, "settings: " + std::string(key) + " " + std::string(what));
}

Result<void> read(const Json& document, const char* key, Ticks& out,
                  std::chrono::hours most = std::chrono::hours(72)) {
    const auto found = document.find(key);
    if (found == document.end()) return {};
    if (!found->is_string()) return bad(key, "must be an ISO 8601 duration, like \"PT10M\"");
    const auto value = parse_iso8601_duration(found->get_ref<const std::string&>());
    if (!value || value->count() <= 0 || *value > Ticks(most))
        return bad(key, "must be a duration of up to " + std::to_string(most.count()) + " hours");
    out = *value;
    return {};
}
Result<void> read(const Json& document, const char* key, std::int64_t& out, std::int64_t least,
                  std::int64_t most) {
    const auto found = document.find(key);
    if (found == document.end()) return {};
    if (!found->is_number_integer() || *found < least || *found > most)
        return bad(key, "must be an integer from " + std::to_string(least) + " to " + std::to_string(most));
    out = found->get<std::int64_t>();
    return {};
}
Result<void> read(const Json& document, const char* key, bool& out) {
    const auto found = document.find(key);
    if (found == document.end()) return {};
    if (!found->is_boolean()) return bad(key, "must be true or false");
    out = found->get<bool>();
    return {};
}
Result<void> read(const Json& document, const char* key, std::vector<std::string>& out) {
    const auto found = document.find(key);
    if (found == document.end()) return {};
    if (!found->is_array() || found->size() > 1'000) return bad(key, "must be a list of up to 1,000 values");
    out.clear();
    for (const auto& value : *found) {
        if (value.is_string()) {
            out.push_back(value.get<std::string>());
        } else if (value.is_number_unsigned()) {
            out.push_back(std::to_string(value.get<std::uint64_t>()));
        } else {
            return bad(key, "must hold texts or numbers");
        }
    }
    return {};
}

Result<void> read(const Json& document, const char* key, std::string& out) {
    const auto found = document.find(key);
    if (found == document.end()) return {};
    if (!found->is_string() || found->get_ref<const std::string&>().size() > 64)
        return bad(key, "must be a text of up to 64 bytes");
    out = found->get<std::string>();
    return {};
}

/// `[{recommendationType, status}]`, spec/recommendations.md section 1; a stray TurnedOn means Enabled.
Result<void> read_recommendations(const Json& document, std::vector<std::string>& disabled) {
    constexpr const char* kKey = "recommendationsConfiguration";
    const auto found = document.find(kKey);
    if (found == document.end()) return {};
    if (!found->is_array() || found->size() > 100) return bad(kKey, "must be a list of up to 100 objects");
    for (const auto& one : *found) {
        if (!one.is_object()) return bad(kKey, "must hold objects");
        const auto type = one.value("recommendationType", Json());
        const auto status = one.value("status", Json());
        if (!type.is_string() || !status.is_string())
            return bad(kKey, "needs a recommendationType and a status");
        const auto& text = status.get_ref<const std::string&>();
        if (text != "Disabled" && text != "Enabled" && text != "TurnedOn")
            return bad(kKey, "has a status that is neither Enabled nor Disabled");
        if (text == "Disabled") disabled.push_back(type.get<std::string>());
    }
    return {};
}

Result<void> read_vulnerabilities(const Json& document, std::vector<Settings::Vulnerability>& out) {
    constexpr const char* kKey = "vulnerabilities";
    const auto found = document.find(kKey);
    if (found == document.end()) return {};
    if (!found->is_array() || found->size() > 100'000)
        return bad(kKey, "must be a list of up to 100,000 objects");
    for (const auto& one : *found) {
        const auto text = [&](const char* key) {
            const auto member = one.is_object() ? one.value(key, Json()) : Json();
            return member.is_string() ? member.get<std::string>() : std::string();
        };
        if (text("package").empty() || text("id").empty()) return bad(kKey, "needs package and id in each");
        out.push_back({text("package"), text("fixed"), text("id")});
    }
    std::ranges::sort(out, {}, [](const auto& v) { return std::tie(v.package, v.id, v.fixed); });
    return {};
}

}  // namespace

Result<Settings> parse_settings(std::string_view json) {
    const auto document = Json::parse(json, nullptr, /*allow_exceptions=*/false);
    if (!document.is_object()) return fail(Errc::Malformed, "settings: not a JSON object");
    Settings out;
    FIELDWATCH_TRY(read(document, "bruteforce.window", out.bruteforce_window));
    FIELDWATCH_TRY(read(document, "bruteforce.minFailures", out.bruteforce_failures, 1, 1'000));
    FIELDWATCH_TRY(read(document, "backdoor.window", out.backdoor_window));
    FIELDWATCH_TRY(read(document, "dedup.window", out.dedup_window));
    FIELDWATCH_TRY(read(document, "intel.minConfidence", out.intel_confidence, 0, 100));
    FIELDWATCH_TRY(read(document, "ipCollection", out.ip_collection));
    FIELDWATCH_TRY(read(document, "behaviour", out.behaviour));
    if (const auto found = document.find("behaviour.expectations"); found != document.end())
        out.expectations = FIELDWATCH_TRY(parse_expectations(*found));
    FIELDWATCH_TRY(read(document, "testMode", out.test_mode));
    FIELDWATCH_TRY(read(document, "allowedPorts", out.allowed_ports));
    FIELDWATCH_TRY(read(document, "localSuffixes", out.local_suffixes));
    FIELDWATCH_TRY(read(document, "custom.extensions", out.custom_extensions));
    FIELDWATCH_TRY(read(document, "custom.countSecurityMessages", out.count_security_messages));
    GroupSet groups;
    if (const auto found = document.find("securityGroups"); found != document.end())
        groups = FIELDWATCH_TRY(parse_group_set(found->dump(-1, ' ', false, Json::error_handler_t::replace),
                                                out.custom_extensions));
    out.groups = std::make_shared<const GroupSet>(std::move(groups));
    FIELDWATCH_TRY(read(document, "silent.after", out.silent_after, std::chrono::hours(24 * 30)));
    FIELDWATCH_TRY(read(document, "recon.window", out.recon_window));
    FIELDWATCH_TRY(read(document, "recon.minDistinct", out.recon_distinct, 2, 100));
    FIELDWATCH_TRY(read(document, "egress.maxBytesOut", out.egress_bytes, 0, INT64_MAX));
    FIELDWATCH_TRY(read(document, "posture.freshness", out.snapshot_freshness, std::chrono::hours(24 * 30)));
    FIELDWATCH_TRY(read(document, "diag.requireAll", out.diagnostics_require_all));
    FIELDWATCH_TRY(read(document, "posture.extensions", out.extensions));
    FIELDWATCH_TRY(read(document, "registrySuffixes", out.registry_suffixes));
    FIELDWATCH_TRY(read(document, "securityModules", out.security_modules));
    FIELDWATCH_TRY(read(document, "agent.minimumVersion", out.agent_minimum));
    FIELDWATCH_TRY(read(document, "agent.minimumMicroVersion", out.micro_agent_minimum));
    FIELDWATCH_TRY(read_recommendations(document, out.disabled_recommendations));
    FIELDWATCH_TRY(read_vulnerabilities(document, out.vulnerabilities));
    return out;
}

}  // namespace fieldwatch::detect
