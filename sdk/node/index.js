'use strict';
// Security messages of an application: build, check, mark, send. No dependency.
//
//   const message = new Message('my-app 1.2');
//   message.add('Custom', { Name: 'door-opened', ExtraDetails: { door: '3' } });
//
// With a vendor's device client that the application already has: `const sent = new azure.Message(message.body());
// sent.setAsSecurityMessage();`. Without one, `Sender` speaks MQTT 3.1.1 over TLS with a connection string.
const crypto = require('node:crypto');
const fs = require('node:fs');
const net = require('node:net');
const tls = require('node:tls');

const INTERFACE_ID = 'urn:azureiot:Security:SecurityAgent:1';
const MARK = '%24.ifid=urn%3Aazureiot%3ASecurity%3ASecurityAgent%3A1';
const MESSAGE_BYTES_MAX = 262144;
const LIST_MAX = 4096; // of events in a message, and of payloads in an event: the hub's bounds
const TIME = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.\d{1,9})?(?:Z|[+-](\d{2}):(\d{2}))$/;
const KINDS = require('./kinds.json').kinds;

class Problem extends Error {
  /** problems: list of { pointer, text } */
  constructor(problems) {
    super(problems.map(({ pointer, text }) => `${pointer}: ${text}`).join('; '));
    this.problems = problems;
  }
}

