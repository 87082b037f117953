// The vendor's Node device SDK, unmodified, and mosquitto's tools, against the real server with connection strings of its
// own command line. usage: node device_sdk.mjs FOLDER (for the packages, kept between runs)
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import path from "node:path";
import { parts, pause, processMessage, runAll, sasToken, Server, until, within } from "../integration/harness.mjs";
import { install } from "./packages.mjs";

const require = install(path.resolve(process.argv[2]));
const { Client, ModuleClient, Message } = require("azure-iot-device");
const { Mqtt } = require("azure-iot-device-mqtt");
const { NoRetry } = require("azure-iot-common");

const server = await Server.start();
await server.cli("hub", "create", "home");

async function trust(client) {
  await client.setOptions({ ca: server.ca });
  client.setRetryPolicy(new NoRetry());
  return client;
}

async function opened(kind, text) {
  const client = await trust(kind.fromConnectionString(text, Mqtt));
  await within(client.open(), "open");
  return client;
}

/** The refusal the SDK gives, the counter, and the reason the operation log gives. */
async function assertRefused(client, device, reason) {
  const before = await counter("fieldwatch_hub_connect_failures_total");
  await assert.rejects(within(client.open(), "open"), { name: "UnauthorizedError" });
  await client.close().catch(() => {});
  assert.equal(await counter("fieldwatch_hub_connect_failures_total"), before + 1);
  if (reason === null) return;
  await server.rows(`AzureDiagnostics | extend P = parse_json(properties_s) | where P.deviceId == "${device}"
    and P.authFailureReason == "${reason}" and Category == "Connections" and Level == "Error"`);
}

const setDesired = (device, desired) =>
  server.request("PATCH", `/api/v1/hubs/home/devices/${device}/twin`, { properties: { desired } }).then(JSON.parse);

async function counter(name) {
  const line = (await server.request("GET", "/metrics")).split("\n").find((one) => one.startsWith(`${name} `));
  return Number(line?.split(" ")[1] ?? 0);
}

