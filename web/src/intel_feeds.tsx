// Feeds of indicators that the server pulls by itself, and signed bundles: how each does, pull now, go back. For administrators.
import { useState } from "react";
import type { Api } from "./api";
import { Time } from "./marks";
import { useUnsaved } from "./place";
import { Shown, useReading } from "./reading";
import { Outcome, Sure, useSaving } from "./saving";
import { type Column, Table } from "./table";
import { durationText } from "./times";
import { visible } from "./visible";

interface Feed {
  name: string;
  url: string;
  format: string;
  every: string;
  enabled: boolean;
  status: {
    state: "well" | "failing" | "waiting";
    lastRun: string | null;
    lastSuccess: string | null;
    lastChange: string | null;
    indicators: number;
    warningListEntries: number;
    skipped: number;
    problem: string;
  };
}
interface Bundle {
  name: string;
  current: number;
  highest: number;
  versions: { version: number; created: string; signedBy: string | null; files: number }[];
}

const refreshMs = 15_000;
const formats = [["file", "A list, of any form"], ["taxii", "TAXII 2.1 collection"], ["misp", "MISP feed"], ["bundle", "Signed bundle"]] as const;
const rhythms = ["PT15M", "PT1H", "PT6H", "P1D"] as const;
const states = { well: ["Reporting", "Well"], failing: ["Silent", "Failing"], waiting: ["", "Not pulled yet"] } as const;

function NewFeed({ api, made }: { api: Api; made: () => void }) {
  const [name, setName] = useState("");
  const [url, setUrl] = useState("");
  const [format, setFormat] = useState("file");
  const [every, setEvery] = useState("PT1H");
  const [authorization, setAuthorization] = useState("");
  const saving = useSaving();
  useUnsaved(name !== "" || url !== "");
  const add = async () => {
    const body = { url: url.trim(), format, every, ...(authorization !== "" && { authorization }) };
    if (!(await saving.run(() => api.send("PUT", `/api/v1/intel/feeds/${encodeURIComponent(name.trim())}`, body), `${name.trim()} is pulled from now on.`))) return;
    [setName, setUrl, setAuthorization].forEach((clear) => clear(""));
    made();
  };
  return (
    <details>
      <summary>Add a feed</summary>
      <form className="editor" onSubmit={(event) => { event.preventDefault(); void add(); }}>
        <div className="bar fields">
          <label className="filter">
            <span>Name of the feed</span>
            <input value={name} required maxLength={64} pattern="[A-Za-z0-9_.\-]+" title="Letters, digits, - _ and ." spellCheck={false} autoComplete="off" onChange={(event) => setName(event.target.value)} />
          </label>
          <label className="filter">
            <span>What lies there</span>
            <select value={format} onChange={(event) => setFormat(event.target.value)}>{formats.map(([id, text]) => <option key={id} value={id}>{text}</option>)}</select>
          </label>
          <label className="filter">
            <span>Pulled every</span>
            <select value={every} onChange={(event) => setEvery(event.target.value)}>{rhythms.map((one) => <option key={one} value={one}>{durationText(one)}</option>)}</select>
          </label>
          <label className="filter wide">
            <span>Address</span>
            <input type="url" required value={url} spellCheck={false} autoComplete="off" placeholder="https://feeds.example/indicators.json" onChange={(event) => setUrl(event.target.value)} />
          </label>
          <label className="filter wide">
            <span>Authorization header; empty: none</span>
            <input type="password" value={authorization} autoComplete="new-password" onChange={(event) => setAuthorization(event.target.value)} />
          </label>
        </div>
        <p className="bar"><button type="submit" disabled={saving.busy}>Add the feed</button></p>
        <Outcome of={saving} />
      </form>
    </details>
  );
}

