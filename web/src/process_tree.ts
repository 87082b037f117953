// Who started whom around an alert, out of process events: pure.
import type { AlertDetail } from "./model";
import { processIds } from "./state";

/** One event of a process: that it began (or took on another program), or that it ended. */
export interface ProcessRow {
  time: string;
  pid: number;
  parent: number;
  user: string;
  command: string;
  run: string; // of the agent that saw it; ids mean nothing across runs, between which the machine may have started anew. "" = not said
  sequence: number; // its place in that run; 0 = not said
  ended: boolean;
}
export interface ProcessNode extends ProcessRow {
  meant: boolean; // what the alert is about
  children: ProcessNode[];
}

/** A process as an alert names it: whoever had this id at this time. */
export interface Named {
  pid: number;
  time: string;
  run: string;
}

const nodesMax = 80;
const hourMs = 3_600_000;
const minuteMs = 60_000;

const msOf = (iso: string): number => new Date(iso).getTime();
/** Ticks of 100 ns are finer than a Date: equal milliseconds are told apart by the text behind them. */
const earlier = (a: string, b: string): number => msOf(a) - msOf(b) || finer(a).localeCompare(finer(b));
const finer = (iso: string): string => (/\.(\d+)/.exec(iso)?.[1] ?? "").padEnd(7, "0");

/** In the order in which they happened: an agent's own count decides where its clock does not. */
export function inOrder(rows: readonly ProcessRow[]): ProcessRow[] {
  return [...rows].sort((a, b) => earlier(a.time, b.time) || (a.run === b.run ? a.sequence - b.sequence : 0));
}

function textOf(details: unknown, name: string): string {
  const value = (details as Record<string, unknown> | null | undefined)?.[name];
  return typeof value === "string" ? value : "";
}

/** The processes that an alert is about: of the rows behind it where they say so, else of its entities when it was last seen. */
export function namedBy(alert: Pick<AlertDetail, "entities" | "evidence" | "endTime">): Named[] {
  const ids = processIds(alert.entities, alert.evidence);
  const named = alert.evidence.flatMap((row): Named[] => {
    const details = row.details as Record<string, unknown> | null;
    const pid = Number(details?.["ProcessId"]);
    return ids.has(pid) ? [{ pid, time: row.time, run: textOf(details?.["ExtraDetails"], "BootId") }] : [];
  });
  return named.length > 0 ? named : [...ids].map((pid) => ({ pid, time: alert.endTime, run: "" }));
}

export interface Span {
  from: string;
  to: string;
}

/** The time whose processes may matter: an hour before the first named one, for its ancestors, and five minutes after the last. */
export function spanOf(named: readonly Named[]): Span | null {
  const times = named.map((one) => msOf(one.time)).filter((ms) => !Number.isNaN(ms));
  if (times.length === 0) return null;
  const last = Math.max(...times);
  const first = Math.max(Math.min(...times), last - hourMs); // an alert may go on for weeks: its newest hour is shown
  return { from: new Date(first - hourMs).toISOString(), to: new Date(last + 5 * minuteMs).toISOString() };
}

/** Which process has an id at a moment, as the rows before it tell. */
class Running {
  private readonly byRun = new Map<string, Map<number, ProcessNode>>();

  of(run: string, pid: number): ProcessNode | undefined {
    return this.byRun.get(run)?.get(pid);
  }
  began(node: ProcessNode) {
    const run = this.byRun.get(node.run) ?? new Map<number, ProcessNode>();
    this.byRun.set(node.run, run.set(node.pid, node));
  }
  ended(run: string, pid: number) {
    this.byRun.get(run)?.delete(pid);
  }
}

interface Links {
  nodes: ProcessNode[];
  parents: Map<ProcessNode, ProcessNode>;
}

/** Ids are used again: a parent is whoever had the id, in the same run of the agent, when the child began. Id 0 is nobody's: repeats are counted under it. */
function linked(rows: readonly ProcessRow[]): Links {
  const running = new Running();
  const nodes: ProcessNode[] = [];
  const parents = new Map<ProcessNode, ProcessNode>();
  for (const row of rows) {
    if (row.pid <= 0) continue;
    if (row.ended) {
      running.ended(row.run, row.pid);
      continue;
    }
    const node: ProcessNode = { ...row, meant: false, children: [] };
    const before = running.of(row.run, row.pid);
    // Another program in the same process has the parent that the process has, if that one is still known.
    const parent = row.parent === row.pid || row.parent <= 0 ? undefined : (running.of(row.run, row.parent) ?? (before?.parent === row.parent ? parents.get(before) : undefined));
    if (parent) parents.set(node, parent);
    running.began(node);
    nodes.push(node);
  }
  return { nodes, parents };
}

/** Marks, for each name, the newest process that had its id no later than its time. */
function mark(nodes: readonly ProcessNode[], rows: readonly ProcessRow[], named: readonly Named[]) {
  for (const one of named) {
    const had = nodes.findLast((node) => node.pid === one.pid && earlier(node.time, one.time) <= 0 && (one.run === "" || node.run === "" || node.run === one.run));
    const over = had && rows.some((row) => row.ended && row.pid === had.pid && row.run === had.run && earlier(had.time, row.time) <= 0 && earlier(row.time, one.time) < 0);
    if (had && !over) had.meant = true;
  }
}

/** The named processes with all their stored ancestors and descendants, as trees of the oldest first. */
export function processTrees(stored: readonly ProcessRow[], named: readonly Named[]): ProcessNode[] {
  const rows = inOrder(stored);
  const { nodes, parents } = linked(rows);
  mark(nodes, rows, named);
  const above = new Set<ProcessNode>();
  for (const node of nodes) if (node.meant) for (let one = parents.get(node); one && !above.has(one); one = parents.get(one)) above.add(one);
  const below = new Set<ProcessNode>(); // the named ones and what they started, in order
  for (const node of nodes) {
    const parent = parents.get(node);
    if (above.size + below.size < nodesMax && (node.meant || (parent && below.has(parent)))) below.add(node);
  }
  const roots: ProcessNode[] = [];
  for (const node of nodes) {
    if (!above.has(node) && !below.has(node)) continue;
    const parent = parents.get(node);
    if (parent && (above.has(parent) || below.has(parent))) parent.children.push(node);
    else roots.push(node);
  }
  return roots;
}
