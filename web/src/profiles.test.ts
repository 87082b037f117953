import { describe, expect, it } from "vitest";
import { acceptBody, devicesOf, hoursText, partsOf, profileAddress } from "./profiles";

describe("a profile of a class of devices", () => {
  it("is asked for as the page's address says, and nothing of it can climb out of the path", () => {
    expect(profileAddress("plant", "cameras", {})).toBe("/api/v1/hubs/plant/profiles/cameras");
    expect(profileAddress("plant", "a/../b", { devices: "camera-*,d&x", days: "7", other: "1" }, "/nftables", { enforce: "true" }))
      .toBe("/api/v1/hubs/plant/profiles/a%2F..%2Fb/nftables?enforce=true&devices=camera-*%2Cd%26x&days=7");
  });
  it("is accepted for the class that is shown", () => {
    expect(acceptBody({})).toEqual({});
    expect(acceptBody({ devices: " camera-* ,, door", days: "7", peersMax: "" })).toEqual({ devices: ["camera-*", "door"], days: 7 });
    expect(devicesOf(" , ")).toEqual([]);
  });
  it("says its lines in parts", () => {
    expect(partsOf("out tcp/443 203.0.113.0/24")).toEqual({ way: "out", service: "tcp/443", whom: "203.0.113.0/24" });
    expect(partsOf("odd")).toEqual({ way: "odd", service: "", whom: "" });
  });
  it("says its hours to those who do not see them", () => {
    const hours = Array.from({ length: 24 }, (_, hour) => (hour === 3 ? 0 : hour === 12 ? 5_000 : 10));
    expect(hoursText(hours)).toBe("Busiest at 12 o'clock UTC, with 5,000 of 5,220 events; silent: 3.");
    expect(hoursText(Array.from({ length: 24 }, () => 0))).toBe("Nothing happened at any hour.");
  });
});
