// Attaching a hub to what devices use already: what each kind needs to know, and whether the first attempt got through. What is secret
// goes to the server and never comes back.
import { useEffect, useRef, useState } from "react";
import type { Api } from "./api";
import { attempted, type Connector, connectorBody, type ConnectorForm, emptyConnector, lacks, type Topic, topicsMax } from "./connectors";
import { useUnsaved } from "./place";
import { Outcome, useSaving } from "./saving";
import { visible } from "./visible";

const everyMs = 1_000;
const triesMax = 60; // an event hub may take a minute to answer

type Set = <Name extends keyof ConnectorForm>(name: Name, value: ConnectorForm[Name]) => void;
interface FieldsProps {
  form: ConnectorForm;
  set: Set;
}

function Text({ label, name, form, set, wide = false, ...rest }: FieldsProps & { label: string; name: "consumerGroup" | "url" | "user" | "clientId" | "logTopic" | "logFile"; wide?: boolean; required?: boolean; placeholder?: string; maxLength?: number; pattern?: string; title?: string }) {
  return (
    <label className={wide ? "filter wide" : "filter"}>
      <span>{label}</span>
      <input maxLength={1024} spellCheck={false} autoCapitalize="none" autoComplete="off" {...rest} value={form[name]} onChange={(event) => set(name, event.target.value)} />
    </label>
  );
}

function Secret({ label, name, form, set, required = false }: FieldsProps & { label: string; name: "connection" | "password"; required?: boolean }) {
  return (
    <label className="filter wide">
      <span>{label}</span>
      <input type="password" maxLength={1024} required={required} autoComplete="new-password" value={form[name]} onChange={(event) => set(name, event.target.value)} />
    </label>
  );
}

function EventHubFields({ form, set }: FieldsProps) {
  return (
    <>
      <div className="bar fields">
        <Secret label="Connection string of the Event Hub-compatible endpoint, with EntityPath" name="connection" required form={form} set={set} />
      </div>
      <div className="bar fields">
        <Text label="Consumer group; empty: $Default" name="consumerGroup" maxLength={50} pattern="[^\s\/]+" title="Without blanks and /" form={form} set={set} />
        <label className="filter">
          <span>Where to begin</span>
          <select value={form.start} onChange={(event) => set("start", event.target.value)}>
            <option value="latest">with what comes from now on</option>
            <option value="earliest">with the oldest that is there</option>
          </select>
        </label>
      </div>
    </>
  );
}

function Topics({ form, set }: FieldsProps) {
  const change = (at: number, part: Partial<Topic>) => set("topics", form.topics.map((one, index) => (index === at ? { ...one, ...part } : one)));
  return (
    <>
      <ul className="plain" aria-label="Topics">
        {form.topics.map((one, at) => (
          <li className="bar" key={at}>
            <label className="filter wide">
              <span>Topic {at + 1}, one level of it {"{device}"}</span>
              <input value={one.topic} maxLength={512} spellCheck={false} autoCapitalize="none" autoComplete="off" placeholder="factory/{device}/data" onChange={(event) => change(at, { topic: event.target.value })} />
            </label>
            <label className="switch"><input type="checkbox" checked={one.security} onChange={(event) => change(at, { security: event.target.checked })} />Security messages</label>
            {form.topics.length > 1 && <button type="button" aria-label={`Take out topic ${at + 1}`} onClick={() => set("topics", form.topics.filter((_, index) => index !== at))}>Take out</button>}
          </li>
        ))}
      </ul>
      <p className="bar"><button type="button" disabled={form.topics.length >= topicsMax} onClick={() => set("topics", [...form.topics, { topic: "", security: false }])}>Another topic</button></p>
    </>
  );
}

function BrokerFields({ form, set }: FieldsProps) {
  return (
    <>
      <div className="bar fields">
        <Text label="Address" name="url" wide required placeholder="mqtts://broker.example" pattern="mqtts?://.+" title="mqtts://HOST[:PORT] or mqtt://HOST[:PORT]" form={form} set={set} />
        <Text label="Client id; empty: fieldwatch- and the name" name="clientId" maxLength={128} form={form} set={set} />
      </div>
      <div className="bar fields">
        <Text label="User; empty: none" name="user" form={form} set={set} />
        <Secret label="Password" name="password" form={form} set={set} />
      </div>
      <Topics form={form} set={set} />
      <div className="bar fields">
        <Text label="Topic of the broker's log; empty: none" name="logTopic" wide placeholder="$SYS/broker/log/#" form={form} set={set} />
        <Text label="Mosquitto's log file on this server; empty: none" name="logFile" wide placeholder="/var/log/mosquitto/mosquitto.log" pattern="/.*" title="A path from /" form={form} set={set} />
        <label className="filter">
          <span>In that log a device is its</span>
          <select value={form.deviceIs} onChange={(event) => set("deviceIs", event.target.value)}>
            <option value="clientId">client id</option>
            <option value="user">user name</option>
          </select>
        </label>
      </div>
    </>
  );
}

