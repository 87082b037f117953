// Queries that run by themselves: which there are, and how each fares.
import type { Api } from "./api";
import { FilterBar, Search } from "./filters";
import { PlaceLink } from "./link";
import { SeverityMark, Time } from "./marks";
import type { Filters, Go } from "./place";
import { Shown, useReading } from "./reading";
import { rhythmOf, type ScheduledRule } from "./scheduled";
import { type Column, Table } from "./table";
import { visible } from "./visible";

const refreshMs = 30_000;

export function ScheduledState({ rule }: { rule: ScheduledRule }) {
  if (!rule.enabled) return <span className="state off">Off</span>;
  if (rule.health && !rule.health.healthy) return <span className="state Silent">Failing</span>;
  return rule.health?.lastRun ? <span className="state Reporting">Well</span> : <span className="state">Waiting for its first window</span>;
}

interface Props {
  api: Api;
  hub: string;
  chosenHub: string | null;
  filters: Filters;
  now: number;
  mayChange: boolean;
  go: Go;
}

export function ScheduledPage({ api, hub, chosenHub, filters, now, mayChange, go }: Props) {
  const address = `/api/v1/hubs/${encodeURIComponent(hub)}/scheduled-rules`;
  const turn = Math.floor(now / refreshMs);
  const reading = useReading(async (signal) => (await api.get<{ value: ScheduledRule[] }>(address, signal)).value, [api, address, turn]);
  const part = (filters["name"] ?? "").toLowerCase();
  const shown = (reading.value ?? []).filter((rule) => `${rule.name} ${rule.id} ${rule.query}`.toLowerCase().includes(part));
  const columns: Column<ScheduledRule>[] = [
    { title: "Severity", cell: (rule) => <SeverityMark severity={rule.severity} /> },
    { title: "Rule", kind: "text", cell: (rule) => <PlaceLink to={{ at: "scheduledRule", id: rule.id }} hub={chosenHub} go={go}>{visible(rule.name || rule.id)}</PlaceLink> },
    { title: "State", cell: (rule) => <ScheduledState rule={rule} /> },
    { title: "Rhythm", cell: rhythmOf },
    { title: "Alerts raised", kind: "number", cell: (rule) => rule.health?.findings.toLocaleString() ?? "" },
    { title: "Runs", kind: "number", cell: (rule) => rule.health?.runs.toLocaleString() ?? "" },
    { title: "Failed", kind: "number", cell: (rule) => rule.health?.failures.toLocaleString() ?? "" },
    { title: "Rows last", kind: "number", cell: (rule) => rule.health?.lastRows.toLocaleString() ?? "" },
    { title: "Took", kind: "number", cell: (rule) => (rule.health?.lastRun ? `${rule.health.lastMs.toLocaleString()} ms` : "") },
    { title: "Last run", cell: (rule) => <Time iso={rule.health?.lastRun ?? null} now={now} relative /> },
  ];
  return (
    <main>
      <section className="card">
        <div className="bar">
          <h2>Scheduled rules</h2>
          {mayChange && <PlaceLink to={{ at: "scheduledRule", id: "new", tab: "edit" }} hub={chosenHub} go={go} className="button">Write a scheduled rule</PlaceLink>}
        </div>
        <p className="quiet">A query that asks by itself, again and again, over what came in; more rows about the same device, address or user than its threshold are an alert. For what one event alone does not tell.</p>
        <FilterBar note={reading.value === null ? "" : `${shown.length} of ${reading.value.length}`}>
          <Search label="Name or query" name="name" filters={filters} change={(next) => go({ at: "scheduled", filters: next })} />
        </FilterBar>
        <Shown of={reading} isEmpty={() => shown.length === 0} empty={part === "" ? `No query runs by itself on ${hub} yet.${mayChange ? " Write the first one: it begins as a working example." : ""}` : "No scheduled rule is like this."}>
          {() => <Table label="Scheduled rules" className="scheduled" columns={columns} rows={shown} keyOf={(rule) => rule.id} open={(rule) => go({ at: "scheduledRule", id: rule.id })} />}
        </Shown>
      </section>
    </main>
  );
}
