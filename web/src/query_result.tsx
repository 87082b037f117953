// One table of a query's answer: its rows, the chart that render asked for, and the same as a file. fork and facet give several.
import type { QueryTable } from "./api";
import { QueryChart } from "./query_chart";
import { download, Rows, rowsShown } from "./rows";
import { csvOf } from "./tables";
import { visible } from "./visible";

interface Props {
  table: QueryTable;
  ms: number;
  several: boolean; // then each has its name, and none a chart: render says nothing of which one it means
}

export function QueryResult({ table, ms, several }: Props) {
  const count = `${table.rows.length.toLocaleString()} ${table.rows.length === 1 ? "row" : "rows"}`;
  const name = visible(table.name);
  const charted = !several && table.render && table.rows.length > 0 && table.render.visualization !== "table";
  return (
    <section className="card" aria-live="polite" aria-label={several ? name : undefined}>
      <div className="bar">
        <h2>
          {several ? name : count}{" "}
          <span className="quiet">
            {several && `${count} · `}
            {Math.round(ms).toLocaleString()} ms
            {table.rows.length > rowsShown && ` · the first ${rowsShown.toLocaleString()} are shown`}
            {table.partial && " · cut at the server's limit"}
          </span>
        </h2>
        <button type="button" aria-label={several ? `CSV of ${name}` : undefined} onClick={() => download(csvOf(table), several ? `${name.replace(/[^\w.-]/g, "_")}.csv` : "query.csv")}>
          CSV
        </button>
      </div>
      {charted && <QueryChart table={table} render={table.render!} />}
      {table.rows.length > 0 ? <Rows table={table} /> : <p className="quiet">No row in this time range.</p>}
    </section>
  );
}
