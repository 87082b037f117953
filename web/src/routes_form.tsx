// Where a hub's messages go besides its built-in endpoint: endpoints with how they do, and the routes that lead there.
import { useState } from "react";
import type { Api } from "./api";
import type { Hub } from "./model";
import { useUnsaved } from "./place";
import { TroubleNote, useReading } from "./reading";
import { builtIn, endpointRows, type EndpointRow, type EndpointStatus, type Route, type Routing, type RoutingPatch, sourceName, sources } from "./routes";
import { Sure } from "./saving";
import { type Column, Table } from "./table";
import { visible } from "./visible";

interface Props {
  api: Api;
  hub: Hub;
  mayChange: boolean;
  busy: boolean;
  now: number;
  save: (change: Partial<Hub>, said: string) => Promise<boolean>;
}

const refreshMs = 10_000;
const plainName = { required: true, maxLength: 64, pattern: "[A-Za-z0-9_.\\-]+", title: "Letters, digits, - _ and .", spellCheck: false, autoCapitalize: "none", autoComplete: "off" } as const;

function NewEndpoint({ busy, add }: { busy: boolean; add: (name: string, patch: NonNullable<RoutingPatch["endpoints"]>[string]) => Promise<boolean> }) {
  const [name, setName] = useState("");
  const [type, setType] = useState("webhook");
  const [url, setUrl] = useState("");
  const [keepHours, setKeepHours] = useState("24");
  const [caPem, setCaPem] = useState("");
  useUnsaved(name !== "" || url !== "");
  const webhook = type === "webhook";
  const make = async () => {
    const done = await add(name.trim(), { type, keepHours: Number(keepHours), ...(webhook && { url: url.trim(), ...(caPem.trim() !== "" && { caPem }) }) });
    if (done) [setName, setUrl, setCaPem].forEach((clear) => clear(""));
  };
  return (
    <details>
      <summary>Add an endpoint</summary>
      <form className="editor" onSubmit={(event) => { event.preventDefault(); void make(); }}>
        <div className="bar fields">
          <label className="filter">
            <span>Name</span>
            <input {...plainName} value={name} onChange={(event) => setName(event.target.value)} />
          </label>
          <label className="filter">
            <span>Kind</span>
            <select value={type} onChange={(event) => setType(event.target.value)}>
              <option value="webhook">Webhook</option>
              <option value="file">Files on the server</option>
            </select>
          </label>
          <label className="filter">
            <span>Kept for it at most, hours</span>
            <input type="number" min={1} max={168} required value={keepHours} onChange={(event) => setKeepHours(event.target.value)} />
          </label>
          {webhook && (
            <label className="filter wide">
              <span>URL; no secrets in it: who sees this page sees them</span>
              <input type="url" required spellCheck={false} autoComplete="off" placeholder="https://receiver.example/in" value={url} onChange={(event) => setUrl(event.target.value)} />
            </label>
          )}
        </div>
        {webhook && url.startsWith("https:") && (
          <label className="filter wide">
            <span>Certificates to trust, in PEM; empty: those of the system</span>
            <textarea rows={3} className="code" spellCheck={false} value={caPem} onChange={(event) => setCaPem(event.target.value)} />
          </label>
        )}
        <p className="bar"><button type="submit" disabled={busy}>Add the endpoint</button></p>
      </form>
    </details>
  );
}

interface RouteFormProps {
  name: string; // "": a new one
  route: Route;
  endpoints: readonly string[];
  busy: boolean;
  save: (name: string, route: Route) => Promise<boolean>;
  close: () => void;
}

function RouteForm({ name: given, route: stored, endpoints, busy, save, close }: RouteFormProps) {
  const [name, setName] = useState(given);
  const [route, setRoute] = useState(stored);
  useUnsaved(name !== given || JSON.stringify(route) !== JSON.stringify(stored));
  const chosen = route.endpoints ?? [];
  return (
    <form className="editor" onSubmit={(event) => { event.preventDefault(); void save(name.trim(), route).then((done) => done && close()); }}>
      <div className="bar fields">
        <label className="filter">
          <span>Name</span>
          <input {...plainName} readOnly={given !== ""} value={name} onChange={(event) => setName(event.target.value)} />
        </label>
        <label className="filter">
          <span>Takes</span>
          <select value={route.source ?? "DeviceMessages"} onChange={(event) => setRoute({ ...route, source: event.target.value })}>
            {sources.map(([id, text]) => <option key={id} value={id}>{text}</option>)}
          </select>
        </label>
        <label className="filter wide">
          <span>Where this holds; empty: all of it</span>
          <input value={route.condition ?? ""} maxLength={4096} className="device" spellCheck={false} placeholder="$body.temp > 30 AND level = '3'" onChange={(event) => setRoute({ ...route, condition: event.target.value })} />
        </label>
      </div>
      <fieldset className="filter">
        <legend>Leads to</legend>
        {[builtIn, ...endpoints].map((one) => (
          <label className="switch" key={one}>
            <input type="checkbox" checked={chosen.includes(one)} onChange={(event) => setRoute({ ...route, endpoints: event.target.checked ? [...chosen, one] : chosen.filter((other) => other !== one) })} />
            {one}{one === builtIn && <span className="quiet">built in</span>}
          </label>
        ))}
      </fieldset>
      <p className="bar">
        <button type="submit" className="primary" disabled={busy || chosen.length === 0}>{given === "" ? "Add the route" : "Save the route"}</button>
        <button type="button" onClick={close}>Cancel</button>
      </p>
    </form>
  );
}

