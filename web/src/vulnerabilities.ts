// Vulnerabilities of a fleet as the API gives them (docs/vulnerabilities.md), and what the page makes of them: pure.
import type { Severity } from "./model";
import type { Filters } from "./place";

export interface Vulnerability {
  id: string;
  exploited: boolean;
  exploitPercent: number | null;
  score: number | null;
  devices: number;
  exposedDevices: number;
  components: string[];
}
export interface AffectedDevice {
  device: string;
  component: string;
  type: string;
  version: string;
  fixedVersion: string;
  severity: Severity;
  priority: string;
  exposed: boolean;
  since: string;
  recommendation: string;
}
export interface VulnerabilityDetail {
  id: string;
  exploited: boolean;
  exploitProbability: number | null;
  score: number | null;
  advisories: { package: string; type: string; distribution: string; release: string; fixedVersion: string; source: string }[];
  devices: AffectedDevice[];
}
export interface AdvisoryFile {
  name: string;
  format: string;
  advisories: number;
  statements: number;
  exploited: number;
  probabilities: number;
  skipped: number;
  bad: { entry: string; why: string }[];
}
export interface AdvisoryFiles {
  value: AdvisoryFile[];
  inForce: number;
  bytes: number;
}

export const scoreText = (score: number | null): string => (score === null ? "" : score.toFixed(1));
export const percentText = (share: number | null): string => (share === null ? "" : share > 0 && share < 0.01 ? "< 1 %" : `${Math.round(share * 100)} %`);

export function chosenVulnerabilities(all: readonly Vulnerability[], filters: Filters): Vulnerability[] {
  const part = (filters["name"] ?? "").toLowerCase();
  return all.filter(
    (one) =>
      (filters["used"] !== "exploited" || one.exploited) &&
      (filters["used"] !== "exposed" || one.exposedDevices > 0) &&
      `${one.id} ${one.components.join(" ")}`.toLowerCase().includes(part),
  );
}
