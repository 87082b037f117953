// What an analyst asks of one device, as KQL: each tab of its page is one of these, and says so.
import { kqlText } from "./lists";
import type { Span } from "./process_tree";

/** A device of one hub: hubs that share a workspace may each have one of the same name. */
export interface Subject {
  hub: string;
  device: string;
}

export interface DeviceQuestion {
  empty: string;
  query: (of: Subject) => string;
}
export interface DeviceTab extends DeviceQuestion {
  id: string;
  name: string;
  more?: readonly (DeviceQuestion & { title: string })[];
}

/** Rows of that hub; `column` names the resource id of the table, whose case differs from table to table. */
const ofHub = (hub: string, column: string) => `${column} endswith ${kqlText(`/iothubs/${hub}`)}`;
const rawOf = ({ hub, device }: Subject) => `DeviceId == ${kqlText(device)} and ${ofHub(hub, "AssociatedResourceId")}`;

const raw = (of: Subject, kinds: string) =>
  `SecurityIoTRawEvent\n| where ${rawOf(of)} and RawEventName ${kinds} and IsEmpty == false\n| extend E = parse_json(EventDetails)\n`;
/** Only the newest snapshot of each day's many: its rows share their time stamp. */
const newest = (kinds: string, columns: string) => (of: Subject) =>
  `let newest = toscalar(SecurityIoTRawEvent | where ${rawOf(of)} and RawEventName ${kinds} | summarize max(TimeStamp));\n` +
  `${raw(of, kinds)}| where TimeStamp == newest\n${columns}`;
/** What happened, one row an event or summed up. */
const events = (kinds: string, columns: string) => (of: Subject) => raw(of, kinds) + columns;

const moment = (iso: string) => `datetime(${/^[\d:.TZ-]+$/.test(iso) ? iso : "null"})`;
/** No event is received before it happened: the second bound keeps older files closed. */
const within = (of: Subject, from: string, to: string) =>
  `SecurityIoTRawEvent\n| where ${rawOf(of)}\n| where TimeStamp between (${from} .. ${to}) and TimeGenerated >= ${from}\n`;

/** What the device did around an alert, of any kind. */
export const eventsAround = (of: Subject, start: string, end: string) =>
  within(of, `(${moment(start)} - 5m)`, `(${moment(end)} + 5m)`) +
  "| project TimeStamp, RawEventName, EventDetails\n| order by TimeStamp asc\n| take 200";

export const processRowsMax = 5_000;
/** Processes that began and ended in a span; where there are too many, the newest, which the alert is among. */
export const processesIn = (of: Subject, span: Span) =>
  within(of, moment(span.from), moment(span.to)) +
  '| where RawEventName in ("ProcessCreate", "ProcessTerminate") and IsEmpty == false\n| extend E = parse_json(EventDetails)\n| extend X = parse_json(tostring(E.ExtraDetails))\n' +
  "| project TimeStamp, Pid = tolong(E.ProcessId), Parent = tolong(E.ParentProcessId), User = tostring(E.UserName), Command = tostring(E.CommandLine), " +
  'Run = tostring(X.BootId), Sequence = tolong(X.Sequence), Ended = RawEventName == "ProcessTerminate"\n' +
  `| order by TimeStamp desc\n| take ${processRowsMax}`;

