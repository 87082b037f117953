// The vendor's Node SDKs over AMQP, unmodified, against the real server: devices and modules, services, readers of
// events. usage: node amqp_sdk.mjs FOLDER (for the packages, kept between runs)
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Readable } from "node:stream";
import { parts, pause, processMessage, runAll, sasToken, Server, until, within } from "../integration/harness.mjs";
import { install, mayTake443, trust } from "./packages.mjs";

const require = install(path.resolve(process.argv[2]));
const address = "127.0.43.2";
const hasWeb = await mayTake443(address);
const settings = path.join(mkdtempSync(path.join(tmpdir(), "fieldwatch-settings-")), "server.yaml");
writeFileSync(settings, "token_grace_seconds: 1\n");
const server = await Server.start("--listen", address, "--config", settings, ...(hasWeb ? ["--https-port", "443"] : []));
trust(server); // the service and event clients have no option for it
const { Client, ModuleClient, Message } = require("azure-iot-device");
const { Amqp, AmqpWs } = require("azure-iot-device-amqp");
const { NoRetry } = require("azure-iot-common");
const { Client: ServiceClient, AmqpWs: ServiceAmqpWs } = require("azure-iothub");
const ServiceMessage = require("azure-iot-common").Message;
const { EventHubConsumerClient, earliestEventPosition, latestEventPosition } = require("@azure/event-hubs");

await server.cli("hub", "create", "home");
const host = `${address}:${server.profile.amqpPort}`;
const { policies } = JSON.parse(await server.cli("hub", "show", "home", "--keys", "--format", "json"));
/** The connection string with AMQP's port in place of MQTT's. */
const overAmqp = (text) => text.replace(/HostName=[^;]+/, `HostName=${host}`);
const create = async (...id) => overAmqp(await server.create(...id));

async function opened(kind, text) {
  const client = kind.fromConnectionString(text, Amqp);
  client.setRetryPolicy(new NoRetry());
  await within(client.open(), "open");
  return client;
}

const servicePolicy = (name) => `HostName=${host};SharedAccessKeyName=${name};SharedAccessKey=${policies[name]}`;

async function service(name = "service") {
  const client = ServiceClient.fromConnectionString(servicePolicy(name));
  await within(client.open(), "service open");
  return client;
}

/** rhea by itself, without an SDK over it. */
const plainConnection = () => require("rhea").create_container().connect({ transport: "tls", host: address, port: server.profile.amqpPort, ca: server.ca, reconnect: false });
const hears = (from, name) => within(new Promise((resolve) => from.once(name, resolve)), name);

const consumer = (options = {}) => new EventHubConsumerClient(options.group ?? "$Default",
  `Endpoint=sb://${options.webSocket ? address : host}/;SharedAccessKeyName=service;SharedAccessKey=${options.key ?? policies.service};EntityPath=${options.entity ?? "home"}`,
  { retryOptions: { maxRetries: 0, timeoutInMs: 10_000 }, ...(options.webSocket ? { webSocketOptions: { webSocket: options.webSocket } } : {}) });

/** Events of every partition from `startPosition` on, until `enough` says so. */
async function read(enough, startPosition = earliestEventPosition, options = {}) {
  const client = consumer(options);
  const events = [];
  let subscription;
  try {
    await within(new Promise((resolve, reject) => {
      subscription = client.subscribe({
        processEvents: async (batch) => {
          events.push(...batch);
          if (enough(events)) resolve();
        },
        processError: async (error) => reject(error),
      }, { startPosition, maxWaitTimeInSeconds: 1, ...options.subscribe });
      options.started?.();
    }), "events", 20);
  } finally {
    // Where an answer is missing the client waits a minute for it, and says nothing.
    await within(Promise.resolve(subscription?.close()), "the end of the subscription", 30);
    await within(client.close(), "the end of the reader", 30);
  }
  return events;
}

const bodyOf = (event) => String(event.body); // the client gives bytes for what is no JSON
const twinOf = (device) => server.request("GET", `/api/v1/hubs/home/devices/${device}/twin`).then(JSON.parse);
const setDesired = (device, desired) =>
  server.request("PATCH", `/api/v1/hubs/home/devices/${device}/twin`, { properties: { desired } }).then(JSON.parse);

