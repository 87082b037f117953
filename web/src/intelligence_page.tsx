// Indicators that detection looks things up in: which files they come from, whether a value is among them, import and removal.
import { useEffect, useState } from "react";
import type { Api } from "./api";
import { Properties } from "./drawer";
import { FileImport } from "./file_import";
import { IntelBundles, IntelFeeds } from "./intel_feeds";
import type { Filters, Go } from "./place";
import { Shown, useFollowing, useReading } from "./reading";
import { Outcome, Sure, useSaving } from "./saving";
import { shownValue } from "./state";
import { type Column, Table } from "./table";
import { visible } from "./visible";

interface Bad {
  line: number;
  why: string;
}
interface Source {
  name: string;
  indicators: number;
  warningListEntries: number;
  skipped: number;
  bad: Bad[];
}
interface Intel {
  value: Source[];
  inForce: number;
  byType: Record<string, number>;
}
interface Found {
  value: string;
  found: boolean;
  indicator?: Record<string, unknown>;
}

function LookUp({ api, value, ask }: { api: Api; value: string; ask: (value: string) => void }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  return (
    <section className="card">
      <h2>Look up</h2>
      <form className="bar" role="search" onSubmit={(event) => { event.preventDefault(); ask(text.trim()); }}>
        <label className="filter wide">
          <span>An address, name, URL or hash</span>
          <input type="search" value={text} spellCheck={false} autoComplete="off" onChange={(event) => setText(event.target.value)} />
        </label>
        <button type="submit">Look up</button>
      </form>
      {value !== "" && <Answer key={value} api={api} value={value} />}
    </section>
  );
}

function Answer({ api, value }: { api: Api; value: string }) {
  const reading = useReading((signal) => api.get<Found>(`/api/v1/intel/lookup?${new URLSearchParams({ value })}`, signal), [api, value]);
  return (
    <Shown of={reading}>
      {(answer) =>
        answer.indicator ? (
          <Properties values={Object.entries(answer.indicator).map(([name, one]) => [name, shownValue(one)])} />
        ) : (
          <p className="quiet">No indicator names <span className="device">{answer.value}</span>, or a warning-list does.</p>
        )
      }
    </Shown>
  );
}

function Refused({ bad }: { bad: Bad[] }) {
  return (
    <details>
      <summary>{bad.length.toLocaleString()} {bad.length === 1 ? "line was" : "lines were"} left out</summary>
      <ul className="plain">{bad.map((one, index) => <li key={index}>{one.line > 0 && `Line ${one.line}: `}{visible(one.why)}</li>)}</ul>
    </details>
  );
}

interface Props {
  api: Api;
  filters: Filters;
  mayChange: boolean;
  now: number;
  go: Go;
}

export function IntelligencePage({ api, filters, mayChange, now, go }: Props) {
  const reading = useReading((signal) => api.get<Intel>("/api/v1/intel", signal), [api]);
  const saving = useSaving();
  const follow = useFollowing(reading.again);
  const remove = async (source: string) => {
    if (await saving.run(() => api.send("DELETE", `/api/v1/intel/${encodeURIComponent(source)}`), `${source} is removed.`)) follow();
  };
  const columns: Column<Source>[] = [
    { title: "File", kind: "device", cell: (source) => source.name },
    { title: "Indicators", kind: "number", cell: (source) => source.indicators.toLocaleString() },
    { title: "Warning-list entries", kind: "number", cell: (source) => source.warningListEntries.toLocaleString() },
    { title: "Skipped", kind: "number", cell: (source) => source.skipped.toLocaleString() },
    { title: "Left out", cell: (source) => (source.bad.length === 0 ? <span className="quiet">none</span> : <Refused bad={source.bad} />) },
    ...(mayChange
      ? [{
          title: "Remove", unseen: true,
          cell: (source: Source) => <Sure text="Remove" question={`Remove ${source.name}?`} busy={saving.busy} act={() => void remove(source.name)} />,
        }]
      : []),
  ];
  return (
    <main>
      <LookUp api={api} value={filters["value"] ?? ""} ask={(value) => go({ at: "intelligence", filters: { value } })} />
      <section className="card">
        <h2>Files</h2>
        <Outcome of={saving} />
        <Shown of={reading}>
          {(intel) => (
            <>
              <p className="quiet">
                {intel.inForce.toLocaleString()} {intel.inForce === 1 ? "indicator is" : "indicators are"} in force
                {Object.entries(intel.byType).map(([type, count]) => ` · ${type} ${count.toLocaleString()}`)}
              </p>
              {intel.value.length === 0 ? (
                <p className="quiet">No file has been imported.</p>
              ) : (
                <Table label="Sources of indicators" columns={columns} rows={intel.value} keyOf={(source) => source.name} />
              )}
            </>
          )}
        </Shown>
      </section>
      {mayChange && (
        <section className="card">
          <h2>Import</h2>
          <p className="quiet">STIX, MISP, abuse.ch CSV, JSON Lines, or one value a line, up to 32 MiB. A file of the same name takes the old one's place.</p>
          <FileImport api={api} address="/api/v1/intel" said="Imported. It acts within seconds." done={follow} />
        </section>
      )}
      {mayChange && <IntelFeeds api={api} now={now} changed={follow} />}
      {mayChange && <IntelBundles api={api} now={now} changed={follow} />}
    </main>
  );
}
