// How long rows are kept: what a change of the days is, and what it would delete in words. Pure.
import { bytesText } from "./prometheus";

export interface TableRetention {
  table: string;
  days: number;
  usualDays: number;
  rows: number;
  bytes: number;
  oldest: string | null;
}

export interface Retention {
  workspace: string;
  hubs: string[];
  bytes: number;
  daysMax: number;
  tables: TableRetention[];
}

export interface Expiring {
  table: string;
  days: number;
  before: string;
  rows: number;
  bytes: number;
}

/** What is in each table, for who does not know it by its name. */
export const tableMeanings: Readonly<Record<string, string>> = {
  SecurityAlert: "Alerts",
  SecurityRecommendation: "Recommendations",
  SecurityIoTRawEvent: "What devices reported",
  AzureDiagnostics: "What the hub did",
  AzureActivity: "Who changed what",
};

/** The days that were typed and differ from those in force; null where one of them is no number of days. */
export function changedDays(tables: readonly TableRetention[], typed: Readonly<Record<string, string>>, most: number): Record<string, number> | null {
  const out: Record<string, number> = {};
  for (const { table, days } of tables) {
    const text = typed[table];
    if (text === undefined) continue;
    if (!/^\d{1,5}$/.test(text.trim())) return null;
    const wanted = Number(text);
    if (wanted < 1 || wanted > most) return null;
    if (wanted !== days) out[table] = wanted;
  }
  return out;
}

/** "1,204 rows of SecurityAlert (2.1 MiB)"; the size is that of whole files, which may be none. */
export const lossText = ({ table, rows, bytes }: Expiring): string =>
  `${rows.toLocaleString()} ${rows === 1 ? "row" : "rows"} of ${table}${bytes > 0 ? ` (${bytesText(bytes)})` : ""}`;
