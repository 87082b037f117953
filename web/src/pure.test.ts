import { alertDays, chosenAlerts, kqlText, worstFirst } from "./lists";
import { axisTop, dayText } from "./daily_chart";
import { concerns } from "./overview_concerns";
import { describe, expect, it } from "vitest";
import { EventParser } from "./event_stream";
import type { Alert, DiagnosticSetting, Overview, Who } from "./model";
import { addressOf, filterChanged, placeOf } from "./place";
import { cleared, isSetUp, linesOf, saysOf, windowText, withRule } from "./groups";
import { bytesText, isLoss, namesOf, type Series, seriesOf } from "./prometheus";
import { diffLines, type Rule, takenOver, withFile } from "./rules";
import { additionalValues, commandLine, emptiness, entityFields, linkedQuery, notesOf, processIds, textList, withAlert, withCounted } from "./state";
import { csvOf, filtersTime, shownCell } from "./tables";
import { age, isNew, offsetText, utcText } from "./times";
import { type Named, namedBy, type ProcessRow, processTrees, spanOf } from "./process_tree";
import { auditQuery, auditRows, expiryOf, isOver } from "./access";
import { climbs } from "./api";
import { deviceTabs, eventsAround, processesIn } from "./device_queries";
import { hasDestination, keptCategories, withKept } from "./diagnostics";
import { ledgerOf, shareText } from "./losses";
import { mayAs } from "./rights";
import { ApiError, troubleOf } from "./trouble";
import { visible } from "./visible";
import { tokenInFragment } from "./credentials";

const alert = (id: string, startTime: string, status = "New"): Alert => ({
  id, startTime, status, endTime: startTime, timeGenerated: startTime, type: "IoT_X", displayName: "X", severity: "High",
  hub: "h", device: "d", component: "Agent", description: "", hitCount: 1, extendedProperties: {},
});
const zero = { High: 0, Medium: 0, Low: 0, Informational: 0 };
const overview: Overview = {
  hub: "h", workspace: "w", securityEnabled: true, generated: "", sequence: 0, openAlerts: zero,
  daily: [{ ...zero, date: "2026-11-21" }, { ...zero, date: "2026-11-22" }], topDevices: [], topAlerts: [], recommendations: { active: zero, top: [] },
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
    expect(offsetText("2026-11-22T11:00:00Z", "2026-11-22T11:02:05Z")).toBe("+2 min 5 s");
    expect(offsetText("2026-11-22T11:00:00Z", "2026-11-22T09:30:00Z")).toBe("−1 h 30 min");
  });
  it("take the token out of a fragment", () => {
    expect(tokenInFragment("#token=abc")).toBe("abc");
    expect(tokenInFragment("#other=1")).toBeNull();
    expect(tokenInFragment("")).toBeNull();
  });
});