const overWeb = {
  async "over WebSocket: telemetry, a message, the twin and a method"() {
    const text = (await server.create("w1")).replace(/HostName=[^;]+/, `HostName=${address}`);
    const client = Client.fromConnectionString(text, AmqpWs);
    client.setRetryPolicy(new NoRetry());
    await within(client.open(), "open");
    await within(client.sendEvent(new Message("hello")), "sendEvent");
    client.onDeviceMethod("reboot", (request, response) => response.send(200, { got: request.payload }, () => {}));
    const came = new Promise((resolve) => client.on("message", (message) => client.complete(message).then(() => resolve(String(message.data)))));
    assert.ok((await within(client.getTwin(), "getTwin")).properties.desired);
    const owner = ServiceClient.fromConnectionString(servicePolicy("service").replace(host, address), ServiceAmqpWs);
    await within(owner.open(), "service open");
    await within(owner.send("w1", new ServiceMessage("for you")), "send");
    assert.equal(await within(came, "message"), "for you");
    const { result } = await within(owner.invokeDeviceMethod("w1", { methodName: "reboot", payload: { now: true }, responseTimeoutInSeconds: 10 }), "invokeDeviceMethod");
    assert.deepEqual(result, { status: 200, payload: { got: { now: true } } });
    await owner.close();
    await client.close();
    await server.rows(`AzureDiagnostics | extend P = parse_json(properties_s)
      | where P.deviceId == "w1" and OperationName == "deviceConnect" and P.protocol == "AmqpWs"`);
  },

  async "events are read over WebSocket too, and not with a wrong key"() {
    const webSocket = require("ws");
    const client = await opened(Client, await create("w2"));
    await within(client.sendEvent(new Message("over the web")), "sendEvent");
    await client.close();
    const mine = (event) => event.systemProperties["iothub-connection-device-id"] === "w2";
    const events = await read((all) => all.some(mine), earliestEventPosition, { webSocket });
    assert.equal(bodyOf(events.find(mine)), "over the web");
    await assert.rejects(within(consumer({ webSocket, key: Buffer.alloc(32, 1).toString("base64") }).getEventHubProperties(), "wrong key"),
      (error) => !/nothing within/.test(error.message));
  },

  async "an uploaded file is announced to the service, which completes or abandons the notice"() {
    const text = (await server.create("u1")).replace(/HostName=[^;]+/, `HostName=${address}`);
    const client = Client.fromConnectionString(text, AmqpWs);
    client.setRetryPolicy(new NoRetry());
    await within(client.open(), "open");
    const owner = await service();
    const { result: receiver } = await within(owner.getFileNotificationReceiver(), "getFileNotificationReceiver");
    const notices = [];
    receiver.on("message", (message) => {
      notices.push(JSON.parse(message.data.toString()));
      (notices.length === 1 ? receiver.abandon(message) : receiver.complete(message)).catch(() => {});
    });
    const content = Buffer.alloc(10_000, "log line\n");
    await within(client.uploadToBlob("logs/today.txt", Readable.from([content]), content.length), "uploadToBlob", 30);
    await until("the notice came, and again after it was abandoned", () => notices.length >= 2, 20);
    const [notice, again] = notices;
    assert.deepEqual(again, notice);
    assert.equal(notice.deviceId, "u1");
    assert.equal(notice.blobSizeInBytes, content.length);
    assert.match(notice.blobName, /today\.txt$/);
    await pause(1_000);
    assert.equal(notices.length, 2, "what was completed is gone");
    await owner.close();
    await client.close();
  },
};
if (!hasWeb) console.log("SKIPPED: port 443 cannot be taken here, and AMQP over WebSocket, events over it and file uploads know no other");