function isObject(value) {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function isTime(value) {
  const found = typeof value === 'string' && TIME.exec(value);
  if (!found) return false;
  const [year, month, day, hour, minute, second, zoneHours, zoneMinutes] = found.slice(1).map((part) => Number(part || 0));
  const days = month === 2 ? (year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31;
  return year > 0 && month >= 1 && month <= 12 && day >= 1 && day <= days && hour <= 23 && minute <= 59 && second <= 60 && zoneHours <= 14 && zoneMinutes <= 59;
}

function fits(field, value) {
  if (field.type === 'integer') return Number.isSafeInteger(value);
  if (field.type === 'boolean') return typeof value === 'boolean';
  if (typeof value !== 'string') return false;
  if (field.type === 'ip') return net.isIP(value) !== 0 && !value.includes('%');
  return field.type !== 'choice' || field.choices.includes(value);
}

function checkPayload(kind, payload, at) {
  if (!isObject(payload)) return [{ pointer: at, text: 'must be an object' }];
  const fields = new Map(kind.fields.map((field) => [field.name, field]));
  const out = [];
  for (const field of kind.fields) {
    if (field.required && !(field.name in payload)) out.push({ pointer: `${at}/${field.name}`, text: 'is required' });
  }
  for (const [name, value] of Object.entries(payload)) {
    if (name === 'ExtraDetails') {
      if (!isObject(value) || !Object.values(value).every((one) => typeof one === 'string'))
        out.push({ pointer: `${at}/ExtraDetails`, text: 'must hold texts only' });
    } else if (!fields.has(name)) {
      out.push({ pointer: `${at}/${name}`, text: 'is no field of this kind' });
    } else if (!fits(fields.get(name), value)) {
      out.push({ pointer: `${at}/${name}`, text: `must be ${(fields.get(name).choices || [fields.get(name).type]).join(' or ')}` });
    }
  }
  if (kind.name === 'Login' && !('UserId' in payload) && !('UserName' in payload)) out.push({ pointer: at, text: 'needs UserId or UserName' });
  return out;
}

const EVENT_MEMBERS = ['Id', 'TimestampLocal', 'TimestampUTC', 'Category', 'Name', 'EventType', 'IsEmpty', 'PayloadSchemaVersion', 'Payload'];

function checkEvent(event, at) {
  if (!isObject(event)) return [{ pointer: at, text: 'must be an object' }];
  const kind = KINDS.find((one) => one.name === event.Name && one.version === event.PayloadSchemaVersion);
  if (!kind) return [{ pointer: `${at}/Name`, text: 'no such kind in this payload schema version' }];
  const out = [];
  for (const name of EVENT_MEMBERS) if (!(name in event)) out.push({ pointer: `${at}/${name}`, text: 'is required' });
  for (const name of Object.keys(event)) if (!EVENT_MEMBERS.includes(name)) out.push({ pointer: `${at}/${name}`, text: 'is not allowed' });
  if (typeof event.Id !== 'string' || event.Id.length !== 36) out.push({ pointer: `${at}/Id`, text: 'must have 36 characters' });
  for (const name of ['TimestampLocal', 'TimestampUTC']) {
    if (!isTime(event[name])) out.push({ pointer: `${at}/${name}`, text: 'must be an RFC 3339 time' });
  }
  if (event.Category !== kind.category) out.push({ pointer: `${at}/Category`, text: `must be ${kind.category}` });
  if (event.EventType !== kind.eventType) out.push({ pointer: `${at}/EventType`, text: `must be ${kind.eventType}` });
  if (!Array.isArray(event.Payload) || typeof event.IsEmpty !== 'boolean')
    return [...out, { pointer: `${at}/Payload`, text: 'must be a list, and IsEmpty a boolean' }];
  const filled = event.Payload.length > 0;
  if (event.IsEmpty === filled || (!filled && kind.category !== 'Periodic') || (filled && kind.fields.length === 0))
    out.push({ pointer: `${at}/IsEmpty`, text: 'does not agree with Payload' });
  if (event.Payload.length > LIST_MAX) out.push({ pointer: `${at}/Payload`, text: `must hold at most ${LIST_MAX}` });
  event.Payload.forEach((payload, index) => out.push(...checkPayload(kind, payload, `${at}/Payload/${index}`)));
  return out;
}

/** All problems of a body as { pointer, text }; [] = it follows the schema (STRICT, or 2.0). */
function validate(body) {
  if (Buffer.byteLength(body) > MESSAGE_BYTES_MAX) return [{ pointer: '', text: 'over 262144 bytes' }];
  let root;
  try {
    root = JSON.parse(typeof body === 'string' ? body : new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body));
  } catch {
    return [{ pointer: '', text: 'no JSON in UTF-8' }];
  }
  if (!isObject(root)) return [{ pointer: '', text: 'must be an object' }];
  const members = ['AgentVersion', 'AgentId', 'MessageSchemaVersion', 'Events'];
  const out = [];
  for (const name of members) if (!(name in root)) out.push({ pointer: `/${name}`, text: 'is required' });
  for (const name of Object.keys(root)) if (!members.includes(name)) out.push({ pointer: `/${name}`, text: 'is not allowed' });
  if (root.MessageSchemaVersion !== '1.0') out.push({ pointer: '/MessageSchemaVersion', text: 'must be 1.0' });
  if (typeof root.AgentVersion !== 'string') out.push({ pointer: '/AgentVersion', text: 'must be a text' });
  if (typeof root.AgentId !== 'string' || root.AgentId.length !== 36) out.push({ pointer: '/AgentId', text: 'must have 36 characters' });
  if (!Array.isArray(root.Events) || root.Events.length === 0) return [...out, { pointer: '/Events', text: 'must be a list that is not empty' }];
  if (root.Events.length > LIST_MAX) out.push({ pointer: '/Events', text: `must hold at most ${LIST_MAX}` });
  root.Events.forEach((event, index) => out.push(...checkEvent(event, `/Events/${index}`)));
  return out;
}

function localTime(time) {
  const minutes = -time.getTimezoneOffset();
  const two = (value) => String(Math.floor(value)).padStart(2, '0');
  const text = new Date(time.getTime() + minutes * 60000).toISOString().slice(0, -1);
  return minutes === 0 ? `${text}Z` : `${text}${minutes < 0 ? '-' : '+'}${two(Math.abs(minutes) / 60)}:${two(Math.abs(minutes) % 60)}`;
}

/** One message of checked events. */
class Message {
  constructor(agentVersion, agentId = crypto.randomUUID()) {
    this.agentVersion = agentVersion;
    this.agentId = agentId;
    this.events = [];
  }

  /** One event: `payload` is an object, a list of them, or nothing for an empty snapshot. Throws Problem; returns the event's Id. */
  add(name, payload = [], time = new Date()) {
    const kind = KINDS.find((one) => one.name === name);
    if (!kind) throw new Problem([{ pointer: '/Name', text: `no such kind: ${name}` }]);
    const payloads = Array.isArray(payload) ? payload : [payload];
    const event = {
      Id: crypto.randomUUID(), TimestampLocal: localTime(time), TimestampUTC: time.toISOString(), Category: kind.category, Name: name,
      EventType: kind.eventType, IsEmpty: payloads.length === 0, PayloadSchemaVersion: kind.version, Payload: payloads,
    };
    const problems = checkEvent(event, '');
    if (problems.length > 0) throw new Problem(problems);
    this.events.push(event);
    return event.Id;
  }

  body() {
    const out = Buffer.from(JSON.stringify({ AgentVersion: this.agentVersion, AgentId: this.agentId, MessageSchemaVersion: '1.0', Events: this.events }));
    if (this.events.length === 0 || out.length > MESSAGE_BYTES_MAX)
      throw new Problem([{ pointer: '/Events', text: 'a message holds at least one event and at most 262144 bytes' }]);
    return out;
  }
}

function isSecurityTopic(topic) {
  const bag = topic.slice(topic.lastIndexOf('/') + 1);
  return bag.split('&').some((pair) => {
    const at = pair.indexOf('=');
    try {
      return at > 0 && decodeURIComponent(pair.slice(0, at)) === '$.ifid' && decodeURIComponent(pair.slice(at + 1)) === INTERFACE_ID;
    } catch {
      return false;
    }
  });
}

function markTopic(topic) {
  if (isSecurityTopic(topic)) return topic;
  return topic + (/[/&]$/.test(topic) ? '' : '&') + MARK;
}

function text(value) {
  const raw = Buffer.from(value);
  return Buffer.concat([Buffer.from([raw.length >> 8, raw.length & 255]), raw]);
}

function packet(kind, body) {
  const head = [kind];
  let size = body.length;
  do {
    head.push((size & 127) | (size > 127 ? 128 : 0));
    size >>>= 7;
  } while (size > 0);
  return Buffer.concat([Buffer.from(head), body]);
}

/** One connection, made at the first send. options: caFile, port, connectHost, timeout (ms). The server's name is always checked. */
class Sender {
  constructor(connectionString, options = {}) {
    const parts = Object.fromEntries(String(connectionString).trim().split(';').map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
    for (const name of ['HostName', 'DeviceId', 'SharedAccessKey']) {
      if (!parts[name]) throw new Error(`the connection string has no ${name}: HostName=…;DeviceId=…;[ModuleId=…;]SharedAccessKey=…`);
    }
    const [host, port] = parts.HostName.split(':');
    Object.assign(this, { host, device: parts.DeviceId, module: parts.ModuleId, options });
    this.key = Buffer.from(parts.SharedAccessKey, 'base64');
    this.port = options.port || Number(port || 8883);
    this.packetId = 0;
    this.waiting = new Map();
  }

  token() {
    const resource = encodeURIComponent(`${this.host}/devices/${this.device}${this.module ? `/modules/${this.module}` : ''}`);
    const expiry = Math.floor(Date.now() / 1000) + 3600;
    const signature = crypto.createHmac('sha256', this.key).update(`${resource}\n${expiry}`).digest('base64');
    return `SharedAccessSignature sr=${resource}&sig=${encodeURIComponent(signature)}&se=${expiry}`;
  }

  timeout() {
    return this.options.timeout || 30000;
  }

  open() {
    if (this.opening) return this.opening;
    const ca = this.options.caFile ? fs.readFileSync(this.options.caFile) : undefined;
    this.opening = new Promise((resolve, reject) => {
      const socket = tls.connect({ host: this.options.connectHost || this.host, port: this.port, servername: this.host, ca, minVersion: 'TLSv1.2' });
      let input = Buffer.alloc(0);
      this.socket = socket;
      const late = setTimeout(() => end(new Error('the hub does not answer')), this.timeout());
      const end = (error) => {
        clearTimeout(late);
        reject(error);
        socket.destroy();
        if (this.socket !== socket) return; // another took its place, with messages of its own
        for (const one of this.waiting.values()) one.reject(error);
        this.waiting.clear();
        this.opening = undefined;
      };
      socket.on('error', end);
      socket.on('close', () => end(new Error('the hub closed the connection')));
      socket.on('secureConnect', () => {
        const identity = this.device + (this.module ? `/${this.module}` : '');
        const user = `${this.host}/${identity}/?api-version=2021-04-12`;
        socket.write(packet(0x10, Buffer.concat([text('MQTT'), Buffer.from([4, 0xc2, 0, 0]), text(identity), text(user), text(this.token())])));
      });
      socket.on('data', (data) => {
        input = Buffer.concat([input, data]);
        for (;;) {
          let size = 0;
          let at = 1;
          for (; at < input.length && at < 5; ++at) {
            size |= (input[at] & 127) << (7 * (at - 1));
            if (!(input[at] & 128)) break;
          }
          if (at >= input.length || at === 5 || input.length < at + 1 + size) {
            if (at === 5 || size > 1 << 20) end(new Error('no MQTT'));
            return;
          }
          const kind = input[0] >> 4;
          const body = input.subarray(at + 1, at + 1 + size);
          input = input.subarray(at + 1 + size);
          if (kind === 2) {
            if (body[1] !== 0) return end(new Error(`the hub refuses the connection, CONNACK ${body[1]}`));
            clearTimeout(late);
            resolve();
          } else if (kind === 4) {
            const id = body.readUInt16BE(0);
            this.waiting.get(id)?.resolve();
            this.waiting.delete(id);
          }
        }
      });
    });
    return this.opening;
  }

  /** Resolves when the hub has confirmed the message (a Message, or bytes that follow the schema): it is durable there. */
  async send(message) {
    const body = Buffer.isBuffer(message) ? message : message.body();
    await this.open(); // rejects when the hub is silent for as long as a confirmation may take
    this.packetId = (this.packetId % 65535) + 1;
    const id = this.packetId;
    const where = `devices/${this.device}${this.module ? `/modules/${this.module}` : ''}`;
    const topic = `${where}/messages/events/${MARK}&%24.ct=application%2Fjson&%24.ce=utf-8`;
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(id);
        reject(new Error('no confirmation in time; send the same message again'));
        this.socket.destroy(); // the next send opens another
      }, this.timeout());
      const done = (finish) => (value) => {
        clearTimeout(timer);
        finish(value);
      };
      this.waiting.set(id, { resolve: done(resolve), reject: done(reject) });
      this.socket.write(packet(0x32, Buffer.concat([text(topic), Buffer.from([id >> 8, id & 255]), body])));
    });
  }

  close() {
    if (this.socket) this.socket.end(Buffer.from([0xe0, 0]));
    this.opening = undefined;
  }
}

module.exports = { INTERFACE_ID, Message, Problem, Sender, isSecurityTopic, markTopic, validate };
