// The real binary for tests in JavaScript, run the way a person runs it: what harness.py is for those in Python.
import { execFile, spawn } from "node:child_process";
import { createHmac, randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const top = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..", "..");
export const build = process.env.FIELDWATCH_BUILD ?? path.join(top, "build", "release");
const binary = path.join(build, "src", "app", "fieldwatch");
/** How much longer than usual an answer may take: a sanitizer makes everything slower. */
export const patience = Number(process.env.FIELDWATCH_PATIENCE ?? 1);
const executed = promisify(execFile);

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Asks `probe` again until it gives something; what it gave. */
export async function until(what, probe, seconds = 20) {
  const deadline = Date.now() + seconds * 1000 * patience;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`not within ${seconds} s: ${what}`);
    await pause(50);
  }
}

/** What the promise gives, unless it takes too long. */
export const within = (promise, what, seconds = 15) => Promise.race([
  promise, new Promise((_, reject) => setTimeout(
    () => reject(new Error(`${what}: nothing within ${seconds * patience} s`)), seconds * 1000 * patience).unref())]);

/** `fieldwatch serve` with its own data folder, on ports the kernel chooses unless `words` say otherwise. */
export class Server {
  static async start(...words) {
    const server = new Server();
    server.data = mkdtempSync(path.join(tmpdir(), "fieldwatch-test-"));
    server.logFile = path.join(server.data, "server.log");
    const log = openSync(server.logFile, "a");
    server.process = spawn(binary, ["serve", "--data", server.data, "--hub-port", "0", "--amqp-port", "0", "--page-port", "0", ...words],
      { stdio: ["ignore", log, log] });
    process.once("exit", () => server.process.kill("SIGKILL")); // a test that throws leaves nothing behind
    server.ended = new Promise((resolve) => server.process.once("exit", resolve));
    const profile = path.join(server.data, "profile.json");
    await until("the server is ready", async () => {
      if (server.process.exitCode !== null) throw new Error(`the server ended:\n${server.log()}`);
      return existsSync(profile) && (await server.cli("doctor", "--ready").then(() => true, () => false));
    }, 60);
    server.profile = JSON.parse(readFileSync(profile, "utf8"));
    server.ca = readFileSync(server.profile.caFile, "utf8");
    return server;
  }

  /** The server that another process of the same test has started. */
  static attach(data) {
    const server = new Server();
    server.data = data;
    server.profile = JSON.parse(readFileSync(path.join(data, "profile.json"), "utf8"));
    server.ca = readFileSync(server.profile.caFile, "utf8");
    return server;
  }

  log() {
    return readFileSync(this.logFile, "utf8").slice(-4000);
  }

  /** What a subcommand prints; rejects when it fails. */
  async cli(...words) {
    const env = { ...process.env, FIELDWATCH_PROFILE: path.join(this.data, "profile.json") };
    return (await executed(binary, words, { env, timeout: 60_000 * patience })).stdout;
  }

  /** A device, or a module of one, made by the command line; its connection string. */
  async create(device, module) {
    const words = module ? ["--module", module] : [];
    await this.cli("device", "create", device, "--hub", "home", ...words);
    return (await this.cli("device", "connection-string", device, "--hub", "home", ...words)).trim();
  }

