#include "hub/operation.hpp"

#include <algorithm>

#include "base/json_text.hpp"
#include "model/record.hpp"

namespace fieldwatch::hub {

std::string masked(std::string_view address) {
    if (const auto dot = address.rfind('.'); dot != std::string_view::npos) {
        return std::string(address.substr(0, dot)) + ".XXX";
    }
    // Text of an IPv6 address: at most four groups stay, and nothing behind a `::`.
    std::size_t end = 0;
    for (int groups = 0; groups < 4 && end < address.size(); ++groups) {
        const auto colon = address.find(':', end);
        if (colon == std::string_view::npos) break;
        end = colon + 1;
        if (address.substr(end).starts_with(':')) break;
    }
    return std::string(address.substr(0, end)) + ":XXX";
}

Operation ingress_operation(bool security, std::int64_t messages, std::int64_t bytes,
                            std::uint32_t partition) {
    Operation operation{.category = kTelemetry, .name = "ingress"};
    operation.properties.emplace_back("isSecurityMessage", security ? "true" : "false");
    operation.counts.emplace_back("messageCount", messages);
    operation.counts.emplace_back("messageSizeInBytes", bytes);
    operation.counts.emplace_back("batching", 1);
    operation.counts.emplace_back("partitionId", partition);
    return operation;
}

namespace {

std::string properties_json(const Operation& operation, const Speaker& speaker) {
    std::string text;
    JsonWriter json(text);
    json.begin_object()
        .member_if("deviceId", speaker.identity.device.value)
        .member_if("moduleId", speaker.identity.module.value)
        .member_if("protocol", speaker.protocol)
        .member_if("authType", speaker.auth_type)
        .member_if("sdkVersion", speaker.sdk_version)
        .member_if("sharedAccessPolicy", speaker.policy);
    if (!speaker.address.empty()) {  // what the hub does by itself comes from nowhere
        json.member("maskedIpAddress", masked(speaker.address));
        if (!speaker.mask_address) json.member("ipAddress", speaker.address);
    }
    if (operation.category == "Connections") {
        json.member_if("tlsVersion", speaker.tls_version)
            .member_if("cipherSuite", speaker.tls_cipher)
            .member_if("certThumbprint", speaker.certificate.thumbprint)
            .member_if("certNotAfter", speaker.certificate.not_after)
            .member_if("certKey", speaker.certificate.key)
            .member_if("certSignature", speaker.certificate.signature)
            .member_if("certFlaw", speaker.certificate.flaw)
            .member_if("sasExpiry", speaker.sas_expiry);
    }
    if (operation.result != 0) json.member("statusCode", std::to_string(operation.result));
    for (const auto& [name, value] : operation.properties)
        json.member(name, value);
    for (const auto& [name, value] : operation.counts)
        json.member(name, value);
    json.end_object();
    return text;
}

}  // namespace

std::string to_json(const Operation& operation, const Speaker& speaker, Timestamp time) {
    std::string resource = "/PROVIDERS/FIELDWATCH/IOTHUBS/" + speaker.identity.hub.value;
    std::transform(resource.begin(), resource.end(), resource.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
    std::string text;
    JsonWriter json(text);
    json.begin_object()
        .member("time", to_iso8601(time))
        .member("resourceId", resource)
        .member("operationName", operation.name)
        .member("category", operation.category)
        .member("level", operation.result == 0 ? "Information" : "Error")
        .member("resultType", operation.result == 0 ? std::string() : std::to_string(operation.result))
        .member("resultDescription", operation.description)
        .member("durationMs", std::to_string(operation.duration_ms))
        .member("properties", properties_json(operation, speaker))
        .member("location", "")
        .end_object();
    return text;
}

OperationLog::OperationLog(journal::Writer& journal, std::uint32_t partition_count, const Clock& clock,
                           Metrics& metrics)
    : journal_(journal),
      partition_count_(partition_count),
      clock_(clock),
      lost_(metrics.counter("fieldwatch_hub_operations_lost_total",
                            "Operation records that the journal had no space for")) {}

void OperationLog::append(const Operation& operation, const Speaker& speaker) const {
    model::Record record;
    record.kind = model::RecordKind::Operation;
    record.received = clock_.now();
    record.sender = speaker.identity;
    record.body = to_json(operation, speaker, record.received);
    const auto bytes = model::encode(record);
    const auto append_to = [&](std::uint32_t partition) {
        const auto place =
            journal_.append(journal::Stream::Security, partition, bytes, [](const Result<void>&) {});
        if (!place) lost_.add();
    };
    const auto partition = model::partition_of(record.sender.hub, record.sender.device, partition_count_);
    append_to(partition);
    // Who connects, from where and with what, the hub's home compares over all devices (ADR 0045).
    const bool compared = operation.category == "Connections" && operation.name == "deviceConnect" &&
                          operation.result == 0 && !record.sender.device.empty();
    const auto home = model::partition_of(record.sender.hub, {}, partition_count_);
    if (compared && home != partition) append_to(home);
}

}  // namespace fieldwatch::hub
