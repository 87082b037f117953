// Scheduled rules as the API gives them (docs/formats/scheduled-rules.md), and what a form makes of them: pure.
import type { QueryPlace } from "./api";
import type { Severity } from "./model";
import { durationText } from "./times";

export interface ScheduledHealth {
  healthy: boolean;
  problem: string;
  lastRun: string | null;
  lastWindowEnd: string | null;
  runs: number;
  findings: number;
  failures: number;
  lastRows: number;
  lastMs: number;
}
/** What a person writes. */
export interface ScheduledText {
  name: string;
  description: string;
  query: string;
  severity: Severity;
  intent: string;
  period: string;
  window: string;
  suppression: string;
  lateness: string;
  threshold: number;
  entities: Record<string, string>; // column by kind
  enabled: boolean;
}
export interface ScheduledRule extends ScheduledText {
  id: string;
  author: string;
  version: number;
  updated: string;
  health?: ScheduledHealth;
}
export interface Trial {
  from: string;
  to: string;
  rows: number;
  truncated: boolean;
  leftOut: number;
  findings: { rows: number; entities: Record<string, string>; sample: unknown }[];
}
export interface ScheduledRun {
  ran: string;
  windowEnd: string;
  rows: number;
  findings: number;
  ms: number;
  problem: string;
}

export const entityKinds = ["device", "process", "file", "user", "ip", "domain", "url", "hash"] as const;
export const periods = ["PT1M", "PT5M", "PT15M", "PT1H", "PT6H", "PT12H", "P1D"] as const;
export const spans = ["PT5M", "PT15M", "PT1H", "PT6H", "P1D", "P7D", "P14D"] as const;
export const quietSpans = ["PT0S", "PT1H", "PT6H", "P1D", "P7D"] as const;

const fields = ["name", "description", "query", "severity", "intent", "period", "window", "suppression", "lateness", "threshold", "entities", "enabled"] as const;

/** The members that a person writes, in a fixed order: what is compared, and what is sent. */
export const textOf = (rule: ScheduledText): ScheduledText => Object.fromEntries(fields.map((field) => [field, rule[field]])) as unknown as ScheduledText;

/** The same for eyes: a query's lines as lines. */
export const shownText = (rule: ScheduledText): string =>
  fields.map((field) => (field === "query" ? `query:\n${rule.query}` : `${field}: ${typeof rule[field] === "object" ? JSON.stringify(rule[field]) : rule[field]}`)).join("\n");

/** "every 5 min over 1 h". */
export const rhythmOf = (rule: Pick<ScheduledText, "period" | "window">): string => `every ${durationText(rule.period)}, over ${durationText(rule.window)}`;

/** The choices with the present one among them, which may be another. */
export const withPresent = (choices: readonly string[], present: string): string[] => (choices.includes(present) ? [...choices] : [present, ...choices]);

/** Where in the query a refusal points: "the query: line 2, column 9: …". */
export function placeIn(message: string): QueryPlace | null {
  const found = /line (\d+), column (\d+): /.exec(message);
  return found ? { line: Number(found[1]), column: Number(found[2]), length: 1 } : null;
}

export const newScheduled: ScheduledText = {
  name: "", description: "", severity: "Medium", intent: "", period: "PT5M", window: "PT1H", suppression: "PT6H", lateness: "PT5M", threshold: 4, enabled: true,
  entities: { device: "DeviceId", ip: "Source" },
  query: `SecurityIoTRawEvent
| where RawEventName == "Login"
| extend E = parse_json(EventDetails)
| where tostring(E.Result) =~ "fail"
| project DeviceId, Source = tostring(E.RemoteAddress), User = tostring(E.UserName)`,
};
