// Which columns of a table are shown: the address's text, and moving one.
import { describe, expect, it } from "vitest";
import { chosen, idsOf, placed, sameIds } from "./columns";
import { deviceColumns, fixedDeviceColumns, knownDeviceColumns, usualDeviceColumns } from "./device_columns";

describe("columns", () => {
  it("takes what is known, once, and puts what must be there first", () => {
    expect(idsOf("b,a,b,zzz", ["a", "b", "c"])).toEqual(["b", "a"]);
    expect(idsOf("b,a", ["a", "b", "c"], ["c"])).toEqual(["c", "b", "a"]);
    expect(idsOf("b,c", ["a", "b", "c"], ["c"])).toEqual(["b", "c"]);
    expect(idsOf("", ["a"])).toBeNull();
    expect(idsOf("zzz", ["a"], ["a"])).toBeNull();
    expect(idsOf(undefined, ["a"])).toBeNull();
  });

  it("moves one to a place, and no further than the ends", () => {
    expect(placed(["a", "b", "c"], "c", 0)).toEqual(["c", "a", "b"]);
    expect(placed(["a", "b", "c"], "a", 1)).toEqual(["b", "a", "c"]);
    expect(placed(["a", "b", "c"], "a", 9)).toEqual(["b", "c", "a"]);
    expect(placed(["a", "b", "c"], "b", -1)).toEqual(["b", "a", "c"]);
    expect(sameIds(["a", "b"], ["b", "a"])).toBe(false);
  });

  it("shows of a device what is usual, and every column has a name of its own in the file", () => {
    expect(chosen(deviceColumns, usualDeviceColumns).map((one) => one.title)).toEqual(["Device", "Connection", "Agent", "Last event", "Open alerts", "Recommendations"]);
    expect(fixedDeviceColumns).toEqual(["device"]);
    expect(new Set(knownDeviceColumns).size).toBe(deviceColumns.length);
    const names = deviceColumns.flatMap((one) => one.file.map(([name]) => name));
    expect(new Set(names).size).toBe(names.length);
  });
});
