// How the server itself is doing: the way from the log to the tables, what was refused or lost and why, what it holds.
import type { Api } from "./api";
import { Properties } from "./drawer";
import { Choice, FilterBar, Search } from "./filters";
import { ledgerOf } from "./losses";
import { FleetLosses, Ledger } from "./losses_card";
import { Time } from "./marks";
import type { Filters, Go } from "./place";
import { bytesText, isLoss, namesOf, type Series, seriesOf } from "./prometheus";
import { Shown, useReading } from "./reading";
import { type Column, Table } from "./table";
import { visible } from "./visible";

interface System {
  version: string;
  started: string;
  ready: boolean;
  partitions: { partition: number; journalEnd: number; committed: number; checkpoint: number; healthy: boolean }[];
  workspace: string;
  workspaceBytes: number;
  deadLetters: { received: string; device: string; module: string; reason: string }[];
}

const counterColumns: Column<Series>[] = [
  { title: "Part", cell: (one) => namesOf(one)[0] },
  { title: "Counter", cell: (one) => <span title={one.name}>{namesOf(one)[1]}</span> },
  { title: "Value", kind: "number", cell: (one) => one.value.toLocaleString() },
  { title: "Meaning", kind: "text", cell: (one) => <span className="quiet">{one.help}</span> },
];

const partitionColumns: Column<System["partitions"][number]>[] = [
  { title: "Partition", cell: (one) => one.partition },
  { title: "State", cell: (one) => <span className={`state ${one.healthy ? "Reporting" : "Silent"}`}>{one.healthy ? "Running" : "Trying again"}</span> },
  { title: "In the log", kind: "number", cell: (one) => one.journalEnd.toLocaleString() },
  { title: "Visible", kind: "number", cell: (one) => one.committed.toLocaleString() },
  { title: "Waiting", kind: "number", cell: (one) => Math.max(0, one.journalEnd - one.committed).toLocaleString() },
  { title: "Checkpoint", kind: "number", cell: (one) => one.checkpoint.toLocaleString() },
  { title: "To replay after a restart", kind: "number", cell: (one) => Math.max(0, one.committed - one.checkpoint).toLocaleString() },
];

const letterColumns = (now: number): Column<System["deadLetters"][number]>[] => [
  { title: "Received", cell: (one) => <Time iso={one.received} now={now} /> },
  { title: "Device", kind: "device", cell: (one) => one.device + (one.module === "" ? "" : `/${one.module}`) },
  { title: "Reason", kind: "text", cell: (one) => visible(one.reason) },
];

interface Props {
  api: Api;
  hub: string;
  filters: Filters;
  news: number;
  now: number;
  go: Go;
}

export function HealthPage({ api, hub, filters, news, now, go }: Props) {
  const reading = useReading(async (signal) => {
    const [system, metrics] = await Promise.all([
      api.get<System>(`/api/v1/system?${new URLSearchParams({ hub })}`, signal),
      api.text("/metrics", signal),
    ]);
    return { system, series: seriesOf(metrics) };
  }, [api, hub, news, now]);
  const part = (filters["name"] ?? "").toLowerCase();
  const wanted = (one: Series) =>
    (filters["show"] === "all" || (isLoss(one) && (filters["show"] === "losses" || one.value > 0))) && `${one.name} ${one.help}`.toLowerCase().includes(part);
  const change = (next: Filters) => go({ at: "health", filters: next });
  return (
    <main>
      <Shown of={reading}>
        {({ system, series }) => {
          const shown = series.filter(wanted);
          return (
            <>
              <section className="card">
                <h2>Server</h2>
                <Properties
                  values={[
                    ["Version", system.version],
                    ["Running since", <Time key="t" iso={system.started} now={now} />],
                    ["State", <span key="s" className={`state ${system.ready ? "Reporting" : "Silent"}`}>{system.ready ? "Ready" : "Catching up"}</span>],
                    ["Workspace", <span key="w" className="device">{system.workspace}</span>],
                    ["On disk", bytesText(system.workspaceBytes)],
                  ]}
                />
              </section>
              <section className="card">
                <h2>From the log to the tables</h2>
                <Table label="Partitions" columns={partitionColumns} rows={system.partitions} keyOf={(one) => one.partition} />
              </section>
              <Ledger lines={ledgerOf(series)} />
              <FleetLosses key={hub} api={api} hub={hub} workspace={system.workspace} now={now} openDevice={(id) => go({ at: "device", id })} />
              <section className="card">
                <h2>Counters</h2>
                <FilterBar note={`${shown.length.toLocaleString()} ${shown.length === 1 ? "counter" : "counters"}`}>
                  <Choice label="Show" name="show" filters={filters} change={change} options={[["", "What happened"], ["losses", "All such counters"], ["all", "Every counter"]]} />
                  <Search label="Name" name="name" filters={filters} change={change} />
                </FilterBar>
                {shown.length === 0 ? <p className="quiet">Nothing was refused, lost or done again since the start.</p> : (
                  <Table
                    label="Counters"
                    className="counters"
                    columns={counterColumns}
                    rows={shown}
                    keyOf={(one) => `${one.name} ${JSON.stringify(one.labels)}`}
                    rowClass={(one) => (isLoss(one) && one.value > 0 ? "loss" : undefined)}
                  />
                )}
              </section>
              <section className="card">
                <h2>Messages that did not conform</h2>
                {system.deadLetters.length === 0 ? (
                  <p className="quiet">None since the start.</p>
                ) : (
                  <Table label="Dead letters" className="letters" columns={letterColumns(now)} rows={system.deadLetters} keyOf={(_, index) => index} />
                )}
              </section>
            </>
          );
        }}
      </Shown>
    </main>
  );
}
