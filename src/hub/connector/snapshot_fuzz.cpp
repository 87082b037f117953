// A line of identities.jsonl, and behind the first zero byte a hub.json: what comes of them is JSON of the
// hub that it was pushed to, without a key.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "hub/connector/snapshots.hpp"

namespace {

using Json = nlohmann::json;

/// No proof of an identity but as a fingerprint.
bool keeps_a_key(const Json& authentication) {
    for (const auto* const group : {"symmetricKey", "x509Thumbprint"}) {
        if (!authentication.contains(group)) continue;
        for (const auto& [name, value] : authentication[group].items()) {
            if (name != "primaryFingerprint" && name != "secondaryFingerprint") return true;
            if (!value.is_null() && value.get<std::string>().size() != 64) return true;
        }
    }
    return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwatch;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const auto split = std::min(input.find('\0'), input.size());
    const model::HubName hub{"home"};
    if (const auto records = hub::identity_records(hub, input.substr(0, split), "secret")) {
        if (records->empty() || records->size() > 101) std::abort();
        for (const auto& one : *records) {
            const auto body = Json::parse(one.body, nullptr, false);
            if (!body.is_object() || body["change"] != "update" || one.sender.hub != hub) std::abort();
            const auto& identity = body["identity"];
            if (identity["deviceId"] != one.sender.device.value ||
                !model::parse_device_id(one.sender.device.value))
                std::abort();
            if (identity.contains("authentication") && keeps_a_key(identity["authentication"])) std::abort();
        }
    }
    if (const auto configuration =
            hub::configuration_for_log(input.substr(std::min(split + 1, input.size())))) {
        const auto body = Json::parse(*configuration, nullptr, false);
        for (const auto* const never : {"authorizationPolicies", "routing", "fieldwatch", "properties"}) {
            if (!body.is_object() || body.empty() || body.contains(never)) std::abort();
        }
    }
    return 0;
}
