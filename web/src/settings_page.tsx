// A hub's settings: what is collected, who may reach it, what is logged, who holds keys (never the keys), who enrolls.
import { useEffect, useState } from "react";
import type { Api } from "./api";
import { Connectors } from "./connectors_list";
import { Enrollments } from "./enrollments";
import { FilterRules } from "./filter_rules";
import { PlaceLink } from "./link";
import { Time } from "./marks";
import { Metrics } from "./metrics_form";
import type { FilterRule, Hub, HubConfiguration } from "./model";
import { hasDestination, keptCategories, ownSetting, withKept } from "./diagnostics";
import { type Filters, type Go, useUnsaved } from "./place";
import { Shown, useReading } from "./reading";
import { RetentionSettings } from "./retention_form";
import { Routes } from "./routes_form";
import { Outcome, type Saving, useSaving } from "./saving";
import { type Column, Table } from "./table";

const tabs = [["", "Data collection"], ["network", "Network"], ["diagnostics", "Diagnostics"], ["routes", "Routes"], ["metrics", "Metrics"], ["retention", "Retention"], ["connectors", "Connectors"], ["policies", "Shared policies"], ["enrollments", "Enrollments"]] as const;

const switches = [
  ["securityEnabled", "Security", "Evaluates what this hub sees. Off stops the evaluation and keeps the data."],
  ["storeRawEvents", "Raw events", "Keeps what agents send in the workspace. Off: investigation and baseline details are not available."],
  ["twinData", "Twin data", "Off: custom alerts, and alerts and recommendations about identities and Edge deployments stop."],
  ["maskAddresses", "Mask addresses", "Hides the last part of device addresses in what is stored."],
] as const;

const categories = [
  "Connections", "DeviceTelemetry", "C2DCommands", "DeviceIdentityOperations", "FileUploadOperations", "DirectMethods", "C2DTwinOperations", "D2CTwinOperations",
  "TwinQueries", "JobsOperations", "Routes",
] as const;

interface FormProps {
  hub: Hub;
  mayChange: boolean;
  busy: boolean;
  save: (change: Partial<Hub>, said: string) => Promise<boolean>;
}

function Collection({ hub, mayChange, busy, save }: FormProps) {
  return (
    <ul className="rules">
      {switches.map(([name, title, meaning]) => (
        <li className="rule" key={name}>
          <label className="switch">
            <input
              type="checkbox"
              role="switch"
              checked={hub[name]}
              disabled={!mayChange || busy}
              onChange={(event) => void save({ [name]: event.target.checked }, `${title} is ${event.target.checked ? "on" : "off"}.`)}
            />
            <strong>{title}</strong>
          </label>
          <p className="quiet">{meaning}</p>
        </li>
      ))}
    </ul>
  );
}

function Network({ hub, mayChange, busy, save }: FormProps) {
  const stored = hub.configuration?.ipFilterRules ?? [];
  const [rules, setRules] = useState<FilterRule[]>(stored);
  const [open, setOpen] = useState(hub.configuration?.publicNetworkAccess !== "Disabled");
  const [tls, setTls] = useState(hub.configuration?.minTlsVersion === "1.3" ? "1.3" : "1.2");
  const next: HubConfiguration = { ipFilterRules: rules, publicNetworkAccess: open ? "Enabled" : "Disabled", minTlsVersion: tls };
  const changed =
    JSON.stringify(rules) !== JSON.stringify(stored) ||
    open !== (hub.configuration?.publicNetworkAccess !== "Disabled") ||
    tls !== (hub.configuration?.minTlsVersion === "1.3" ? "1.3" : "1.2");
  useUnsaved(changed);
  return (
    <form onSubmit={(event) => { event.preventDefault(); void save({ configuration: next }, "Saved. It holds for new connections."); }}>
      <h3>IP filter</h3>
      <p className="quiet">The first rule that covers an address decides; an address that no rule covers is let in.</p>
      <FilterRules rules={rules} mayChange={mayChange} change={setRules} />
      <h3>Reach</h3>
      <label className="switch">
        <input type="checkbox" role="switch" checked={open} disabled={!mayChange} onChange={(event) => setOpen(event.target.checked)} />
        <strong>Public addresses</strong>
      </label>
      <p className="quiet">Off: only private, link-local and loopback addresses may connect.</p>
      <label className="filter">
        <span>Least TLS version</span>
        <select value={tls} disabled={!mayChange} onChange={(event) => setTls(event.target.value)}>
          <option value="1.2">1.2</option>
          <option value="1.3">1.3</option>
        </select>
      </label>
      {mayChange && <p className="bar"><button type="submit" className="primary" disabled={!changed || busy}>Save</button></p>}
    </form>
  );
}

