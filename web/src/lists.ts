// What the lists show of what the API gave: pure, so that it can be tested without a page.
import type { Alert, Device, Recommendation, Severity } from "./model";
import type { Filters } from "./place";
import { assigneeOf } from "./state";

const rank: Record<Severity, number> = { High: 3, Medium: 2, Low: 1, Informational: 0 };

/** High before Medium before Low; of one severity the newest first. */
export const worstFirst = (alerts: readonly Alert[]): Alert[] => [...alerts].sort((a, b) => rank[b.severity] - rank[a.severity] || b.startTime.localeCompare(a.startTime));

/** An aggregate as spec/alerts.md section 4 counts it: one alert type on one UTC day. */
export interface AlertDay {
  key: string;
  type: string;
  displayName: string;
  date: string;
  severity: Severity;
  component: string;
  alerts: Alert[];
  devices: string[];
}

export function alertDays(alerts: Alert[]): AlertDay[] {
  const days = new Map<string, AlertDay>();
  for (const alert of alerts) {
    const date = alert.startTime.slice(0, 10);
    const key = `${alert.type}/${date}`;
    const day = days.get(key) ?? {
      key, date, type: alert.type, displayName: alert.displayName || alert.type, severity: alert.severity, component: alert.component, alerts: [], devices: [],
    };
    day.alerts.push(alert);
    if (!day.devices.includes(alert.device)) day.devices.push(alert.device);
    if (rank[alert.severity] > rank[day.severity]) day.severity = alert.severity;
    days.set(key, day);
  }
  return [...days.values()].sort((a, b) => b.date.localeCompare(a.date) || rank[b.severity] - rank[a.severity] || a.displayName.localeCompare(b.displayName));
}

const holds = (text: string, part: string | undefined): boolean => !part || text.toLowerCase().includes(part.toLowerCase());

const whose = (filter: string, me: string): string => (filter === "me" ? me : filter === "nobody" ? "" : filter);

/** `me`: the name of who looks. */
export function chosenAlerts(alerts: Alert[], filters: Filters, me = ""): Alert[] {
  return alerts.filter(
    (one) =>
      (!filters["severity"] || one.severity === filters["severity"]) &&
      (!filters["whose"] || assigneeOf(one.extendedProperties) === whose(filters["whose"], me)) &&
      (!filters["day"] || one.startTime.startsWith(filters["day"])) &&
      (!filters["source"] || one.component === filters["source"]) &&
      holds(one.device, filters["device"]) &&
      holds(`${one.displayName} ${one.type}`, filters["name"]),
  );
}

/** One recommendation type with the devices it concerns. */
export interface RecommendationGroup {
  type: string;
  displayName: string;
  severity: Severity;
  component: string;
  first: string;
  items: Recommendation[];
}

export function recommendationGroups(items: Recommendation[], filters: Filters): RecommendationGroup[] {
  const groups = new Map<string, RecommendationGroup>();
  for (const one of items) {
    if (filters["severity"] && one.severity !== filters["severity"]) continue;
    if (!holds(one.device, filters["device"]) || !holds(`${one.displayName} ${one.type}`, filters["name"])) continue;
    const component = one.properties?.["Component"];
    const group = groups.get(one.type) ?? {
      type: one.type, displayName: one.displayName || one.type, severity: one.severity, component: typeof component === "string" ? component : "", first: one.discovered, items: [],
    };
    group.items.push(one);
    if (one.discovered < group.first) group.first = one.discovered;
    groups.set(one.type, group);
  }
  return [...groups.values()].sort((a, b) => rank[b.severity] - rank[a.severity] || b.items.length - a.items.length || a.type.localeCompare(b.type));
}

export const deviceSorts = {
  device: (a: Device, b: Device) => a.deviceId.localeCompare(b.deviceId),
  last: (a: Device, b: Device) => (b.lastEvent ?? "").localeCompare(a.lastEvent ?? ""),
  oldest: (a: Device, b: Device) => (a.lastEvent ?? "").localeCompare(b.lastEvent ?? ""),
  alerts: (a: Device, b: Device) =>
    b.openAlertsBySeverity.High - a.openAlertsBySeverity.High || b.openAlertsBySeverity.Medium - a.openAlertsBySeverity.Medium || b.openAlerts - a.openAlerts,
  recommendations: (a: Device, b: Device) => b.activeRecommendations - a.activeRecommendations,
} as const;

export function chosenDevices(devices: Device[], filters: Filters): Device[] {
  const state = (one: Device) => (one.status === "disabled" ? "Disabled" : one.connectionState);
  const sort = deviceSorts[(filters["sort"] ?? "device") as keyof typeof deviceSorts] ?? deviceSorts.device;
  return devices
    .filter((one) => holds(one.deviceId, filters["name"]) && (!filters["agent"] || one.agentState === filters["agent"]) && (!filters["connection"] || state(one) === filters["connection"]))
    .sort((a, b) => sort(a, b) || deviceSorts.device(a, b));
}

/** A text as a KQL string literal. */
export function kqlText(text: string): string {
  const escaped = text.replace(/[\\"]/g, "\\$&").replace(/[\u0000-\u001f]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return `"${escaped}"`;
}
