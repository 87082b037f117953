// People, tokens and what they did, as the API gives them (docs/api.md "People, sessions, tokens"), and what the page makes of them: pure.
import { kqlText } from "./lists";
import type { Role } from "./model";
import type { Filters } from "./place";

export interface User {
  name: string;
  role: Role;
  enabled: boolean;
  created: string;
  passwordChanged: string;
  secondFactor: boolean;
}
export interface AccessToken {
  name: string;
  role: Role;
  hubs: string[];
  expires: string | null;
}

export const passwordMin = 12;

/** What each role adds to the ones before it. */
export const roleMeanings: Readonly<Record<Role, string>> = {
  reader: "sees hubs, devices, alerts and recommendations",
  analyst: "also queries the workspace and backtests rules",
  operator: "also decides about alerts, and enables and disables devices",
  administrator: "also everything else: settings, keys, users, tokens, backups",
};

export const lifetimes = [["7", "7 days"], ["30", "30 days"], ["90", "90 days"], ["365", "a year"], ["", "without end"]] as const;

/** When a token made now ends; undefined for one that does not. */
export function expiryOf(days: string, now: number): string | undefined {
  return days === "" ? undefined : new Date(now + Number(days) * 86_400_000).toISOString();
}

export const isOver = (token: AccessToken, now: number): boolean => token.expires !== null && new Date(token.expires).getTime() <= now;

export const auditRowsMax = 1_000;
export interface AuditRow {
  time: string;
  caller: string;
  role: string;
  operation: string;
  method: string;
  path: string;
  result: string;
  status: string;
  from: string;
}

/** The audit log is the activity log; operations of this product begin with Fieldwatch/. `filters`: who, what, result. */
export function auditQuery(filters: Filters): string {
  const where = [
    ...(filters["kind"] === "all" ? [] : ['OperationNameValue startswith "Fieldwatch/"']),
    ...(filters["who"] ? [`Caller contains ${kqlText(filters["who"])}`] : []),
    ...(filters["what"] ? [`(OperationNameValue contains ${kqlText(filters["what"])} or Properties contains ${kqlText(filters["what"])})`] : []),
    ...(filters["result"] ? [`ActivityStatusValue == ${kqlText(filters["result"])}`] : []),
  ];
  return (
    `AzureActivity\n${where.map((one) => `| where ${one}\n`).join("")}| extend P = parse_json(Properties)\n` +
    "| project TimeGenerated, Caller, Role = tostring(P.role), OperationNameValue, Method = tostring(P.method), Path = tostring(P.path), ActivityStatusValue, Status = tostring(P.statusCode), CallerIpAddress\n" +
    `| order by TimeGenerated desc\n| take ${auditRowsMax}`
  );
}

export function auditRows(rows: readonly unknown[][]): AuditRow[] {
  return rows.map((row) => {
    const [time = "", caller = "", role = "", operation = "", method = "", path = "", result = "", status = "", from = ""] = row.map((cell) => String(cell ?? ""));
    return { time, caller, role, operation, method, path, result, status, from };
  });
}
