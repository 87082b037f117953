#include "pipeline/decode/schema.hpp"

namespace fieldwatch::pipeline {

namespace {

using model::EventKind;
using Words = std::string_view[];
constexpr bool kRequired = true;

constexpr Words kDirections = {"In", "Out"};
constexpr Words kResults = {"Success", "Fail"};
constexpr Words kActions = {"Allow", "Deny", "Other"};
constexpr Words kBaselineResults = {"Pass", "Fail", "Err"};
constexpr Words kBaselineSeverities = {"Critical", "Important", "Warning", "Informational"};
constexpr Words kLogSeverities = {"Fatal", "Error", "Warning", "Information", "Debug"};
constexpr Words kErrorTypes = {"TypeMismatch", "NotOptimal", "Conflict"};
constexpr Words kQueues = {"High", "Low"};
constexpr Words kCompatQueues = {"Operational"};
constexpr Words kProcessTypes = {"FORK", "EXEC", "EXIT"};
constexpr Words kTransports = {"TCP", "UDP", "ICMP"};
constexpr Words kLoginOperations = {"Login", "Logout", "LoginFailed"};
constexpr Words kBaselineResults2 = {"PASS", "FAIL", "SKIP", "ERROR"};
constexpr Words kAgentTypes = {"Edge", "Standalone"};

using enum FieldType;

constexpr Field kProcessCreate[] = {
    {"Executable", Text, kRequired},
    {"ProcessId", Integer, kRequired},
    {"ParentProcessId", Integer, kRequired},
    {"UserId", Text},  // required, but COMPAT lets UserName stand for it: checked by its kind
    {"UserName", Text},
    {"CommandLine", Text, kRequired},
    {"ExtraDetails", TextMap},
};
constexpr Field kProcessTerminate[] = {
    {"Executable", Text, kRequired},
    {"ProcessId", Integer, kRequired},
    {"ExitStatus", Integer, kRequired},
    {"ExtraDetails", TextMap},
};
constexpr Field kConnectionCreate[] = {
    {"RemoteAddress", Ip},  // required, but COMPAT lets ExtraDetails.familyName stand for it
    {"RemotePort", Port, kRequired},
    {"LocalAddress", Ip},
    {"LocalPort", Port},
    {"Direction", Choice, kRequired, kDirections},
    {"Protocol", Text, kRequired},
    {"ProcessId", Integer, kRequired},
    {"UserId", Text},
    {"Executable", Text, kRequired},
    {"CommandLine", Text},
    {"ExtraDetails", TextMap},
};
constexpr Field kLogin[] = {
    {"ProcessId", Integer, kRequired},
    {"UserId", Text},  // at least one of the two: checked by its kind
    {"UserName", Text},
    {"Operation", Text, kRequired},
    {"Executable", Text, kRequired},
    {"RemoteAddress", IpOrUnknown},
    {"RemotePort", Port},
    {"LocalPort", Port},
    {"Result", Choice, kRequired, kResults},
    {"ExtraDetails", TextMap},
};
constexpr Field kListeningPorts[] = {
    {"Protocol", Text, kRequired}, {"LocalPort", Text, kRequired}, {"LocalAddress", Ip},
    {"RemoteAddress", Ip},         {"RemotePort", Text},           {"ExtraDetails", TextMap},
};
constexpr Field kLocalUsers[] = {
    {"UserName", Text, kRequired}, {"UserId", Text, kRequired}, {"GroupNames", Text, kRequired},
    {"GroupIds", Text, kRequired}, {"ExtraDetails", TextMap},
};
constexpr Field kFirewall[] = {
    {"Enabled", Boolean, kRequired},
    {"Action", Choice, kRequired, kActions},
    {"Priority", Integer},
    {"Direction", Choice, false, kDirections},
    {"ChainName", Text},
    {"Application", Text},
    {"SourceAddress", Text},
    {"DestinationAddress", Text},
    {"SourcePort", Text},
    {"DestinationPort", Text},
    {"Protocol", Text},
    {"ExtraDetails", TextMap},
};
constexpr Field kHardware[] = {
    {"HardwareCategory", Text},  {"HardwareSubCategory", Text},
    {"HardwareName", Text},  // all three, or the COMPAT one
    {"ConnectedHardware", Text}, {"ExtraDetails", TextMap},
};
constexpr Field kSystemInformation[] = {
    {"OSName", Text},
    {"OSVersion", Text},
    {"OSVendor", Text},
    {"OsArchitecture", Text},
    {"HostName", Text},
    {"BIOSVersion", Text},
    {"BootDevice", Text},
    {"TotalPhysicalMemoryInKB", Integer},
    {"FreePhysicalMemoryInKB", Integer},
    {"TotalVirtualMemoryInKB", Integer},
    {"FreeVirtualMemoryInKB", Integer},
    {"ExtraDetails", TextMap},
};
constexpr Field kBaseline[] = {
    {"Description", Text, kRequired},
    {"CceId", Text, kRequired},
    {"Result", ChoiceNoCase, kRequired, kBaselineResults},
    {"Error", Text, kRequired},
    {"Severity", Choice, kRequired, kBaselineSeverities},
    {"ExtraDetails", TextMap},
};
constexpr Field kDiagnostic[] = {
    {"Severity", Choice, kRequired, kLogSeverities},
    {"Message", Text, kRequired},
    {"ProcessId", Integer, kRequired},
    {"ThreadId", Integer, kRequired},
    {"CorrelationId", Text},
    {"ExtraDetails", TextMap},
};
constexpr Field kConfigurationError[] = {
    {"ConfigurationName", Text, kRequired},
    {"ErrorType", Choice, kRequired, kErrorTypes},
    {"UsedConfiguration", Text, kRequired},
    {"Message", Text, kRequired},
    {"ExtraDetails", TextMap},
};
constexpr Field kDropped[] = {
    {"Queue", Choice, kRequired, kQueues, kCompatQueues},
    {"CollectedEvents", Integer, kRequired},
    {"DroppedEvents", Integer, kRequired},
    {"ExtraDetails", TextMap},
};
constexpr Field kMessageStatistics[] = {
    {"MessagesSent", Integer, kRequired},
    {"MessagesUnder4KB", Integer, kRequired},
    {"TotalFailed", Integer, kRequired},
    {"ExtraDetails", TextMap},
};
constexpr Field kProcess2[] = {
    {"Timestamp", Text},
    {"ProcessId", Integer, kRequired},
    {"ParentProcessId", Integer},
    {"Commandline", Text, kRequired},
    {"Executable", Text, kRequired},
    {"UserId", TextOrNumber},
    {"EventType", Choice, false, kProcessTypes},
    {"HitCount", Integer},
    {"ExtraDetails", TextMap},
};
constexpr Field kNetwork2[] = {
    {"Timestamp", Text},
    {"LocalAddress", Ip, kRequired},
    {"RemoteAddress", Ip, kRequired},
    {"LocalPort", Integer, kRequired},
    {"RemotePort", Integer, kRequired},
    {"BytesIn", Integer},
    {"BytesOut", Integer},
    {"Protocol", Choice, kRequired, kTransports},
    {"ProcessId", Integer},
    {"UserId", TextOrNumber},
    {"Executable", Text},
    {"Commandline", Text},
    {"ApplicationProtocol", Text},
    {"ExtendedProperties", TextMap},
    {"HitCount", Integer},
    {"ExtraDetails", TextMap},
};
constexpr Field kLogin2[] = {
    {"Timestamp", Text},
    {"Operation", Choice, kRequired, kLoginOperations},
    {"ProcessId", Integer},
    {"UserId", TextOrNumber},
    {"UserName", Text, kRequired},
    {"Executable", Text},
    {"RemoteAddress", IpOrUnknown},
    {"HitCount", Integer},
    {"ExtraDetails", TextMap},
};
constexpr Field kSystem2[] = {
    {"HardwareVendor", Text},
    {"HardwareModel", Text},
    {"HardwareSerialNumber", Text},
    {"FirmwareVendor", Text},
    {"FirmwareVersion", Text},
    {"OsDist", Text},
    {"OsVersion", Text},
    {"OsPlatform", Text},
    {"OsArch", Text},
    {"AgentType", Choice, false, kAgentTypes},
    {"AgentVersion", Text},
    {"Nics", Rows},
    {"ExtraDetails", TextMap},
};
constexpr Field kBaseline2[] = {
    {"BaselineCheckId", Text, kRequired},
    {"BaselineCheckResult", ChoiceNoCase, kRequired, kBaselineResults2},
    {"Error", Text},
    {"BaselineCheckDescription", Text, kRequired},
    {"Remediation", Text},
    {"Severity", ChoiceNoCase, false, kBaselineSeverities},
    {"ExtraDetails", TextMap},
};
constexpr Field kPackage[] = {
    {"Name", Text, kRequired}, {"Version", Text, kRequired}, {"Vendor", Text}, {"ExtraDetails", TextMap}};
constexpr Field kPeripheral[] = {
    {"Timestamp", Text},
    {"ActionType", Text, kRequired},
    {"BusNumber", Integer},
    {"KernelDeviceNumber", Integer},
    {"DeviceClass", Integer},
    {"DeviceSubclass", Integer},
    {"DeviceProtocol", Integer},
    {"InterfaceClass", Integer},
    {"InterfaceSubclass", Integer},
    {"InterfaceProtocol", Integer},
    {"InterfaceName", Text},
    {"ExtraDetails", TextMap},
};
constexpr Field kFile2[] = {
    {"Timestamp", Text},   {"Mask", Text, kRequired}, {"Path", Text, kRequired},
    {"HitCount", Integer}, {"ExtraDetails", TextMap},
};
constexpr Field kStatistics2[] = {
    {"Timestamp", Text}, {"Name", Text, kRequired}, {"Events", Rows}, {"ExtraDetails", TextMap}};
constexpr Field kLog2[] = {
    {"Timestamp", Text}, {"Severity", Text}, {"Message", Text, kRequired}, {"ExtraDetails", TextMap}};
constexpr Field kCustom[] = {{"Name", Text, kRequired}, {"ExtraDetails", TextMap}};

constexpr std::string_view kSecurity = "Security";
constexpr std::string_view kOperational = "Operational";
constexpr std::string_view kDiagnosticType = "Diagnostic";
constexpr bool kAggregates = true;

constexpr PayloadSchema kVersion1[] = {
    {"ProcessCreate", EventKind::ProcessCreate, kSecurity, Cadence::Triggered, false, kAggregates,
     kProcessCreate},
    {"ProcessTerminate", EventKind::ProcessTerminate, kSecurity, Cadence::Triggered, false, kAggregates,
     kProcessTerminate},
    {"ConnectionCreate", EventKind::ConnectionCreate, kSecurity, Cadence::Triggered, false, kAggregates,
     kConnectionCreate},
    {"Login", EventKind::Login, kSecurity, Cadence::Triggered, false, false, kLogin},
    {"ListeningPorts", EventKind::ListeningPorts, kSecurity, Cadence::Periodic, false, false,
     kListeningPorts},
    {"LocalUsers", EventKind::LocalUsers, kSecurity, Cadence::Periodic, false, false, kLocalUsers},
    {"FirewallConfiguration", EventKind::FirewallConfiguration, kSecurity, Cadence::Periodic, false, false,
     kFirewall},
    {"ConnectedHardware", EventKind::ConnectedHardware, kSecurity, Cadence::Periodic, false, false,
     kHardware},
    {"SystemInformation", EventKind::SystemInformation, kSecurity, Cadence::Periodic, false, false,
     kSystemInformation},
    {"OSBaseline", EventKind::OSBaseline, kSecurity, Cadence::Periodic, false, false, kBaseline},
    {"Diagnostic", EventKind::Diagnostic, kDiagnosticType, Cadence::Triggered, false, false, kDiagnostic},
    {"ConfigurationError", EventKind::ConfigurationError, kOperational, Cadence::Triggered, false, false,
     kConfigurationError},
    {"DroppedEventsStatistics", EventKind::DroppedEventsStatistics, kOperational, Cadence::Periodic, false,
     false, kDropped},
    {"MessageStatistics", EventKind::MessageStatistics, kOperational, Cadence::Periodic, false, false,
     kMessageStatistics},
    {"Heartbeat", EventKind::Heartbeat, kSecurity, Cadence::Periodic, false, false, {}},
};
constexpr PayloadSchema kVersion2[] = {
    {"Process", EventKind::ProcessCreate, kSecurity, Cadence::Triggered, true, kAggregates, kProcess2},
    {"NetworkActivity", EventKind::ConnectionCreate, kSecurity, Cadence::Triggered, true, kAggregates,
     kNetwork2},
    {"Login", EventKind::Login, kSecurity, Cadence::Triggered, true, false, kLogin2},
    {"SystemInformation", EventKind::SystemInformation, kSecurity, Cadence::Periodic, true, false, kSystem2},
    {"Baseline", EventKind::OSBaseline, kSecurity, Cadence::Periodic, true, false, kBaseline2},
    {"SBoM", EventKind::SBoM, kSecurity, Cadence::Periodic, true, false, kPackage},
    {"Peripheral", EventKind::Peripheral, kSecurity, Cadence::Triggered, true, false, kPeripheral},
    {"FileSystem", EventKind::FileSystem, kSecurity, Cadence::Triggered, true, kAggregates, kFile2},
    {"Statistics", EventKind::Diagnostic, kOperational, Cadence::Periodic, true, false, kStatistics2},
    {"Log", EventKind::Diagnostic, kDiagnosticType, Cadence::Periodic, true, false, kLog2},
    {"Heartbeat", EventKind::Heartbeat, kSecurity, Cadence::Periodic, true, false, {}},
    {"Custom", EventKind::Custom, kSecurity, Cadence::Triggered, true, false, kCustom},
};

static_assert(std::size(kNetwork2) <= kFieldsMax);

}  // namespace

const PayloadSchema* find_schema(std::string_view name, bool version_2) {
    const auto table =
        version_2 ? std::span<const PayloadSchema>(kVersion2) : std::span<const PayloadSchema>(kVersion1);
    for (const auto& schema : table) {
        if (schema.name == name) return &schema;
    }
    return nullptr;
}

}  // namespace fieldwatch::pipeline