const failed = await runAll({
  ...(hasWeb ? overWeb : {}),
  async "telemetry is accepted, and an event reader sees it with its annotations"() {
    const client = await opened(Client, await create("d1"));
    const message = new Message('{"temperature":21.5}');
    message.messageId = "id 1";
    message.contentType = "application/json";
    message.contentEncoding = "utf-8";
    message.properties.add("k 1", "v&1");
    await within(client.sendEvent(message), "sendEvent");
    await Promise.all(["two", "three"].map((text) => within(client.sendEvent(new Message(text)), "sendEvent")));
    await within(client.close(), "close", 30);
    const mine = (event) => event.systemProperties["iothub-connection-device-id"] === "d1";
    const events = (await read((all) => all.filter(mine).length >= 3)).filter(mine);
    const [first] = events;
    assert.deepEqual(first.body, { temperature: 21.5 });
    assert.equal(first.messageId, "id 1");
    assert.equal(first.contentType, "application/json");
    assert.equal(first.properties["k 1"], "v&1");
    assert.equal(first.systemProperties["iothub-message-source"], "Telemetry");
    assert.equal(JSON.parse(first.systemProperties["iothub-connection-auth-method"]).scope, "device");
    assert.ok(first.systemProperties["iothub-connection-auth-generation-id"]);
    assert.ok(Math.abs(Number(first.systemProperties["iothub-enqueuedtime"]) - Date.now()) < 60_000);
    assert.ok(first.enqueuedTimeUtc instanceof Date);
    assert.equal(events.length, 3);
    const rows = await server.rows(`AzureDiagnostics | extend P = parse_json(properties_s)
      | where P.deviceId == "d1" and OperationName == "deviceConnect" and P.protocol == "Amqp" | project Level`);
    assert.equal(rows[0][0], "Information");
    await server.rows(`AzureDiagnostics | extend P = parse_json(properties_s)
      | where P.deviceId == "d1" and OperationName == "deviceDisconnect" and Level == "Information"`);
  },

  async "a module's security message raises the alert, and stays off the event endpoint"() {
    const client = await opened(ModuleClient, await create("d2", "azureiotsecurity"));
    const message = new Message(JSON.stringify(processMessage("cpuminer-multi -o pool")));
    message.setAsSecurityMessage();
    await within(client.sendEvent(message), "sendEvent");
    await within(client.sendEvent(new Message("plain")), "sendEvent");
    await client.close();
    await server.rows('SecurityAlert | where CompromisedEntity == "d2" and AlertType == "IoT_CryptoMiner"');
    const mine = (event) => event.systemProperties["iothub-connection-device-id"] === "d2";
    const events = (await read((all) => all.some(mine))).filter(mine);
    assert.deepEqual(events.map(bodyOf), ["plain"]);
    assert.equal(events[0].systemProperties["iothub-connection-module-id"], "azureiotsecurity");
  },

  async "the twin is read, reported to, and its desired changes arrive"() {
    const text = await create("d3");
    await setDesired("d3", { interval: 5 });
    const client = await opened(Client, text);
    const twin = await within(client.getTwin(), "getTwin");
    assert.equal(twin.properties.desired.interval, 5);
    const update = (patch) => within(new Promise((resolve, reject) =>
      twin.properties.reported.update(patch, (error) => (error ? reject(error) : resolve()))), "reported.update");
    await update({ firmware: "1.2" });
    const changed = new Promise((resolve) => twin.on("properties.desired", (patch) => patch.interval === 9 && resolve(patch)));
    await pause(500); // the SDK subscribes when a listener is added, and does not say when it has
    const { properties } = await setDesired("d3", { interval: 9 });
    assert.equal((await within(changed, "desired notification")).$version, properties.desired.$version);
    await assert.rejects(update({ large: "x".repeat(40_000) }));
    await client.close();
    assert.equal((await twinOf("d3")).properties.reported.firmware, "1.2");
  },

  async "messages to a device are completed, rejected and abandoned; feedback tells the service"() {
    const client = await opened(Client, await create("d4"));
    const owner = await service();
    const feedback = [];
    const { result: receiver } = await within(owner.getFeedbackReceiver(), "getFeedbackReceiver");
    receiver.on("message", (message) => {
      feedback.push(...JSON.parse(message.data.toString()));
      receiver.complete(message).catch(() => {});
    });
    const seen = [];
    let abandoned = 0;
    client.on("message", (message) => {
      const text = message.data.toString();
      seen.push(text);
      if (text === "reject") return void client.reject(message).catch(() => {});
      if (text === "abandon" && ++abandoned === 1) return void client.abandon(message).catch(() => {});
      client.complete(message).catch(() => {});
    });
    for (const text of ["complete", "reject", "abandon"]) {
      const message = new ServiceMessage(text);
      message.messageId = `m-${text}`;
      message.ack = "full";
      message.properties.add("colour", "blue");
      await within(owner.send("d4", message), "send");
    }
    await until("every message came, one of them twice", () => seen.length >= 4, 20);
    assert.equal(seen.filter((text) => text === "abandon").length, 2);
    const outcome = (id) => feedback.find((one) => one.originalMessageId === id)?.statusCode;
    await until("feedback on all three", () => ["complete", "reject", "abandon"].every((text) => outcome(`m-${text}`)), 20);
    assert.equal(outcome("m-complete"), "Success");
    assert.equal(outcome("m-reject"), "Rejected");
    assert.equal(outcome("m-abandon"), "Success");
    await client.close();
    await owner.close();
  },

  async "a message to nobody, and one too many, are refused by name"() {
    await create("d5");
    const owner = await service();
    await assert.rejects(within(owner.send("nobody", new ServiceMessage("x")), "send"), { name: "DeviceNotFoundError" });
    for (let count = 0; count < 50; ++count) await within(owner.send("d5", new ServiceMessage("x")), "send");
    await assert.rejects(within(owner.send("d5", new ServiceMessage("x")), "send"), /[Qq]u(ota|eue)/);
    await owner.close();
    await assert.rejects(service("registryRead").then((client) => client.send("d5", new ServiceMessage("x"))));
  },

  async "a wrong key and a disabled device are refused"() {
    const known = parts(await create("d7"));
    const wrong = Client.fromConnectionString(`HostName=${host};DeviceId=d7;SharedAccessKey=${Buffer.alloc(32, 7).toString("base64")}`, Amqp);
    wrong.setRetryPolicy(new NoRetry());
    await assert.rejects(within(wrong.open(), "open"), { name: "UnauthorizedError" });
    await server.rows(`AzureDiagnostics | extend P = parse_json(properties_s) | where P.deviceId == "d7"
      and P.authFailureReason == "SasBadSignature" and P.protocol == "Amqp" and Level == "Error"`);
    const late = Client.fromSharedAccessSignature(sasToken({ ...known, HostName: host }, -3600), Amqp);
    late.setRetryPolicy(new NoRetry());
    await assert.rejects(within(late.open(), "open"), { name: "UnauthorizedError" });
    const client = await opened(Client, await create("d8"));
    await within(client.sendEvent(new Message("hello")), "sendEvent");
    const gone = new Promise((resolve) => client.once("disconnect", resolve));
    await server.cli("device", "update", "d8", "--hub", "home", "--status", "disabled");
    await within(gone, "disconnect");
  },

  async "the newer of two connections of one device wins, over whatever protocol"() {
    const text = await create("d9");
    const older = await opened(Client, text);
    await within(older.sendEvent(new Message("1")), "sendEvent");
    const gone = new Promise((resolve) => older.once("disconnect", resolve));
    const newer = await opened(Client, text);
    await within(gone, "disconnect of the older");
    await within(newer.sendEvent(new Message("2")), "sendEvent");
    await newer.close();
    await server.rows(`AzureDiagnostics | where OperationName == "deviceDisconnect" and ResultType == "400027"
      | extend P = parse_json(properties_s) | where P.deviceId == "d9"`);
  },

  async "links end with their token, unless it is renewed in time"() {
    const withToken = async (known, seconds) => {
      const client = Client.fromSharedAccessSignature(sasToken({ ...known, HostName: host }, seconds), Amqp);
      client.setRetryPolicy(new NoRetry());
      await within(client.open(), "open");
      await within(client.sendEvent(new Message("hello")), "sendEvent");
      return client;
    };
    const lapsing = parts(await create("d11")), renewing = parts(await create("d12"));
    const [ends, stays] = await Promise.all([withToken(lapsing, 3), withToken(renewing, 3)]);
    const gone = new Promise((resolve) => ends.once("disconnect", resolve));
    await within(stays.updateSharedAccessSignature(sasToken({ ...renewing, HostName: host })), "updateSharedAccessSignature");
    await within(gone, "disconnect of the client whose token ended", 20);
    for (const result of ["401003", "404104"]) {
      await server.rows(`AzureDiagnostics | where OperationName == "deviceDisconnect" and ResultType == "${result}"
        | extend P = parse_json(properties_s) | where P.deviceId == "d11"`);
    }
    await within(stays.sendEvent(new Message("still here")), "sendEvent");
    await within(stays.close(), "close", 30);
    await assert.rejects(withToken(lapsing, -3600), { name: "UnauthorizedError" });
  },

  async "a token's answer goes to the receiver that it names, or else to its session's"() {
    const token = sasToken({ ...parts(await create("d13")), HostName: host });
    const connection = plainConnection();
    await hears(connection, "connection_open");
    const sessions = [connection.create_session(), connection.create_session()];
    for (const session of sessions) session.open();
    const senders = sessions.map((session) => session.open_sender("$cbs"));
    await Promise.all(senders.map((sender) => hears(sender, "sendable")));
    const receivers = [1, 0].map((which) => sessions[which].open_receiver({ source: "$cbs", target: `answers-${which}` })).reverse();
    await Promise.all(receivers.map((receiver) => hears(receiver, "receiver_open")));
    const heard = receivers.map((receiver) => {
      const statuses = [];
      receiver.on("message", ({ message }) => statuses.push(message.application_properties["status-code"]));
      return statuses;
    });
    const put = (sender, body, more = {}) => sender.send({ message_id: "1", body, application_properties: { operation: "put-token" }, ...more });
    for (const more of [{}, { reply_to: "cbs" }]) {
      put(senders[0], "no token", more);
      put(senders[1], token, more);
    }
    await until("the answers of each session", () => heard[0].length === 2 && heard[1].length === 2);
    assert.deepEqual(heard, [[401, 401], [200, 200]]);
    put(senders[1], token, { reply_to: "answers-0" });
    await until("the answer that is to go elsewhere", () => heard[0].length === 3);
    assert.deepEqual(heard, [[401, 401, 200], [200, 200]]);
    connection.close();
    await hears(connection, "connection_close");
  },

  async "what a client still acknowledges on a session that it has ended disturbs no other"() {
    const connection = plainConnection();
    let lost = false;
    for (const name of ["connection_error", "disconnected", "error"]) connection.on(name, () => (lost = true));
    await hears(connection, "connection_open");
    const session = connection.create_session(), other = connection.create_session();
    session.open();
    other.open();
    const receiver = session.open_receiver({ source: "$cbs", autoaccept: false }), sender = session.open_sender("$cbs");
    const answer = hears(receiver, "message");
    await hears(sender, "sendable");
    sender.send({ message_id: "1", application_properties: { operation: "put-token" }, body: "no token" });
    const { delivery } = await answer;
    const ends = Promise.all([hears(session, "session_close"), hears(other, "session_close")]);
    session.close();
    await new Promise(setImmediate); // the end is written
    delivery.accept(); // as rhea does by itself with what arrives now
    other.close();
    await ends;
    assert.ok(!lost, "the connection goes on");
    connection.close();
    await hears(connection, "connection_close");
  },

  async "partitions are told, and read by offset, sequence number, time and from now on"() {
    const reader = consumer();
    const hub = await within(reader.getEventHubProperties(), "getEventHubProperties");
    assert.equal(hub.name, "home");
    assert.deepEqual(hub.partitionIds, ["0", "1", "2", "3"]);
    const client = await opened(Client, await create("d10"));
    const before = new Date();
    await pause(20);
    for (const text of ["a", "b", "c"]) await within(client.sendEvent(new Message(text)), "sendEvent");
    const mine = (event) => event.systemProperties["iothub-connection-device-id"] === "d10";
    const all = (await read((events) => events.filter(mine).length >= 3)).filter(mine);
    const infos = await Promise.all(hub.partitionIds.map((id) => within(reader.getPartitionProperties(id), "partition")));
    const info = infos.find((one) => one.lastEnqueuedSequenceNumber >= all[2].sequenceNumber && !one.isEmpty);
    assert.ok(info);
    const bodies = async (position) => (await read((events) => events.filter(mine).some((event) => bodyOf(event) === "c"), position))
      .filter(mine).map(bodyOf);
    assert.deepEqual(await bodies({ offset: all[0].offset, isInclusive: false }), ["b", "c"]);
    assert.deepEqual(await bodies({ sequenceNumber: all[1].sequenceNumber, isInclusive: true }), ["b", "c"]);
    assert.deepEqual(await bodies({ enqueuedOn: before }), ["a", "b", "c"]);
    const later = read((events) => events.some(mine), latestEventPosition);
    await pause(2_000);
    await within(client.sendEvent(new Message("d")), "sendEvent");
    assert.deepEqual((await later).filter(mine).map(bodyOf), ["d"]);
    await client.close();
    await reader.close();
  },

  async "readers with a wrong key, or of an entity that is not there, are refused"() {
    await assert.rejects(within(consumer({ key: Buffer.alloc(32, 1).toString("base64") }).getEventHubProperties(), "wrong key"),
      (error) => !/nothing within/.test(error.message));
    await assert.rejects(within(consumer({ entity: "elsewhere" }).getEventHubProperties(), "wrong entity"),
      (error) => !/nothing within/.test(error.message));
  },
});
await server.stop();
rmSync(path.dirname(settings), { recursive: true, force: true });
process.exit(failed === 0 ? 0 : 1);
