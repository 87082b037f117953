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
  user?: string;
  from?: string;
  recipients?: string[];
  digestMinutes?: number;
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

export const formatNames: Readonly<Record<string, string>> = { json: "JSON", ocsf: "OCSF", stix: "STIX 2.1", syslog: "Syslog (RFC 5424)", cef: "CEF", text: "Text" };

const webhook = ["json", "ocsf", "stix"];
const bySchemes: Readonly<Record<string, readonly string[]>> = { https: webhook, http: webhook, tcp: ["syslog", "cef"], tls: ["syslog", "cef"], udp: ["syslog", "cef"], file: [...webhook, "cef"], kafka: webhook, kafkas: webhook, nats: webhook, natss: webhook, smtp: ["text"], smtps: ["text"], "smtp+plain": ["text"] };
const webhooks = ["https", "http"];
const encrypted = ["https", "tls", "smtp", "smtps", "kafkas", "natss"];
const mails = ["smtp", "smtps", "smtp+plain"];
const streams = ["kafka", "kafkas", "nats", "natss"];

export const schemeOf = (to: string): string => /^[\w+]*/.exec(to.trim().toLowerCase())?.[0] ?? "";
export const isWebhook = (to: string): boolean => webhooks.includes(schemeOf(to));
export const isEncrypted = (to: string): boolean => encrypted.includes(schemeOf(to));
export const isMail = (to: string): boolean => mails.includes(schemeOf(to));
export const logsIn = (to: string): boolean => isMail(to) || streams.includes(schemeOf(to));
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
  user: string; // "": nobody logs in
  password: string; // "": the present one stays
  from: string;
  recipients: string; // with commas or blanks between them
  digestMinutes: string;
}

export const emptyForm: DestinationForm = { to: "", format: "", minimumSeverity: "Informational", findings: ["alerts", "recommendations"], states: "new", group: "none", quietHours: "", hubs: [], keepDays: "7", ca: "", secret: "", authorization: "", user: "", password: "", from: "", recipients: "", digestMinutes: "0" };

export const formOf = (one: Destination): DestinationForm => ({
  to: one.to, format: one.format, minimumSeverity: one.minimumSeverity, findings: one.findings, states: one.states, group: one.group, quietHours: one.quietHours, hubs: one.hubs, keepDays: String(one.keepDays), ca: one.ca ?? "", secret: "", authorization: "",
  user: one.user ?? "", password: "", from: one.from ?? "", recipients: (one.recipients ?? []).join(", "), digestMinutes: String(one.digestMinutes ?? 0),
});

/** The body of PUT: only what was said, and nothing that does not go with the address. */
export function bodyOf(form: DestinationForm): Record<string, unknown> {
  const { to } = form;
  return {
    to: to.trim(),
    ...(formatsOf(to).includes(form.format) && { format: form.format }),
    minimumSeverity: form.minimumSeverity,
    findings: form.findings,
    states: form.states,
    group: form.group,
    ...(form.quietHours.trim() !== "" && { quietHours: form.quietHours.trim() }),
    hubs: form.hubs,
    keepDays: Number(form.keepDays),
    ...(isEncrypted(to) && form.ca.trim() !== "" && { ca: form.ca }),
    ...(isWebhook(to) && form.secret !== "" && { secret: form.secret }),
    ...(isWebhook(to) && form.authorization !== "" && { authorization: form.authorization }),
    ...(logsIn(to) && form.user.trim() !== "" && { user: form.user.trim() }),
    ...(logsIn(to) && form.user.trim() !== "" && form.password !== "" && { password: form.password }),
    ...(isMail(to) && { from: form.from.trim(), recipients: form.recipients.split(/[\s,;]+/).filter((one) => one !== ""), digestMinutes: Number(form.digestMinutes) }),
  };
}
