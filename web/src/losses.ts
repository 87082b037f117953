// What came in, or should have, and did not get through: which counters say so, in the order of a message's way. Pure.
import { kqlText } from "./lists";
import type { Series } from "./prometheus";

export interface LossLine {
  where: string;
  what: string;
  meaning: string; // what became of it, and what to do
  value: number;
}

const hub = "fieldwatch_hub_";
const pipeline = "fieldwatch_pipeline_";

// Counters that stand for data that are not there. What was only done again, or put in its place by a rule, is no loss.
const ledger: readonly (readonly [name: string, where: string, what: string, meaning: string])[] = [
  [`${hub}messages_refused_total`, "Hub", "Messages refused", "Too large, too many or malformed; the device was told and may send again."],
  [`${hub}throttled_total`, "Hub", "Operations over the rate", "Answered with an error. Raise the hub's rates where the devices are right."],
  [`${hub}slow_consumers_total`, "Hub", "Readers cut off", "They took messages too slowly, and read on from their offset."],
  [`${hub}operations_lost_total`, "Hub", "Operation records lost", "Not in the log: the disk did not keep up."],
  [`${hub}metric_messages_dropped_total`, "Hub", "Metrics of messages dropped", "The journal had no room for the numbers; the messages themselves are kept."],
  ["fieldwatch_journal_telemetry_shed_records_total", "Journal", "Telemetry given up early", "The disk was nearly full. Security records are kept: free or add space."],
  [`${pipeline}refused_messages_total`, "Pipeline", "Messages that did not conform", "Kept as dead letters, below."],
  [`${pipeline}refused_events_total`, "Pipeline", "Events that did not conform", "The rest of their message was taken; dead letters, below."],
  [`${pipeline}refused_operations_total`, "Pipeline", "Hub records not understood", "Look at what writes them: a connector, or a newer release."],
  [`${pipeline}unrouted_total`, "Pipeline", "Records without a workspace", "Their hub has none. Give it one: fieldwatch hub update."],
  [`${pipeline}late_total`, "Pipeline", "Events too late for detection", "Stored, but no rule looked at them. Check the device's clock and its spool."],
];

/** The ledger of the server since its start; a counter of several series is their sum. What the server does not count is left out. */
export function ledgerOf(series: readonly Series[]): LossLine[] {
  return ledger.flatMap(([name, where, what, meaning]) => {
    const found = series.filter((one) => one.name === name);
    return found.length === 0 ? [] : [{ where, what, meaning, value: found.reduce((sum, one) => sum + one.value, 0) }];
  });
}

const ofHub = (name: string) => `AssociatedResourceId endswith ${kqlText(`/iothubs/${name}`)}`;

/** What agents say they had to drop, by device and queue: the message DroppedEventsStatistics. */
export const droppedByAgents = (name: string) =>
  `SecurityIoTRawEvent\n| where ${ofHub(name)} and RawEventName == "DroppedEventsStatistics" and IsEmpty == false\n| extend E = parse_json(EventDetails)\n` +
  "| summarize Collected = sum(tolong(E.CollectedEvents)), Dropped = sum(tolong(E.DroppedEvents)), Last = max(TimeStamp) by DeviceId, Queue = tostring(E.Queue)\n" +
  "| where Dropped > 0\n| order by Dropped desc\n| take 200";

/** Numbers that agents gave to events and that never came, by device; each run of an agent counts each of its queues from 1. */
export const missingFromAgents = (name: string) =>
  `SecurityIoTRawEvent\n| where ${ofHub(name)}\n| extend X = parse_json(tostring(parse_json(EventDetails).ExtraDetails))\n` +
  "| extend Run = tostring(X.BootId), Number = tolong(X.Sequence)\n| where isnotempty(Run) and isnotnull(Number)\n" +
  "| summarize First = min(Number), End = max(Number), Seen = dcount(Number, 4), Last = max(TimeStamp) by DeviceId, Run\n" +
  "| summarize Missing = sum(End - First + 1 - Seen), Runs = count(), Last = max(Last) by DeviceId\n" +
  "| where Missing > 0\n| order by Missing desc\n| take 200";

/** 3 of 1,200 → "0.25 %". */
export function shareText(part: number, whole: number): string {
  if (whole <= 0) return "";
  const percent = (100 * part) / whole;
  return `${percent >= 10 ? Math.round(percent) : percent.toFixed(percent >= 1 ? 1 : 2)} %`;
}
