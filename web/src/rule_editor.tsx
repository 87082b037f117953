// A file of rules in the making: check it, see what it changes, what it would have found, and put it in force.
import { useEffect, useRef, useState } from "react";
import { type Api, ApiError } from "./api";
import { BacktestReport } from "./backtest_report";
import { useUnsaved } from "./place";
import { type Backtest, type Checked, diffLines, type RuleDiff, type RuleFailure, type RuleFile, type RuleList, type RuleSet, withFile } from "./rules";
import { Failures } from "./rules_page";
import { Outcome, useSaving } from "./saving";

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
          <pre className="diff">
            {diffLines(one.before, one.after).map((line, index) => (
              <span key={index} className={line.kind}>{line.kind === "added" ? "+ " : line.kind === "removed" ? "− " : "  "}{line.text}{"\n"}</span>
            ))}
          </pre>
        </div>
      ))}
    </div>
  );
}

interface Props {
  api: Api;
  hub: string;
  file: RuleFile;
  named: boolean; // the file is there already, its name stays
  mayChange: boolean;
}

type Shown = { kind: "checked"; checked: Checked } | { kind: "diff"; diff: RuleDiff } | { kind: "backtest"; test: Backtest } | { kind: "refused"; failures: RuleFailure[] };

export function RuleEditor({ api, hub, file, named, mayChange }: Props) {
  const [name, setName] = useState(file.name);
  const [text, setText] = useState(file.text);
  const [stored, setStored] = useState(file.text);
  const [span, setSpan] = useState("24");
  const [note, setNote] = useState("");
  const [shown, setShown] = useState<Shown | null>(null);
  const saving = useSaving();
  const poll = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(poll.current), []);
  useUnsaved(text !== stored);

  /** What is applied now, with this file in it. */
  const wholeSet = async (): Promise<RuleSet> => {
    const { version } = await api.get<RuleList>("/api/v1/rules");
    const now = version === 0 ? { files: [] } : await api.get<RuleSet>(`/api/v1/rules/versions/${version}`);
    return withFile({ files: now.files, ...(now.words && { words: now.words }), ...(now.only && { only: true }) }, { name, text });
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
      const diff = await api.send<RuleDiff>("POST", "/api/v1/rules/diff", await wholeSet());
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
      const test = await api.send<Backtest>("POST", "/api/v1/rules/backtest", { ...(await wholeSet()), from: from.toISOString(), to: to.toISOString(), hub });
      if (test) poll.current = setTimeout(() => void follow(test.id), pollMs);
      return test && { kind: "backtest", test };
    });
  const apply = async () => {
    let failures: RuleFailure[] = [];
    const applied = await attempt(async () => {
      try {
        await api.send("POST", "/api/v1/rules/apply", { ...(await wholeSet()), ...(note !== "" && { note }) });
      } catch (reason) {
        if (reason instanceof ApiError && Array.isArray(reason.details)) failures = reason.details as RuleFailure[];
        throw reason;
      }
      return null;
    }, "Applied. It is in force.");
    if (applied) setStored(text);
    else if (failures.length > 0) setShown({ kind: "refused", failures });
  };
  const stop = async (id: string) => {
    if (await saving.run(() => api.send("DELETE", `/api/v1/rules/backtests/${encodeURIComponent(id)}`), "Stopped.")) setShown(null);
  };
  return (
    <div className="editor">
      <label className="filter wide">
        <span>File</span>
        <input value={name} readOnly={named} spellCheck={false} onChange={(event) => setName(event.target.value)} />
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
        <button type="button" disabled={saving.busy} onClick={() => void backtest()}>Backtest</button>
        {mayChange && (
          <>
            <label className="filter">
              <span>Note</span>
              <input value={note} maxLength={200} onChange={(event) => setNote(event.target.value)} />
            </label>
            <button type="button" disabled={saving.busy} onClick={() => void apply()}>Apply</button>
          </>
        )}
      </div>
      <Outcome of={saving} />
      {saving.busy && <p className="quiet">Working…</p>}
      {shown?.kind === "checked" && <Verdict checked={shown.checked} />}
      {shown?.kind === "refused" && <Failures failures={shown.failures} />}
      {shown?.kind === "diff" && <Changes diff={shown.diff} />}
      {shown?.kind === "backtest" && <BacktestReport test={shown.test} stop={() => void stop(shown.test.id)} />}
    </div>
  );
}
