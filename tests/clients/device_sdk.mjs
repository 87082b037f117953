// The vendor's Node device SDK, unmodified, and mosquitto's tools, against the hub.
// usage: node device_sdk.mjs HUB_HOST BUILD_DIRECTORY
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';

const [hubHost, build] = process.argv.slice(2).map((one) => path.resolve(one));
const here = path.dirname(fileURLToPath(import.meta.url));

function install() {
  const lock = path.join(here, 'package-lock.json');
  const done = path.join(build, 'node_modules', '.package-lock.json');
  if (!existsSync(done) || !existsSync(path.join(build, 'package-lock.json')) ||
      readFileSync(lock, 'utf8') !== readFileSync(path.join(build, 'package-lock.json'), 'utf8')) {
    mkdirSync(build, { recursive: true });
    for (const name of ['package.json', 'package-lock.json']) copyFileSync(path.join(here, name), path.join(build, name));
    execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], {
      cwd: build, stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, PATH: `${path.dirname(process.execPath)}:${process.env.PATH}` },
    });
  }
  return createRequire(path.join(build, 'package.json'));
}

class Hub {
  async start() {
    this.directory = mkdtempSync(path.join(tmpdir(), 'fieldwatch-clients-'));
    this.process = spawn(hubHost, [this.directory], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.lines = readline.createInterface({ input: this.process.stdout })[Symbol.asyncIterator]();
    const { port, ca } = JSON.parse((await this.lines.next()).value);
    this.port = port;
    this.caFile = ca;
    this.ca = readFileSync(ca, 'utf8');
  }
  async tell(command) {
    this.process.stdin.write(command + '\n');
    return JSON.parse((await this.lines.next()).value);
  }
  async records(matches, count = 1) {
    for (let tries = 0; tries < 50; ++tries) {
      const found = (await this.tell('records')).records.filter(matches);
      if (found.length >= count) return found;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.fail(`no record where ${matches}`);
  }
  operations(name, result = '') {
    return this.records((one) => {
      if (one.kind !== 'operation') return false;
      const body = JSON.parse(one.body);
      return body.operationName === name && body.resultType === result;
    });
  }
  async stop() {
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.stdin.end('quit\n');
    const code = await ended;
    rmSync(this.directory, { recursive: true, force: true });
    assert.equal(code, 0, 'the hub ends cleanly');
  }
}

const require = install();
const { Client, ModuleClient, Message } = require('azure-iot-device');
const { Mqtt } = require('azure-iot-device-mqtt');
const { NoRetry } = require('azure-iot-common');

const hub = new Hub();
await hub.start();

const connectionString = (device, key, module) =>
  `HostName=localhost:${hub.port};DeviceId=${device}${module ? `;ModuleId=${module}` : ''};SharedAccessKey=${key}`;

function sasToken(device, key, lifetimeSeconds) {
  const resource = encodeURIComponent(`localhost:${hub.port}/devices/${device}`);
  const expiry = Math.floor(Date.now() / 1000) + lifetimeSeconds;
  const signature = createHmac('sha256', Buffer.from(key, 'base64')).update(`${resource}\n${expiry}`).digest('base64');
  return `SharedAccessSignature sr=${resource}&sig=${encodeURIComponent(signature)}&se=${expiry}`;
}

async function trust(client) {
  await client.setOptions({ ca: hub.ca });
  client.setRetryPolicy(new NoRetry());
  return client;
}

const within = (promise, what) => Promise.race([
  promise, new Promise((_, reject) => setTimeout(() => reject(new Error(`${what}: nothing within 10 s`)), 10_000).unref())]);

const cases = {
  async 'telemetry and a security message are stored with their properties'() {
    const { key } = await hub.tell('create d1');
    const client = await trust(Client.fromConnectionString(connectionString('d1', key), Mqtt));
    await within(client.open(), 'open');
    const message = new Message('{"temperature":21.5}');
    message.messageId = 'id 1';
    message.contentType = 'application/json';
    message.contentEncoding = 'utf-8';
    message.properties.add('k 1', 'v&1');
    await within(client.sendEvent(message), 'sendEvent');
    const security = new Message('{"AgentVersion":"1"}');
    security.setAsSecurityMessage();
    await within(client.sendEvent(security), 'sendEvent');
    await client.close();
    const [telemetry] = await hub.records((one) => one.kind === 'telemetry' && one.device === 'd1');
    assert.equal(telemetry.stream, 'telemetry');
    assert.equal(telemetry.body, '{"temperature":21.5}');
    assert.equal(telemetry.properties['message-id'], 'id 1');
    assert.equal(telemetry.properties['content-type'], 'application/json');
    assert.equal(telemetry.properties['k 1'], 'v&1');
    assert.equal(telemetry.properties['iothub-connection-device-id'], 'd1');
    const [marked] = await hub.records((one) => one.kind === 'security-message' && one.device === 'd1');
    assert.equal(marked.stream, 'security');
    assert.equal(marked.body, '{"AgentVersion":"1"}');
    const [connect] = await hub.operations('deviceConnect');
    assert.match(JSON.parse(JSON.parse(connect.body).properties).sdkVersion, /azure-iot-device\/1\.18\.4/);
    await hub.operations('deviceDisconnect');
  },

  async 'the twin is read, reported to, and its desired changes arrive'() {
    const { key } = await hub.tell('create d2');
    await hub.tell('desired d2 {"interval":5}');
    const client = await trust(Client.fromConnectionString(connectionString('d2', key), Mqtt));
    await within(client.open(), 'open');
    const twin = await within(client.getTwin(), 'getTwin');
    assert.equal(twin.properties.desired.interval, 5);
    const update = (patch) => within(new Promise((resolve, reject) =>
      twin.properties.reported.update(patch, (error) => (error ? reject(error) : resolve()))), 'reported.update');
    await update({ firmware: '1.2', nested: { a: 1 } });
    const seen = [];
    const changed = new Promise((resolve) => twin.on('properties.desired', (patch) => {
      seen.push(patch);
      if (patch.interval === 9) resolve();
    }));
    await new Promise((resolve) => setTimeout(resolve, 300));  // the SDK subscribes when a listener is added
    const { version } = await hub.tell('desired d2 {"interval":9}');
    await within(changed, 'desired notification');
    assert.equal(seen.at(-1).$version, version);
    const again = await within(client.getTwin(), 'getTwin');
    assert.equal(again.properties.reported.firmware, '1.2');
    // Node takes an error only from the body (trap 19).
    await assert.rejects(update({ large: 'x'.repeat(40_000) }));
    await update({ firmware: '1.3' });
    await client.close();
  },

  async 'a module speaks as itself'() {
    const { key } = await hub.tell('create d3 azureiotsecurity');
    const client = await trust(ModuleClient.fromConnectionString(connectionString('d3', key, 'azureiotsecurity'), Mqtt));
    await within(client.open(), 'open');
    const message = new Message('{"AgentVersion":"3"}');
    message.setAsSecurityMessage();
    await within(client.sendEvent(message), 'sendEvent');
    await within(client.getTwin(), 'getTwin');
    await client.close();
    const [marked] = await hub.records((one) => one.kind === 'security-message' && one.device === 'd3');
    assert.equal(marked.module, 'azureiotsecurity');
  },

  async 'wrong key, unknown device and expired token are refused as unauthorized'() {
    const { key } = await hub.tell('create d4');
    const wrong = Buffer.alloc(32, 7).toString('base64');
    for (const [device, its] of [['d4', wrong], ['nobody', key]]) {
      const client = await trust(Client.fromConnectionString(connectionString(device, its), Mqtt));
      await assert.rejects(within(client.open(), 'open'), { name: 'UnauthorizedError' });
      await client.close().catch(() => {});
    }
    const expired = await trust(Client.fromSharedAccessSignature(sasToken('d4', key, -3600), Mqtt));
    await assert.rejects(within(expired.open(), 'open'), { name: 'UnauthorizedError' });
    // Two: the record of the second may still be in the journal's commit.
    const refusals = await hub.records((one) => one.kind === 'operation' && one.device === 'd4' &&
      JSON.parse(one.body).resultType === '401003', 2);
    const reasons = refusals.map((one) => JSON.parse(JSON.parse(one.body).properties).authFailureReason);
    assert.deepEqual(reasons, ['SasBadSignature', 'SasExpired']);
  },

  async 'a disabled device is closed at once and not let in again'() {
    const { key } = await hub.tell('create d5');
    const client = await trust(Client.fromConnectionString(connectionString('d5', key), Mqtt));
    await within(client.open(), 'open');
    const gone = new Promise((resolve) => client.once('disconnect', resolve));
    await hub.tell('disable d5');
    await within(gone, 'disconnect');
    const again = await trust(Client.fromConnectionString(connectionString('d5', key), Mqtt));
    await assert.rejects(within(again.open(), 'open'), { name: 'UnauthorizedError' });
    await hub.operations('deviceDisconnect', '403012');
  },

  async 'mosquitto publishes and subscribes'() {
    const { key } = await hub.tell('create d6');
    const common = ['-h', 'localhost', '-p', `${hub.port}`, '--cafile', hub.caFile, '-V', 'mqttv311', '-i', 'd6',
      '-u', `localhost:${hub.port}/d6/?api-version=2021-04-12`, '-P', sasToken('d6', key, 3600)];
    const published = spawnSync('mosquitto_pub', [...common, '-q', '1', '-t', 'devices/d6/messages/events/k=v', '-m', 'hi'], { timeout: 10_000 });
    if (published.error?.code === 'ENOENT') return console.log('  mosquitto-clients is not installed: skipped');
    assert.equal(published.status, 0, `${published.stderr}`);
    await hub.records((one) => one.device === 'd6' && one.body === 'hi');
    const subscriber = spawn('mosquitto_sub', [...common, '-q', '1', '-C', '1', '-v', '-t', '$iothub/twin/PATCH/properties/desired/#']);
    let heard = '';
    subscriber.stdout.on('data', (data) => { heard += data; });
    const ended = new Promise((resolve) => subscriber.once('exit', resolve));
    await hub.records((one) => one.device === 'd6' && one.kind === 'operation' && JSON.parse(one.body).operationName === 'subscribe');
    const { version } = await hub.tell('desired d6 {"x":1}');
    await within(ended, 'mosquitto_sub').finally(() => subscriber.kill());
    assert.equal(heard.trim(), `$iothub/twin/PATCH/properties/desired/?$version=${version} {"x":1,"$version":${version}}`);
  },
};

let failures = 0;
for (const [name, run] of Object.entries(cases)) {
  try {
    await run();
    console.log(`ok   ${name}`);
  } catch (error) {
    ++failures;
    console.log(`FAIL ${name}\n${error.stack}`);
  }
}
await hub.stop();
process.exit(failures === 0 ? 0 : 1);
