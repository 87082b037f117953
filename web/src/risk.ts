// The risk of devices as the API gives it (docs/decisions/0034-risk.md), and what the page makes of it: pure.
import type { Severity } from "./model";

export interface RiskPoint {
  kind: "alert" | "exposure" | "vulnerability" | "posture";
  id: string;
  type: string;
  title: string;
  severity: Severity;
  at: string;
  resolved: boolean;
  points: number;
  without: number;
}
export interface DeviceRisk {
  device: string;
  risk: number;
  dayBefore: number;
  points: RiskPoint[];
}

export interface RiskAt {
  at: string;
  risk: number;
}

export const kindNames: Readonly<Record<RiskPoint["kind"], string>> = { alert: "Alert", exposure: "Exposure", vulnerability: "Vulnerability", posture: "Posture" };

/** Where a number stands, as the severity that marks it. */
export const bandOf = (risk: number): Severity => (risk >= 70 ? "High" : risk >= 35 ? "Medium" : risk >= 10 ? "Low" : "Informational");

/** "+12 since yesterday"; "" where it is the same. */
export function trendText(of: Pick<DeviceRisk, "risk" | "dayBefore">): string {
  const change = Math.round(of.risk) - Math.round(of.dayBefore);
  return change === 0 ? "as yesterday" : `${change > 0 ? "+" : "−"}${Math.abs(change)} since yesterday`;
}

/** The line of a device's risk in a box of 100 by 100, its first day at the left: points of an SVG polyline. */
export function lineOf(history: readonly RiskAt[]): string {
  const last = Math.max(1, history.length - 1);
  return history.map(({ risk }, at) => `${((100 * at) / last).toFixed(1)},${(100 - Math.min(100, Math.max(0, risk))).toFixed(1)}`).join(" ");
}

/** "Risk in the last 14 days: highest 62 on 2026-11-22, now 20", for those who cannot see the line. */
export function historyText(history: readonly RiskAt[]): string {
  const highest = history.reduce<RiskAt | null>((most, one) => (most === null || one.risk > most.risk ? one : most), null);
  const now = history.at(-1);
  if (highest === null || now === undefined) return "";
  return `Risk in the last ${history.length - 1} days: highest ${Math.round(highest.risk)} on ${new Date(Date.parse(highest.at) - 1).toISOString().slice(0, 10)}, now ${Math.round(now.risk)}`;
}
