// A query's rows, and a query that is asked and shown by itself.
import type { ReactNode } from "react";
import type { Api, QueryTable } from "./api";
import { Shown, useReading } from "./reading";
import { useMay } from "./rights";
import { type Column, Table } from "./table";
import { csvOf, shownCell, shownTime } from "./tables";

export const rowsShown = 1000;
const numeric: ReadonlySet<string> = new Set(["int", "long", "real", "decimal"]);

export function Rows({ table }: { table: QueryTable }) {
  const columns = table.columns.map((column, at): Column<unknown[]> => ({
    title: column.name,
    hint: column.type === "datetime" ? "datetime, in UTC" : column.type,
    ...(numeric.has(column.type) && { kind: "number" as const }),
    ...(column.type === "datetime" && { kind: "time" as const }),
    cell: (row) => (column.type === "datetime" ? shownTime(row[at]) : shownCell(row[at])),
  }));
  return <Table label="Rows" className="rows" columns={columns} rows={table.rows.slice(0, rowsShown)} keyOf={(_, index) => index} />;
}

export function download(text: string, name: string, type = "text/csv") {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

interface Props {
  api: Api;
  workspace: string;
  query: string;
  timespan: string | null;
  empty: string;
  investigate: (query: string) => void;
  show?: (table: QueryTable) => ReactNode; // instead of rows
}

/** Asks when it appears (give it a key of what it asks); says what it asked, and opens it in the logs. */
export function QueryCard(props: Props) {
  const may = useMay("analyst");
  return may.yes ? <AskedCard {...props} /> : <p className="quiet">{may.why}</p>;
}

function AskedCard({ api, workspace, query, timespan, empty, investigate, show }: Props) {
  const reading = useReading((signal) => api.query(workspace, query, timespan, signal), [api, workspace, query, timespan]);
  const table = reading.value;
  return (
    <>
      <Shown of={reading} empty={empty} isEmpty={(found) => found.rows.length === 0}>{(found) => show?.(found) ?? <Rows table={found} />}</Shown>
      <details className="behind">
        <summary>The query behind it</summary>
        <pre>{query}</pre>
      </details>
      <p className="bar">
        <button type="button" onClick={() => investigate(query)}>Open in the logs</button>
        {table !== null && table.rows.length > 0 && (
          <button type="button" onClick={() => download(csvOf(table), "rows.csv")}>CSV</button>
        )}
      </p>
    </>
  );
}
