// What a set of rules would have found in the stored log, beside what the running one finds in it.
import type { Backtest, Backtested } from "./rules";
import { type Column, Table } from "./table";
import { localText } from "./times";
import { visible } from "./visible";

function Examples({ title, of }: { title: string; of: Backtested["gained"] }) {
  if (of.length === 0) return null;
  return (
    <details>
      <summary>{title} {of.length}</summary>
      <ul className="plain">
        {of.map((one, index) => (
          <li key={index}><span className="quiet">{localText(one.time)}</span> <span className="device">{one.device}</span> <code>{visible(one.what)}</code></li>
        ))}
      </ul>
    </details>
  );
}

const columns: Column<Backtested>[] = [
  {
    title: "Rule",
    kind: "text",
    cell: (rule) => (
      <>
        {rule.title}
        <Examples title="Would be found too:" of={rule.gained} />
        <Examples title="Would not be found any more:" of={rule.lost} />
      </>
    ),
  },
  { title: "Change", unseen: true, cell: (rule) => <span className="chip">{rule.change}</span> },
  { title: "Alerts", kind: "number", cell: (rule) => rule.alerts.toLocaleString() },
  { title: "Before", kind: "number", cell: (rule) => rule.before?.alerts.toLocaleString() ?? "" },
  { title: "A day", kind: "number", cell: (rule) => rule.alertsPerDay.toFixed(1) },
  { title: "Hits", kind: "number", cell: (rule) => rule.hits.toLocaleString() },
  { title: "Devices", kind: "number", cell: (rule) => rule.devices.toLocaleString() },
];

export function BacktestReport({ test, stop }: { test: Backtest; stop: () => void }) {
  const { progress, report } = test;
  if (test.state === "running") {
    return (
      <p className="bar" role="status">
        <progress value={progress.records} max={Math.max(1, progress.of)} aria-label="Records replayed" />
        <span className="quiet">{progress.records.toLocaleString()} of {progress.of.toLocaleString()} records</span>
        <button type="button" onClick={stop}>Stop</button>
      </p>
    );
  }
  if (!report) return <p role="alert" className="note error">{test.error ?? "The backtest was stopped."}</p>;
  const changed = report.value.filter((rule) => rule.change !== "same" || rule.gained.length > 0 || rule.lost.length > 0);
  return (
    <div className="note" role="status">
      <p>
        {report.events.toLocaleString()} events of {localText(report.covered.from)} to {localText(report.covered.to)} in {report.seconds.toFixed(1)} s.
        {changed.length === 0 && " Nothing that was found would change."}
      </p>
      {changed.length > 0 && (
        <Table label="What would change" columns={columns} rows={changed} keyOf={(rule) => rule.id} />
      )}
    </div>
  );
}
