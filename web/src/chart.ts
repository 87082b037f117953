// Which columns of a result become which axis and series: pure, so that it can be tested without a page.
import type { ResultTable } from "./tables";

export interface Render {
  visualization: string;
  title?: string | null;
  kind?: string | null;
  xcolumn?: string;
  ycolumns?: string;
  series?: string;
}

export type Point = [string, number | null] | { name: string; value: number } | number | null;
export interface Chart {
  kind: "bar" | "line" | "scatter" | "pie";
  title: string;
  time: boolean;
  lying: boolean; // bars from left to right
  stacked: boolean;
  area: boolean;
  categories: string[];
  series: { name: string; data: Point[] }[];
}

const kinds: Record<string, Chart["kind"]> = {
  barchart: "bar", columnchart: "bar", linechart: "line", timechart: "line", areachart: "line", stackedareachart: "line", anomalychart: "line", scatterchart: "scatter", piechart: "pie",
};
const numeric = new Set(["int", "long", "real", "decimal"]);
const seriesMax = 50;

function array(cell: unknown): unknown[] | null {
  if (Array.isArray(cell)) return cell;
  if (typeof cell !== "string" || !cell.startsWith("[")) return null;
  try {
    const value: unknown = JSON.parse(cell);
    return Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/** make-series gives a row per series, with arrays: a row per point instead. */
function expanded(table: ResultTable): ResultTable {
  const arrays = table.columns.map((column, at) => column.type === "dynamic" && table.rows.length > 0 && table.rows.every((row) => array(row[at]) !== null));
  if (!arrays.includes(true)) return table;
  const rows: unknown[][] = [];
  for (const row of table.rows) {
    const lists = row.map((cell, at) => (arrays[at] ? array(cell) : null));
    const length = Math.max(...lists.map((list) => list?.length ?? 0));
    for (let i = 0; i < length; ++i) rows.push(row.map((cell, at) => (lists[at] ? (lists[at]?.[i] ?? null) : cell)));
  }
  const isTime = (at: number) => rows.some((row) => typeof row[at] === "string" && /^\d{4}-\d\d-\d\dT/.test(row[at] as string));
  return { rows, columns: table.columns.map((column, at) => (arrays[at] ? { name: column.name, type: isTime(at) ? "datetime" : "real" } : column)) };
}

/** The chart that `render` asks of a result, or null when its columns make none. */
export function chartOf(given: ResultTable, render: Render): Chart | null {
  const kind = kinds[render.visualization];
  if (kind === undefined || given.rows.length === 0) return null;
  const table = expanded(given);
  const index = (name: string) => table.columns.findIndex((column) => column.name === name);
  const columns = table.columns.map((column, at) => ({ ...column, at }));
  const times = columns.filter((column) => column.type === "datetime");
  const wanted = render.ycolumns?.split(",").map((name) => index(name.trim())).filter((at) => at >= 0) ?? [];
  let x = render.xcolumn ? index(render.xcolumn) : -1;
  if (x < 0 && render.visualization !== "piechart") x = times[0]?.at ?? -1;
  if (x < 0) x = columns.find((column) => !numeric.has(column.type))?.at ?? 0;
  const values = wanted.length > 0 ? wanted : columns.filter((column) => numeric.has(column.type) && column.at !== x).map((column) => column.at);
  if (values.length === 0) return null;
  const by = render.series
    ? render.series.split(",").map((name) => index(name.trim())).filter((at) => at >= 0)
    : columns.filter((column) => column.at !== x && !values.includes(column.at) && column.type !== "datetime" && column.type !== "dynamic").map((column) => column.at);
  const time = kind !== "pie" && table.columns[x]?.type === "datetime";
  const text = (cell: unknown) => (cell === null || cell === undefined ? "" : typeof cell === "string" ? cell : JSON.stringify(cell));
  const number = (cell: unknown) => (typeof cell === "number" ? cell : null);
  const shared = { kind, title: render.title ?? "", time, lying: render.visualization === "barchart" && !time, stacked: /stacked/.test(`${render.kind} ${render.visualization}`) || (render.visualization === "columnchart" && by.length > 0), area: render.visualization.endsWith("areachart") };
  if (kind === "pie") {
    const data = table.rows.map((row) => ({ name: text(row[x]), value: number(row[values[0] ?? 0]) ?? 0 }));
    return { ...shared, categories: [], series: [{ name: table.columns[values[0] ?? 0]?.name ?? "", data }] };
  }
  const categories = time ? [] : [...new Set(table.rows.map((row) => text(row[x])))];
  const series = new Map<string, Map<string, number | null>>();
  for (const row of table.rows) {
    const group = by.map((at) => text(row[at])).join(" · ");
    for (const at of values) {
      const own = values.length > 1 || group === "" ? (table.columns[at]?.name ?? "") : "";
      const name = [group, own].filter((part) => part !== "").join(" · ");
      if (!series.has(name) && series.size >= seriesMax) continue;
      const points = series.get(name) ?? new Map<string, number | null>();
      points.set(text(row[x]), number(row[at]));
      series.set(name, points);
    }
  }
  const sorted = (points: Map<string, number | null>): Point[] => [...points].sort(([a], [b]) => a.localeCompare(b));
  // What is stacked is put upon the point of the same number, not of the same time: each series has a point at every time.
  const moments = time && shared.stacked ? [...new Set([...series.values()].flatMap((points) => [...points.keys()]))].sort((a, b) => a.localeCompare(b)) : null;
  const timed = (points: Map<string, number | null>): Point[] => moments?.map((moment): Point => [moment, points.get(moment) ?? 0]) ?? sorted(points);
  return {
    ...shared,
    categories,
    series: [...series].map(([name, points]) => ({ name, data: time ? timed(points) : categories.map((one) => points.get(one) ?? null) })),
  };
}
