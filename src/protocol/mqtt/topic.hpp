// The closed set of topics that an IoT Hub knows: it is no general broker. Both directions, both ends.
// Source: spec/iot-hub-protocols.md section 3.3. Ids in topics are not percent-encoded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace fieldwatch::mqtt {

enum class ClientTopicKind : std::uint8_t {
    Telemetry,
    TwinGet,
    TwinReported,
    MethodResponse,
    DefenderReport,  ///< spec/aws-device-defender.md section 1
};

/// What a device publishes to; views into the topic.
struct ClientTopic {
    ClientTopicKind kind = ClientTopicKind::Telemetry;
    std::string_view device, module;       ///< Telemetry
    std::string_view bag;                  ///< Telemetry: still encoded
    std::string_view request_id;           ///< the others: echo it byte for byte (trap 10)
    std::optional<std::uint64_t> version;  ///< TwinReported: expected base version
    int status = 0;                        ///< MethodResponse
    bool is_cbor = false;                  ///< DefenderReport
};
/// `device` and `module` ("" = none) are the sender's, so that the bag is found by prefix length, never by
/// counting slashes (trap 5). Errors: Forbidden (another identity's topic), InvalidArgument (no such topic).
Result<ClientTopic> parse_client_topic(std::string_view topic, std::string_view device,
                                       std::string_view module);

std::string telemetry_topic(std::string_view device, std::string_view module, std::string_view encoded_bag);
std::string twin_get_topic(std::string_view request_id);
std::string twin_reported_topic(std::string_view request_id);
std::string method_response_topic(int status, std::string_view request_id);

enum class HubFilter : std::uint8_t { Devicebound, TwinResponses, DesiredChanges, Methods, DefenderReplies };
/// A filter a device may subscribe to, with or without the trailing `#`. Errors as parse_client_topic.
Result<HubFilter> parse_filter(std::string_view filter, std::string_view device, std::string_view module);

/// The topic that answers a device's reports, of `json` or `cbor`, are published to.
enum class DefenderReply : std::uint8_t { Accepted, Rejected };
std::string defender_reply_topic(std::string_view thing, bool is_cbor, DefenderReply reply);
std::string defender_report_topic(std::string_view thing, bool is_cbor);

inline constexpr std::string_view kTwinResponsesFilter = "$iothub/twin/res/#";
inline constexpr std::string_view kDesiredFilter = "$iothub/twin/PATCH/properties/desired/#";
inline constexpr std::string_view kMethodsFilter = "$iothub/methods/POST/#";

enum class HubTopicKind : std::uint8_t { TwinResponse, DesiredChange, Method, Other };
/// What the hub publishes to a device; views into the topic.
struct HubTopic {
    HubTopicKind kind = HubTopicKind::Other;
    int status = 0;                        ///< TwinResponse
    std::string_view request_id;           ///< TwinResponse, Method
    std::string_view method;               ///< Method: still percent-encoded
    std::optional<std::uint64_t> version;  ///< TwinResponse to a PATCH, DesiredChange
};
HubTopic parse_hub_topic(std::string_view topic);

std::string twin_response_topic(int status, std::string_view request_id,
                                std::optional<std::uint64_t> version);
std::string desired_topic(std::uint64_t version);
std::string method_topic(std::string_view method, std::string_view request_id);

}  // namespace fieldwatch::mqtt
