// A hub's diagnostic settings, as much of them as the page changes: its own setting among those that others made. Pure.
import type { DiagnosticSetting } from "./model";

export const ownSetting = "fieldwatch"; // the command line writes under this name too

// As the detector reads them: a setting without any of these goes nowhere.
const destinations = ["workspaceId", "storageAccountId", "eventHub", "eventHubName", "eventHubAuthorizationRuleId", "serviceBusRuleId", "destination", "workspace"];

export function hasDestination(setting: DiagnosticSetting): boolean {
  const values: Record<string, unknown> = { ...setting };
  return destinations.some((name) => typeof values[name] === "string" && values[name] !== "");
}

/** The categories that the page's own setting logs. */
export const keptCategories = (settings: readonly DiagnosticSetting[]): string[] =>
  settings.filter((setting) => setting.name === ownSetting).flatMap((setting) => (setting.logs ?? []).filter((log) => log.enabled).map((log) => log.category));

/** The settings with the page's own logging `kept` to the workspace, for as long as that keeps it; what others made stays. */
export function withKept(settings: readonly DiagnosticSetting[], kept: readonly string[], workspace: string): DiagnosticSetting[] {
  const others = settings.filter((setting) => setting.name !== ownSetting);
  if (kept.length === 0) return others;
  const logs = kept.map((category) => ({ category, enabled: true, retentionPolicy: { enabled: false, days: 0 } }));
  return [...others, { name: ownSetting, workspaceId: workspace, logs }];
}
