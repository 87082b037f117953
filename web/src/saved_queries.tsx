// Queries that a person keeps, and those that others share: to open one, to keep what is written, to give it to the others.
import { useState } from "react";
import type { Api } from "./api";
import { Time } from "./marks";
import { type Reading, Shown, useReading } from "./reading";
import { Outcome, type Saving, Sure, useSaving } from "./saving";
import { visible } from "./visible";

export interface SavedQuery {
  id: string;
  name: string;
  query: string;
  timespan: string; // "" = not said
  description: string;
  shared: boolean;
  owner: string;
  mine: boolean;
  version: number;
  updated: string;
}

const addressOf = (hub: string, id = "") => `/api/v1/hubs/${encodeURIComponent(hub)}/queries${id && `/${encodeURIComponent(id)}`}`;

interface ListProps {
  api: Api;
  hub: string;
  reading: Reading<SavedQuery[]>;
  saving: Saving;
  opened: string | null;
  now: number;
  open: (query: SavedQuery) => void;
}

function List({ api, hub, reading, saving, opened, now, open }: ListProps) {
  const remove = async (one: SavedQuery) => {
    if (await saving.run(() => api.send("DELETE", addressOf(hub, one.id)), `“${one.name}” is gone.`)) reading.again();
  };
  return (
    <Shown of={reading} empty="Nothing is kept yet. What others share shows here too." isEmpty={(all) => all.length === 0}>
      {(all) => (
        <ul className="plain saved">
          {all.map((one) => (
            <li key={one.id} aria-current={one.id === opened ? "true" : undefined}>
              <button type="button" className="link" onClick={() => open(one)}>{visible(one.name)}</button>
              {one.mine ? one.shared && <span className="chip">shared by you</span> : <span className="chip">shared by {visible(one.owner)}</span>}
              <span className="quiet"><Time iso={one.updated} now={now} /></span>
              {one.mine && <Sure text="Remove" question={`Remove “${one.name}” for good?`} busy={saving.busy} act={() => void remove(one)} />}
              {one.description !== "" && <p className="quiet">{visible(one.description)}</p>}
            </li>
          ))}
        </ul>
      )}
    </Shown>
  );
}

interface Props {
  api: Api;
  hub: string;
  query: string;
  timespan: string;
  now: number;
  open: (query: SavedQuery) => void;
}

export function SavedQueries({ api, hub, query, timespan, now, open }: Props) {
  const reading = useReading(async (signal) => (await api.get<{ value: SavedQuery[] }>(addressOf(hub), signal)).value, [api, hub]);
  const saving = useSaving();
  const [opened, setOpened] = useState<SavedQuery | null>(null);
  const [keeping, setKeeping] = useState(false);
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [shared, setShared] = useState(false);
  const begin = () => {
    setName(opened?.mine ? opened.name : "");
    setDescription(opened?.mine ? opened.description : "");
    setShared(opened?.mine ? opened.shared : false);
    saving.clear();
    setKeeping(true);
  };
  const keep = async (over: SavedQuery | null) => {
    const id = over?.id ?? crypto.randomUUID();
    const body = { name: name.trim(), query, timespan, description: description.trim(), shared };
    let kept: SavedQuery | null = null;
    const put = async () => (kept = await api.send<SavedQuery>("PUT", addressOf(hub, id), body, over?.version));
    if (!(await saving.run(put, `“${body.name}” is kept${shared ? ", and everyone who may query sees it" : ""}.`))) return;
    setOpened(kept);
    setKeeping(false);
    reading.again();
  };
  const own = opened?.mine ? opened : null;
  return (
    <section className="card saved-queries" aria-label="Saved queries">
      <div className="bar">
        <h2>Saved queries</h2>
        {!keeping && <button type="button" onClick={begin} disabled={query.trim() === ""}>Keep this query…</button>}
      </div>
      <Outcome of={saving} />
      {keeping && (
        <form className="bar keep" onSubmit={(event) => { event.preventDefault(); void keep(own); }}>
          <label className="filter">
            <span>Name</span>
            <input required autoFocus maxLength={100} value={name} onChange={(event) => setName(event.target.value)} />
          </label>
          <label className="filter wide">
            <span>What it is for</span>
            <input maxLength={500} value={description} onChange={(event) => setDescription(event.target.value)} />
          </label>
          <label className="check"><input type="checkbox" checked={shared} onChange={(event) => setShared(event.target.checked)} /> Share it with everyone who may query</label>
          <button type="submit" className="primary" disabled={saving.busy || name.trim() === ""}>{own ? "Keep the change" : "Keep it"}</button>
          {own && <button type="button" disabled={saving.busy || name.trim() === ""} onClick={() => void keep(null)}>Keep as another one</button>}
          <button type="button" onClick={() => setKeeping(false)}>Cancel</button>
        </form>
      )}
      <List api={api} hub={hub} reading={reading} saving={saving} opened={opened?.id ?? null} now={now} open={(one) => { setOpened(one); setKeeping(false); saving.clear(); open(one); }} />
    </section>
  );
}