export function Routes({ api, hub, mayChange, busy, now, save }: Props) {
  const routing: Routing = hub.configuration?.routing ?? {};
  const [editing, setEditing] = useState<string | null>(null); // "" for a new one
  const turn = Math.floor(now / refreshMs);
  const reading = useReading(async (signal) => (await api.get<{ value: EndpointStatus[] }>(`/api/v1/hubs/${encodeURIComponent(hub.name)}/routes`, signal)).value, [api, hub.name, hub.etag, turn]);
  const rows = endpointRows(routing, reading.value ?? []);
  const routes = Object.entries(routing.routes ?? {}).sort(([a], [b]) => a.localeCompare(b));
  const patch = (change: RoutingPatch, said: string) => save({ configuration: { routing: change as Routing } }, said);
  const columns: Column<EndpointRow>[] = [
    { title: "Endpoint", kind: "device", cell: (one) => one.name },
    { title: "Where", kind: "device", cell: (one) => (one.type === "file" ? "files on the server" : visible(one.url ?? "")) },
    {
      title: "State", kind: "text",
      cell: ({ status }) => (status === null ? <span className="quiet">not heard of yet</span> : status.healthy ? <span className="state Reporting">Well</span> : <span className="state Silent">{visible(status.lastError) || "Failing"}</span>),
    },
    { title: "Delivered", kind: "number", cell: ({ status }) => status?.delivered.toLocaleString() ?? "" },
    { title: "Behind", kind: "number", cell: ({ status }) => status?.behind.toLocaleString() ?? "" },
    { title: "Refused", kind: "number", cell: ({ status }) => status?.refused.toLocaleString() ?? "" },
    { title: "Dropped", kind: "number", cell: ({ status }) => status?.dropped.toLocaleString() ?? "" },
    ...(mayChange
      ? [{
          title: "Remove", unseen: true,
          cell: (one: EndpointRow) =>
            one.used.length > 0 ? <span className="quiet">used by {one.used.join(", ")}</span> : <Sure text="Remove" question={`Remove ${one.name}? It forgets its place.`} busy={busy} act={() => void patch({ endpoints: { [one.name]: null } }, `${one.name} is removed.`)} />,
        }]
      : []),
  ];
  return (
    <>
      <p className="quiet">Messages of devices are at the built-in endpoint <code>{builtIn}</code>. Routes lead them elsewhere too, or instead. Security messages are never routed. A change acts within a second.</p>
      {reading.error !== null && <TroubleNote trouble={reading.error} again={reading.again} />}
      <h3>Routes</h3>
      {routes.length === 0 && <p className="quiet">There is none: everything is at <code>{builtIn}</code>.</p>}
      <ul className="rules">
        {routes.map(([name, route]) => (
          <li className="rule" key={name}>
            <div className="bar">
              <label className="switch">
                <input type="checkbox" role="switch" checked={route.enabled !== false} disabled={!mayChange || busy} onChange={(event) => void patch({ routes: { [name]: { enabled: event.target.checked } } }, `${name} is ${event.target.checked ? "on" : "off"}.`)} />
                <strong>{name}</strong>
              </label>
              {mayChange && (
                <span className="actions">
                  <button type="button" onClick={() => setEditing(name)}>Edit</button>
                  <Sure text="Remove" question={`Remove ${name}?`} busy={busy} act={() => void patch({ routes: { [name]: null } }, `${name} is removed.`)} />
                </span>
              )}
            </div>
            {editing === name ? (
              <RouteForm name={name} route={route} endpoints={rows.map((one) => one.name)} busy={busy} close={() => setEditing(null)}
                save={(_, next) => patch({ routes: { [name]: { ...next, condition: next.condition?.trim() || null } } }, `${name} is saved.`)} />
            ) : (
              <p className="facts"><span>{sourceName(route.source)}</span>{route.condition && <code>{visible(route.condition)}</code>}<span>to {(route.endpoints ?? []).join(", ")}</span></p>
            )}
          </li>
        ))}
      </ul>
      {mayChange && editing === null && <p className="bar"><button type="button" onClick={() => setEditing("")}>Add a route</button></p>}
      {editing === "" && (
        <RouteForm name="" route={{ endpoints: [] }} endpoints={rows.map((one) => one.name)} busy={busy} close={() => setEditing(null)}
          save={(name, next) => patch({ routes: { [name]: { ...next, condition: next.condition?.trim() || null } } }, `${name} is there.`)} />
      )}
      {routes.length > 0 && (
          <label className="switch">
            <input type="checkbox" role="switch" checked={routing.fallbackToEvents !== false} disabled={!mayChange || busy} onChange={(event) => void patch({ fallbackToEvents: event.target.checked }, "Saved.")} />
            What no route takes is at <code>{builtIn}</code>
          </label>
      )}
      <h3>Endpoints</h3>
      {rows.length === 0 ? <p className="quiet">None but the built-in one.</p> : <Table label="Endpoints" className="endpoints" columns={columns} rows={rows} keyOf={(one) => one.name} />}
      {mayChange && <NewEndpoint busy={busy} add={(name, endpoint) => patch({ endpoints: { [name]: endpoint } }, `${name} is there. Lead a route to it.`)} />}
    </>
  );
}