describe("places", () => {
  it("lead from the address and back to it", () => {
    for (const address of ["/", "/alerts", "/alerts?status=all&severity=High", "/alerts/a%2Fb", "/recommendations/7", "/devices?agent=Silent", "/devices/pump%203", "/devices/p?tab=logins", "/devices/p?tab=logins&span=P1D", "/logs", "/logs?query=T+%7C+take+1", "/logs?query=T&span=PT1H", "/?hub=plant", "/users", "/users/ann", "/tokens?name=x", "/audit?who=ann", "/account", "/profiles?name=cam", "/profiles/cameras", "/profiles/cameras?devices=camera-*%2Cdoor&days=7"]) {
      const url = new URL(address, "http://x");
      expect(addressOf(placeOf(url.pathname, url.search), url.searchParams.get("hub"))).toBe(address);
    }
  });
  it("know a filter that goes on changing from another move", () => {
    const list = (filters: Record<string, string>) => ({ at: "alerts", filters }) as const;
    expect(filterChanged(list({ name: "m" }), list({ name: "mi" }))).toBe("name");
    expect(filterChanged(list({ name: "m" }), list({}))).toBe("name");
    expect(filterChanged(list({ name: "m" }), list({ name: "m" }))).toBeNull();
    expect(filterChanged(list({}), list({ name: "m", day: "2026-11-22" }))).toBeNull();
    expect(filterChanged(list({ name: "m" }), { at: "devices", filters: { name: "mi" } })).toBeNull();
    expect(filterChanged({ at: "profile", id: "a", filters: {} }, { at: "profile", id: "b", filters: { days: "7" } })).toBeNull();
    expect(filterChanged({ at: "overview" }, list({ name: "m" }))).toBeNull();
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

describe("the overview", () => {
  it("has axes whose halves are whole", () => {
    expect([0, 3, 5, 7, 11, 25, 41, 61, 999].map(axisTop)).toEqual([4, 4, 6, 10, 20, 40, 60, 100, 1000]);
  });
  it("says what a day had", () => {
    expect(dayText({ ...zero, High: 3, Low: 1, date: "2026-11-22" })).toBe("2026-11-22: 3 High, 1 Low");
    expect(dayText({ ...zero, date: "2026-11-22" })).toBe("2026-11-22: none");
  });
  it("says why few alerts may be no good news", () => {
    const now = Date.parse("2026-11-22T12:00:00Z");
    const health = (more: Partial<Overview["dataHealth"]>) => ({ ...overview, dataHealth: { ...overview.dataHealth, ...more } });
    expect(concerns(overview, now)).toEqual([]); // nothing ever came: the empty state says so
    expect(concerns(health({ lastSecurityEvent: "2026-11-22T11:30:00Z", backlog: 50 }), now)).toEqual([]);
    expect(concerns(health({ lastSecurityEvent: "2026-11-22T08:30:00Z" }), now)[0]).toContain("came 3 h ago");
    expect(concerns({ ...health({ backlog: 20_000 }), securityEnabled: false }, now)).toHaveLength(2);
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
    const [first] = all;
    const anns = { ...first!, id: "3", extendedProperties: { AssignedTo: "ann" } };
    expect(chosenAlerts([...all, anns], { whose: "me" }, "ann").map((a) => a.id)).toEqual(["3"]);
    expect(chosenAlerts([...all, anns], { whose: "me" }, "bob")).toHaveLength(0);
    expect(chosenAlerts([...all, anns], { whose: "nobody" }, "ann").map((a) => a.id)).toEqual(["1", "2"]);
  });
  it("keep to a day of the server's", () => {
    const all = [one("1", { startTime: "2026-11-21T23:59:59Z" }), one("2", { startTime: "2026-11-22T00:00:00Z" })];
    expect(chosenAlerts(all, { day: "2026-11-22" }).map((a) => a.id)).toEqual(["2"]);
  });
  it("put the worst first, and of those the newest", () => {
    const all = [one("1", {}), one("2", { severity: "High", startTime: "2026-11-20T00:00:00Z" }), one("3", { severity: "High" }), one("4", { severity: "Informational" })];
    expect(worstFirst(all).map((a) => a.id)).toEqual(["3", "2", "1", "4"]);
  });
  it("write any text as a KQL string", () => {
    expect(kqlText('a"b\\c')).toBe('"a\\"b\\\\c"');
    expect(kqlText("x\ny")).toBe('"x\\u000ay"');
  });
});

describe("security groups", () => {
  const range = { ruleType: "R", displayName: "r", description: "", isEnabled: true, minThreshold: 1, maxThreshold: 5, timeWindowSize: "PT015M" };
  const list = { ruleType: "L", displayName: "l", description: "", isEnabled: false, valueType: "Ip", allowlistValues: [] };
  const properties = { timeWindowRules: [range], allowlistRules: [list] };
  it("change one rule and keep the others", () => {
    const next = withRule(properties, "L", { allowlistValues: ["10.0.0.0/8"], isEnabled: true });
    expect(next["allowlistRules"]?.[0]).toMatchObject({ isEnabled: true, allowlistValues: ["10.0.0.0/8"] });
    expect(next["timeWindowRules"]?.[0]).toBe(range);
  });
  it("take a rule out whole, so that it does not come back", () => {
    expect(isSetUp({ ...range, ...cleared(range) })).toBe(false);
    expect(isSetUp({ ...list, isEnabled: true, allowlistValues: ["a"], ...cleared(list) })).toBe(false);
    expect(isSetUp(range)).toBe(true);
  });
  it("say what they allow", () => {
    expect(saysOf(range)).toBe("allows 1 to 5 in 15 minutes");
    expect(saysOf({ ...list, allowlistValues: ["a", "b", "c", "d"] })).toBe("allows a, b, c and 1 more");
    expect(saysOf(list)).toBe("allows nothing");
    expect(windowText("P1D")).toBe("1 day");
    expect(windowText("PT1H30M")).toBe("PT1H30M");
    expect(linesOf(" a \n\nb\na\r\n")).toEqual(["a", "b"]);
  });
});

describe("the server's counters", () => {
  const text = '# HELP fieldwatch_hub_messages_refused_total Device messages refused\n# TYPE fieldwatch_hub_messages_refused_total counter\nfieldwatch_hub_messages_refused_total{reason="a \\"b\\""} 3\n# TYPE fieldwatch_http_connections gauge\nfieldwatch_http_connections 2\nnonsense\n';
  it("come out of their text form", () => {
    const [refused, connections] = seriesOf(text);
    expect(refused).toEqual({ name: "fieldwatch_hub_messages_refused_total", help: "Device messages refused", counter: true, labels: { reason: 'a "b"' }, value: 3 });
    expect(connections).toMatchObject({ counter: false, value: 2, labels: {} });
    expect(refused && namesOf(refused)).toEqual(["hub", 'messages refused · a "b"']);
    expect([refused, connections].map((one) => one && isLoss(one))).toEqual([true, false]);
  });
  it("read as sizes", () => {
    expect([0, 1536, 200 * 1024 * 1024].map(bytesText)).toEqual(["0 B", "1.5 KiB", "200 MiB"]);
  });
});

describe("a process tree", () => {
  const at = (second: number) => `2026-11-22T10:00:${String(second).padStart(2, "0")}Z`;
  const row = (second: number, pid: number, parent: number, command: string, more: Partial<ProcessRow> = {}): ProcessRow => ({
    time: at(second), pid, parent, user: "root", command, run: "", sequence: 0, ended: false, ...more,
  });
  const named = (pid: number, second: number, run = ""): Named => ({ pid, time: at(second), run });
  const shape = (nodes: ReturnType<typeof processTrees>): unknown[] => nodes.map((node) => [node.command, ...shape(node.children)]);
  it("has the ancestors and descendants of what is meant, and nobody else", () => {
    const rows = [row(0, 1, 0, "init"), row(1, 10, 1, "sshd"), row(2, 11, 1, "cron"), row(3, 20, 10, "bash"), row(4, 30, 20, "curl"), row(5, 31, 20, "miner"), row(6, 40, 31, "child"), row(7, 41, 40, "grandchild")];
    expect(shape(processTrees(rows, [named(31, 5)]))).toEqual([["init", ["sshd", ["bash", ["miner", ["child", ["grandchild"]]]]]]]);
  });
  it("takes the newest process of an id for the parent, and survives one that is its own", () => {
    const rows = [row(0, 5, 0, "old"), row(1, 5, 0, "new"), row(2, 6, 5, "meant"), row(3, 7, 7, "itself")];
    expect(shape(processTrees(rows, [named(6, 2), named(7, 3)]))).toEqual([["new", ["meant"]], ["itself"]]);
  });
  it("means the process that had the id then, not one that got it before or after", () => {
    const rows = [row(0, 31, 1, "before"), row(10, 31, 1, "meant"), row(20, 31, 1, "after")];
    expect(shape(processTrees(rows, [named(31, 15)]))).toEqual([["meant"]]);
    expect(processTrees(rows.slice(2), [named(31, 15)])).toEqual([]);
  });
  it("gives no child to a process that had ended, and none is meant that had", () => {
    const rows = [row(0, 20, 1, "gone"), row(1, 20, 0, "", { ended: true }), row(2, 31, 20, "meant")];
    expect(shape(processTrees(rows, [named(31, 2)]))).toEqual([["meant"]]);
    expect(processTrees(rows, [named(20, 5)])).toEqual([]);
    expect(shape(processTrees(rows, [named(20, 1)]))).toEqual([["gone"]]); // its own end is among what is behind the alert
  });
  it("keeps the runs of an agent apart: the machine may have started anew between them", () => {
    const rows = [row(0, 20, 1, "bash of before", { run: "a", sequence: 9 }), row(5, 20, 1, "ntpd", { run: "b", sequence: 1 }), row(6, 31, 20, "other", { run: "a", sequence: 10 }), row(7, 31, 20, "meant", { run: "b", sequence: 2 })];
    expect(shape(processTrees(rows, [named(31, 7, "b")]))).toEqual([["ntpd", ["meant"]]]);
    expect(shape(processTrees(rows, [named(31, 7, "a")]))).toEqual([["bash of before", ["other"]]]);
  });
  it("orders what has one time by the agent's count, and by all seven digits", () => {
    const rows = [row(1, 31, 20, "child", { run: "a", sequence: 2 }), row(1, 20, 1, "parent", { run: "a", sequence: 1 })];
    expect(shape(processTrees(rows, [named(31, 1)]))).toEqual([["parent", ["child"]]]);
    const fine = [row(0, 31, 20, "child", { time: "2026-11-22T10:00:00.1230002Z" }), row(0, 20, 1, "parent", { time: "2026-11-22T10:00:00.1230001Z" })];
    expect(shape(processTrees(fine, [{ pid: 31, time: "2026-11-22T10:00:00.1230002Z", run: "" }]))).toEqual([["parent", ["child"]]]);
  });
  it("has no parent called 0, under which an agent counts repeats", () => {
    const rows = [row(0, 0, 0, "repeated"), row(1, 31, 0, "meant"), row(2, 40, 31, "child")];
    expect(shape(processTrees(rows, [named(31, 1)]))).toEqual([["meant", ["child"]]]);
  });
  it("keeps the parent of a process that took on another program", () => {
    const rows = [row(0, 20, 1, "bash"), row(1, 31, 20, "sh -c miner"), row(2, 20, 0, "", { ended: true }), row(3, 31, 20, "miner")];
    expect(shape(processTrees(rows, [named(31, 3)]))).toEqual([["bash", ["miner"]]]);
  });
  it("has a bound, within which the named process and its ancestors are", () => {
    const rows = [row(0, 10, 1, "bash"), row(1, 31, 10, "meant"), ...Array.from({ length: 500 }, (_, i) => row(2, 1000 + i, 31, "child"))];
    const [root] = processTrees(rows, [named(31, 1)]);
    expect([root?.command, root?.children[0]?.meant, root?.children[0]?.children.length]).toEqual(["bash", true, 78]);
  });
  it("looks in the rows behind an alert for who and when, else in its entities at its end", () => {
    const entities = [{ $id: "1", Type: "process", ProcessId: "31" }];
    const evidence = [{ time: at(5), name: "ProcessCreate", details: { ProcessId: 31, ExtraDetails: { BootId: "b" } } }, { time: at(6), name: "ProcessCreate", details: { ProcessId: 99 } }];
    expect(namedBy({ entities, evidence, endTime: at(9) })).toEqual([{ pid: 31, time: at(5), run: "b" }]);
    expect(namedBy({ entities, evidence: [], endTime: at(9) })).toEqual([named(31, 9)]);
    expect(namedBy({ entities: null, evidence: [], endTime: at(9) })).toEqual([]);
  });
  it("looks from an hour before to five minutes after, and no further back than its last hour", () => {
    expect(spanOf([named(31, 0)])).toEqual({ from: "2026-11-22T09:00:00.000Z", to: "2026-11-22T10:05:00.000Z" });
    expect(spanOf([{ pid: 1, time: "2026-11-01T10:00:00Z", run: "" }, named(31, 0)])?.from).toBe("2026-11-22T08:00:00.000Z");
    expect(spanOf([])).toBeNull();
    expect(spanOf([{ pid: 1, time: "never", run: "" }])).toBeNull();
  });
  it("asks for the device of this hub only, the newest rows first, whatever their names are", () => {
    const query = processesIn({ hub: "home", device: 'p"|evil' }, { from: at(0), to: at(9) });
    expect(query).toContain('DeviceId == "p\\"|evil" and AssociatedResourceId endswith "/iothubs/home"');
    expect(query).toContain(`TimeStamp between (datetime(${at(0)}) .. datetime(${at(9)})) and TimeGenerated >= datetime(${at(0)})`);
    expect(query).toMatch(/order by TimeStamp desc\n\| take 5000$/);
    expect(eventsAround({ hub: "home", device: "p" }, "x) | evil", at(1))).toContain("datetime(null)");
    for (const tab of deviceTabs.flatMap((tab) => [tab, ...(tab.more ?? []).map((one) => ({ ...one, id: one.title }))])) expect(tab.query({ hub: "plant", device: "p" }), tab.id).toContain('endswith "/iothubs/plant"');
  });
  it("is about the process of the alert, not its parent", () => {
    const entities = [{ $id: "1", Type: "process", ProcessId: "31", ParentProcess: { $ref: "2" } }, { $id: "2", Type: "process", ProcessId: "20" }];
    expect([...processIds(entities, [])]).toEqual([31]);
    expect([...processIds([], [{ time: "", name: "ProcessCreate", details: { ProcessId: 7 } }])]).toEqual([7]);
  });
});

describe("what people said", () => {
  it("is what has a name and a time", () => {
    expect(notesOf({ Notes: [{ By: "ann", Time: "t", Comment: "c" }, null, { By: 5 }] })).toEqual([{ By: "ann", Time: "t", Comment: "c" }]);
    expect(notesOf({ Notes: "x" })).toEqual([]);
  });
});

describe("rules", () => {
  it("differ line by line", () => {
    expect(diffLines("a\nb\nc", "a\nx\nc\nd").map((line) => line.kind[0] + line.text)).toEqual(["sa", "rb", "ax", "sc", "ad"]);
    expect(diffLines("", "")).toEqual([{ kind: "same", text: "" }]);
  });
  it("take the place of the file of the same name", () => {
    const set = { files: [{ name: "a", text: "1" }, { name: "b", text: "2" }], only: true };
    expect(withFile(set, { name: "a", text: "3" })).toEqual({ only: true, files: [{ name: "b", text: "2" }, { name: "a", text: "3" }] });
  });
});

describe("rules that a file would take over", () => {
  const rule = (id: string, file: string) => ({ id, file, title: id }) as unknown as Rule;
  const running = [rule("1", "a.yml"), rule("2", "b.yml"), rule("3", "b.yml")];
  it("are those of other files with the same id, and those that leave their own", () => {
    expect(takenOver(running, ["2", "3"], "b.yml", false)).toEqual({ file: false, replaced: [], gone: [] });
    expect(takenOver(running, ["1", "2"], "b.yml", false)).toEqual({ file: false, replaced: [running[0]], gone: [running[2]] });
    expect(takenOver(running, ["2"], "c.yml", true)).toEqual({ file: false, replaced: [running[1]], gone: [] });
    expect(takenOver(running, ["9"], "b.yml", true).file).toBe(true);
  });
});

describe("diagnostic settings", () => {
  const others: DiagnosticSetting[] = [{ name: "siem", workspaceId: "w", logs: [{ category: "Routes", enabled: true }] }];
  it("have a destination, and keep what others made", () => {
    const made = withKept(others, ["Connections"], "ws-1");
    expect(made).toEqual([others[0], { name: "fieldwatch", workspaceId: "ws-1", logs: [{ category: "Connections", enabled: true, retentionPolicy: { enabled: false, days: 0 } }] }]);
    expect(keptCategories(made)).toEqual(["Connections"]);
    expect(withKept(made, [], "ws-1")).toEqual(others);
    expect(made.map(hasDestination)).toEqual([true, true]);
    expect(hasDestination({ name: "fieldwatch", logs: [] })).toBe(false);
  });
});

describe("losses", () => {
  it("are the counters of what did not get through, summed up over their labels", () => {
    const one = (name: string, value: number): Series => ({ name, help: "", counter: true, labels: {}, value });
    const lines = ledgerOf([one("fieldwatch_hub_messages_refused_total", 2), one("fieldwatch_hub_messages_refused_total", 3), one("fieldwatch_pipeline_late_total", 0), one("fieldwatch_pipeline_restarts_total", 7)]);
    expect(lines.map((line) => [line.what, line.value])).toEqual([["Messages refused", 5], ["Events too late for detection", 0]]);
    expect([shareText(3, 1200), shareText(30, 1200), shareText(600, 1200), shareText(0, 0)]).toEqual(["0.25 %", "2.5 %", "50 %", ""]);
  });
});

describe("trouble", () => {
  it("says what to do about it", () => {
    expect(troubleOf(new ApiError(403, "no"))).toMatchObject({ what: "no", todo: expect.stringContaining("administrator") });
    expect(troubleOf(new TypeError("Failed to fetch")).what).toBe("The server does not answer.");
    expect(troubleOf(new ApiError(400, "\"role\" must be one of …"))).toEqual({ what: "\"role\" must be one of …", todo: "" });
    expect(troubleOf("x")).toEqual({ what: "x", todo: "" });
  });
});

describe("hostile text", () => {
  it("is spelled out where it has no shape or turns the order round", () => {
    expect(visible("curl \u202egnp.exe\u200b\u0007 ü\n\t")).toBe("curl \\u202egnp.exe\\u200b\\u0007 ü\n\t");
    expect(shownCell("a\u2066b")).toBe("a\\u2066b");
  });
  it("names nothing that a browser would take for a step up", () => {
    expect(["/api/v1/tokens/..", "/api/v1/hubs/./x", "/api/v1/hubs/%2e%2E/x", "/api/v1/users/..?x=1"].map(climbs)).toEqual([true, true, true, true]);
    expect(["/api/v1/devices/pump.4", "/api/v1/devices/...", "/api/v1/x?path=/../"].map(climbs)).toEqual([false, false, false]);
  });
});

describe("access", () => {
  it("is what the role may, and says why not", () => {
    const who: Who = { name: "ann", role: "analyst", version: "1" };
    expect(mayAs(who, "reader").yes && mayAs(who, "analyst").yes).toBe(true);
    expect(mayAs(who, "operator")).toEqual({ yes: false, why: "This needs the role operator; ann is signed in as analyst." });
    expect(mayAs(null, "reader").yes).toBe(false);
  });
  it("ends with a token's time", () => {
    const now = Date.parse("2026-11-22T12:00:00Z");
    expect(expiryOf("7", now)).toBe("2026-11-29T12:00:00.000Z");
    expect(expiryOf("", now)).toBeUndefined();
    expect(isOver({ name: "t", role: "reader", hubs: [], expires: "2026-11-22T12:00:00Z" }, now)).toBe(true);
    expect(isOver({ name: "t", role: "reader", hubs: [], expires: null }, now)).toBe(false);
  });
  it("is audited with a query that no filter breaks out of", () => {
    const query = auditQuery({ who: '"; drop', what: "tokens", result: "Failure" });
    expect(query).toContain('| where Caller contains "\\"; drop"\n');
    expect(query).toContain('| where ActivityStatusValue == "Failure"\n');
    expect(auditQuery({ kind: "all" })).not.toContain("Fieldwatch/");
    expect(auditRows([["t", "ann", "operator", "Fieldwatch/x", "PUT", "/x", "Success", "201", null]])[0]).toMatchObject({ caller: "ann", from: "", status: "201" });
  });
});
