import { chartOf } from "./chart";
import { alertDays, chosenAlerts, kqlText } from "./lists";
import { describe, expect, it } from "vitest";
import { EventParser } from "./event_stream";
import type { Alert, Overview } from "./model";
import { addressOf, placeOf } from "./place";
import { additionalValues, commandLine, emptiness, entityFields, linkedQuery, textList, withAlert, withCounted } from "./state";
import { csvOf, filtersTime } from "./tables";
import { age, isNew, utcText } from "./times";
import { tokenInFragment } from "./token";

const alert = (id: string, startTime: string, status = "New"): Alert => ({
  id, startTime, status, endTime: startTime, timeGenerated: startTime, type: "IoT_X", displayName: "X", severity: "High",
  hub: "h", device: "d", component: "Agent", description: "", hitCount: 1, extendedProperties: {},
});
const zero = { High: 0, Medium: 0, Low: 0, Informational: 0 };
const overview: Overview = {
  hub: "h", workspace: "w", securityEnabled: true, generated: "", sequence: 0, openAlerts: zero,
  daily: [{ ...zero, date: "2026-11-21" }, { ...zero, date: "2026-11-22" }], topDevices: [], topAlerts: [],
  devices: { total: 1, enabled: 1, unhealthy: 0, atLeast: false },
  dataHealth: { lastSecurityEvent: null, lastHubRecord: null, rawEvents: 0, anyDataReceived: false, backlog: 0, deadLetters: 0, refused: 0 },
};

describe("EventParser", () => {
  it("gives the same events however the bytes are cut", () => {
    const text = 'event: alert\r\ndata: {"a":1}\r\n\r\n: still here\n\ndata: x\ndata: y\n\n';
    for (let cut = 1; cut < text.length; ++cut) {
      const parser = new EventParser();
      const events = [...parser.push(text.slice(0, cut)), ...parser.push(text.slice(cut))];
      expect(events).toEqual([{ event: "alert", data: '{"a":1}' }, { event: "message", data: "x\ny" }]);
    }
  });
  it("keeps an event that has not ended", () => {
    expect(new EventParser().push("event: a\ndata: b\n")).toEqual([]);
  });
});

describe("the alert list", () => {
  it("puts a new alert at its time, newest first", () => {
    const list = [alert("b", "2026-11-22T10:00:00Z"), alert("a", "2026-11-22T08:00:00Z")];
    expect(withAlert(list, alert("c", "2026-11-22T09:00:00Z")).map((one) => one.id)).toEqual(["b", "c", "a"]);
  });
  it("replaces an alert by its newer state and drops it when it closes", () => {
    const list = [alert("a", "2026-11-22T08:00:00Z")];
    expect(withAlert(list, { ...alert("a", "2026-11-22T08:00:00Z"), hitCount: 7 })).toMatchObject([{ hitCount: 7 }]);
    expect(withAlert(list, alert("a", "2026-11-22T08:00:00Z", "Dismissed"))).toEqual([]);
  });
  it("stays within its bound", () => {
    let list: Alert[] = [];
    for (let i = 0; i < 150; ++i) list = withAlert(list, alert(`${i}`, new Date(i * 1000).toISOString()));
    expect(list).toHaveLength(100);
    expect(list[0]?.id).toBe("149");
  });
});

describe("counters", () => {
  it("move with a new alert on its day, and not with an update of a known one", () => {
    const moved = withCounted(overview, alert("a", "2026-11-21T23:59:59.9999999Z"), false);
    expect(moved.openAlerts.High).toBe(1);
    expect(moved.daily.map((day) => day.High)).toEqual([1, 0]);
    expect(withCounted(overview, alert("a", "2026-11-21T00:00:00Z"), true)).toBe(overview);
  });
});

describe("an empty list", () => {
  it("tells no alerts from no data", () => {
    expect(emptiness(overview, [])).toBe("no-data");
    const fed = { ...overview, dataHealth: { ...overview.dataHealth, anyDataReceived: true } };
    expect(emptiness(fed, [])).toBe("no-alerts");
    expect(emptiness(fed, [alert("a", "")])).toBe("none");
  });
});

describe("what devices send", () => {
  it("is shown as text whatever its shape", () => {
    expect(textList(["a", { b: 1 }])).toEqual(["a", '{"b":1}']);
    expect(textList(null)).toEqual([]);
    expect(commandLine({}, [{ Type: "process", CommandLine: "sh -c id" }])).toBe("sh -c id");
    expect(commandLine({ CommandLine: "own" }, null)).toBe("own");
    expect(commandLine({}, [null])).toBeNull();
  });
});

