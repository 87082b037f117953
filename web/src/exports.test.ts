import { describe, expect, it } from "vitest";
import { bodyOf, type Destination, emptyForm, formOf, formatsOf, schemeOf } from "./exports";
import { endpointRows } from "./routes";
import { placeIn, rhythmOf, withPresent } from "./scheduled";
import { durationText } from "./times";
import { isConflict, ApiError } from "./trouble";

describe("a receiver of findings", () => {
  it("is asked for the forms that its address takes", () => {
    expect(schemeOf(" HTTPS://x")).toBe("https");
    expect(formatsOf("tls://siem:6514")).toEqual(["syslog", "cef"]);
    expect(formatsOf("file")).toContain("cef");
    expect(formatsOf("https://x")).not.toContain("syslog");
    expect(formatsOf("")).toContain("syslog");
  });
  it("is written without what does not go with its address", () => {
    const body = bodyOf({ ...emptyForm, to: "udp://log ", format: "json", ca: "PEM", secret: "s", authorization: "a", keepDays: "3" });
    expect(body).toEqual({ to: "udp://log", minimumSeverity: "Informational", findings: ["alerts", "recommendations"], states: "new", group: "none", hubs: [], keepDays: 3 });
    expect(bodyOf({ ...emptyForm, to: "file", states: "all", group: "incident", quietHours: " 22:00-06:00 " })).toMatchObject({ states: "all", group: "incident", quietHours: "22:00-06:00" });
    expect(bodyOf({ ...emptyForm, to: "https://x", format: "ocsf", secret: "s" })).toMatchObject({ format: "ocsf", secret: "s" });
    expect(bodyOf({ ...emptyForm, to: "https://x" })).not.toHaveProperty("secret");
  });
  it("of mail is written to whom it goes, and keeps its login through a change", () => {
    const mail: Destination = {
      name: "people", to: "smtp://mail.example", format: "text", minimumSeverity: "High", findings: ["alerts"], states: "new", group: "incident", quietHours: "", hubs: [], keepDays: 7,
      user: "fw", from: "fw@plant.example", recipients: ["soc@plant.example", "on-call@plant.example"], digestMinutes: 60, signed: false, authorized: true,
      status: { state: "well", waiting: 0, delivered: 0, dropped: 0, refused: 0, lastDelivered: null, failingSince: null, nextTry: null, quietUntil: null, problem: "" },
    };
    expect(bodyOf(formOf(mail))).toEqual({
      to: "smtp://mail.example", format: "text", minimumSeverity: "High", findings: ["alerts"], states: "new", group: "incident", hubs: [], keepDays: 7,
      user: "fw", from: "fw@plant.example", recipients: ["soc@plant.example", "on-call@plant.example"], digestMinutes: 60,
    });
    expect(bodyOf({ ...formOf(mail), to: "smtp+plain://127.0.0.1", ca: "PEM" })).not.toHaveProperty("ca");
    expect(bodyOf({ ...formOf(mail), to: "kafkas://a:9093/t", format: "ocsf", password: "p", ca: "PEM" })).toMatchObject({ user: "fw", password: "p", ca: "PEM", format: "ocsf" });
    expect(bodyOf({ ...formOf(mail), to: "file" })).not.toHaveProperty("user");
    expect(formatsOf("natss://n:4222/a")).toEqual(["json", "ocsf", "stix"]);
  });
});

describe("a scheduled rule", () => {
  it("says its rhythm, and keeps a span that is no usual one", () => {
    expect(rhythmOf({ period: "PT5M", window: "P1DT2H" })).toBe("every 5 min, over 1 d 2 h");
    expect(durationText("PT0S")).toBe("0 s");
    expect(durationText("soon")).toBe("soon");
    expect(withPresent(["PT1M"], "PT7M")).toEqual(["PT7M", "PT1M"]);
  });
  it("shows where a query was refused", () => {
    expect(placeIn("the query: line 2, column 9: there is no column X")).toEqual({ line: 2, column: 9, length: 1 });
    expect(placeIn("\"period\" must be a duration")).toBeNull();
  });
});

describe("routes", () => {
  it("say of an endpoint which routes use it, and how it does", () => {
    const rows = endpointRows(
      { endpoints: { b: { type: "file" }, a: { type: "webhook", url: "https://x" } }, routes: { hot: { endpoints: ["a", "events"] } } },
      [{ name: "a", type: "webhook", healthy: false, lastError: "503", delivered: 1, refused: 0, dropped: 0, behind: 4 }],
    );
    expect(rows.map((one) => [one.name, one.used, one.status?.behind ?? null])).toEqual([["a", ["hot"], 4], ["b", [], null]]);
  });
});

it("a change that meets another's is told from other refusals", () => {
  expect(isConflict(new ApiError(412, "older"))).toBe(true);
  expect(isConflict(new ApiError(409, "there"))).toBe(false);
});
