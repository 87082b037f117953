// What an analyst asks of one device, as KQL: each tab of its page is one of these, and says so.
import { kqlText } from "./lists";

export interface DeviceTab {
  id: string;
  name: string;
  empty: string;
  query: (device: string) => string;
}

const raw = (device: string, kinds: string) =>
  `SecurityIoTRawEvent\n| where DeviceId == ${kqlText(device)} and RawEventName ${kinds} and IsEmpty == false\n| extend E = parse_json(EventDetails)\n`;
/** Only the newest snapshot of each day's many: its rows share their time stamp. */
const newest = (kinds: string, columns: string) => (device: string) =>
  `let newest = toscalar(SecurityIoTRawEvent | where DeviceId == ${kqlText(device)} and RawEventName ${kinds} | summarize max(TimeStamp));\n` +
  `${raw(device, kinds)}| where TimeStamp == newest\n${columns}`;
/** What happened, one row an event or summed up. */
const events = (kinds: string, columns: string) => (device: string) => raw(device, kinds) + columns;

const within = (device: string, from: string, to: string) =>
  `SecurityIoTRawEvent\n| where DeviceId == ${kqlText(device)} and TimeStamp between (${from} .. ${to})\n`;
const moment = (iso: string) => `datetime(${/^[\d:.TZ-]+$/.test(iso) ? iso : "null"})`;

/** What the device did around an alert, of any kind. */
export const eventsAround = (device: string, start: string, end: string) =>
  within(device, `${moment(start)} - 5m`, `${moment(end)} + 5m`) +
  "| project TimeStamp, RawEventName, EventDetails\n| order by TimeStamp asc\n| take 200";
/** The processes that may have led to it: long enough before that a session's shell is among them. */
export const processesAround = (device: string, start: string, end: string) =>
  within(device, `${moment(start)} - 1h`, `${moment(end)} + 5m`) +
  '| where RawEventName == "ProcessCreate" and IsEmpty == false\n| extend E = parse_json(EventDetails)\n' +
  "| project TimeStamp, Pid = tolong(E.ProcessId), Parent = tolong(E.ParentProcessId), User = tostring(E.UserName), Command = tostring(E.CommandLine)\n| order by TimeStamp asc\n| take 5000";

export const deviceTabs: DeviceTab[] = [
  {
    id: "timeline", name: "Timeline", empty: "Nothing of note in this time.",
    query: (device) =>
      `union withsource=Kind\n  (SecurityAlert | where CompromisedEntity == ${kqlText(device)} | summarize arg_max(TimeGenerated, *) by SystemAlertId | project Time = StartTime, What = DisplayName, Level = AlertSeverity, State = Status),\n` +
      `  (SecurityRecommendation | where DeviceId == ${kqlText(device)} | where IsSnapshot == false | project Time = StatusChangeDate, What = RecommendationDisplayName, Level = RecommendationSeverity, State = RecommendationState),\n` +
      `  (AzureDiagnostics | where Category == "Connections" | where tostring(parse_json(properties_s).deviceId) == ${kqlText(device)} | project Time = TimeGenerated, What = OperationName, Level, State = ResultType)\n` +
      "| project Time, What, Level, State\n| order by Time desc\n| take 500",
  },
  {
    id: "processes", name: "Processes", empty: "No process event is stored.",
    query: events('== "ProcessCreate"',
      "| project TimeStamp, User = tostring(E.UserName), Pid = tolong(E.ProcessId), Parent = tolong(E.ParentProcessId), Command = tostring(E.CommandLine), Executable = tostring(E.Executable)\n| order by TimeStamp desc\n| take 500"),
  },
  {
    id: "logins", name: "Logins", empty: "No login is stored.",
    query: events('== "Login"',
      "| summarize Count = count(), First = min(TimeStamp), Last = max(TimeStamp) by Result = tostring(E.Result), User = tostring(E.UserName), Remote = tostring(E.RemoteAddress), Executable = tostring(E.Executable)\n| order by Last desc"),
  },
  {
    id: "connections", name: "Connections", empty: "No connection is stored.",
    query: events('in ("ConnectionCreate", "NetworkActivity")',
      "| summarize Count = count(), First = min(TimeStamp), Last = max(TimeStamp) by Direction = tostring(E.Direction), Remote = tostring(E.RemoteAddress), Port = tolong(E.RemotePort), Protocol = tostring(E.Protocol), Executable = tostring(E.Executable)\n| order by Count desc\n| take 500"),
  },
  {
    id: "ports", name: "Ports", empty: "No listening port is stored.",
    query: newest('== "ListeningPorts"',
      "| project Protocol = tostring(E.Protocol), Address = tostring(E.LocalAddress), Port = tolong(E.LocalPort), Pid = tolong(E.Pid), TimeStamp\n| order by Port asc"),
  },
  {
    id: "users", name: "Users", empty: "No local user is stored.",
    query: newest('== "LocalUsers"',
      "| project User = tostring(E.UserName), Id = tostring(E.UserId), Groups = tostring(E.GroupNames), TimeStamp\n| order by User asc"),
  },
  {
    id: "firewall", name: "Firewall", empty: "No firewall rule is stored.",
    query: newest('== "FirewallConfiguration"',
      "| project Chain = tostring(E.ChainName), Direction = tostring(E.Direction), Action = tostring(E.Action), Protocol = tostring(E.Protocol), Source = tostring(E.SourceAddress), SourcePort = tostring(E.SourcePort), Destination = tostring(E.DestinationAddress), DestinationPort = tostring(E.DestinationPort), Priority = tolong(E.Priority), Enabled = tostring(E.Enabled)\n| order by Chain asc, Priority asc"),
  },
  {
    id: "baseline", name: "Baseline", empty: "No check that failed is stored.",
    query: newest('in ("OSBaseline", "Baseline")',
      '| extend Result = coalesce(tostring(E.Result), tostring(E.BaselineCheckResult))\n| where Result !in~ ("PASS", "PASSED")\n' +
      "| project Severity = tostring(E.Severity), Result, Check = coalesce(tostring(E.CceId), tostring(E.BaselineCheckId)), Description = coalesce(tostring(E.Description), tostring(E.BaselineCheckDescription)), Error = tostring(E.Error), Remediation = tostring(E.Remediation)\n| order by Severity asc, Check asc"),
  },
  {
    id: "hub", name: "Hub activity", empty: "The hub has no record of this device.",
    query: (device) =>
      `AzureDiagnostics\n| extend P = parse_json(properties_s)\n| where tostring(P.deviceId) == ${kqlText(device)}\n| summarize Records = count(), Messages = sum(tolong(P.messageCount)) by Hour = bin(TimeGenerated, 1h), Category, OperationName, ResultType\n| order by Hour desc\n| take 500`,
  },
  {
    id: "raw", name: "Raw events", empty: "No raw event is stored.",
    query: (device) => `SecurityIoTRawEvent\n| where DeviceId == ${kqlText(device)}\n| project TimeStamp, RawEventName, RawEventCategory, EventDetails\n| order by TimeStamp desc\n| take 200`,
  },
];
