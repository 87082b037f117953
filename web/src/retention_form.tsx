// How long the hub's workspace keeps each table and what they take; a shorter time says what it deletes before it does.
import { useState } from "react";
import type { Api } from "./api";
import { Time } from "./marks";
import { useUnsaved } from "./place";
import { bytesText } from "./prometheus";
import { Shown, useReading } from "./reading";
import { changedDays, type Expiring, lossText, type Retention, tableMeanings, type TableRetention } from "./retention";
import { Outcome, type Saving, useSaving } from "./saving";
import { type Column, Table } from "./table";
import { localText } from "./times";

interface Props {
  api: Api;
  hub: string;
  mayChange: boolean;
  now: number;
}

export function RetentionSettings({ api, hub, mayChange, now }: Props) {
  const address = `/api/v1/hubs/${encodeURIComponent(hub)}/retention`;
  const reading = useReading((signal) => api.get<Retention>(address, signal), [api, address]);
  const saving = useSaving();
  return (
    <>
      <Outcome of={saving} />
      <Shown of={reading}>{(kept) => <Form key={kept.tables.map((one) => one.days).join()} kept={kept} api={api} address={address} mayChange={mayChange} now={now} saving={saving} again={reading.again} />}</Shown>
    </>
  );
}

interface FormProps {
  kept: Retention;
  api: Api;
  address: string;
  mayChange: boolean;
  now: number;
  saving: Saving;
  again: () => void;
}

function Form({ kept, api, address, mayChange, now, saving, again }: FormProps) {
  const [typed, setTyped] = useState<Readonly<Record<string, string>>>({});
  const [losses, setLosses] = useState<readonly Expiring[]>([]);
  const days = changedDays(kept.tables, typed, kept.daysMax);
  const changes = days === null ? 0 : Object.keys(days).length;
  useUnsaved(changes > 0);
  const type = (table: string, text: string) => {
    setTyped({ ...typed, [table]: text });
    setLosses([]);
  };
  const save = async (agreed: boolean) => {
    const done = await saving.run(() => api.send("PUT", address, { days, delete: agreed }), agreed ? "Saved. Older rows are gone; their files go within minutes." : "Saved.");
    setLosses([]);
    if (!done) return;
    setTyped({});
    again();
  };
  const ask = async () => {
    let found: readonly Expiring[] = [];
    const asked = await saving.run(async () => {
      found = ((await api.send<{ tables: Expiring[] }>("POST", `${address}/preview`, { days }))?.tables ?? []).filter((one) => one.rows > 0);
    }, "");
    if (!asked) return;
    if (found.length > 0) setLosses(found);
    else await save(false);
  };
  const columns: Column<TableRetention>[] = [
    { title: "Table", kind: "text", cell: (one) => <>{tableMeanings[one.table] ?? one.table}<div className="quiet device">{one.table}</div></> },
    {
      title: "Kept for, days",
      cell: (one) =>
        mayChange ? (
          <span className="kept">
            <input type="number" required min={1} max={kept.daysMax} aria-label={`Days that ${one.table} is kept`} value={typed[one.table] ?? String(one.days)} onChange={(event) => type(one.table, event.target.value)} />
            {one.days !== one.usualDays && <button type="button" className="link" onClick={() => type(one.table, String(one.usualDays))} aria-label={`usually ${one.usualDays} days: ${one.table}`}>usually {one.usualDays}</button>}
          </span>
        ) : (
          <>{one.days.toLocaleString()} {one.days !== one.usualDays && <span className="quiet">usually {one.usualDays}</span>}</>
        ),
    },
    { title: "Rows", kind: "number", cell: (one) => one.rows.toLocaleString() },
    { title: "Sealed files", kind: "number", cell: (one) => bytesText(one.bytes) },
    { title: "Oldest row", cell: (one) => (one.oldest === null ? <span className="quiet">none</span> : <Time iso={one.oldest} now={now} />) },
  ];
  return (
    <form onSubmit={(event) => { event.preventDefault(); void ask(); }}>
      <p className="quiet">
        The workspace takes {bytesText(kept.bytes)} on disk; rows of the present hour or day lie in its database, older ones in sealed files. What is older than its table is kept is deleted.
        {kept.hubs.length > 1 && <> It is shared by the hubs {kept.hubs.join(", ")}: a change holds for all of them.</>}
      </p>
      <Table label="Retention" className="retention" columns={columns} rows={kept.tables} keyOf={(one) => one.table} />
      {losses.length > 0 && (
        <div role="alert" className="note error">
          <p><strong>This deletes for good:</strong></p>
          <ul>
            {losses.map((one) => <li key={one.table}>{lossText(one)} from before {localText(one.before, now)}</li>)}
          </ul>
          <span className="actions">
            <button type="button" className="danger" disabled={saving.busy} onClick={() => void save(true)}>Delete and save</button>
            <button type="button" disabled={saving.busy} onClick={() => { setLosses([]); setTyped({}); }}>Keep everything</button>
          </span>
        </div>
      )}
      {mayChange && losses.length === 0 && (
        <p className="bar">
          <button type="submit" className="primary" disabled={changes === 0 || saving.busy}>Save</button>
          {days === null && <span className="quiet">Each is a number of days from 1 to {kept.daysMax.toLocaleString()}.</span>}
        </p>
      )}
    </form>
  );
}
