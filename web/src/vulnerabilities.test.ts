import { describe, expect, it } from "vitest";
import { deviceTabs } from "./device_queries";
import { bandOf, historyText, lineOf, trendText } from "./risk";
import { shownTime } from "./tables";
import { localText } from "./times";
import { chosenVulnerabilities, percentText, type Vulnerability } from "./vulnerabilities";

const one = (id: string, more: Partial<Vulnerability> = {}): Vulnerability => ({ id, exploited: false, exploitPercent: null, score: null, devices: 1, exposedDevices: 0, components: ["busybox"], ...more });

describe("vulnerabilities", () => {
  it("are found by id or component, and by what makes them urgent", () => {
    const all = [one("CVE-2024-1", { exploited: true }), one("CVE-2024-2", { exposedDevices: 2, components: ["dropbear"] })];
    const ids = (filters: Record<string, string>) => chosenVulnerabilities(all, filters).map((found) => found.id);
    expect(ids({ name: "DROP" })).toEqual(["CVE-2024-2"]);
    expect(ids({ used: "exploited" })).toEqual(["CVE-2024-1"]);
    expect(ids({ used: "exposed" })).toEqual(["CVE-2024-2"]);
  });
  it("have probabilities that are not rounded to nothing", () => {
    expect([percentText(0.003), percentText(0), percentText(0.94), percentText(null)]).toEqual(["< 1 %", "0 %", "94 %", ""]);
  });
});

it("risk has a band and a direction", () => {
  expect([bandOf(70), bandOf(35), bandOf(10), bandOf(9)]).toEqual(["High", "Medium", "Low", "Informational"]);
  expect(trendText({ risk: 50.2, dayBefore: 37.9 })).toBe("+12 since yesterday");
  expect(trendText({ risk: 3, dayBefore: 10 })).toBe("−7 since yesterday");
});

it("times say what is needed, and no more", () => {
  expect(shownTime("2026-11-29T00:35:25.0000000Z")).toBe("2026-11-29 00:35:25");
  expect(shownTime("2026-11-29T00:35:25.1200000Z")).toBe("2026-11-29 00:35:25.12");
  expect(shownTime("<b>")).toBe("<b>");
  const now = Date.parse("2026-06-01T12:00:00Z");
  expect(localText("2026-03-01T12:00:00Z", now)).not.toMatch(/2026/);
  expect(localText("2024-03-01T12:00:00Z", now)).toMatch(/2024/);
});

it("the timeline's rows say what they are, and name what they lead to", () => {
  expect(deviceTabs[0]?.query({ hub: "h", device: "d" })).toMatch(/Kind = "Alert", Id = SystemAlertId/);
});

it("tells risk day by day as a line from the left to the right, and a sentence", () => {
  const history = [{ at: "2026-11-28T00:00:00Z", risk: 5 }, { at: "2026-11-29T00:00:00Z", risk: 62.4 }, { at: "2026-11-29T12:00:00Z", risk: 120 }];
  expect(lineOf(history)).toBe("0.0,95.0 50.0,37.6 100.0,0.0");
  expect(lineOf([])).toBe("");
  expect(historyText(history.slice(0, 2).concat({ at: "2026-11-29T12:00:00Z", risk: 20 }))).toBe("Risk in the last 2 days: highest 62 on 2026-11-28, now 20");
  expect(historyText([])).toBe("");
});
