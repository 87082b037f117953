// What makes an overview not to be believed, in sentences: few alerts are no good news where nothing arrives. Pure.
import type { Overview } from "./model";
import { age } from "./times";

const quietMs = 60 * 60_000; // agents send snapshots and heartbeats more often than this
const backlogMany = 10_000; // records: some seconds of a busy hub

export function concerns(overview: Overview, now: number): string[] {
  const { lastSecurityEvent, backlog } = overview.dataHealth;
  const found: string[] = [];
  if (!overview.securityEnabled) found.push("Security is off for this hub: what arrives is not evaluated. Settings, Data collection, switches it on.");
  if (lastSecurityEvent !== null && now - new Date(lastSecurityEvent).getTime() > quietMs)
    found.push(`The last security event came ${age(lastSecurityEvent, now)}: no new alert may mean that no agent gets through. Devices, ordered by the longest silent, shows who stopped.`);
  if (backlog > backlogMany) found.push(`${backlog.toLocaleString()} records wait in the log: alerts come late. System health says how far it is.`);
  return found;
}
