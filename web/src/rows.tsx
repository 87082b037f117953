// A query's rows, and a query that is asked and shown by itself.
import { useEffect, useState } from "react";
import { type Api, type QueryTable, Refusal } from "./api";
import { csvOf, shownCell } from "./tables";

export const rowsShown = 1000;

export function Rows({ table }: { table: QueryTable }) {
  return (
    <div className="scroll">
      <table className="rows">
        <thead>
          <tr>
            {table.columns.map((column, index) => (
              <th scope="col" key={index} title={column.type}>
                {column.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.slice(0, rowsShown).map((row, index) => (
            <tr key={index}>
              {row.map((cell, at) => (
                <td key={at} className={typeof cell === "number" ? "number" : undefined}>
                  {shownCell(cell)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function download(text: string, name: string) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

interface Props {
  api: Api;
  workspace: string;
  query: string;
  timespan: string;
  empty: string;
  investigate: (query: string) => void;
}

/** Asks when it appears; says what it asked, and opens it in the logs. */
export function QueryCard({ api, workspace, query, timespan, empty, investigate }: Props) {
  const [table, setTable] = useState<QueryTable | null>(null);
  const [error, setError] = useState<string | null>(null);
  useEffect(() => {
    const abort = new AbortController();
    setTable(null);
    setError(null);
    api.query(workspace, query, timespan, abort.signal).then(setTable, (reason: Error) => {
      if (!abort.signal.aborted) setError(reason instanceof Refusal || reason instanceof Error ? reason.message : String(reason));
    });
    return () => abort.abort();
  }, [api, workspace, query, timespan]);
  return (
    <>
      {error !== null && <p role="alert" className="note error">{error}</p>}
      {table === null && error === null && <p className="quiet">Reading…</p>}
      {table !== null && (table.rows.length > 0 ? <Rows table={table} /> : <p className="quiet">{empty}</p>)}
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