describe("times and tokens", () => {
  it("read as people do", () => {
    const now = Date.parse("2026-11-22T12:00:00Z");
    expect(age("2026-11-22T11:59:55Z", now)).toBe("just now");
    expect(age("2026-11-22T11:15:00Z", now)).toBe("45 min ago");
    expect(age("2026-11-22T12:00:30Z", now)).toBe("just now");
    expect(age("2026-11-01T12:00:00Z", now)).toBe("21 d ago");
    expect(isNew("2026-11-21T12:00:01Z", now)).toBe(true);
    expect(isNew("2026-11-21T12:00:00Z", now)).toBe(false);
    expect(utcText("2026-11-22T11:59:55.1234567Z")).toBe("2026-11-22 11:59:55 UTC");
    expect(utcText("never")).toBe("never");
  });
  it("take the token out of a fragment", () => {
    expect(tokenInFragment("#token=abc")).toBe("abc");
    expect(tokenInFragment("#other=1")).toBeNull();
    expect(tokenInFragment("")).toBeNull();
  });
});

describe("places", () => {
  it("lead from the address and back to it", () => {
    for (const address of ["/", "/alerts", "/alerts?status=all&severity=High", "/alerts/a%2Fb", "/recommendations/7", "/devices?agent=Silent", "/devices/pump%203", "/devices/p?tab=logins", "/logs", "/logs?query=T+%7C+take+1", "/?hub=plant"]) {
      const url = new URL(address, "http://x");
      expect(addressOf(placeOf(url.pathname, url.search), url.searchParams.get("hub"))).toBe(address);
    }
  });
  it("are the overview where the address says nothing", () => {
    for (const path of ["/", "/nonsense/1", "/alerts/%"]) expect(placeOf(path, "")).toEqual({ at: "overview" });
  });
});

describe("query text and results", () => {
  it("notices a filter on TimeGenerated, but not its name in a text, a comment or another clause", () => {
    expect(filtersTime("T\n| where X == 1 and TimeGenerated > ago(1h)")).toBe(true);
    expect(filtersTime('T | where X == "TimeGenerated"')).toBe(false);
    expect(filtersTime("T // where TimeGenerated\n| where X == 1 | project TimeGenerated")).toBe(false);
  });
  it("guards CSV against formulas and quotes what must be", () => {
    const columns = [{ name: "a", type: "string" }, { name: "b", type: "long" }];
    expect(csvOf({ columns, rows: [["=1+1", -5], ['x "y", z', null]] })).toBe("a,b\r\n'=1+1,-5\r\n\"x \"\"y\"\", z\",\r\n");
  });
});

describe("details", () => {
  it("takes lists out of a recommendation's texts", () => {
    expect(additionalValues({ Endpoints: '["0.0.0.0:80"]', Count: "3", Odd: "[x" })).toEqual([["Endpoints", ["0.0.0.0:80"]], ["Count", "3"], ["Odd", "[x"]]);
    expect(additionalValues(null)).toEqual([]);
  });
  it("shows the name of the entity that another points to", () => {
    const file = { $id: "2", Type: "file", Directory: "/bin", Name: "sh" };
    const process = { $id: "4", Type: "process", ImageFile: { $ref: "2" }, ProcessId: "7", Parent: { $ref: "9" } };
    expect(entityFields(process, [file, process])).toEqual([["ImageFile", "/bin/sh"], ["ProcessId", "7"], ["Parent", '{"$ref":"9"}']]);
  });
  it("finds the query in an alert's links", () => {
    expect(linkedQuery([{ Href: "http://h/logs?query=SecurityAlert%0A%7C%20take%201" }])).toBe("SecurityAlert\n| take 1");
    expect(linkedQuery([{ Href: 5 }, null])).toBe(null);
  });
});

describe("lists", () => {
  const one = (id: string, more: Partial<Alert>): Alert => ({ ...alert(id, "2026-11-22T10:00:00Z"), type: "T", displayName: "Miner", severity: "Low", device: "pump", component: "Agent", ...more });
  it("count alerts by type and UTC day, the newest day and the worst first", () => {
    const days = alertDays([
      one("1", { startTime: "2026-11-21T23:59:59Z" }),
      one("2", { severity: "High", device: "press" }),
      one("3", {}),
      one("4", { type: "U", displayName: "Shell", severity: "Medium" }),
    ]);
    expect(days.map((day) => [day.key, day.severity, day.alerts.length, day.devices])).toEqual([
      ["T/2026-11-22", "High", 2, ["press", "pump"]],
      ["U/2026-11-22", "Medium", 1, ["pump"]],
      ["T/2026-11-21", "Low", 1, ["pump"]],
    ]);
  });
  it("show what the filters ask for, in any case", () => {
    const all = [one("1", {}), one("2", { severity: "High", device: "PRESS-1" })];
    expect(chosenAlerts(all, { device: "press" }).map((a) => a.id)).toEqual(["2"]);
    expect(chosenAlerts(all, { severity: "Low", name: "MINER" }).map((a) => a.id)).toEqual(["1"]);
    expect(chosenAlerts(all, {})).toHaveLength(2);
  });
  it("write any text as a KQL string", () => {
    expect(kqlText('a"b\\c')).toBe('"a\\"b\\\\c"');
    expect(kqlText("x\ny")).toBe('"x\\u000ay"');
  });
});

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
