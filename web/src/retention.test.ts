// Which days were changed, and what is said of what goes.
import { describe, expect, it } from "vitest";
import { changedDays, lossText, type TableRetention } from "./retention";

const table = (name: string, days: number): TableRetention => ({ table: name, days, usualDays: 90, rows: 0, bytes: 0, oldest: null });

describe("retention", () => {
  const tables = [table("SecurityAlert", 90), table("AzureActivity", 30)];

  it("sends what differs and nothing else", () => {
    expect(changedDays(tables, {}, 3650)).toEqual({});
    expect(changedDays(tables, { SecurityAlert: "90" }, 3650)).toEqual({});
    expect(changedDays(tables, { SecurityAlert: " 365 ", AzureActivity: "30" }, 3650)).toEqual({ SecurityAlert: 365 });
  });

  it("sends nothing while one is no number of days", () => {
    for (const wrong of ["", "0", "-1", "1.5", "3651", "many", "1e3"]) expect(changedDays(tables, { SecurityAlert: "365", AzureActivity: wrong }, 3650), wrong).toBeNull();
  });

  it("says rows, and bytes where whole files go", () => {
    const loss = { table: "SecurityAlert", days: 30, before: "2026-10-24T00:00:00Z" };
    expect(lossText({ ...loss, rows: 1, bytes: 0 })).toBe("1 row of SecurityAlert");
    expect(lossText({ ...loss, rows: 12, bytes: 2048 })).toBe("12 rows of SecurityAlert (2.0 KiB)");
  });
});