const failed = await runAll({
  async "telemetry is acknowledged, and is not taken for a security message"() {
    const client = await opened(Client, await server.create("d1"));
    const message = new Message('{"temperature":21.5}');
    message.messageId = "id 1";
    message.contentType = "application/json";
    message.contentEncoding = "utf-8";
    message.properties.add("k 1", "v&1");
    await within(client.sendEvent(message), "sendEvent");
    await client.close();
    assert.equal(await counter("fieldwatch_hub_messages_total"), 1);
    assert.equal(await counter("fieldwatch_hub_security_messages_total"), 0);
    const connects = await server.rows(`AzureDiagnostics | extend P = parse_json(properties_s)
      | where P.deviceId == "d1" and OperationName in ("deviceConnect", "deviceDisconnect")
      | project OperationName, tostring(P.sdkVersion) | order by OperationName asc`, 2);
    assert.deepEqual(connects.map(([operation]) => operation), ["deviceConnect", "deviceDisconnect"]);
    assert.match(connects[0][1], /azure-iot-device\/1\.18\.4/);
  },

  async "what setAsSecurityMessage marks lands in SecurityIoTRawEvent and raises the alert"() {
    const client = await opened(ModuleClient, await server.create("d2", "azureiotsecurity"));
    const message = new Message(JSON.stringify(processMessage("cpuminer-multi -o pool")));
    message.setAsSecurityMessage();
    await within(client.sendEvent(message), "sendEvent");
    await client.close();
    const rows = await server.rows(`SecurityIoTRawEvent | where DeviceId == "d2"
      | project RawEventName, tostring(parse_json(EventDetails).CommandLine)`);
    assert.deepEqual(rows, [["ProcessCreate", "cpuminer-multi -o pool"]]);
    await server.rows('SecurityAlert | where CompromisedEntity == "d2" and AlertType == "IoT_CryptoMiner"');
    assert.equal(await counter("fieldwatch_hub_security_messages_total"), 1);
  },

  async "the twin is read, reported to, and its desired changes arrive"() {
    const text = await server.create("d3");
    await setDesired("d3", { interval: 5 });
    const client = await opened(Client, text);
    const twin = await within(client.getTwin(), "getTwin");
    assert.equal(twin.properties.desired.interval, 5);
    const update = (patch) => within(new Promise((resolve, reject) =>
      twin.properties.reported.update(patch, (error) => (error ? reject(error) : resolve()))), "reported.update");
    await update({ firmware: "1.2", nested: { a: 1 } });
    const seen = [];
    const changed = new Promise((resolve) => twin.on("properties.desired", (patch) => {
      seen.push(patch);
      if (patch.interval === 9) resolve();
    }));
    await pause(300); // the SDK subscribes when a listener is added, and does not say when it has
    const { properties } = await setDesired("d3", { interval: 9 });
    await within(changed, "desired notification");
    assert.equal(seen.at(-1).$version, properties.desired.$version);
    assert.equal((await within(client.getTwin(), "getTwin")).properties.reported.firmware, "1.2");
    await assert.rejects(update({ large: "x".repeat(40_000) }));
    await update({ firmware: "1.3" });
    await client.close();
    const shown = JSON.parse(await server.request("GET", "/api/v1/hubs/home/devices/d3/twin"));
    assert.deepEqual(shown.properties.reported, { firmware: "1.3", nested: { a: 1 }, $version: shown.properties.reported.$version });
  },

  async "a module has a twin of its own, with the agent's configuration"() {
    const client = await opened(ModuleClient, await server.create("d4", "azureiotsecurity"));
    const twin = await within(client.getTwin(), "getTwin");
    const section = Object.keys(twin.properties.desired).find((name) => name.startsWith("ms_iotn:"));
    assert.equal(twin.properties.desired[section].highPriorityMessageFrequency.value, "PT2S");
    await client.close();
  },

  async "a wrong key, an unknown device and an expired token are refused"() {
    const known = parts(await server.create("d5"));
    const spelt = (device, key) => `HostName=${known.HostName};DeviceId=${device};SharedAccessKey=${key}`;
    const wrong = await trust(Client.fromConnectionString(spelt("d5", Buffer.alloc(32, 7).toString("base64")), Mqtt));
    await assertRefused(wrong, "d5", "SasBadSignature");
    const nobody = await trust(Client.fromConnectionString(spelt("nobody", known.SharedAccessKey), Mqtt));
    await assertRefused(nobody, "nobody", null); // the log counts strangers, a record a minute
    await assertRefused(await trust(Client.fromSharedAccessSignature(sasToken(known, -3600), Mqtt)), "d5", "SasExpired");
  },

  async "a disabled device is closed at once and not let in again"() {
    const text = await server.create("d6");
    const client = await opened(Client, text);
    const gone = new Promise((resolve) => client.once("disconnect", resolve));
    await server.cli("device", "update", "d6", "--hub", "home", "--status", "disabled");
    await within(gone, "disconnect");
    await assertRefused(await trust(Client.fromConnectionString(text, Mqtt)), "d6", "DeviceDisabled");
  },

  async "mosquitto publishes and subscribes"() {
    const known = parts(await server.create("d7"));
    const [host, port] = known.HostName.split(":");
    const common = ["-h", host, "-p", port, "--cafile", server.profile.caFile, "-V", "mqttv311", "-i", "d7",
      "-u", `${known.HostName}/d7/?api-version=2021-04-12`, "-P", sasToken(known)];
    const before = await counter("fieldwatch_hub_messages_total");
    const published = spawnSync("mosquitto_pub", [...common, "-q", "1", "-t", "devices/d7/messages/events/k=v", "-m", "hi"], { timeout: 10_000 });
    if (published.error?.code === "ENOENT") return console.log("     SKIPPED: mosquitto-clients is not installed");
    assert.equal(published.status, 0, `${published.stderr}`);
    assert.equal(await counter("fieldwatch_hub_messages_total"), before + 1);
    const subscriber = spawn("mosquitto_sub", [...common, "-q", "1", "-C", "1", "-v", "-t", "$iothub/twin/PATCH/properties/desired/#"]);
    let heard = "";
    subscriber.stdout.on("data", (data) => { heard += data; });
    const ended = new Promise((resolve) => subscriber.once("exit", resolve));
    try {
      // A change before the subscription stands is not sent again: change until one is heard.
      let value = 0;
      await until("mosquitto_sub hears a desired change", async () => {
        await setDesired("d7", { x: ++value });
        await pause(200);
        return heard !== "";
      }, 10);
      await within(ended, "mosquitto_sub");
    } finally {
      subscriber.kill();
    }
    const [, version, x] = heard.trim().match(/^\$iothub\/twin\/PATCH\/properties\/desired\/\?\$version=(\d+) \{"x":(\d+),"\$version":\1\}$/) ?? [];
    assert.ok(version && x, heard);
  },
});
await server.stop();
process.exit(failed === 0 ? 0 : 1);