export function IntelFeeds({ api, now, changed }: { api: Api; now: number; changed: () => void }) {
  const turn = Math.floor(now / refreshMs);
  const reading = useReading(async (signal) => (await api.get<{ value: Feed[] }>("/api/v1/intel/feeds", signal)).value, [api, turn]);
  const saving = useSaving();
  const act = async (what: () => Promise<unknown>, said: string) => {
    if (!(await saving.run(what, said))) return;
    reading.again();
    changed();
  };
  const address = (feed: Feed) => `/api/v1/intel/feeds/${encodeURIComponent(feed.name)}`;
  const columns: Column<Feed>[] = [
    { title: "Feed", kind: "device", cell: (feed) => <>{feed.name}<div className="quiet">{visible(feed.url)}</div></> },
    { title: "State", kind: "text", cell: (feed) => (feed.enabled ? <><span className={`state ${states[feed.status.state][0]}`}>{states[feed.status.state][1]}</span> {feed.status.problem !== "" && <span className="quiet">{visible(feed.status.problem)}</span>}</> : <span className="state off">Off</span>) },
    { title: "Every", cell: (feed) => durationText(feed.every) },
    { title: "Indicators", kind: "number", cell: (feed) => feed.status.indicators.toLocaleString() },
    { title: "Skipped", kind: "number", cell: (feed) => feed.status.skipped.toLocaleString() },
    { title: "Last pulled", cell: (feed) => <Time iso={feed.status.lastSuccess} now={now} relative /> },
    { title: "Last changed", cell: (feed) => <Time iso={feed.status.lastChange} now={now} relative /> },
    {
      title: "What to do", unseen: true,
      cell: (feed) => (
        <span className="actions">
          <button type="button" disabled={saving.busy} onClick={() => void act(() => api.send("POST", `${address(feed)}/run`), `${feed.name} was asked.`)}>Pull now</button>
          <Sure text="Remove" question={`Remove ${feed.name} and its indicators?`} busy={saving.busy} act={() => void act(() => api.send("DELETE", address(feed)), `${feed.name} is removed.`)} />
        </span>
      ),
    },
  ];
  return (
    <section className="card">
      <h2>Feeds</h2>
      <Outcome of={saving} />
      <Shown of={reading} isEmpty={(feeds) => feeds.length === 0} empty="The server pulls no feed. Add one, and its indicators stay as fresh as it is.">
        {(feeds) => <Table label="Feeds" className="feeds" columns={columns} rows={feeds} keyOf={(feed) => feed.name} />}
      </Shown>
      <NewFeed api={api} made={() => { reading.again(); changed(); }} />
    </section>
  );
}

/** Shown only where there are any: most servers have none. */
export function IntelBundles({ api, now, changed }: { api: Api; now: number; changed: () => void }) {
  const reading = useReading(async (signal) => (await api.get<{ value: Bundle[] }>("/api/v1/intel/bundles", signal)).value, [api]);
  const saving = useSaving();
  if (reading.value === null || reading.value.length === 0) return null;
  const act = async (what: () => Promise<unknown>, said: string) => {
    if (!(await saving.run(what, said))) return;
    reading.again();
    changed();
  };
  return (
    <section className="card">
      <h2>Signed bundles</h2>
      <Outcome of={saving} />
      {reading.value.map((bundle) => (
        <div key={bundle.name}>
          <h3 className="group-name">{bundle.name}</h3>
          <ul className="plain versions">
            {[...bundle.versions].sort((a, b) => b.version - a.version).map((one) => (
              <li key={one.version} className="bar">
                <strong>Version {one.version}</strong>
                {one.version === bundle.current && <span className="chip">in force</span>}
                <span className="quiet"><Time iso={one.created} now={now} /> · {one.signedBy === null ? "not signed by a trusted key" : `signed by ${visible(one.signedBy)}`} · {one.files} {one.files === 1 ? "file" : "files"}</span>
                {one.version !== bundle.current && <Sure text="Go back to it" question={`Go back to ${one.version}?`} busy={saving.busy} act={() => void act(() => api.send("POST", `/api/v1/intel/bundles/${encodeURIComponent(bundle.name)}/rollback?to=${one.version}`), `Version ${one.version} is in force.`)} />}
              </li>
            ))}
          </ul>
        </div>
      ))}
    </section>
  );
}
