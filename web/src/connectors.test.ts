// What is sent of a connector's form, and what its first attempt came to.
import { describe, expect, it } from "vitest";
import { attempted, connectorBody, type ConnectorStatus, emptyConnector, lacks } from "./connectors";

const status = (state: ConnectorStatus["state"], since: string, problem = ""): ConnectorStatus => ({
  state, since, problem, nextTry: null, messages: 0, securityMessages: 0, operations: 0, refused: 0, lastRefusal: "", lastReceived: null,
});

describe("a connector", () => {
  it("sends what its kind has, and nothing that is empty", () => {
    const both = { ...emptyConnector, connection: " Endpoint=sb://x/ ", url: "mqtt://h", password: " p ", topics: [{ topic: " a/{device} ", security: true }, { topic: "", security: false }] };
    expect(connectorBody(both)).toEqual({ type: "event-hubs", registerDevices: true, connection: "Endpoint=sb://x/", start: "latest" });
    expect(connectorBody({ ...both, type: "mqtt", registerDevices: false })).toEqual({
      type: "mqtt", registerDevices: false, url: "mqtt://h", password: " p ", deviceIs: "clientId", topics: [{ topic: "a/{device}", security: true }],
    });
  });

  it("needs something to read at a broker", () => {
    expect(lacks(emptyConnector)).toBe("");
    expect(lacks({ ...emptyConnector, type: "mqtt" })).not.toBe("");
    expect(lacks({ ...emptyConnector, type: "mqtt", logFile: "/var/log/mosquitto.log" })).toBe("");
  });

  it("has tried when its state is no longer that of the one before", () => {
    const old = status("failing", "2026-11-30T10:00:00Z", "wrong password");
    expect(attempted(old, old)).toBeNull();
    expect(attempted(status("connecting", "2026-11-30T10:01:00Z"), old)).toBeNull();
    expect(attempted(status("failing", "2026-11-30T10:01:01Z", "no such host"), old)).toBe("no such host");
    expect(attempted(status("reading", "2026-11-30T10:01:01Z"), old)).toBe(true);
    expect(attempted(status("connecting", "2026-11-30T10:01:00Z"), status("connecting", "2026-11-30T10:01:00Z"))).toBeNull();
  });
});
