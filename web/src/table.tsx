// The one table of the page: columns say what a row shows. Where rows open something, the whole row takes a click and its first
// button or link does the same for the keyboard.
import type { ReactNode } from "react";

export interface Column<Row> {
  title: string;
  unseen?: boolean; // the title is there for screen readers only
  head?: ReactNode; // instead of the title
  hint?: string;
  kind?: "number" | "device" | "text" | "quiet" | "time" | "tick";
  cell: (row: Row) => ReactNode;
}

interface Props<Row> {
  label: string; // the scrolling area is a stop of the keyboard: what a screen reader says there
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  keyOf: (row: Row, index: number) => string | number;
  className?: string;
  rowClass?: (row: Row) => string | undefined;
  open?: (row: Row) => void;
}

export function Table<Row>({ label, columns, rows, keyOf, className, rowClass, open }: Props<Row>) {
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label={label}>
      <table className={[className, open && "opens"].filter(Boolean).join(" ") || undefined}>
        <thead>
          <tr>
            {columns.map((column, at) => (
              <th scope="col" key={at} title={column.hint} className={column.kind === "number" ? "number" : undefined}>
                {column.head ?? (column.unseen ? <span className="unseen">{column.title}</span> : column.title)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <tr key={keyOf(row, index)} className={rowClass?.(row)} onClick={open && (() => open(row))}>
              {columns.map((column, at) => (
                <td key={at} className={column.kind}>{column.cell(row)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** What opens a row by keyboard; the row's own click must not come on top of it. */
export function RowButton({ open, children }: { open: () => void; children: ReactNode }) {
  return (
    <button type="button" className="link" onClick={(event) => { event.stopPropagation(); open(); }}>
      {children}
    </button>
  );
}
