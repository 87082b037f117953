// Rules as the API gives them (docs/api.md "Rules"), and what the page makes of them: pure but for the types.
import type { Severity } from "./model";
import type { Filters } from "./place";

export interface RuleCounts {
  hits: number;
  alerts: number;
  repeats: number;
  absorbed: number;
  held: number;
  lastHit: string | null;
  costNs: number | null;
}
export interface Rule {
  id: string;
  title: string;
  alertType: string;
  displayName: string;
  severity: Severity;
  status: string;
  author: string;
  license: string;
  product: string;
  category: string;
  service: string;
  techniques: string[];
  file: string;
  line: number;
  correlation: boolean;
  from: "pack" | "applied";
  counts: RuleCounts;
}
export interface RuleDetail extends Rule {
  description: string;
  references: string[];
  remediation: string[];
  fields: string[];
  suppressionSeconds: number;
  source: string;
  samples: { fires: boolean; fields: Record<string, unknown> }[];
}
export interface RuleFailure {
  file: string;
  line: number;
  rule: string;
  why: string;
}
export interface RuleList {
  version: number;
  countedSince: string;
  value: Rule[];
  errors: RuleFailure[];
}
export interface RuleFile {
  name: string;
  text: string;
}
export interface RuleSet {
  files: RuleFile[];
  words?: RuleFile[];
  only?: boolean;
}
export interface Checked {
  total: number;
  compiles: number;
  feedable: number;
  tested: number;
  failures: RuleFailure[];
  value: { id: string; title: string; severity: string; fedBy: string | null; samples: { fires: number; silent: number; failing: number } }[];
}
export interface RuleDiff {
  added: { id: string; title: string }[];
  removed: { id: string; title: string }[];
  changed: { id: string; title: string; before: string; after: string }[];
}
export interface RuleVersion {
  version: number;
  applied: string;
  by: string;
  note: string;
  files: number;
  running: boolean;
  rolledBackTo?: number;
}
export interface Backtested {
  id: string;
  title: string;
  change: "added" | "removed" | "changed" | "same";
  alerts: number;
  alertsPerDay: number;
  hits: number;
  devices: number;
  before: { alerts: number; hits: number; devices: number } | null;
  topDevices: { hub: string; device: string; alerts: number }[];
  gained: { hub: string; device: string; time: string; what: string }[];
  lost: { hub: string; device: string; time: string; what: string }[];
}
export interface Backtest {
  id: string;
  state: "running" | "done" | "failed" | "stopped";
  progress: { records: number; of: number };
  error?: string;
  report?: { covered: { from: string; to: string; days: number }; records: number; events: number; seconds: number; value: Backtested[] };
}

const rank: Record<Severity, number> = { High: 3, Medium: 2, Low: 1, Informational: 0 };
const orders: Record<string, (a: Rule, b: Rule) => number> = {
  hits: (a, b) => b.counts.hits - a.counts.hits,
  alerts: (a, b) => b.counts.alerts - a.counts.alerts,
  cost: (a, b) => (b.counts.costNs ?? 0) - (a.counts.costNs ?? 0),
  level: (a, b) => rank[b.severity] - rank[a.severity],
};

/** What a rule looks at: "linux process_creation". */
export const sourceOf = (rule: Rule): string => [rule.product, rule.category, rule.service].filter((part) => part !== "").join(" ");

export function chosenRules(rules: Rule[], filters: Filters): Rule[] {
  const part = (filters["name"] ?? "").toLowerCase();
  const order = orders[filters["sort"] ?? ""];
  return rules
    .filter(
      (rule) =>
        (!filters["severity"] || rule.severity === filters["severity"]) &&
        (!filters["status"] || rule.status === filters["status"]) &&
        (!filters["from"] || rule.from === filters["from"]) &&
        (filters["hits"] !== "some" || rule.counts.hits > 0) &&
        `${rule.title} ${rule.displayName} ${rule.alertType} ${rule.id} ${rule.file} ${sourceOf(rule)} ${rule.techniques.join(" ")}`.toLowerCase().includes(part),
    )
    .sort((a, b) => order?.(a, b) || a.title.localeCompare(b.title));
}

/** The set that is applied now with one file in another state; empty text takes the pack's file out. */
export function withFile(set: RuleSet, file: RuleFile): RuleSet {
  return { ...set, files: [...set.files.filter((one) => one.name !== file.name), file] };
}

/** What applying a file would take away from the running set without having been asked to. */
export interface TakenOver {
  file: boolean; // a new file has the name of one that is there
  replaced: Rule[]; // rules of other files (of a new file: of any) whose id the file uses again
  gone: Rule[]; // rules of the file that are not in its new text
}

export function takenOver(running: readonly Rule[], ids: readonly string[], file: string, isNew: boolean): TakenOver {
  const used = new Set(ids);
  return {
    file: isNew && running.some((rule) => rule.file === file),
    replaced: running.filter((rule) => used.has(rule.id) && (isNew || rule.file !== file)),
    gone: isNew ? [] : running.filter((rule) => rule.file === file && !used.has(rule.id)),
  };
}

/** The whole text of a file, out of the sources of its rules in their order. */
export function fileText(rules: { line: number; source: string }[]): string {
  return [...rules].sort((a, b) => a.line - b.line).map((rule) => rule.source.replace(/^---\n/, "").trimEnd()).join("\n---\n") + "\n";
}

export type DiffLine = { kind: "same" | "added" | "removed"; text: string };
const linesMax = 2_000;

/** Line by line, by the longest common subsequence; texts beyond the bound are shown as replaced whole. */
export function diffLines(before: string, after: string): DiffLine[] {
  const a = before.split("\n");
  const b = after.split("\n");
  const all = (kind: DiffLine["kind"], lines: string[]) => lines.map((text) => ({ kind, text }));
  if (a.length > linesMax || b.length > linesMax) return [...all("removed", a), ...all("added", b)];
  const width = b.length + 1;
  const length = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; --i)
    for (let j = b.length - 1; j >= 0; --j)
      length[i * width + j] = a[i] === b[j] ? length[(i + 1) * width + j + 1]! + 1 : Math.max(length[(i + 1) * width + j]!, length[i * width + j + 1]!);
  const out: DiffLine[] = [];
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      out.push({ kind: "same", text: a[i]! });
      ++i, ++j;
    } else if (j >= b.length || (i < a.length && length[(i + 1) * width + j]! >= length[i * width + j + 1]!)) {
      out.push({ kind: "removed", text: a[i++]! });
    } else {
      out.push({ kind: "added", text: b[j++]! });
    }
  }
  return out;
}

/** Where a rule of one's own begins; the id is a fresh UUID. */
export const newRule = (id: string) => `title: What it finds
id: ${id}
status: experimental
description: What it means, and why somebody should look.
author: you
logsource:
  product: linux
  category: process_creation
detection:
  selection:
    CommandLine|contains: 'suspicious-word'
  condition: selection
level: medium
fieldwatch:
  samples:
    fires: ['sh -c suspicious-word']
    silent: ['ls -l']
`;
