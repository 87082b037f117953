// A scheduled rule in the making: its query, how it asks, whom its rows are about; tried before it is saved.
import { useEffect, useRef, useState } from "react";
import { type Api, Refusal } from "./api";
import { severities, type Severity } from "./model";
import { useUnsaved } from "./place";
import { QueryEditor } from "./query_editor";
import { useMay } from "./rights";
import { Outcome, useSaving } from "./saving";
import { entityKinds, periods, placeIn, quietSpans, type ScheduledRule, type ScheduledText, shownText, spans, textOf, type Trial, withPresent } from "./scheduled";
import { Conflict } from "./text_diff";
import { durationText } from "./times";
import { TrialReport } from "./trial_report";
import { ApiError, isConflict } from "./trouble";

interface Props {
  api: Api;
  workspace: string;
  all: string; // the address of all scheduled rules of the hub
  rule: { id: string; version: number | null; text: ScheduledText }; // version null: a new one
  now: number;
  mayChange: boolean;
  saved: (id: string) => void;
}

function Duration({ label, choices, value, change }: { label: string; choices: readonly string[]; value: string; change: (to: string) => void }) {
  return (
    <label className="filter">
      <span>{label}</span>
      <select value={value} onChange={(event) => change(event.target.value)}>
        {withPresent(choices, value).map((one) => <option key={one} value={one}>{one === "PT0S" ? "no time" : durationText(one)}</option>)}
      </select>
    </label>
  );
}

function Entities({ entities, change }: { entities: Record<string, string>; change: (to: Record<string, string>) => void }) {
  const unused = entityKinds.filter((kind) => !(kind in entities));
  return (
    <fieldset className="filter entities-of">
      <legend>Rows are about the same thing where these columns agree; none: all rows together are one finding, of the hub</legend>
      {Object.entries(entities).map(([kind, column]) => (
        <span className="bar" key={kind}>
          <label className="filter">
            <span>{kind} is in the column</span>
            <input value={column} required spellCheck={false} autoComplete="off" onChange={(event) => change({ ...entities, [kind]: event.target.value })} />
          </label>
          <button type="button" aria-label={`Not by ${kind}`} onClick={() => change(Object.fromEntries(Object.entries(entities).filter(([one]) => one !== kind)))}>✕</button>
        </span>
      ))}
      {unused.length > 0 && (
        <label className="filter">
          <span>And by</span>
          <select value="" onChange={(event) => event.target.value !== "" && change({ ...entities, [event.target.value]: "" })}>
            <option value="">Add…</option>
            {unused.map((kind) => <option key={kind}>{kind}</option>)}
          </select>
        </label>
      )}
    </fieldset>
  );
}

