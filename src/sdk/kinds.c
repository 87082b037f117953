#include "sdk/kinds.h"

#include <string.h>

#define TEXT(name, required) {name, NULL, FIELD_TEXT, required}
#define INTEGER(name, required) {name, NULL, FIELD_INTEGER, required}
#define BOOLEAN(name, required) {name, NULL, FIELD_BOOLEAN, required}
#define IP(name, required) {name, NULL, FIELD_IP, required}
#define CHOICE(name, choices, required) {name, choices, FIELD_CHOICE, required}

static const struct field process_create[] = {
    TEXT("Executable", 1), INTEGER("ProcessId", 1), INTEGER("ParentProcessId", 1),
    TEXT("UserId", 1),     TEXT("UserName", 0),     TEXT("CommandLine", 1),
};
static const struct field process_terminate[] = {TEXT("Executable", 1), INTEGER("ProcessId", 1),
                                                 INTEGER("ExitStatus", 1)};
static const struct field connection_create[] = {
    IP("RemoteAddress", 1),
    TEXT("RemotePort", 1),
    IP("LocalAddress", 0),
    TEXT("LocalPort", 0),
    CHOICE("Direction", "In|Out", 1),
    TEXT("Protocol", 1),
    INTEGER("ProcessId", 1),
    TEXT("UserId", 0),
    TEXT("Executable", 1),
    TEXT("CommandLine", 0),
};
/* UserId or UserName is required; the encoder knows this one rule by the two fields standing at 1 and 2. */
static const struct field login[] = {
    INTEGER("ProcessId", 1), TEXT("UserId", 0),     TEXT("UserName", 0),
    TEXT("Operation", 1),    TEXT("Executable", 1), IP("RemoteAddress", 0),
    TEXT("RemotePort", 0),   TEXT("LocalPort", 0),  CHOICE("Result", "Success|Fail", 1),
};
static const struct field listening_ports[] = {TEXT("Protocol", 1), TEXT("LocalPort", 1),
                                               IP("LocalAddress", 0), IP("RemoteAddress", 0),
                                               TEXT("RemotePort", 0)};
static const struct field local_users[] = {TEXT("UserName", 1), TEXT("UserId", 1), TEXT("GroupNames", 1),
                                           TEXT("GroupIds", 1)};
static const struct field firewall[] = {
    BOOLEAN("Enabled", 1),    CHOICE("Action", "Allow|Deny|Other", 1),
    INTEGER("Priority", 0),   CHOICE("Direction", "In|Out", 0),
    TEXT("ChainName", 0),     TEXT("Application", 0),
    TEXT("SourceAddress", 0), TEXT("DestinationAddress", 0),
    TEXT("SourcePort", 0),    TEXT("DestinationPort", 0),
    TEXT("Protocol", 0),
};
static const struct field hardware[] = {TEXT("HardwareCategory", 1), TEXT("HardwareSubCategory", 1),
                                        TEXT("HardwareName", 1)};
static const struct field system_information[] = {
    TEXT("OSName", 0),
    TEXT("OSVersion", 0),
    TEXT("OSVendor", 0),
    TEXT("OsArchitecture", 0),
    TEXT("HostName", 0),
    TEXT("BIOSVersion", 0),
    TEXT("BootDevice", 0),
    INTEGER("TotalPhysicalMemoryInKB", 0),
    INTEGER("FreePhysicalMemoryInKB", 0),
    INTEGER("TotalVirtualMemoryInKB", 0),
    INTEGER("FreeVirtualMemoryInKB", 0),
};
static const struct field baseline[] = {TEXT("Description", 1), TEXT("CceId", 1),
                                        CHOICE("Result", "Pass|Fail|Err", 1), TEXT("Error", 1),
                                        CHOICE("Severity", "Critical|Important|Warning|Informational", 1)};
static const struct field diagnostic[] = {CHOICE("Severity", "Fatal|Error|Warning|Information|Debug", 1),
                                          TEXT("Message", 1), INTEGER("ProcessId", 1), INTEGER("ThreadId", 1),
                                          TEXT("CorrelationId", 0)};
static const struct field configuration_error[] = {TEXT("ConfigurationName", 1),
                                                   CHOICE("ErrorType", "TypeMismatch|NotOptimal|Conflict", 1),
                                                   TEXT("UsedConfiguration", 1), TEXT("Message", 1)};
static const struct field dropped_events[] = {CHOICE("Queue", "High|Low", 1), INTEGER("CollectedEvents", 1),
                                              INTEGER("DroppedEvents", 1)};
static const struct field message_statistics[] = {INTEGER("MessagesSent", 1), INTEGER("MessagesUnder4KB", 1),
                                                  INTEGER("TotalFailed", 1)};