function Diagnostics({ hub, mayChange, busy, save }: FormProps) {
  const settings = hub.configuration?.diagnosticSettings ?? [];
  const stored = keptCategories(settings);
  const [kept, setKept] = useState<readonly string[]>(stored);
  const lost = settings.some((setting) => setting.name === ownSetting && !hasDestination(setting));
  const changed = lost || [...kept].sort().join() !== [...stored].sort().join();
  useUnsaved(changed && !lost);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void save({ configuration: { diagnosticSettings: withKept(settings, kept, hub.workspace) } }, kept.length === 0 ? "Saved: nothing is logged." : `Saved. The records go to the workspace ${hub.workspace}.`);
      }}
    >
      <p className="quiet">
        What is checked is logged to this hub's workspace <span className="device">{hub.workspace}</span>, and kept as long as the workspace keeps it. Without Connections and
        DeviceTelemetry the hub has the recommendation <q>Enable diagnostics logs in IoT Hub</q>.
      </p>
      {lost && <p role="alert" className="note error">This setting names no destination, so nothing counts as logged. Save it to send the records to the workspace.</p>}
      <ul className="plain checks">
        {[...new Set([...categories, ...stored])].map((category) => (
          <li key={category}>
            <label className="switch">
              <input
                type="checkbox"
                checked={kept.includes(category)}
                disabled={!mayChange}
                onChange={(event) => setKept(event.target.checked ? [...kept, category] : kept.filter((one) => one !== category))}
              />
              {category}
            </label>
          </li>
        ))}
      </ul>
      {mayChange && <p className="bar"><button type="submit" className="primary" disabled={!changed || busy}>Save</button></p>}
    </form>
  );
}

const policyColumns: Column<Hub["sharedPolicies"][number]>[] = [
  { title: "Policy", kind: "device", cell: (policy) => policy.name },
  { title: "May", cell: (policy) => policy.rights.map((right) => <span className="chip" key={right}>{right}</span>) },
];

function Policies({ hub, now }: { hub: Hub; now: number }) {
  return (
    <>
      <p className="quiet">
        Keys are not shown here: <code>fieldwatch hub show {hub.name} --keys</code> prints them. The hub was made <Time iso={hub.created} now={now} relative />.
      </p>
      <Table label="Policies" columns={policyColumns} rows={hub.sharedPolicies} keyOf={(policy) => policy.name} />
    </>
  );
}

interface Props {
  api: Api;
  hub: string;
  chosenHub: string | null;
  filters: Filters;
  mayChange: boolean;
  now: number;
  go: Go;
}

export function SettingsPage({ api, hub, chosenHub, filters, mayChange, now, go }: Props) {
  const address = `/api/v1/hubs/${encodeURIComponent(hub)}`;
  const reading = useReading((signal) => api.get<Hub>(address, signal), [api, address]);
  const saving: Saving = useSaving();
  const tab = filters["tab"] ?? "";
  useEffect(saving.clear, [tab, saving.clear]);
  const save = async (change: Partial<Hub>, said: string) => {
    const done = await saving.run(() => api.send("PATCH", address, change), said);
    if (done) reading.again();
    return done;
  };
  const forms = (one: Hub) => {
    const props = { hub: one, mayChange, busy: saving.busy, save };
    if (tab === "network") return <Network key={one.etag} {...props} />;
    if (tab === "diagnostics") return <Diagnostics key={one.etag} {...props} />;
    if (tab === "routes") return <Routes api={api} now={now} {...props} />;
    if (tab === "metrics") return <Metrics key={one.etag} {...props} />;
    if (tab === "retention") return <RetentionSettings api={api} hub={hub} mayChange={mayChange} now={now} />;
    if (tab === "connectors") return <Connectors api={api} hub={hub} mayRead={mayChange} now={now} />;
    if (tab === "policies") return <Policies hub={one} now={now} />;
    if (tab === "enrollments") return <Enrollments api={api} mayRead={mayChange} now={now} />;
    return <Collection {...props} />;
  };
  return (
    <main>
      <section className="card">
        <div className="bar"><h2>Settings of <span className="device">{hub}</span></h2></div>
        <nav className="tabs" aria-label="Settings">
          {tabs.map(([id, name]) => (
            <PlaceLink key={id} to={{ at: "settings", filters: { tab: id } }} hub={chosenHub} go={go} here={tab === id}>{name}</PlaceLink>
          ))}
        </nav>
      </section>
      <section className="card">
        <h2>{tabs.find(([id]) => id === tab)?.[1] ?? "Data collection"}</h2>
        {!mayChange && <p className="quiet">Changing these needs the role administrator.</p>}
        <Outcome of={saving} />
        <Shown of={reading}>{forms}</Shown>
      </section>
    </main>
  );
}
