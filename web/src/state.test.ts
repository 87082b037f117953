import { expect, test } from "vitest";
import { fleetDevices } from "./state";

test("an alert of the fleet names its devices, and counts those that it does not name", () => {
  expect(fleetDevices({ Devices: '["a","b"]', DeviceCount: "30" })).toEqual({ named: ["a", "b"], count: 30 });
  expect(fleetDevices({ Devices: ["a"] })).toEqual({ named: ["a"], count: 1 });
  expect(fleetDevices({ Devices: "[", DeviceCount: "x" })).toEqual({ named: [], count: 0 });
  expect(fleetDevices({})).toEqual({ named: [], count: 0 });
});
