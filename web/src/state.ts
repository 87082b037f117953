// What the page knows, and how news change it: pure, so that it can be tested without a page.
import type { Alert, Evidence, Note, Overview, Severity } from "./model";
import { visible } from "./visible";

export const alertsShown = 100;

export const isOpen = (status: string): boolean => status !== "Dismissed" && status !== "Resolved";

/** Puts an alert, or the newer state of one, into the list: newest first; closed ones leave it. */
export function withAlert(alerts: Alert[], alert: Alert): Alert[] {
  const others = alerts.filter((one) => one.id !== alert.id);
  if (!isOpen(alert.status)) return others;
  const place = others.findIndex((one) => one.startTime < alert.startTime);
  const merged = place < 0 ? [...others, alert] : [...others.slice(0, place), alert, ...others.slice(place)];
  return merged.slice(0, Math.max(alertsShown, alerts.length)); // old High ones may stand behind the newest
}

/** Counters move at once with a new alert; the next whole overview puts right what this cannot know. */
export function withCounted(overview: Overview, alert: Alert, known: boolean): Overview {
  if (known || alert.update || !isOpen(alert.status)) return overview;
  const add = <T extends Record<Severity, number>>(counts: T): T => ({
    ...counts,
    [alert.severity]: counts[alert.severity] + 1,
  });
  const date = alert.startTime.slice(0, 10);
  return {
    ...overview,
    openAlerts: add(overview.openAlerts),
    daily: overview.daily.map((day) => (day.date === date ? add(day) : day)),
    dataHealth: { ...overview.dataHealth, anyDataReceived: true },
  };
}

export type Emptiness = "none" | "no-data" | "no-alerts";

/** "No alerts" is good news only where data arrive. */
export function emptiness(overview: Overview, alerts: Alert[]): Emptiness {
  if (alerts.length > 0) return "none";
  return overview.dataHealth.anyDataReceived ? "no-alerts" : "no-data";
}

/** Lists that the API gives as JSON of unknown shape: what is text or can be shown as text. */
export function textList(value: unknown): string[] {
  const list = Array.isArray(value) ? value : typeof value === "string" && value !== "" ? [value] : [];
  return list.map((one) => (typeof one === "string" ? one : JSON.stringify(one)));
}

/** Whose events an alert of the fleet is made of: those that are named, and how many there are. */
export function fleetDevices(properties: Record<string, unknown>): { named: string[]; count: number } {
  const text = properties["Devices"];
  let named: string[] = [];
  try {
    const list: unknown = typeof text === "string" ? JSON.parse(text) : text;
    if (Array.isArray(list)) named = list.filter((one): one is string => typeof one === "string");
  } catch {
    // no list: nobody is named
  }
  return { named, count: Math.max(named.length, Number(properties["DeviceCount"]) || 0) };
}

export function shownValue(value: unknown): string {
  return visible(typeof value === "string" ? value : (JSON.stringify(value) ?? ""));
}

/** The command line to show in monospace: the alert's own, else that of its process entity. */
export function commandLine(properties: Record<string, unknown>, entities: unknown): string | null {
  const own = properties["CommandLine"];
  if (typeof own === "string" && own !== "") return own;
  if (!Array.isArray(entities)) return null;
  for (const entity of entities as Record<string, unknown>[]) {
    const found = entity?.["CommandLine"];
    if (typeof found === "string" && found !== "") return found;
  }
  return null;
}

/** The ids of the processes that an alert is about: of its process entities, else of the process events behind it. */
export function processIds(entities: unknown, evidence: Evidence[]): Set<number> {
  const ids = new Set<number>();
  const add = (id: unknown) => {
    const number = typeof id === "string" && id !== "" ? Number(id) : id;
    if (typeof number === "number" && Number.isInteger(number) && number > 0) ids.add(number);
  };
  const all = Array.isArray(entities) ? (entities as Record<string, unknown>[]) : [];
  const parents = new Set(all.map((one) => (one?.["ParentProcess"] as Record<string, unknown> | undefined)?.["$ref"]));
  for (const one of all) if (one?.["Type"] === "process" && !parents.has(one["$id"])) add(one["ProcessId"]);
  if (ids.size === 0) for (const row of evidence) add((row.details as Record<string, unknown> | null)?.["ProcessId"]);
  return ids;
}

/** What people said, out of the alert's properties. */
export function notesOf(properties: Record<string, unknown>): Note[] {
  const notes = properties["Notes"];
  return Array.isArray(notes) ? notes.filter((note): note is Note => typeof (note as Note | null)?.By === "string" && typeof (note as Note).Time === "string") : [];
}

/** The user whose alert it is; "" for nobody. */
export function assigneeOf(properties: Record<string, unknown>): string {
  const name = properties["AssignedTo"];
  return typeof name === "string" ? name : "";
}

/** The evidence of a recommendation: values are texts, and lists and objects JSON inside them. */
export function additionalValues(data: Record<string, unknown> | null): [string, unknown][] {
  return Object.entries(data ?? {}).map(([name, value]) => {
    if (typeof value !== "string" || !/^\s*[[{]/.test(value)) return [name, value];
    try {
      return [name, JSON.parse(value) as unknown];
    } catch {
      return [name, value];
    }
  });
}

/** The query of an alert's own link into the logs. */
export function linkedQuery(links: unknown): string | null {
  if (!Array.isArray(links)) return null;
  for (const link of links as Record<string, unknown>[]) {
    const href = link?.["Href"];
    if (typeof href !== "string") continue;
    const query = new URLSearchParams(href.slice(href.indexOf("?") + 1)).get("query");
    if (query) return query;
  }
  return null;
}

/** Entities name each other by {"$ref":"3"}: what a person reads is the name of the other. */
export function entityFields(entity: Record<string, unknown>, all: Record<string, unknown>[]): [string, string][] {
  const nameOf = (one: Record<string, unknown>): string => {
    const directory = one["Directory"];
    const name = one["Name"] ?? one["Address"] ?? one["DeviceId"] ?? one["CommandLine"] ?? one["$id"];
    return typeof directory === "string" && directory !== "" ? `${directory.replace(/\/$/, "")}/${shownValue(name)}` : shownValue(name);
  };
  return Object.entries(entity)
    .filter(([field]) => field !== "$id" && field !== "Type")
    .map(([field, value]) => {
      const target = (value as Record<string, unknown> | null)?.["$ref"];
      const other = target === undefined ? undefined : all.find((one) => one?.["$id"] === target);
      return [field, other ? nameOf(other) : shownValue(value)];
    });
}
