// The 19 published custom rule types and our 4 extensions, as one table: spec/custom-alerts.md section 2.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace fieldwatch::detect {

/// C01 to C19 in the order of the specification, then the extensions. Written into checkpoints: never
/// renumber.
enum class RuleType : std::uint8_t {
    ActiveConnections,
    AmqpC2DMessages,
    MqttC2DMessages,
    HttpC2DMessages,
    AmqpC2DRejected,
    MqttC2DRejected,
    HttpC2DRejected,
    AmqpD2CMessages,
    MqttD2CMessages,
    HttpD2CMessages,
    DirectMethodInvokes,
    FailedLocalLogins,
    FileUploads,
    QueuePurges,
    TwinUpdates,
    UnauthorizedOperations,
    ConnectionToIpNotAllowed,
    LocalUserNotAllowed,
    ProcessNotAllowed,
    ConnectionToIpDenied,
    LocalUserDenied,
    ProcessDenied,
    OpenPortsCount,
};
inline constexpr std::size_t kRuleTypes = 23;

/// The four lists of a security group document.
enum class RuleList : std::uint8_t { TimeWindow, Allow, Deny, Threshold };
inline constexpr std::array kRuleLists{RuleList::Threshold, RuleList::TimeWindow, RuleList::Allow,
                                       RuleList::Deny};
std::string_view member_of(RuleList list);  ///< "timeWindowRules"
std::string_view values_of(RuleList list);  ///< "allowlistValues"; empty for lists of numbers

struct RuleInfo {
    std::string_view name;        ///< ruleType on the wire
    std::string_view alert_type;  ///< IoT_CA_ and the name
    RuleList list = RuleList::TimeWindow;
    bool is_agent = false;          ///< counts what agents say, not what the hub does
    std::string_view alert_name;    ///< the alert's DisplayName
    std::string_view display_name;  ///< of the rule, in REST
    std::string_view description;
    std::string_view value_type;  ///< IpCidr or String; empty for rules that count

    bool is_extension() const { return list == RuleList::Deny || list == RuleList::Threshold; }
    bool is_counted() const { return value_type.empty(); }
};

const RuleInfo& info(RuleType type);
std::optional<RuleType> rule_type_from(std::string_view name);

}  // namespace fieldwatch::detect
