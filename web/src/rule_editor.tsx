// A file of rules in the making: check it, see what it changes, what it would have found, and put it in force.
import { useEffect, useRef, useState } from "react";
import type { Api } from "./api";
import { BacktestReport } from "./backtest_report";
import { useUnsaved } from "./place";
import { type Backtest, type Checked, type RuleDiff, type RuleFailure, type RuleFile, type RuleList, type RuleSet, type RuleVersion, type TakenOver, takenOver, withFile } from "./rules";
import { Failures } from "./rules_page";
import { useMay } from "./rights";
import { Conflict, TextDiff } from "./text_diff";
import { Outcome, useSaving } from "./saving";
import { ApiError } from "./trouble";

const spans = [["24", "24 hours"], ["72", "3 days"], ["168", "7 days"]] as const;
const pollMs = 700;

function Verdict({ checked }: { checked: Checked }) {
  const failing = checked.value.reduce((sum, rule) => sum + rule.samples.failing, 0);
  const good = checked.failures.length === 0 && failing === 0;
  return (
    <div role="status" className={good ? "note" : "note error"}>
      <p>
        {checked.compiles} of {checked.total} {checked.total === 1 ? "rule compiles" : "rules compile"}, {checked.tested} with samples
        {good && checked.tested > 0 && ", all of which say what they should"}.
      </p>
      <Failures failures={checked.failures} />
      <ul className="plain">
        {checked.value.map((rule) => (
          <li key={rule.id}>
            <strong>{rule.title}</strong>{" "}
            <span className="quiet">
              {rule.fedBy === null ? "nothing here feeds it" : `fed by ${rule.fedBy}`} · samples: {rule.samples.fires} fire, {rule.samples.silent} stay silent
              {rule.samples.failing > 0 && `, ${rule.samples.failing} fail`}
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}

function Changes({ diff }: { diff: RuleDiff }) {
  if (diff.added.length + diff.removed.length + diff.changed.length === 0) return <p className="note" role="status">Nothing would change.</p>;
  return (
    <div className="note" role="status">
      {diff.added.map((one) => <p key={one.id}><span className="chip">new</span> {one.title}</p>)}
      {diff.removed.map((one) => <p key={one.id}><span className="chip">gone</span> {one.title}</p>)}
      {diff.changed.map((one) => (
        <div key={one.id}>
          <p><span className="chip">changed</span> {one.title}</p>
          <TextDiff before={one.before} after={one.after} />
        </div>
      ))}
    </div>
  );
}

interface Props {
  api: Api;
  hub: string;
  file: RuleFile & { version: number; applied: boolean }; // of the set that it was read from; whether it lies over the pack
  named: boolean; // the file is there already, its name stays
  mayChange: boolean;
}

/** What would be lost by applying, and the choice to do it all the same. */
function Replacing({ taken, busy, replace, leave }: { taken: TakenOver; busy: boolean; replace: () => void; leave: () => void }) {
  const names = (title: string, rules: TakenOver["gone"]) =>
    rules.length > 0 && <p>{title} {rules.map((rule) => <span key={`${rule.file} ${rule.id}`}><strong>{rule.title}</strong> <span className="device">{rule.file}</span> </span>)}</p>;
  return (
    <div role="alert" className="note error">
      {names("Rules with the same id are in force already, and would be replaced:", taken.replaced)}
      {names("Rules of this file are not in its new text, and would be gone:", taken.gone)}
      <p>Give the new rule an id of its own (any UUID), or replace them knowingly.</p>
      <div className="bar">
        <button type="button" autoFocus onClick={leave}>Go on editing</button>
        <button type="button" className="danger" disabled={busy} onClick={replace}>Replace them</button>
      </div>
    </div>
  );
}

type Shown = { kind: "replacing"; taken: TakenOver } | { kind: "checked"; checked: Checked } | { kind: "diff"; diff: RuleDiff } | { kind: "backtest"; test: Backtest } | { kind: "refused"; failures: RuleFailure[] } | { kind: "conflict"; theirs: Theirs };

/** A set that somebody else put in force while this file was being edited, and this file as it stands there. */
interface Theirs {
  version: number;
  text: string;
  by: string;
  note: string;
}

export function RuleFileEditor({ api, hub, file, named, mayChange }: Props) {
  const [name, setName] = useState(file.name);
  const [text, setText] = useState(file.text);
  const [stored, setStored] = useState(file.text);
  const [applied, setApplied] = useState<string | null>(null); // the name under which a new file went into force here
  const [span, setSpan] = useState("24");
  const [note, setNote] = useState("");
  const [base, setBase] = useState(file.version); // of the set that the text was made from
  const [shown, setShown] = useState<Shown | null>(null);
  const saving = useSaving();
  const mayBacktest = useMay("analyst");
  const poll = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(poll.current), []);
  useUnsaved(text !== stored || (!named && applied === null && name !== file.name));

  /** What is applied now, with this file in it. */
  const wholeSet = async (): Promise<RuleSet & { version: number }> => {
    const { version } = await api.get<RuleList>("/api/v1/rules");
    const now = version === 0 ? { files: [] } : await api.get<RuleSet>(`/api/v1/rules/versions/${version}`);
    return { version, ...withFile({ files: now.files, ...(now.words && { words: now.words }), ...(now.only && { only: true }) }, { name, text }) };
  };
  const attempt = (what: () => Promise<Shown | null>, said = "") => {
    clearTimeout(poll.current);
    setShown(null);
    return saving.run(async () => setShown(await what()), said);
  };
  const check = () =>
    attempt(async () => {
      const checked = await api.send<Checked>("POST", "/api/v1/rules/check", { files: [{ name, text }] });
      return checked && { kind: "checked", checked };
    });
  const compare = () =>
    attempt(async () => {
      const { version: _, ...set } = await wholeSet();
      const diff = await api.send<RuleDiff>("POST", "/api/v1/rules/diff", set);
      return diff && { kind: "diff", diff };
    });
  const follow = async (id: string) => {
    try {
      const test = await api.get<Backtest>(`/api/v1/rules/backtests/${encodeURIComponent(id)}`);
      setShown({ kind: "backtest", test });
      if (test.state === "running") poll.current = setTimeout(() => void follow(id), pollMs);
    } catch (reason) {
      void saving.run(() => Promise.reject(reason as Error), "");
    }
  };
  const backtest = () =>
    attempt(async () => {
      const to = new Date();
      const from = new Date(to.getTime() - Number(span) * 3_600_000);
      const { version: _, ...set } = await wholeSet();
      const test = await api.send<Backtest>("POST", "/api/v1/rules/backtest", { ...set, from: from.toISOString(), to: to.toISOString(), hub });
      if (test) poll.current = setTimeout(() => void follow(test.id), pollMs);
      return test && { kind: "backtest", test };
    });
  /** What applying would take away unasked; null for nothing. What does not compile is for the server to refuse. */
  const losses = async (): Promise<TakenOver | null> => {
    const [{ value: running }, checked] = await Promise.all([
      api.get<RuleList>("/api/v1/rules"),
      api.send<Checked>("POST", "/api/v1/rules/check", { files: [{ name, text }] }),
    ]);
    const taken = takenOver(running, (checked?.value ?? []).map((rule) => rule.id), name, !named && name !== applied);
    if (taken.file) throw new Error(`There is a file ${name} already. Choose another name, or open that file's rules from the list and edit it.`);
    return taken.replaced.length + taken.gone.length === 0 || (checked?.failures.length ?? 0) > 0 ? null : taken;
  };
  /** What the running set says of this file; null where it says what it said when the editing began, or by now what is written here. */
  const meanwhile = async (): Promise<Theirs | null> => {
    const { value: versions } = await api.get<{ value: RuleVersion[] }>("/api/v1/rules/versions");
    const running = versions.find((one) => one.running);
    if (!running || running.version === base) return null;
    const set = await api.get<RuleSet>(`/api/v1/rules/versions/${running.version}`);
    const theirs = set.files.find((one) => one.name === name)?.text ?? (file.applied || applied !== null ? "" : stored); // taken out of the set, or never in it
    setBase(running.version);
    return theirs === stored || theirs === text ? null : { version: running.version, text: theirs, by: running.by, note: running.note };
  };
  const apply = async (knowingly: boolean) => {
    let failures: RuleFailure[] = [];
    let stopped = false;
    const done = await attempt(async () => {
      const theirs = knowingly ? null : await meanwhile();
      const taken = knowingly || theirs ? null : await losses();
      stopped = theirs !== null || taken !== null;
      if (theirs) return { kind: "conflict", theirs };
      if (taken) return { kind: "replacing", taken };
      try {
        const { version, ...set } = await wholeSet();
        const answer = await api.send<{ version: number }>("POST", "/api/v1/rules/apply", { ...set, ...(note !== "" && { note }) }, version);
        if (answer) setBase(answer.version);
      } catch (reason) {
        if (reason instanceof ApiError && Array.isArray(reason.details)) failures = reason.details as RuleFailure[];
        throw reason;
      }
      return null;
    });
    if (done && !stopped) {
      saving.say("Applied. It is in force.");
      setStored(text);
      setApplied(name);
    } else if (failures.length > 0) setShown({ kind: "refused", failures });
  };
  const stop = async (id: string) => {
    if (await saving.run(() => api.send("DELETE", `/api/v1/rules/backtests/${encodeURIComponent(id)}`), "Stopped.")) setShown(null);
  };
  return (
    <div className="editor">
      <label className="filter wide">
        <span>File</span>
        <input value={name} readOnly={named || applied !== null} spellCheck={false} onChange={(event) => setName(event.target.value)} />
      </label>
      <label className="filter wide">
        <span>Rules in Sigma</span>
        <textarea
          className="code"
          spellCheck={false}
          rows={Math.min(32, Math.max(14, text.split("\n").length + 1))}
          value={text}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
              event.preventDefault();
              void check();
            }
          }}
        />
      </label>
      <div className="bar">
        <button type="button" className="primary" disabled={saving.busy} onClick={() => void check()}>Check and test</button>
        <span className="quiet">Ctrl+Enter</span>
        <button type="button" disabled={saving.busy} onClick={() => void compare()}>What would change</button>
        <label>
          <span className="unseen">Backtest over</span>
          <select value={span} onChange={(event) => setSpan(event.target.value)}>
            {spans.map(([value, title]) => <option key={value} value={value}>{title}</option>)}
          </select>
        </label>
        <button type="button" disabled={saving.busy || !mayBacktest.yes} title={mayBacktest.why} onClick={() => void backtest()}>Backtest</button>
        {mayChange && (
          <>
            <label className="filter">
              <span>Note</span>
              <input value={note} maxLength={200} onChange={(event) => setNote(event.target.value)} />
            </label>
            <button type="button" disabled={saving.busy} onClick={() => void apply(false)}>Apply</button>
          </>
        )}
      </div>
      {!mayBacktest.yes && <p className="quiet">Backtest: {mayBacktest.why}</p>}
      {mayBacktest.yes && !mayChange && <p className="quiet">Putting rules in force needs the role administrator.</p>}
      <Outcome of={saving} />
      {saving.busy && <p className="quiet">Working…</p>}
      {shown?.kind === "conflict" && (
        <Conflict
          what={`${shown.theirs.by || "Somebody"} put version ${shown.theirs.version} in force meanwhile${shown.theirs.note === "" ? "" : ` (${shown.theirs.note})`}, and it changes this file.`}
          theirs={shown.theirs.text}
          mine={text}
          busy={saving.busy}
          edit={() => setShown(null)}
          take={() => { setText(shown.theirs.text); setStored(shown.theirs.text); setShown(null); }}
          over={() => void apply(true)}
        />
      )}
      {shown?.kind === "replacing" && <Replacing taken={shown.taken} busy={saving.busy} replace={() => void apply(true)} leave={() => setShown(null)} />}
      {shown?.kind === "checked" && <Verdict checked={shown.checked} />}
      {shown?.kind === "refused" && <Failures failures={shown.failures} />}
      {shown?.kind === "diff" && <Changes diff={shown.diff} />}
      {shown?.kind === "backtest" && <BacktestReport test={shown.test} stop={() => void stop(shown.test.id)} />}
    </div>
  );
}
