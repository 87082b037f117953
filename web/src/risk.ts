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

export const kindNames: Readonly<Record<RiskPoint["kind"], string>> = { alert: "Alert", exposure: "Exposure", vulnerability: "Vulnerability", posture: "Posture" };

/** Where a number stands, as the severity that marks it. */
export const bandOf = (risk: number): Severity => (risk >= 70 ? "High" : risk >= 35 ? "Medium" : risk >= 10 ? "Low" : "Informational");

/** "+12 since yesterday"; "" where it is the same. */
export function trendText(of: Pick<DeviceRisk, "risk" | "dayBefore">): string {
  const change = Math.round(of.risk) - Math.round(of.dayBefore);
  return change === 0 ? "as yesterday" : `${change > 0 ? "+" : "−"}${Math.abs(change)} since yesterday`;
}
