// Who changed what in the product, and what was refused: the activity log, as a table and as a query that can be taken further.
import { useEffect, useState } from "react";
import { auditQuery, type AuditRow, auditRows, auditRowsMax } from "./access";
import type { Api } from "./api";
import { Choice, FilterBar, Search } from "./filters";
import { Time } from "./marks";
import type { Filters, Go } from "./place";
import { Shown, useReading } from "./reading";
import { useMay } from "./rights";
import { download } from "./rows";
import { type Column, Table } from "./table";
import { csvOf } from "./tables";
import { visible } from "./visible";

const settleMs = 350;
const spans = [["", "7 days"], ["P1D", "24 hours"], ["P30D", "30 days"], ["P90D", "90 days"]] as const;

/** The value once it has stopped changing: each is a query. */
function useSettled(value: string): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), settleMs);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}

const columns = (now: number): Column<AuditRow>[] => [
  { title: "When", cell: (row) => <Time iso={row.time} now={now} /> },
  { title: "Who", kind: "device", cell: (row) => <>{visible(row.caller)} <span className="quiet">{row.role}</span></> },
  { title: "What", cell: (row) => row.operation.replace(/^Fieldwatch\//, "") },
  { title: "On", kind: "device", cell: (row) => <>{row.method} {visible(row.path)}</> },
  { title: "Result", cell: (row) => <span className={`state ${row.result === "Success" ? "Reporting" : "Silent"}`}>{row.result} {row.status}</span> },
  { title: "From", kind: "device", cell: (row) => row.from },
];

interface Props {
  api: Api;
  workspace: string;
  filters: Filters;
  now: number;
  go: Go;
}

export function AuditPage(props: Props) {
  const may = useMay("analyst");
  if (may.yes) return <Log {...props} />;
  return (
    <main>
      <section className="card">
        <h2>Audit log</h2>
        <p className="quiet">{may.why}</p>
      </section>
    </main>
  );
}

function Log({ api, workspace, filters, now, go }: Props) {
  const query = useSettled(auditQuery(filters));
  const since = filters["since"] || "P7D";
  const reading = useReading(async (signal) => {
    const table = await api.query(workspace, query, since, signal);
    return { table, rows: auditRows(table.rows) };
  }, [api, workspace, query, since]);
  const change = (next: Filters) => go({ at: "audit", filters: next });
  const found = reading.value;
  return (
    <main>
      <section className="card">
        <div className="bar">
          <h2>Audit log</h2>
          <button type="button" onClick={reading.again}>Look again</button>
          <button type="button" onClick={() => go({ at: "logs", query })}>Open in the logs</button>
          <button type="button" disabled={!found?.rows.length} onClick={() => found && download(csvOf(found.table), "audit.csv")}>CSV</button>
        </div>
        <p className="quiet">Every request that changes something, refused ones and sign-ins too. Looking at things is not in it.</p>
        <FilterBar note={found === null ? "" : `${found.rows.length >= auditRowsMax ? "the newest " : ""}${found.rows.length.toLocaleString()} ${found.rows.length === 1 ? "change" : "changes"}`}>
          <Search label="Who" name="who" filters={filters} change={change} />
          <Search label="What" name="what" filters={filters} change={change} />
          <Choice label="Result" name="result" filters={filters} change={change} options={[["", "Any"], ["Success", "Success"], ["Failure", "Refused or failed"]]} />
          <Choice label="Since" name="since" filters={filters} change={change} options={spans} />
          <Choice label="Source" name="kind" filters={filters} change={change} options={[["", "This product"], ["all", "Connected hubs too"]]} />
        </FilterBar>
        <Shown of={reading} isEmpty={(one) => one.rows.length === 0} empty="Nothing like this in that time.">
          {({ rows }) => <Table label="Changes" className="audit" columns={columns(now)} rows={rows} keyOf={(_, index) => index} />}
        </Shown>
      </section>
    </main>
  );
}