static const struct field package[] = {TEXT("Name", 1), TEXT("Version", 1), TEXT("Vendor", 0)};
static const struct field file_system[] = {TEXT("Timestamp", 0), TEXT("Mask", 1), TEXT("Path", 1),
                                           INTEGER("HitCount", 0)};
static const struct field peripheral[] = {
    TEXT("Timestamp", 0),
    TEXT("ActionType", 1),
    INTEGER("BusNumber", 0),
    INTEGER("KernelDeviceNumber", 0),
    INTEGER("DeviceClass", 0),
    INTEGER("DeviceSubclass", 0),
    INTEGER("DeviceProtocol", 0),
    INTEGER("InterfaceClass", 0),
    INTEGER("InterfaceSubclass", 0),
    INTEGER("InterfaceProtocol", 0),
    TEXT("InterfaceName", 0),
};
static const struct field custom[] = {TEXT("Name", 1)};

#define KIND(name, type, fields, periodic, priority) \
    {name, type, fields, (uint8_t)(sizeof(fields) / sizeof((fields)[0])), periodic, priority, 1}
#define KIND_2(name, fields, periodic)                          \
    {name,     "Security",                                      \
     fields,   (uint8_t)(sizeof(fields) / sizeof((fields)[0])), \
     periodic, FIELDWATCH_PRIORITY_LOW,                         \
     2}

static const struct kind kinds[FIELDWATCH_KIND_COUNT] = {
    KIND("ProcessCreate", "Security", process_create, 0, FIELDWATCH_PRIORITY_LOW),
    KIND("ProcessTerminate", "Security", process_terminate, 0, FIELDWATCH_PRIORITY_LOW),
    KIND("ConnectionCreate", "Security", connection_create, 0, FIELDWATCH_PRIORITY_LOW),
    KIND("Login", "Security", login, 0, FIELDWATCH_PRIORITY_HIGH),
    KIND("ListeningPorts", "Security", listening_ports, 1, FIELDWATCH_PRIORITY_HIGH),
    KIND("LocalUsers", "Security", local_users, 1, FIELDWATCH_PRIORITY_HIGH),
    KIND("FirewallConfiguration", "Security", firewall, 1, FIELDWATCH_PRIORITY_LOW),
    KIND("ConnectedHardware", "Security", hardware, 1, FIELDWATCH_PRIORITY_LOW),
    KIND("SystemInformation", "Security", system_information, 1, FIELDWATCH_PRIORITY_LOW),
    KIND("OSBaseline", "Security", baseline, 1, FIELDWATCH_PRIORITY_LOW),
    KIND("Diagnostic", "Diagnostic", diagnostic, 0, FIELDWATCH_PRIORITY_LOW),
    KIND("ConfigurationError", "Operational", configuration_error, 0, FIELDWATCH_PRIORITY_OPERATIONAL),
    KIND("DroppedEventsStatistics", "Operational", dropped_events, 1, FIELDWATCH_PRIORITY_OPERATIONAL),
    KIND("MessageStatistics", "Operational", message_statistics, 1, FIELDWATCH_PRIORITY_OPERATIONAL),
    {"Heartbeat", "Security", NULL, 0, 1, FIELDWATCH_PRIORITY_LOW, 2},
    KIND_2("SBoM", package, 1),
    KIND_2("FileSystem", file_system, 0),
    KIND_2("Peripheral", peripheral, 0),
    KIND_2("Custom", custom, 0),
};

const struct kind* fieldwatch_kind_find(unsigned kind) {
    return kind >= 1 && kind <= FIELDWATCH_KIND_COUNT ? &kinds[kind - 1] : NULL;
}

const char* fieldwatch_kind_name(fieldwatch_kind kind) {
    const struct kind* found = fieldwatch_kind_find((unsigned)kind);
    return found ? found->name : NULL;
}

fieldwatch_kind fieldwatch_kind_from_name(const char* name, size_t size) {
    unsigned i;
    for (i = 0; name && i < FIELDWATCH_KIND_COUNT; ++i) {
        if (strlen(kinds[i].name) == size && memcmp(kinds[i].name, name, size) == 0)
            return (fieldwatch_kind)(i + 1);
    }
    return (fieldwatch_kind)0;
}

int fieldwatch_kind_is_periodic(fieldwatch_kind kind) {
    const struct kind* found = fieldwatch_kind_find((unsigned)kind);
    return found && found->periodic;
}

fieldwatch_priority fieldwatch_kind_default_priority(fieldwatch_kind kind) {
    const struct kind* found = fieldwatch_kind_find((unsigned)kind);
    return found ? (fieldwatch_priority)found->priority : FIELDWATCH_PRIORITY_OFF;
}
