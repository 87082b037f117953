#include "detect/custom/rule_type.hpp"

#include <utility>

namespace fieldwatch::detect {

namespace {

using enum RuleList;

constexpr std::array<RuleInfo, kRuleTypes> kRules{{
    {"ActiveConnectionsNotInAllowedRange", "IoT_CA_ActiveConnectionsNotInAllowedRange", TimeWindow, true,
     "Custom alert - number of active connections is outside the allowed range",
     "Number of active connections is not in allowed range",
     "Counts the connections that were opened within a time window.", ""},
    {"AmqpC2DMessagesNotInAllowedRange", "IoT_CA_AmqpC2DMessagesNotInAllowedRange", TimeWindow, false,
     "Custom alert - number of cloud to device messages in AMQP protocol is outside the allowed range",
     "Number of cloud to device messages (AMQP protocol) is not in allowed range",
     "Counts the cloud to device messages that were delivered over AMQP within a time window.", ""},
    {"MqttC2DMessagesNotInAllowedRange", "IoT_CA_MqttC2DMessagesNotInAllowedRange", TimeWindow, false,
     "Custom alert - number of cloud to device messages in MQTT protocol is outside the allowed range",
     "Number of cloud to device messages (MQTT protocol) is not in allowed range",
     "Counts the cloud to device messages that were delivered over MQTT within a time window.", ""},
    {"HttpC2DMessagesNotInAllowedRange", "IoT_CA_HttpC2DMessagesNotInAllowedRange", TimeWindow, false,
     "Custom alert - number of cloud to device messages in HTTP protocol is outside the allowed range",
     "Number of cloud to device messages (HTTP protocol) is not in allowed range",
     "Counts the cloud to device messages that were delivered over HTTP within a time window.", ""},
    {"AmqpC2DRejectedMessagesNotInAllowedRange", "IoT_CA_AmqpC2DRejectedMessagesNotInAllowedRange",
     TimeWindow, false,
     "Custom alert - number of rejected cloud to device messages in AMQP protocol is outside the allowed "
     "range",
     "Number of rejected cloud to device messages (AMQP protocol) is not in allowed range",
     "Counts the cloud to device messages that the device rejected over AMQP within a time window.", ""},
    {"MqttC2DRejectedMessagesNotInAllowedRange", "IoT_CA_MqttC2DRejectedMessagesNotInAllowedRange",
     TimeWindow, false,
     "Custom alert - number of rejected cloud to device messages in MQTT protocol is outside the allowed "
     "range",
     "Number of rejected cloud to device messages (MQTT protocol) is not in allowed range",
     "Counts the cloud to device messages that the device rejected over MQTT within a time window.", ""},
    {"HttpC2DRejectedMessagesNotInAllowedRange", "IoT_CA_HttpC2DRejectedMessagesNotInAllowedRange",
     TimeWindow, false,
     "Custom alert - number of rejected cloud to device messages in HTTP protocol is outside the allowed "
     "range",
     "Number of rejected cloud to device messages (HTTP protocol) is not in allowed range",
     "Counts the cloud to device messages that the device rejected over HTTP within a time window.", ""},
    {"AmqpD2CMessagesNotInAllowedRange", "IoT_CA_AmqpD2CMessagesNotInAllowedRange", TimeWindow, false,
     "Custom alert - number of device to cloud messages in AMQP protocol is outside the allowed range",
     "Number of device to cloud messages (AMQP protocol) is not in allowed range",
     "Counts the device to cloud messages over AMQP within a time window.", ""},
    {"MqttD2CMessagesNotInAllowedRange", "IoT_CA_MqttD2CMessagesNotInAllowedRange", TimeWindow, false,
     "Custom alert - number of device to cloud messages in MQTT protocol is outside the allowed range",
     "Number of device to cloud messages (MQTT protocol) is not in allowed range",
     "Counts the device to cloud messages over MQTT within a time window.", ""},
    {"HttpD2CMessagesNotInAllowedRange", "IoT_CA_HttpD2CMessagesNotInAllowedRange", TimeWindow, false,
     "Custom alert - number of device to cloud messages in HTTP protocol is outside the allowed range",
     "Number of device to cloud messages (HTTP protocol) is not in allowed range",
     "Counts the device to cloud messages over HTTP within a time window.", ""},
    {"DirectMethodInvokesNotInAllowedRange", "IoT_CA_DirectMethodInvokesNotInAllowedRange", TimeWindow, false,
     "Custom alert - number of direct method invokes is outside the allowed range",
     "Number of direct method invokes is not in allowed range",
     "Counts the direct method calls to the device within a time window.", ""},
    {"FailedLocalLoginsNotInAllowedRange", "IoT_CA_FailedLocalLoginsNotInAllowedRange", TimeWindow, true,
     "Custom alert - number of failed local logins is outside the allowed range",
     "Number of failed local logins is not in allowed range",
     "Counts the failed log-ins at the device itself within a time window.", ""},
    {"FileUploadsNotInAllowedRange", "IoT_CA_FileUploadsNotInAllowedRange", TimeWindow, false,
     "Custom alert - number of file uploads is outside the allowed range",
     "Number of file uploads is not in allowed range",
     "Counts the finished file uploads of the device within a time window.", ""},
    {"QueuePurgesNotInAllowedRange", "IoT_CA_QueuePurgesNotInAllowedRange", TimeWindow, false,
     "Custom alert - number of command queue purges is outside the allowed range",
     "Number of device queue purges is not in allowed range",
     "Counts the purges of the device's command queue within a time window.", ""},
    {"TwinUpdatesNotInAllowedRange", "IoT_CA_TwinUpdatesNotInAllowedRange", TimeWindow, false,
     "Custom alert - number of module twin updates is outside the allowed range",
     "Number of twin updates is not in allowed range",
     "Counts the updates of the device's twins, by device or service, within a time window.", ""},
    {"UnauthorizedOperationsNotInAllowedRange", "IoT_CA_UnauthorizedOperationsNotInAllowedRange", TimeWindow,
     false, "Custom alert - number of unauthorized operations is outside the allowed range",
     "Number of unauthorized operations is not in allowed range",
     "Counts the operations that failed as unauthorised within a time window.", ""},
    {"ConnectionToIpNotAllowed", "IoT_CA_ConnectionToIpNotAllowed", Allow, true,
     "Custom alert - outbound connection created to an IP that isn't allowed",
     "Outbound connection to an ip that isn't allowed",
     "An outbound connection went to an address in none of the allowed ranges.", "IpCidr"},
    {"LocalUserNotAllowed", "IoT_CA_LocalUserNotAllowed", Allow, true,
     "Custom alert - login of a user that is not on the allowed user list",
     "Login by a local user that isn't allowed", "A user logged in who is not in the list.", "String"},
    {"ProcessNotAllowed", "IoT_CA_ProcessNotAllowed", Allow, true,
     "Custom alert - a process was executed that is not allowed", "Execution of a process that isn't allowed",
     "A process ran that is not in the list.", "String"},
    {"ConnectionToIpDenied", "IoT_CA_ConnectionToIpDenied", Deny, true,
     "Custom alert - outbound connection created to an IP that is denied",
     "Outbound connection to an ip that is denied",
     "An outbound connection went to an address in one of the denied ranges.", "IpCidr"},
    {"LocalUserDenied", "IoT_CA_LocalUserDenied", Deny, true,
     "Custom alert - login of a user that is on the denied user list", "Login by a local user that is denied",
     "A user logged in who is in the list.", "String"},
    {"ProcessDenied", "IoT_CA_ProcessDenied", Deny, true,
     "Custom alert - a process was executed that is denied", "Execution of a process that is denied",
     "A process ran that is in the list.", "String"},
    {"OpenPortsCountNotInAllowedRange", "IoT_CA_OpenPortsCountNotInAllowedRange", Threshold, true,
     "Custom alert - number of open ports is outside the allowed range",
     "Number of open ports is not in allowed range", "Counts the ports that the device listens on.", ""},
}};

}  // namespace

std::string_view member_of(RuleList list) {
    switch (list) {
        case TimeWindow:
            return "timeWindowRules";
        case Allow:
            return "allowlistRules";
        case Deny:
            return "denylistRules";
        case Threshold:
            return "thresholdRules";
    }
    return {};
}

std::string_view values_of(RuleList list) {
    return list == Allow ? "allowlistValues" : list == Deny ? "denylistValues" : std::string_view{};
}

const RuleInfo& info(RuleType type) {
    return kRules[std::to_underlying(type)];
}

std::optional<RuleType> rule_type_from(std::string_view name) {
    for (std::size_t i = 0; i < kRules.size(); ++i) {
        if (kRules[i].name == name) return static_cast<RuleType>(i);
    }
    return std::nullopt;
}

}  // namespace fieldwatch::detect
