#include "detect/settings.hpp"

#include <nlohmann/json.hpp>

#include "detect/custom/security_group.hpp"

namespace fieldwatch::detect {

namespace {

using Json = nlohmann::json;

std::unexpected<Error> bad(std::string_view key, std::string_view what) {
    return fail(Errc::InvalidArgument, "settings: " + std::string(key) + " " + std::string(what));
}

Result<void> read(const Json& document, const char* key, Ticks& out) {
    const auto found = document.find(key);
    if (found == document.end()) return {};
    if (!found->is_string()) return bad(key, "must be an ISO 8601 duration, like \"PT10M\"");
    const auto value = parse_iso8601_duration(found->get_ref<const std::string&>());
    if (!value || value->count() <= 0 || *value > Ticks(std::chrono::hours(72)))
        return bad(key, "must be a duration of up to 72 hours");
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
    return out;
}

}  // namespace fieldwatch::detect