export function ScheduledEditor({ api, workspace, all, rule, now, mayChange, saved }: Props) {
  const [id, setId] = useState(rule.id);
  const [version, setVersion] = useState(rule.version);
  const [stored, setStored] = useState(() => textOf(rule.text));
  const [text, setText] = useState(stored);
  const [given, setGiven] = useState({ text: stored.query });
  const [refused, setRefused] = useState<{ query: string; refusal: Refusal } | null>(null);
  const [trial, setTrial] = useState<Trial | null>(null);
  const [theirs, setTheirs] = useState<ScheduledRule | null>(null);
  const saving = useSaving();
  const may = useMay("analyst");
  const form = useRef<HTMLFormElement>(null);
  const [made, setMade] = useState<string | null>(null);
  const dirty = JSON.stringify(text) !== JSON.stringify(stored);
  useUnsaved(dirty);
  // Only now is nothing unsaved any more that would be asked about before leaving.
  useEffect(() => { if (made !== null) saved(made); }, [made]);
  const set = <Name extends keyof ScheduledText>(name: Name, value: ScheduledText[Name]) => setText((old) => ({ ...old, [name]: value }));
  const address = `${all}/${encodeURIComponent(id.trim())}`;

  /** What the server refuses of the query is shown where it stands. */
  const attempt = (what: () => Promise<void>, said: string) => {
    setTrial(null);
    setRefused(null);
    setTheirs(null);
    return saving.run(async () => {
      try {
        await what();
      } catch (reason) {
        const place = reason instanceof ApiError ? placeIn(reason.message) : null;
        if (reason instanceof ApiError && place) setRefused({ query: text.query, refusal: new Refusal(reason.status, reason.message, place) });
        throw reason;
      }
    }, said);
  };
  const check = () => void attempt(async () => setTrial(await api.send<Trial>("POST", `${all}/${encodeURIComponent(id.trim() || "trial")}/check`, text)), "");
  const save = async (from: number | null) => {
    let other: ScheduledRule | null = null;
    let written: (ScheduledRule & { trial?: Trial }) | null = null;
    const done = await attempt(async () => {
      try {
        if (from === null && (await isThere(api, address))) throw new Error(`There is a scheduled rule ${id.trim()} already. Choose another id.`);
        written = await api.send("PUT", address, text, from ?? undefined);
      } catch (reason) {
        if (!isConflict(reason)) throw reason;
        other = await api.get<ScheduledRule>(address);
      }
    }, "");
    setTheirs(other);
    if (!done || other !== null) return;
    const now = written as (ScheduledRule & { trial?: Trial }) | null;
    setStored(text);
    setVersion(now?.version ?? from);
    setTrial(now?.trial ?? null);
    saving.say("Saved. It asks from its next window on.");
    if (from === null) setMade(id.trim());
  };
  const take = (other: ScheduledRule) => {
    const next = textOf(other);
    setStored(next);
    setText(next);
    setGiven({ text: next.query });
    setVersion(other.version);
    setTheirs(null);
  };
  return (
    <form ref={form} className="editor" onSubmit={(event) => { event.preventDefault(); void save(version); }}>
      <div className="bar fields">
        {rule.version === null && (
          <label className="filter">
            <span>Id, part of its alert type</span>
            <input value={id} required maxLength={64} pattern="[A-Za-z0-9_\-]+" title="Letters, digits, - and _" spellCheck={false} autoCapitalize="none" autoComplete="off" onChange={(event) => setId(event.target.value)} />
          </label>
        )}
        <label className="filter wide">
          <span>Name of its alerts</span>
          <input value={text.name} maxLength={200} onChange={(event) => set("name", event.target.value)} />
        </label>
        <label className="filter">
          <span>Severity</span>
          <select value={text.severity} onChange={(event) => set("severity", event.target.value as Severity)}>
            {severities.map((one) => <option key={one}>{one}</option>)}
          </select>
        </label>
        <label className="switch">
          <input type="checkbox" role="switch" checked={text.enabled} onChange={(event) => set("enabled", event.target.checked)} />
          On
        </label>
      </div>
      <label className="filter wide">
        <span>What it means, for who reads the alert</span>
        <input value={text.description} maxLength={2000} onChange={(event) => set("description", event.target.value)} />
      </label>
      <QueryEditor api={api} workspace={workspace} query={text.query} given={given} refusal={refused?.query === text.query ? refused.refusal : null} change={(query) => set("query", query)} run={check} />
      <div className="bar fields">
        <Duration label="Asks every" choices={periods} value={text.period} change={(to) => set("period", to)} />
        <Duration label="Over the last" choices={spans} value={text.window} change={(to) => set("window", to)} />
        <label className="filter">
          <span>Alert above this many rows</span>
          <input type="number" min={0} max={1_000_000} required value={text.threshold} onChange={(event) => set("threshold", Math.max(0, Math.floor(event.target.valueAsNumber || 0)))} />
        </label>
        <Duration label="Then silent about the same for" choices={quietSpans} value={text.suppression} change={(to) => set("suppression", to)} />
        <Duration label="Waits for late rows" choices={["PT0S", ...periods]} value={text.lateness} change={(to) => set("lateness", to)} />
      </div>
      <Entities entities={text.entities} change={(to) => set("entities", to)} />
      <div className="bar">
        <button type="button" disabled={saving.busy || !may.yes} onClick={() => form.current?.reportValidity() !== false && check()}>Check and preview</button>
        {mayChange && <button type="submit" className="primary" disabled={saving.busy || (version !== null && !dirty)}>Save</button>}
        <span className="quiet">{!may.yes ? may.why : mayChange ? "Ctrl+Enter checks; nothing is raised by that" : "Saving needs the role administrator."}</span>
      </div>
      {theirs === null && <Outcome of={saving} />}
      {saving.busy && <p className="quiet">Asking…</p>}
      {trial && <TrialReport trial={trial} now={now} />}
      {theirs && (
        <Conflict
          what={`${theirs.author} saved version ${theirs.version} meanwhile; yours was made from version ${version}.`}
          theirs={shownText(textOf(theirs))}
          mine={shownText(text)}
          busy={saving.busy}
          edit={() => { setVersion(theirs.version); setTheirs(null); }}
          take={() => take(theirs)}
          over={() => void save(theirs.version)}
        />
      )}
    </form>
  );
}

async function isThere(api: Api, address: string): Promise<boolean> {
  try {
    await api.get(address);
    return true;
  } catch (reason) {
    if (reason instanceof ApiError && reason.status === 404) return false;
    throw reason;
  }
}