export const deviceTabs: DeviceTab[] = [
  {
    id: "timeline", name: "Timeline", empty: "Nothing of note in this time.",
    query: (of) =>
      `union\n  (SecurityAlert | where CompromisedEntity == ${kqlText(of.device)} and ${ofHub(of.hub, "ResourceId")} | summarize arg_max(TimeGenerated, *) by SystemAlertId | project Time = StartTime, What = DisplayName, Level = AlertSeverity, State = Status, Kind = "Alert", Id = SystemAlertId),\n` +
      `  (SecurityRecommendation | where DeviceId == ${kqlText(of.device)} and ${ofHub(of.hub, "AssessedResourceId")} | where IsSnapshot == false | project Time = StatusChangeDate, What = RecommendationDisplayName, Level = RecommendationSeverity, State = RecommendationState, Kind = "Recommendation", Id = RecommendationId),\n` +
      `  (SecurityIoTRawEvent | where ${rawOf(of)} and RawEventName == "Login" and IsEmpty == false | extend E = parse_json(EventDetails) | summarize Count = count(), Time = max(TimeStamp) by Hour = bin(TimeStamp, 1h), State = tostring(E.Result), User = tostring(E.UserName), Remote = tostring(E.RemoteAddress)\n` +
      '    | project Time, What = strcat(iff(Count > 1, strcat(tostring(Count), " logins of "), "Login of "), User, iff(isempty(Remote), "", strcat(" from ", Remote))), Level = "", State, Kind = "Login", Id = ""),\n' +
      `  (SecurityIoTRawEvent | where ${rawOf(of)} and RawEventName in ("Diagnostic", "ConfigurationError") and IsEmpty == false | extend E = parse_json(EventDetails)\n` +
      '    | project Time = TimeStamp, What = coalesce(tostring(E.Message), tostring(E.ConfigurationName)), Level = "", State = coalesce(tostring(E.Severity), tostring(E.ErrorType)), Kind = "Agent", Id = ""),\n' +
      `  (AzureDiagnostics | where Category == "Connections" and ${ofHub(of.hub, "ResourceId")} | where tostring(parse_json(properties_s).deviceId) == ${kqlText(of.device)} | project Time = TimeGenerated, What = OperationName, Level, State = ResultType, Kind = "Hub", Id = "")\n` +
      "| project Time, What, Level, State, Kind, Id\n| order by Time desc\n| take 500",
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
    id: "agent", name: "Agent", empty: "The agent has said nothing of itself.",
    query: events('in ("SystemInformation", "Diagnostic")',
      '| where RawEventName == "SystemInformation" or tostring(E.Message) startswith "collecting:"\n' +
      '| summarize arg_max(TimeStamp, *) by RawEventName\n| project TimeStamp, Agent = AgentVersion, Said = iff(RawEventName == "Diagnostic", tostring(E.Message), strcat(tostring(E.OSName), " ", tostring(E.OSVersion), ", ", tostring(E.OsArchitecture), ", ", tostring(E.HostName)))'),
    more: [
      {
        title: "Lost on the device", empty: "It has not told what it collected and dropped.",
        query: events('== "DroppedEventsStatistics"',
          "| extend X = parse_json(tostring(E.ExtraDetails))\n| summarize Collected = sum(tolong(E.CollectedEvents)), Dropped = sum(tolong(E.DroppedEvents)), " +
          "ProcessesSeen = sum(tolong(X.ProcessSeen)), ProcessesLost = sum(tolong(X.ProcessLost)), ConnectionsSeen = sum(tolong(X.ConnectionSeen) + tolong(X.ConnectionUdpSeen)), ConnectionsLost = sum(tolong(X.ConnectionLost) + tolong(X.ConnectionUdpLost)), " +
          "FileChangesSeen = sum(tolong(X.FileChangeSeen)), FileChangesLost = sum(tolong(X.FileChangeLost)), Last = max(TimeStamp) by Queue = tostring(E.Queue)\n| order by Queue asc"),
      },
      {
        title: "What it reported", empty: "It has reported nothing.",
        query: events('in ("Diagnostic", "ConfigurationError")',
          '| project TimeStamp, Severity = coalesce(tostring(E.Severity), tostring(E.ErrorType)), Message = iff(RawEventName == "ConfigurationError", strcat(tostring(E.ConfigurationName), ": ", tostring(E.Message), " In use: ", tostring(E.UsedConfiguration)), tostring(E.Message))\n| order by TimeStamp desc\n| take 200'),
      },
    ],
  },
  {
    id: "hub", name: "Hub activity", empty: "The hub has no record of this device.",
    query: ({ hub, device }) =>
      `AzureDiagnostics\n| where ${ofHub(hub, "ResourceId")}\n| extend P = parse_json(properties_s)\n| where tostring(P.deviceId) == ${kqlText(device)}\n| summarize Records = count(), Messages = sum(tolong(P.messageCount)) by Hour = bin(TimeGenerated, 1h), Category, OperationName, ResultType\n| order by Hour desc\n| take 500`,
  },
  {
    id: "raw", name: "Raw events", empty: "No raw event is stored.",
    query: (of) => `SecurityIoTRawEvent\n| where ${rawOf(of)}\n| project TimeStamp, RawEventName, RawEventCategory, EventDetails\n| order by TimeStamp desc\n| take 200`,
  },
];
