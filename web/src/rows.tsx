// A query's rows, and a query that is asked and shown by itself.
import type { Api, QueryTable } from "./api";
import { Shown, useReading } from "./reading";
import { csvOf, shownCell } from "./tables";

export const rowsShown = 1000;

export function Rows({ table }: { table: QueryTable }) {
  return (
    <div className="scroll" tabIndex={0}>
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
  timespan: string | null;
  empty: string;
  investigate: (query: string) => void;
}

/** Asks when it appears (give it a key of what it asks); says what it asked, and opens it in the logs. */
export function QueryCard({ api, workspace, query, timespan, empty, investigate }: Props) {
  const reading = useReading((signal) => api.query(workspace, query, timespan, signal), [api, workspace, query, timespan]);
  const table = reading.value;
  return (
    <>
      <Shown of={reading} empty={empty} isEmpty={(found) => found.rows.length === 0}>{(found) => <Rows table={found} />}</Shown>
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
