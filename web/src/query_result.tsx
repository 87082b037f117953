// One table of a query's answer: its rows, the chart that render asked for, and the same as a file. fork and facet give several.
import { useMemo, useState } from "react";
import type { QueryTable } from "./api";
import { useColumnChoice } from "./column_choice";
import { type Ids, sameIds } from "./columns";
import { QueryChart } from "./query_chart";
import { download, Rows, rowsShown } from "./rows";
import { csvOf } from "./tables";
import { visible } from "./visible";

interface Props {
  table: QueryTable;
  ms: number;
  several: boolean; // then each has its name, and none a chart: render says nothing of which one it means
}

/** The table with the columns that were chosen; the choice holds for as long as the columns are the same. */
function useChosen(table: QueryTable, label: string) {
  const all = table.columns.map(({ name }, at) => ({ id: String(at), title: visible(name) }));
  const usual = all.map((one) => one.id);
  const of = JSON.stringify(table.columns.map(({ name }) => name));
  const [choice, setChoice] = useState<{ of: string; ids: Ids }>({ of, ids: usual });
  const ids = choice.of === of ? choice.ids : usual;
  const picked = useMemo(() => {
    if (sameIds(ids, usual)) return table;
    const places = ids.map(Number);
    return { ...table, columns: places.map((at) => table.columns[at]!), rows: table.rows.map((row) => places.map((at) => row[at])) };
  }, [table, ids.join()]);
  return { picked, ...useColumnChoice({ all, shown: ids, usual, change: (next) => setChoice({ of, ids: next }) }, label) };
}

export function QueryResult({ table, ms, several }: Props) {
  const { picked, button, choice } = useChosen(table, several ? `Columns of ${visible(table.name)}` : "Columns");
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
        <span className="actions">
          {table.rows.length > 0 && button}
          <button type="button" aria-label={several ? `CSV of ${name}` : undefined} onClick={() => download(csvOf(picked), several ? `${name.replace(/[^\w.-]/g, "_")}.csv` : "query.csv")}>
            CSV
          </button>
        </span>
      </div>
      {table.rows.length > 0 && choice}
      {charted && <QueryChart table={table} render={table.render!} />}
      {table.rows.length > 0 ? <Rows table={picked} /> : <p className="quiet">No row in this time range.</p>}
    </section>
  );
}
