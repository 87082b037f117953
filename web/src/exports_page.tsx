// Receivers of findings: which there are, how each does, and a new one.
import { useState } from "react";
import type { Api } from "./api";
import { ExportFields } from "./export_form";
import { bodyOf, type Destination, emptyForm, formatNames } from "./exports";
import { PlaceLink } from "./link";
import { Time } from "./marks";
import { type Go, useUnsaved } from "./place";
import { Shown, useReading } from "./reading";
import { Outcome, useSaving } from "./saving";
import { CopyButton, Secret } from "./secret";
import { type Column, Table } from "./table";
import { visible } from "./visible";

const refreshMs = 10_000;

export function ExportState({ of, now }: { of: Destination["status"]; now: number }) {
  if (of.state === "well" && of.quietUntil !== null) return <span className="state Reporting">Quiet until <Time iso={of.quietUntil} now={now} /></span>;
  return of.state === "well" ? <span className="state Reporting">Well</span> : <span className="state Silent">Failing since <Time iso={of.failingSince} now={now} relative /></span>;
}

/** The secret of a webhook's signature: shown this once. */
export function FreshSecret({ name, secret, done }: { name: string; secret: string; done: () => void }) {
  const [copied, setCopied] = useState(false);
  useUnsaved(!copied);
  return (
    <div className="note" role="status">
      <p>The secret with which what goes to <strong>{name}</strong> is signed. It is shown this once: the receiver needs it to know that a message is yours.</p>
      <Secret label="Secret" value={secret} />
      <p className="bar">
        <CopyButton text={secret} copied={() => setCopied(true)} />
        <button type="button" onClick={done}>I have it</button>
      </p>
    </div>
  );
}

function NewExport({ api, hubs, made }: { api: Api; hubs: readonly string[]; made: () => void }) {
  const [name, setName] = useState("");
  const [form, setForm] = useState(emptyForm);
  const [fresh, setFresh] = useState<{ name: string; secret: string } | null>(null);
  const saving = useSaving();
  useUnsaved(name !== "" || form.to !== "");
  const make = async () => {
    const of = name.trim();
    const done = await saving.run(async () => {
      const answer = await api.send<{ secret?: string }>("PUT", `/api/v1/exports/${encodeURIComponent(of)}`, bodyOf(form));
      setFresh(answer?.secret ? { name: of, secret: answer.secret } : null);
    }, `${of} gets what is found from now on. Send it a test.`);
    if (!done) return;
    setName("");
    setForm(emptyForm);
    made();
  };
  return (
    <section className="card">
      <h2>A new receiver</h2>
      {fresh && <FreshSecret key={fresh.name} {...fresh} done={() => setFresh(null)} />}
      <form className="editor" onSubmit={(event) => { event.preventDefault(); void make(); }}>
        <label className="filter">
          <span>Name</span>
          <input value={name} required maxLength={64} pattern="[A-Za-z0-9_\-]+" title="Letters, digits, - and _" spellCheck={false} autoCapitalize="none" autoComplete="off" onChange={(event) => setName(event.target.value)} />
        </label>
        <ExportFields form={form} change={setForm} hubs={hubs} there={null} />
        <p className="bar"><button type="submit" className="primary" disabled={saving.busy || form.findings.length === 0}>Add the receiver</button></p>
        <Outcome of={saving} />
      </form>
    </section>
  );
}

interface Props {
  api: Api;
  hubs: readonly string[];
  chosenHub: string | null;
  now: number;
  go: Go;
}

export function ExportsPage({ api, hubs, chosenHub, now, go }: Props) {
  const turn = Math.floor(now / refreshMs); // counts move by themselves
  const reading = useReading(async (signal) => (await api.get<{ value: Destination[] }>("/api/v1/exports", signal)).value, [api, turn]);
  const columns: Column<Destination>[] = [
    { title: "Receiver", kind: "device", cell: (one) => <PlaceLink to={{ at: "export", id: one.name }} hub={chosenHub} go={go}>{one.name}</PlaceLink> },
    { title: "Address", kind: "device", cell: (one) => visible(one.to) },
    { title: "Form", cell: (one) => formatNames[one.format] ?? one.format },
    { title: "State", cell: (one) => <ExportState of={one.status} now={now} /> },
    { title: "Delivered", kind: "number", cell: (one) => one.status.delivered.toLocaleString() },
    { title: "Waiting", kind: "number", cell: (one) => one.status.waiting.toLocaleString() },
    { title: "Dropped", kind: "number", cell: (one) => one.status.dropped.toLocaleString() },
    { title: "Refused", kind: "number", cell: (one) => one.status.refused.toLocaleString() },
    { title: "Last delivered", cell: (one) => <Time iso={one.status.lastDelivered} now={now} relative /> },
  ];
  return (
    <main>
      <section className="card">
        <h2>Exports</h2>
        <p className="quiet">Every new alert and every change of a recommendation goes to each receiver, at least once. What a receiver does not take waits here and is tried again.</p>
        <Shown of={reading} isEmpty={(list) => list.length === 0} empty="Nothing leaves this server yet. Add a webhook, a syslog receiver or a file below.">
          {(list) => <Table label="Receivers" className="exports" columns={columns} rows={list} keyOf={(one) => one.name} open={(one) => go({ at: "export", id: one.name })} />}
        </Shown>
      </section>
      <NewExport api={api} hubs={hubs} made={reading.again} />
    </main>
  );
}