interface Props {
  api: Api;
  address: string; // of the hub's connectors
  names: readonly string[];
  changed: () => void;
}

export function NewConnector({ api, address, names, changed }: Props) {
  const [form, setForm] = useState(emptyConnector);
  const [trying, setTrying] = useState<string | null>(null); // the name of what was attached and has not got through
  const [problem, setProblem] = useState<string | null>(null);
  const saving = useSaving();
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  useUnsaved(trying === null && JSON.stringify(form) !== JSON.stringify(emptyConnector));
  const set: Set = (name, value) => setForm({ ...form, [name]: value });
  const taken = names.includes(form.name) && form.name !== trying;
  const why = taken ? "There is a connector of this name already: detach it first, or take another name." : lacks(form);

  const watch = (name: string, before: Connector["status"], tries: number) => {
    timer.current = setTimeout(async () => {
      const one = await api.get<Connector>(`${address}/${encodeURIComponent(name)}`).catch(() => null);
      const came = one === null ? null : attempted(one.status, before);
      if (came === null && tries < triesMax) return watch(name, before, tries + 1);
      changed();
      if (came === true) {
        setForm(emptyConnector);
        setTrying(null);
        saving.say(`${name} is connected, and reads.`);
        return;
      }
      saving.clear();
      setProblem(came ?? "It has not got an answer yet.");
    }, everyMs);
  };
  const attach = async () => {
    clearTimeout(timer.current);
    setProblem(null);
    let made: Connector | null = null;
    const name = form.name;
    const done = await saving.run(async () => { made = await api.send<Connector>("PUT", `${address}/${encodeURIComponent(name)}`, connectorBody(form)); }, `${name} is attached. Trying to connect…`);
    if (!done || made === null) return;
    setTrying(name);
    changed();
    watch(name, (made as Connector).status, 0);
  };
  return (
    <details className="behind">
      <summary>Attach this hub to something</summary>
      <form className="editor" onSubmit={(event) => { event.preventDefault(); if (why === "") void attach(); }}>
        <div className="bar fields">
          <label className="filter">
            <span>Name</span>
            <input required readOnly={trying !== null} maxLength={50} pattern="[a-z0-9\-]+" title="Lower-case letters, digits and -" spellCheck={false} autoCapitalize="none" autoComplete="off" value={form.name} onChange={(event) => set("name", event.target.value)} />
          </label>
          <label className="filter">
            <span>Attached to</span>
            <select value={form.type} onChange={(event) => set("type", event.target.value === "mqtt" ? "mqtt" : "event-hubs")}>
              <option value="event-hubs">An Azure IoT Hub or another event hub</option>
              <option value="mqtt">An MQTT broker</option>
            </select>
          </label>
        </div>
        {form.type === "mqtt" ? <BrokerFields form={form} set={set} /> : <EventHubFields form={form} set={set} />}
        <label className="switch">
          <input type="checkbox" checked={form.registerDevices} onChange={(event) => set("registerDevices", event.target.checked)} />
          Register devices that are heard of first
        </label>
        <details className="behind" open={form.caPem !== ""}>
          <summary>Certificates to trust</summary>
          <label className="filter wide">
            <span>PEM; empty: the system's authorities</span>
            <textarea rows={4} maxLength={65_536} spellCheck={false} value={form.caPem} onChange={(event) => set("caPem", event.target.value)} />
          </label>
        </details>
        <Outcome of={saving} />
        {problem !== null && (
          <div role="alert" className="note error">
            <p>{trying} is attached, and cannot read: {visible(problem)}</p>
            <p>It is tried again by itself. Change what is wrong here and try at once, or detach it above.</p>
          </div>
        )}
        <p className="bar">
          <button type="submit" className="primary" disabled={saving.busy || why !== ""}>{trying === null ? "Attach and try" : "Change and try again"}</button>
          {trying !== null && <button type="button" onClick={() => { clearTimeout(timer.current); setForm(emptyConnector); setTrying(null); setProblem(null); saving.clear(); }}>Leave it so</button>}
          {form.name !== "" && why !== "" && <span className="quiet">{why}</span>}
        </p>
      </form>
    </details>
  );
}
