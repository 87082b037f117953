// One receiver of findings: how it does, a test, what goes there, and the end of it.
import { useState } from "react";
import type { Api } from "./api";
import { Properties } from "./drawer";
import { ExportFields } from "./export_form";
import { bodyOf, type Destination, formatNames, formOf } from "./exports";
import { ExportState, FreshSecret } from "./exports_page";
import { PlaceLink } from "./link";
import { Time } from "./marks";
import { type Go, useUnsaved } from "./place";
import { Shown, useReading } from "./reading";
import { Outcome, Sure, useSaving } from "./saving";
import { visible } from "./visible";

const refreshMs = 10_000;

interface FormProps {
  api: Api;
  address: string;
  one: Destination;
  hubs: readonly string[];
  changed: () => void;
}

function Change({ api, address, one, hubs, changed }: FormProps) {
  const [stored, setStored] = useState(() => formOf(one));
  const [form, setForm] = useState(stored);
  const [fresh, setFresh] = useState<string | null>(null);
  const saving = useSaving();
  const dirty = JSON.stringify(form) !== JSON.stringify(stored);
  useUnsaved(dirty);
  const save = async () => {
    const done = await saving.run(async () => {
      const answer = await api.send<{ secret?: string }>("PUT", address, bodyOf(form));
      setFresh(answer?.secret ?? null);
    }, "Saved. It holds from the next finding on.");
    if (!done) return;
    const kept = { ...form, secret: "", authorization: "" };
    setStored(kept);
    setForm(kept);
    changed();
  };
  return (
    <form className="editor" onSubmit={(event) => { event.preventDefault(); void save(); }}>
      {fresh !== null && <FreshSecret key={fresh} name={one.name} secret={fresh} done={() => setFresh(null)} />}
      <ExportFields form={form} change={setForm} hubs={hubs} there={one} />
      <p className="bar"><button type="submit" className="primary" disabled={!dirty || saving.busy || form.findings.length === 0}>Save</button></p>
      <Outcome of={saving} />
    </form>
  );
}

interface Props {
  api: Api;
  id: string;
  hubs: readonly string[];
  chosenHub: string | null;
  now: number;
  go: Go;
}

export function ExportPage({ api, id, hubs, chosenHub, now, go }: Props) {
  const address = `/api/v1/exports/${encodeURIComponent(id)}`;
  const turn = Math.floor(now / refreshMs);
  const reading = useReading((signal) => api.get<Destination>(address, signal), [api, address, turn]);
  const saving = useSaving();
  const test = () =>
    saving.run(async () => {
      const answer = await api.send<{ delivered: boolean; problem?: string }>("POST", `${address}/test`);
      if (!answer?.delivered) throw new Error(`The test was not taken: ${answer?.problem ?? "the receiver did not say why"}.`);
    }, "The test finding was taken.");
  const remove = async () => {
    if (await saving.run(() => api.send("DELETE", address), "")) go({ at: "exports", filters: {} });
  };
  return (
    <main>
      <section className="card">
        <div className="bar">
          <h2><PlaceLink to={{ at: "exports", filters: {} }} hub={chosenHub} go={go}>Exports</PlaceLink> / <span className="device">{id}</span></h2>
          {reading.value && (
            <>
              <button type="button" className="primary" disabled={saving.busy} onClick={() => void test()}>Send a test</button>
              <Sure text="Remove" question={`Remove ${id}? What waits for it is gone.`} busy={saving.busy} act={() => void remove()} />
            </>
          )}
        </div>
        <Outcome of={saving} />
        <Shown of={reading}>
          {(one) => (
            <>
              {one.status.problem !== "" && <p role="alert" className="note error">{visible(one.status.problem)} {one.status.nextTry !== null && <>Next try: <Time iso={one.status.nextTry} now={now} />.</>}</p>}
              <Properties
                values={[
                  ["State", <ExportState key="s" of={one.status} now={now} />],
                  ["Address", <span key="a" className="device">{visible(one.to)}</span>],
                  ["Form", formatNames[one.format] ?? one.format],
                  ["Delivered", one.status.delivered.toLocaleString()],
                  ["Waiting", one.status.waiting.toLocaleString()],
                  ["Dropped, waited too long", one.status.dropped.toLocaleString()],
                  ["Refused by the receiver for good", one.status.refused.toLocaleString()],
                  ["Last delivered", <Time key="l" iso={one.status.lastDelivered} now={now} relative />],
                  ["Signed", one.signed ? "yes, by a secret that both know" : "no"],
                ]}
              />
            </>
          )}
        </Shown>
      </section>
      {reading.value && (
        <section className="card">
          <h2>What goes there</h2>
          <Change key={id} api={api} address={address} one={reading.value} hubs={hubs} changed={reading.again} />
        </section>
      )}
    </main>
  );
}
