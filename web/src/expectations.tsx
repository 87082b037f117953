// What people expect of devices: each line with its scope, its end, and the alerts that it covers; added and withdrawn here.
import { useState } from "react";
import type { Api } from "./api";
import { Time } from "./marks";
import { Shown, useFollowing, useReading } from "./reading";
import { Outcome, Sure, useSaving } from "./saving";
import { type Column, Table } from "./table";
import { visible } from "./visible";

interface Line {
  id: string;
  verdict: "expected" | "unexpected";
  until: string;
  over: boolean;
  hub: string;
  device: string;
  type: string;
  cause: string;
  by: string;
  note: string;
  alerts?: number;
  earlier?: number;
}

const address = "/api/v1/expectations";
const types = [
  ["", "Anything unusual"], ["IoT_X_RareProcess", "A rare program"], ["IoT_X_RareLogin", "A rare login"], ["IoT_X_RareDestination", "A rare destination"],
  ["IoT_X_VolumeAnomaly", "An unusual volume"], ["IoT_X_UnusualMetric", "An unusual metric"],
] as const;
const typeText = (type: string) => types.find(([id]) => id === type)?.[1] ?? type;
const ends = [["1", "A day"], ["7", "A week"], ["30", "30 days"], ["365", "A year"]] as const;

function NewLine({ api, hub, made }: { api: Api; hub: string; made: () => void }) {
  const nothing = { verdict: "expected", type: "", cause: "", device: "", note: "", days: "7", everywhere: false };
  const [line, setLine] = useState(nothing);
  const saving = useSaving();
  const set = (part: Partial<typeof nothing>) => setLine({ ...line, ...part });
  const add = async () => {
    const until = new Date(Date.now() + Number(line.days) * 86_400_000).toISOString().replace(/\.\d+Z$/, "Z");
    const body = { verdict: line.verdict, until, hub: line.everywhere ? "" : hub, type: line.type, cause: line.cause.trim(), device: line.device.trim(), note: line.note.trim() };
    if (!(await saving.run(() => api.send("POST", address, body), "It holds from the next minute on."))) return;
    setLine(nothing);
    made();
  };
  return (
    <details className="behind">
      <summary>Say what is expected</summary>
      <form className="editor" onSubmit={(event) => { event.preventDefault(); void add(); }}>
        <div className="bar fields">
          <label className="filter">
            <span>It is</span>
            <select value={line.verdict} onChange={(event) => set({ verdict: event.target.value })}>
              <option value="expected">expected: say nothing</option>
              <option value="unexpected">never expected: say it earlier</option>
            </select>
          </label>
          <label className="filter">
            <span>What</span>
            <select value={line.type} onChange={(event) => set({ type: event.target.value })}>{types.map(([id, text]) => <option key={id} value={id}>{text}</option>)}</select>
          </label>
          <label className="filter">
            <span>Metric or cause; empty: any</span>
            <input value={line.cause} maxLength={512} spellCheck={false} autoCapitalize="none" autoComplete="off" onChange={(event) => set({ cause: event.target.value })} />
          </label>
          <label className="filter">
            <span>Device, or camera-*; empty: any</span>
            <input value={line.device} maxLength={512} spellCheck={false} autoCapitalize="none" autoComplete="off" onChange={(event) => set({ device: event.target.value })} />
          </label>
          <label className="filter">
            <span>For</span>
            <select value={line.days} onChange={(event) => set({ days: event.target.value })}>{ends.map(([days, text]) => <option key={days} value={days}>{text}</option>)}</select>
          </label>
          <label className="filter wide">
            <span>Why</span>
            <input value={line.note} maxLength={512} onChange={(event) => set({ note: event.target.value })} />
          </label>
          <label className="switch">
            <input type="checkbox" checked={line.everywhere} onChange={(event) => set({ everywhere: event.target.checked })} />
            On every hub
          </label>
        </div>
        <p className="bar"><button type="submit" disabled={saving.busy}>Add it</button></p>
        <Outcome of={saving} />
      </form>
    </details>
  );
}

interface Props {
  api: Api;
  hub: string;
  mayChange: boolean;
  now: number;
}

export function Expectations({ api, hub, mayChange, now }: Props) {
  const reading = useReading(async (signal) => (await api.get<{ value: Line[] }>(address, signal)).value, [api]);
  const follow = useFollowing(reading.again);
  const saving = useSaving();
  const shown = (reading.value ?? []).filter((one) => one.hub === "" || one.hub === hub);
  const withdraw = async (line: Line) => {
    if (await saving.run(() => api.send("DELETE", `${address}/${line.id}`), "Withdrawn. What it covered is judged as before.")) follow();
  };
  const columns: Column<Line>[] = [
    { title: "Verdict", cell: (one) => <span className={`chip ${one.verdict}`}>{one.verdict}</span> },
    { title: "What", kind: "text", cell: (one) => <>{typeText(one.type)}{one.cause !== "" && <>: <span className="device">{visible(one.cause)}</span></>}{one.note !== "" && <div className="quiet">{visible(one.note)}</div>}</> },
    { title: "Of", cell: (one) => <>{one.device === "" ? "any device" : <span className="device">{visible(one.device)}</span>}{one.hub === "" && <div className="quiet">every hub</div>}</> },
    { title: "Until", cell: (one) => <><Time iso={one.until} now={now} />{one.over && <span className="quiet"> over</span>}</> },
    { title: "Alerts in 30 days", kind: "number", hint: "That the line covers, by its scope; what is expected is not told any more while it holds", cell: (one) => <>{(one.alerts ?? 0).toLocaleString()}{(one.earlier ?? 0) > 0 && <div className="quiet">{one.earlier!.toLocaleString()} earlier for it</div>}</> },
    { title: "By", kind: "quiet", cell: (one) => visible(one.by) },
    ...(mayChange ? [{ title: "Withdraw", unseen: true, cell: (one: Line) => <Sure text="Withdraw" question="Withdraw this line?" busy={saving.busy} act={() => void withdraw(one)} /> }] : []),
  ];
  return (
    <section className="card">
      <h2>Expectations</h2>
      <p className="quiet">What people said of the standard behaviour of devices: expected things are not told, others are told earlier, each until its end. Of lines that cover the same thing the last one decides.</p>
      <Outcome of={saving} />
      <Shown of={reading} isEmpty={() => shown.length === 0} empty={`Nobody has said what is expected of the devices of ${hub}.`}>
        {() => <Table label="Expectations" className="expectations" columns={columns} rows={shown} keyOf={(one, at) => `${one.id}${at}`} />}
      </Shown>
      {mayChange ? <NewLine api={api} hub={hub} made={follow} /> : <p className="quiet">Saying and withdrawing need the role administrator.</p>}
    </section>
  );
}
