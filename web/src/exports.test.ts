import { describe, expect, it } from "vitest";
import { bodyOf, emptyForm, formatsOf, schemeOf } from "./exports";
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
