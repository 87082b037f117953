#include "protocol/mqtt/provisioning.hpp"

#include <algorithm>

#include "base/bytes.hpp"

namespace fieldwatch::mqtt {

std::optional<ProvisioningUser> parse_provisioning_user(std::string_view user_name) {
    constexpr std::string_view kMiddle = "/registrations/";
    const auto slash = user_name.find('/');
    if (slash == 0 || slash == std::string_view::npos) return std::nullopt;
    auto rest = user_name.substr(slash);
    if (!rest.starts_with(kMiddle)) return std::nullopt;
    rest.remove_prefix(kMiddle.size());
    const auto id = rest.substr(0, rest.find('/'));
    // A hub's device may be called "registrations": then its module would have to be the api-version.
    if (id.empty() || id.starts_with("?api-version") || id.starts_with("api-version")) return std::nullopt;
    return ProvisioningUser{user_name.substr(0, slash), id};
}

Result<ProvisioningTopic> parse_provisioning_topic(std::string_view topic) {
    constexpr std::string_view kRegister = "$dps/registrations/PUT/iotdps-register/";
    constexpr std::string_view kStatus = "$dps/registrations/GET/iotdps-get-operationstatus/";
    ProvisioningTopic out;
    const bool registers = topic.starts_with(kRegister);
    if (!registers && !topic.starts_with(kStatus))
        return fail(Errc::Malformed, "no topic of the provisioning service");
    out.kind = registers ? ProvisioningRequest::Register : ProvisioningRequest::Status;
    topic.remove_prefix(registers ? kRegister.size() : kStatus.size());
    if (!topic.starts_with('?')) return fail(Errc::Malformed, "a provisioning topic without its request id");
    topic.remove_prefix(1);
    while (!topic.empty()) {
        const auto end = std::min(topic.find('&'), topic.size());
        const auto pair = topic.substr(0, end);
        topic.remove_prefix(std::min(end + 1, topic.size()));
        const auto equal = std::min(pair.find('='), pair.size());
        const auto name = pair.substr(0, equal);
        const auto value = pair.substr(std::min(equal + 1, pair.size()));
        if (name == "$rid") out.request_id = value;
        if (name == "operationId") out.operation_id = percent_decode(value);
    }
    if (out.request_id.empty()) return fail(Errc::Malformed, "a provisioning topic without its request id");
    return out;
}

std::string provisioning_answer_topic(int status, std::string_view request_id, int retry_after_seconds) {
    auto topic = "$dps/registrations/res/" + std::to_string(status) + "/?$rid=" + std::string(request_id);
    if (retry_after_seconds > 0) topic += "&retry-after=" + std::to_string(retry_after_seconds);
    return topic;
}

}  // namespace fieldwatch::mqtt
