// What a person says of a connector, and what is sent of it (docs/connectors.md): pure.
export interface ConnectorStatus {
  state: "off" | "connecting" | "reading" | "failing";
  since: string | null;
  problem: string;
  nextTry: string | null;
  messages: number;
  securityMessages: number;
  operations: number;
  refused: number;
  lastRefusal: string;
  lastReceived: string | null;
}

export interface Connector {
  name: string;
  type: string;
  enabled: boolean;
  status: ConnectorStatus;
}

export interface Topic {
  topic: string;
  security: boolean;
}

export interface ConnectorForm {
  name: string;
  type: "event-hubs" | "mqtt";
  registerDevices: boolean;
  caPem: string;
  connection: string; // secret
  consumerGroup: string;
  start: string;
  url: string;
  user: string;
  password: string; // secret
  clientId: string;
  topics: readonly Topic[];
  logTopic: string;
  logFile: string;
  deviceIs: string;
}

export const topicsMax = 32;
export const emptyConnector: ConnectorForm = {
  name: "", type: "event-hubs", registerDevices: true, caPem: "", connection: "", consumerGroup: "", start: "latest",
  url: "", user: "", password: "", clientId: "", topics: [{ topic: "", security: false }], logTopic: "", logFile: "", deviceIs: "clientId",
};

/** What the server is sent: of the chosen kind only, and nothing that is empty. */
export function connectorBody(form: ConnectorForm): Record<string, unknown> {
  const texts = (names: readonly (keyof ConnectorForm)[]) =>
    Object.fromEntries(names.map((name) => [name, String(form[name]).trim()] as const).filter(([, value]) => value !== ""));
  const common = { type: form.type, registerDevices: form.registerDevices, ...(form.caPem.trim() !== "" && { caPem: `${form.caPem.trim()}\n` }) };
  if (form.type === "event-hubs") return { ...common, ...texts(["connection", "consumerGroup", "start"]) };
  const topics = form.topics.map(({ topic, security }) => ({ topic: topic.trim(), security })).filter(({ topic }) => topic !== "");
  return { ...common, ...texts(["url", "user", "clientId", "logTopic", "logFile", "deviceIs"]), ...(form.password !== "" && { password: form.password }), topics };
}

/** Why nothing would be read; "" where something would. */
export const lacks = (form: ConnectorForm): string =>
  form.type === "mqtt" && form.topics.every(({ topic }) => topic.trim() === "") && form.logTopic.trim() === "" && form.logFile.trim() === ""
    ? "Name a topic, or where the broker's log is: else nothing is read."
    : "";

/**
 * What came of the first attempt: true: it reads; a text: why not; null: not known yet. A connector that was changed still shows how
 * its predecessor did, `before`, for a moment.
 */
export function attempted(status: ConnectorStatus, before: ConnectorStatus): true | string | null {
  if (status.state === before.state && status.since === before.since && before.state !== "connecting" && before.state !== "off") return null;
  if (status.state === "reading") return true;
  return status.state === "failing" ? status.problem : null;
}