  async request(method, target, body) {
    const response = await fetch(this.profile.server + target, {
      method,
      headers: { authorization: `Bearer ${this.profile.token}` },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${target}: ${response.status} ${text}`);
    return text;
  }

  /** The rows of a query's first table. */
  async query(text) {
    return JSON.parse(await this.cli("query", "--format", "json", text)).tables[0].rows;
  }

  /** The rows, once there are `count`. */
  rows(text, count = 1) {
    return until(text, async () => {
      const rows = await this.query(text);
      return rows.length >= count && rows;
    });
  }

  async stop() {
    this.process.kill("SIGTERM");
    const code = await Promise.race([this.ended, pause(30_000 * patience).then(() => "nothing within 30 s of SIGTERM")]);
    if (code !== 0) {
      this.process.kill("SIGKILL");
      throw new Error(`the server ended with ${code}:\n${this.log()}`);
    }
    rmSync(this.data, { recursive: true, force: true });
  }
}

/** The members of a connection string. */
export function parts(connectionString) {
  return Object.fromEntries(connectionString.split(";").map((part) => {
    const at = part.indexOf("=");
    return [part.slice(0, at), part.slice(at + 1)];
  }));
}

/** A token for the identity of a connection string's parts. */
export function sasToken({ HostName, DeviceId, ModuleId, SharedAccessKey }, lifetimeSeconds = 3600) {
  const resource = encodeURIComponent(`${HostName}/devices/${DeviceId}${ModuleId ? `/modules/${ModuleId}` : ""}`);
  const expiry = Math.floor(Date.now() / 1000) + lifetimeSeconds;
  const signature = createHmac("sha256", Buffer.from(SharedAccessKey, "base64")).update(`${resource}\n${expiry}`).digest("base64");
  return `SharedAccessSignature sr=${resource}&sig=${encodeURIComponent(signature)}&se=${expiry}`;
}

const mark = "%24.ifid=urn%3Aazureiot%3ASecurity%3ASecurityAgent%3A1&%24.ct=application%2Fjson&%24.ce=utf-8";

/** Publishes a security message as a device does, with mosquitto_pub; returns when the hub has acknowledged it. */
export async function publish(server, connectionString, message) {
  const known = parts(connectionString);
  const [host, port] = known.HostName.split(":");
  const client = known.DeviceId + (known.ModuleId ? `/${known.ModuleId}` : "");
  const prefix = `devices/${known.DeviceId}` + (known.ModuleId ? `/modules/${known.ModuleId}` : "");
  await executed("mosquitto_pub", ["-h", host, "-p", port, "--cafile", server.profile.caFile, "-V", "mqttv311", "-i", client,
    "-u", `${known.HostName}/${client}/?api-version=2021-04-12`, "-P", sasToken(known), "-q", "1",
    "-t", `${prefix}/messages/events/${mark}`, "-m", JSON.stringify(message)], { timeout: 15_000 * patience });
}

/** A security message of one event, as the published schema has it. */
function message(name, category, payload, type = "Security") {
  const now = new Date().toISOString();
  return {
    AgentVersion: "1.0.0", AgentId: "0a1b2c3d-0000-4000-8000-000000000002", MessageSchemaVersion: "1.0",
    Events: [{
      Id: randomUUID(), TimestampLocal: now, TimestampUTC: now, Category: category, Name: name,
      EventType: type, IsEmpty: payload.length === 0, PayloadSchemaVersion: "1.0", Payload: payload,
    }],
  };
}

/** A process that began; `more` are members of its payload in place of the usual ones. */
export const processMessage = (commandLine, more = {}) => message("ProcessCreate", "Triggered",
  [{ Executable: "/bin/sh", ProcessId: 100, ParentProcessId: 1, UserId: "0", UserName: "root", CommandLine: commandLine, ...more }]);

/** Outgoing TCP connections, each [address, port]. */
export const connectionMessage = (executable, ...peers) => message("ConnectionCreate", "Triggered", peers.map(([address, port]) =>
  ({ RemoteAddress: address, RemotePort: String(port), LocalAddress: "192.168.1.5", LocalPort: "50123", Direction: "Out", Protocol: "tcp", ProcessId: 7, Executable: executable, UserId: "0", CommandLine: executable })));

/** What an agent says it had to drop of a queue since it last said so. */
export const droppedMessage = (queue, collected, dropped) => message("DroppedEventsStatistics", "Periodic",
  [{ Queue: queue, CollectedEvents: collected, DroppedEvents: dropped }], "Operational");

/** Somebody who logged in, or tried to. */
export const loginMessage = (more = {}) => message("Login", "Triggered",
  [{ ProcessId: 30, UserId: "1000", UserName: "operator", Operation: "Login", Executable: "/usr/sbin/sshd", RemoteAddress: "192.168.1.77", RemotePort: "50022", LocalPort: "22", Result: "Success", ...more }]);

/** What an agent says of itself. */
export const diagnosticMessage = (text, severity = "Information") => message("Diagnostic", "Triggered", [{ Severity: severity, Message: text, ProcessId: 1, ThreadId: 1 }], "Diagnostic");

/** What a device says of its system. */
export const systemMessage = (more = {}) => message("SystemInformation", "Periodic", [{ OSName: "Linux", OSVersion: "6.1.0", OSVendor: "Example Linux", OsArchitecture: "aarch64", HostName: "pump-host", ...more }]);

/** A snapshot of listening TCP ports, each [address, port]. */
export const portsMessage = (...endpoints) => message("ListeningPorts", "Periodic", endpoints.map(([address, port]) =>
  ({ Protocol: "tcp", LocalAddress: address, LocalPort: port, RemoteAddress: "0.0.0.0", RemotePort: "*" })));

/** Runs the tests in order, says how each went; how many failed. */
export async function runAll(tests) {
  let failed = 0;
  for (const [name, test] of Object.entries(tests)) {
    const began = performance.now();
    try {
      await test();
      console.log(`ok   ${name} (${Math.round(performance.now() - began)} ms)`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL ${name}\n${error.stack}`);
    }
  }
  return failed;
}
