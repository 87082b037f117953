// Profiles of device classes as the API gives them (docs/profiles.md), and what the page makes of them: pure.
import type { Filters } from "./place";

export interface AcceptedProfile {
  name: string;
  devices: string[];
  days: number;
  devicesMin: number;
  peersMax: number;
  lines: string[];
  author: string;
  version: number;
  accepted: string;
  rule: string; // the scheduled rule that watches it
}
export interface Connection {
  line: string;
  programs: string[];
  devices: number;
  addresses: string[];
  count: number;
  first: string;
  last: string;
}
export interface Program {
  path: string;
  users: string[];
  devices: number;
  count: number;
  first: string;
  last: string;
}
export interface Drift {
  added: string[]; // happens, and is not accepted
  gone: string[]; // is accepted, and happens no more
}
export interface Profile {
  name: string;
  devices: string[];
  from: string;
  to: string;
  deviceCount: number;
  members: string[];
  connections: Connection[];
  programs: Program[];
  hours: number[]; // events by hour of the day, UTC
  truncated: boolean;
  accepted: AcceptedProfile | null;
  drift: Drift | null;
}

/** What the API takes of a class, by the name that the address of the page has for it as well. */
export const classNumbers = [
  ["days", "Days back", 90],
  ["devicesMin", "Devices that must do it", 100_000],
  ["peersMax", "Peers told apart", 1_000],
] as const;

export const nameRule = "[A-Za-z0-9_\\-]{1,56}";

/** The address of a profile, or of one of its files, for the class that the page's address names. */
export function profileAddress(hub: string, name: string, filters: Filters, form = "", more: Record<string, string> = {}): string {
  const parameters = new URLSearchParams(more);
  for (const key of ["devices", ...classNumbers.map(([one]) => one)]) if (filters[key]) parameters.set(key, filters[key]);
  const search = parameters.size === 0 ? "" : `?${parameters}`;
  return `/api/v1/hubs/${encodeURIComponent(hub)}/profiles/${encodeURIComponent(name)}${form}${search}`;
}

/** The body that accepts the class the page shows. */
export function acceptBody(filters: Filters): Record<string, unknown> {
  const devices = devicesOf(filters["devices"] ?? "");
  const numbers = classNumbers.flatMap(([key]) => (filters[key] ? [[key, Number(filters[key])] as const] : []));
  return { ...(devices.length > 0 && { devices }), ...Object.fromEntries(numbers) };
}

export const devicesOf = (text: string): string[] => text.split(",").map((one) => one.trim()).filter((one) => one !== "");

/** A line as three columns: way and service, and with whom. */
export function partsOf(line: string): { way: string; service: string; whom: string } {
  const [way = "", service = "", ...rest] = line.split(" ");
  return { way, service, whom: rest.join(" ") };
}

/** A sentence about the hours, for those who do not see the bars. */
export function hoursText(hours: readonly number[]): string {
  const all = hours.reduce((sum, one) => sum + one, 0);
  if (all === 0) return "Nothing happened at any hour.";
  const most = Math.max(...hours);
  const quiet = hours.flatMap((count, hour) => (count === 0 ? [hour] : []));
  const silent = quiet.length === 0 ? "no hour is silent" : quiet.length > 6 ? `${quiet.length} hours are silent` : `silent: ${quiet.join(", ")}`;
  return `Busiest at ${hours.indexOf(most)} o'clock UTC, with ${most.toLocaleString("en")} of ${all.toLocaleString("en")} events; ${silent}.`;
}
