// What a scheduled rule would raise for its newest whole window.
import { Time } from "./marks";
import type { Trial } from "./scheduled";
import { shownValue } from "./state";
import { type Column, Table } from "./table";
import { visible } from "./visible";

type Finding = Trial["findings"][number];

const columns: Column<Finding>[] = [
  { title: "About", kind: "device", cell: (one) => visible(Object.entries(one.entities).map(([kind, value]) => `${kind} ${value}`).join(" · ")) || "the hub" },
  { title: "Rows", kind: "number", cell: (one) => one.rows.toLocaleString() },
  { title: "One of them", kind: "text", cell: (one) => <code>{visible(shownValue(Array.isArray(one.sample) ? one.sample[0] : one.sample))}</code> },
];

export function TrialReport({ trial, now }: { trial: Trial; now: number }) {
  const { findings, rows } = trial;
  return (
    <div role="status" className="note">
      <p>
        <strong>{findings.length === 0 ? "It would raise nothing" : findings.length === 1 ? "It would raise one alert" : `It would raise ${findings.length.toLocaleString()} alerts`}</strong>{" "}
        from {rows.toLocaleString()} {rows === 1 ? "row" : "rows"} between <Time iso={trial.from} now={now} /> and <Time iso={trial.to} now={now} />.
        {trial.truncated && " There were more rows than are looked at."}
        {trial.leftOut > 0 && ` ${trial.leftOut.toLocaleString()} findings more are beyond what one window may raise.`}
      </p>
      {findings.length > 0 && <Table label="What it would raise" className="trial" columns={columns} rows={findings} keyOf={(_, index) => index} />}
    </div>
  );
}
