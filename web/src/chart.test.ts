import { chartOf } from "./chart";
import { describe, expect, it } from "vitest";

describe("charts", () => {
  const columns = (...pairs: [string, string][]) => pairs.map(([name, type]) => ({ name, type }));
  it("set numbers against time, a series for each group", () => {
    const chart = chartOf(
      { columns: columns(["T", "datetime"], ["Sev", "string"], ["N", "long"]), rows: [["2026-11-22T00:00:00Z", "High", 2], ["2026-11-21T00:00:00Z", "High", 1], ["2026-11-22T00:00:00Z", "Low", 5]] },
      { visualization: "timechart" },
    );
    expect(chart?.time).toBe(true);
    expect(chart?.series).toEqual([
      { name: "High", data: [["2026-11-21T00:00:00Z", 1], ["2026-11-22T00:00:00Z", 2]] },
      { name: "Low", data: [["2026-11-22T00:00:00Z", 5]] },
    ]);
  });
  it("stacks what happened at the same time, though a series lacks some of the times", () => {
    const chart = chartOf(
      { columns: columns(["T", "datetime"], ["Sev", "string"], ["N", "long"]), rows: [["2026-11-22T00:00:00Z", "High", 2], ["2026-11-21T00:00:00Z", "Low", 1], ["2026-11-22T00:00:00Z", "Low", 5]] },
      { visualization: "columnchart" },
    );
    expect(chart?.stacked).toBe(true);
    expect(chart?.series).toEqual([
      { name: "High", data: [["2026-11-21T00:00:00Z", 0], ["2026-11-22T00:00:00Z", 2]] },
      { name: "Low", data: [["2026-11-21T00:00:00Z", 1], ["2026-11-22T00:00:00Z", 5]] },
    ]);
  });
  it("take the arrays of make-series apart", () => {
    const chart = chartOf(
      { columns: columns(["D", "string"], ["Msgs", "dynamic"], ["T", "dynamic"]), rows: [["a", "[1,2]", '["2026-11-21T00:00:00Z","2026-11-22T00:00:00Z"]']] },
      { visualization: "timechart" },
    );
    expect(chart?.series).toEqual([{ name: "a", data: [["2026-11-21T00:00:00Z", 1], ["2026-11-22T00:00:00Z", 2]] }]);
  });
  it("need a number", () => {
    expect(chartOf({ columns: columns(["a", "string"]), rows: [["x"]] }, { visualization: "piechart" })).toBeNull();
    expect(chartOf({ columns: columns(["a", "string"], ["n", "long"]), rows: [["x", 3]] }, { visualization: "piechart" })?.series[0]?.data).toEqual([{ name: "x", value: 3 }]);
  });
});
