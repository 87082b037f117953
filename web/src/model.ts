// The API's shapes that the page reads: docs/api.md.
import type { Routing } from "./routes";

export const severities = ["High", "Medium", "Low", "Informational"] as const;
export type Severity = (typeof severities)[number];
export type SeverityCounts = Record<Severity, number>;

export interface Alert {
  id: string;
  type: string;
  displayName: string;
  severity: Severity;
  status: string;
  hub: string;
  device: string;
  component: string;
  description: string;
  startTime: string;
  endTime: string;
  timeGenerated: string;
  hitCount: number;
  extendedProperties: Record<string, unknown>;
  update?: boolean;
}

/** What a person said of an alert: a member of its ExtendedProperties. */
export interface Note {
  Time: string;
  By: string;
  Status?: string;
  Reason?: string;
  Comment?: string;
  Feedback?: string;
  AssignedTo?: string; // "" = nobody
}

export interface Evidence {
  time: string;
  name: string;
  details: unknown;
}

export interface AlertDetail extends Alert {
  entities: unknown;
  remediationSteps: unknown;
  tactics: string;
  techniques: unknown;
  subTechniques: unknown;
  evidence: Evidence[];
  extendedLinks: unknown;
  rawEventsStored: boolean;
}

export interface Recommendation {
  id: string;
  type: string;
  displayName: string;
  severity: Severity;
  state: string;
  device: string;
  description: string;
  discovered: string;
  changed: string;
  properties: Record<string, unknown> | null;
  additionalData: Record<string, unknown> | null;
}

export type Day = SeverityCounts & { date: string };

export interface Overview {
  hub: string;
  workspace: string;
  securityEnabled: boolean;
  generated: string;
  sequence: number;
  openAlerts: SeverityCounts;
  daily: Day[];
  topDevices: { deviceId: string; alertsCount: number }[];
  topAlerts: { displayName: string; severity: Severity; alertsCount: number }[];
  recommendations: {
    active: SeverityCounts;
    top: { type: string; displayName: string; severity: Severity; count: number }[];
  };
  devices: { total: number; enabled: number; unhealthy: number; atLeast: boolean };
  dataHealth: {
    lastSecurityEvent: string | null;
    lastHubRecord: string | null;
    rawEvents: number;
    anyDataReceived: boolean;
    backlog: number;
    deadLetters: number;
    refused: number;
  };
}

export interface Device {
  deviceId: string;
  status: string;
  statusReason?: string; // why it is disabled
  connectionState: string;
  authentication: string;
  created: string;
  agentState: "NotInstalled" | "NeverReported" | "Reporting" | "Silent";
  lastEvent: string | null;
  openAlerts: number;
  openAlertsBySeverity: SeverityCounts;
  activeRecommendations: number;
  modules: string[];
  /** Of one device only: what the numbers of its events tell of 30 days; null where no agent numbers them. */
  integrity?: { missingEvents: number; startsWithoutPast: number; spoolBreaks: number; lastSpoolBreak: string | null } | null;
  /** Where it was asked for; null where the device told nothing of itself. */
  inventory?: Inventory | null;
}

/** What a device's newest system information says; "" where it says nothing. */
export interface Inventory {
  agentVersion: string;
  hostName: string;
  osPlatform: string;
  osDistribution: string;
  osVersion: string;
  osArchitecture: string;
  vendor: string;
  model: string;
  lastInformation: string;
}

export interface Hub {
  name: string;
  workspace: string;
  securityEnabled: boolean;
  storeRawEvents: boolean;
  maskAddresses: boolean;
  twinData: boolean;
  hostNames: string;
  configuration: HubConfiguration | null;
  sharedPolicies: { name: string; rights: string[] }[];
  created: string;
  etag: string;
}

export interface FilterRule {
  filterName: string;
  action: string;
  ipMask: string;
}

export interface DiagnosticSetting {
  name: string;
  workspaceId?: string;
  logs?: { category: string; enabled: boolean; retentionPolicy?: { enabled: boolean; days: number } }[];
}

/** A number in the bodies of telemetry: its name, and a JSONPath to it. */
export interface TelemetryMetric {
  name: string;
  path: string;
}

/** What the page knows of a hub's configuration; the rest stays as it is. */
export interface HubConfiguration {
  ipFilterRules?: FilterRule[];
  publicNetworkAccess?: string;
  minTlsVersion?: string;
  routing?: Routing | null;
  telemetryMetrics?: TelemetryMetric[] | null;
  diagnosticSettings?: DiagnosticSetting[] | null;
}

/** Each may what the ones before may. */
export const roles = ["reader", "analyst", "operator", "administrator"] as const;
export type Role = (typeof roles)[number];

export interface Who {
  name: string;
  role: Role;
  version: string;
}
