// Results of queries as text: pure, so that it can be tested without a page.
import { visible } from "./visible";

export interface ResultTable {
  columns: { name: string; type: string }[];
  rows: unknown[][];
}

export function cellText(cell: unknown): string {
  if (cell === null || cell === undefined) return "";
  return typeof cell === "string" ? cell : JSON.stringify(cell);
}

/** As a person sees it; a file gets the text itself. */
export const shownCell = (cell: unknown): string => visible(cellText(cell));

/** A datetime in UTC as a person reads it: no T, no Z, no zeros that say nothing. */
export function shownTime(cell: unknown): string {
  const found = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d*?)?0*Z$/.exec(cellText(cell));
  return found ? `${found[1]} ${found[2]}${found[3] && found[3] !== "." ? found[3] : ""}` : shownCell(cell);
}

/** Whether the query filters TimeGenerated itself; then the time range of the page stands back. */
export function filtersTime(query: string): boolean {
  const bare = query.replace(/\/\/.*$/gm, "").replace(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g, '""');
  return /\bwhere\b[^|;]*\bTimeGenerated\b/.test(bare);
}

/** RFC 4180; a cell that a spreadsheet would take for a formula begins with an apostrophe. */
export function csvOf(table: ResultTable): string {
  const field = (value: unknown): string => {
    const text = cellText(value);
    const guarded = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(guarded) ? `"${guarded.replaceAll('"', '""')}"` : guarded;
  };
  return [table.columns.map((column) => column.name), ...table.rows].map((row) => row.map(field).join(",") + "\r\n").join("");
}
