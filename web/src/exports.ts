// Where findings go, as the API gives it (docs/exports.md), and what a form makes of it: pure.
import type { Severity } from "./model";

export interface Destination {
  name: string;
  to: string;
  format: string;
  minimumSeverity: Severity;
  findings: string[];
  states: "new" | "all";
  group: "none" | "incident";
  quietHours: string; // "" = none
  hubs: string[];
  keepDays: number;
  ca?: string;
  signed: boolean;
  authorized: boolean;
  status: {
    state: "well" | "failing";
    waiting: number;
    delivered: number;
    dropped: number;
    refused: number;
    lastDelivered: string | null;
    failingSince: string | null;
    nextTry: string | null;
    quietUntil: string | null;
    problem: string;
  };
}

export const formatNames: Readonly<Record<string, string>> = { json: "JSON", ocsf: "OCSF", stix: "STIX 2.1", syslog: "Syslog (RFC 5424)", cef: "CEF" };

const webhook = ["json", "ocsf", "stix"];
const bySchemes: Readonly<Record<string, readonly string[]>> = { https: webhook, http: webhook, tcp: ["syslog", "cef"], tls: ["syslog", "cef"], udp: ["syslog", "cef"], file: [...webhook, "cef"] };

export const schemeOf = (to: string): string => /^\w*/.exec(to.trim().toLowerCase())?.[0] ?? "";
/** What the receiver of an address takes; the first is the usual one. Where the address says nothing yet: all. */
export const formatsOf = (to: string): readonly string[] => bySchemes[schemeOf(to)] ?? Object.keys(formatNames);

export interface DestinationForm {
  to: string;
  format: string; // "": the receiver's usual one
  minimumSeverity: Severity;
  findings: readonly string[];
  states: "new" | "all";
  group: "none" | "incident";
  quietHours: string;
  hubs: readonly string[];
  keepDays: string;
  ca: string;
  secret: string; // "": the server makes one, or the present one stays
  authorization: string; // "": none, or the present one stays
}

export const emptyForm: DestinationForm = { to: "", format: "", minimumSeverity: "Informational", findings: ["alerts", "recommendations"], states: "new", group: "none", quietHours: "", hubs: [], keepDays: "7", ca: "", secret: "", authorization: "" };

export const formOf = (one: Destination): DestinationForm => ({
  to: one.to, format: one.format, minimumSeverity: one.minimumSeverity, findings: one.findings, states: one.states, group: one.group, quietHours: one.quietHours, hubs: one.hubs, keepDays: String(one.keepDays), ca: one.ca ?? "", secret: "", authorization: "",
});

/** The body of PUT: only what was said, and nothing that does not go with the address. */
export function bodyOf(form: DestinationForm): Record<string, unknown> {
  const scheme = schemeOf(form.to);
  const isWebhook = scheme === "https" || scheme === "http";
  return {
    to: form.to.trim(),
    ...(formatsOf(form.to).includes(form.format) && { format: form.format }),
    minimumSeverity: form.minimumSeverity,
    findings: form.findings,
    states: form.states,
    group: form.group,
    ...(form.quietHours.trim() !== "" && { quietHours: form.quietHours.trim() }),
    hubs: form.hubs,
    keepDays: Number(form.keepDays),
    ...((scheme === "https" || scheme === "tls") && form.ca.trim() !== "" && { ca: form.ca }),
    ...(isWebhook && form.secret !== "" && { secret: form.secret }),
    ...(isWebhook && form.authorization !== "" && { authorization: form.authorization }),
  };
}
