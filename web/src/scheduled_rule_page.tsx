// One scheduled rule: what it asks, what its runs found, its versions, and the editor.
import { useState } from "react";
import type { Api } from "./api";
import { Properties } from "./drawer";
import { PlaceLink } from "./link";
import { SeverityMark, Time } from "./marks";
import type { Filters, Go } from "./place";
import { Shown, useReading } from "./reading";
import { Outcome, Sure, useSaving } from "./saving";
import { newScheduled, rhythmOf, type ScheduledRule, type ScheduledRun, shownText, type Trial } from "./scheduled";
import { ScheduledEditor } from "./scheduled_editor";
import { ScheduledState } from "./scheduled_page";
import { type Column, Table } from "./table";
import { TextDiff } from "./text_diff";
import { durationText } from "./times";
import { TrialReport } from "./trial_report";
import { useMay } from "./rights";
import { visible } from "./visible";

const refreshMs = 15_000;
const tabs = [["", "Rule"], ["runs", "Runs"], ["versions", "Versions"], ["edit", "Edit"]] as const;

interface Props {
  api: Api;
  hub: string;
  chosenHub: string | null;
  workspace: string;
  id: string;
  tab: string;
  now: number;
  mayChange: boolean;
  go: Go;
}

function Details({ rule, now, chosenHub, go }: { rule: ScheduledRule; now: number; chosenHub: string | null; go: Go }) {
  const raised: Filters = { name: `IoT_SQ_${rule.id}`, status: "all" };
  const { health } = rule;
  return (
    <>
      {health && health.problem !== "" && <p role="alert" className="note error">{visible(health.problem)}</p>}
      <p className="facts">
        <SeverityMark severity={rule.severity} />
        <ScheduledState rule={rule} />
        <span>{rhythmOf(rule)}</span>
        <PlaceLink to={{ at: "alerts", filters: raised }} hub={chosenHub} go={go}>its alerts</PlaceLink>
        <PlaceLink to={{ at: "logs", query: rule.query }} hub={chosenHub} go={go}>its query in the logs</PlaceLink>
      </p>
      {rule.description !== "" && <p className="said">{visible(rule.description)}</p>}
      <h3>Query</h3>
      <pre tabIndex={0}>{visible(rule.query)}</pre>
      <h3>How it asks</h3>
      <Properties
        values={[
          ["An alert from", `${(rule.threshold + 1).toLocaleString()} ${rule.threshold === 0 ? "row" : "rows"} about the same ${Object.keys(rule.entities).join(", ") || "hub"}`],
          ["Entities", Object.entries(rule.entities).map(([kind, column]) => `${kind}: ${column}`).join(" · ") || "none: all rows are one finding"],
          ["Then silent about the same for", rule.suppression === "PT0S" ? "no time" : durationText(rule.suppression)],
          ["Asks again for what came late, up to", durationText(rule.lateness)],
          ["Version", <>{rule.version} <span className="quiet">by {visible(rule.author)}, <Time iso={rule.updated} now={now} relative /></span></>],
        ]}
      />
    </>
  );
}

const runColumns = (now: number): Column<ScheduledRun>[] => [
  { title: "Ran", cell: (run) => <Time iso={run.ran} now={now} /> },
  { title: "Window until", cell: (run) => <Time iso={run.windowEnd} now={now} /> },
  { title: "Rows", kind: "number", cell: (run) => run.rows.toLocaleString() },
  { title: "Alerts raised", kind: "number", cell: (run) => run.findings.toLocaleString() },
  { title: "Took", kind: "number", cell: (run) => `${run.ms.toLocaleString()} ms` },
  { title: "Result", kind: "text", cell: (run) => (run.problem === "" ? <span className="state Reporting">Well</span> : <span className="state Silent">{visible(run.problem)}</span>) },
];

/** The last runs since the server's start, and one more on demand, which raises nothing. */
function Runs({ api, address, now }: { api: Api; address: string; now: number }) {
  const turn = Math.floor(now / refreshMs);
  const reading = useReading(async (signal) => (await api.get<{ value: ScheduledRun[] }>(`${address}/runs`, signal)).value, [api, address, turn]);
  const [trial, setTrial] = useState<Trial | null>(null);
  const saving = useSaving();
  const may = useMay("analyst");
  const ask = () => saving.run(async () => setTrial(await api.send<Trial>("POST", `${address}/run`)), "");
  return (
    <>
      <p className="bar">
        <button type="button" disabled={saving.busy || !may.yes} onClick={() => void ask()}>{saving.busy ? "Asking…" : "Ask now"}</button>
        <span className="quiet">{may.yes ? "Shows what it would raise, and raises nothing." : may.why}</span>
      </p>
      <Outcome of={saving} />
      {trial && <TrialReport trial={trial} now={now} />}
      <Shown of={reading} isEmpty={(runs) => runs.length === 0} empty="It has not run since the server started. It runs at the end of each period, while it is on and Security of the hub is on.">
        {(runs) => <Table label="Runs" columns={runColumns(now)} rows={runs} keyOf={(run) => `${run.ran} ${run.windowEnd}`} rowClass={(run) => (run.findings > 0 ? "loss" : undefined)} />}
      </Shown>
    </>
  );
}

function Versions({ api, address, now }: { api: Api; address: string; now: number }) {
  const reading = useReading(async (signal) => (await api.get<{ value: ScheduledRule[] }>(`${address}/versions`, signal)).value.sort((a, b) => b.version - a.version), [api, address]);
  return (
    <Shown of={reading}>
      {(versions) => (
        <ul className="groups">
          {versions.map((one, at) => {
            const before = versions[at + 1];
            return (
              <li key={one.version}>
                <details open={at === 0 && before !== undefined}>
                  <summary><strong>Version {one.version}</strong> <span className="quiet"><Time iso={one.updated} now={now} /> by {visible(one.author)}</span></summary>
                  {before ? <TextDiff before={shownText(before)} after={shownText(one)} /> : <pre tabIndex={0}>{visible(shownText(one))}</pre>}
                </details>
              </li>
            );
          })}
        </ul>
      )}
    </Shown>
  );
}

export function ScheduledRulePage({ api, hub, chosenHub, workspace, id, tab, now, mayChange, go }: Props) {
  const all = `/api/v1/hubs/${encodeURIComponent(hub)}/scheduled-rules`;
  const address = `${all}/${encodeURIComponent(id)}`;
  const fresh = id === "new";
  const turn = tab === "edit" ? 0 : Math.floor(now / refreshMs); // what is being edited is not read anew
  const reading = useReading(async (signal) => (fresh ? null : { rule: await api.get<ScheduledRule>(address, signal) }), [api, address, turn]);
  const saving = useSaving();
  const remove = async () => {
    if (await saving.run(() => api.send("DELETE", address), "")) go({ at: "scheduled", filters: {} });
  };
  const rule = reading.value?.rule ?? null;
  return (
    <main>
      <section className="card">
        <div className="bar">
          <h2><PlaceLink to={{ at: "scheduled", filters: {} }} hub={chosenHub} go={go}>Scheduled rules</PlaceLink> / {fresh ? "A new one" : visible(rule?.name || id)}</h2>
          {rule && mayChange && <Sure text="Remove" question={`Remove ${id}?`} busy={saving.busy} act={() => void remove()} />}
        </div>
        <Outcome of={saving} />
        {!fresh && (
          <nav className="tabs" aria-label="About this scheduled rule">
            {tabs.map(([one, name]) => (
              <PlaceLink key={one} to={{ at: "scheduledRule", id, tab: one }} hub={chosenHub} go={go} here={tab === one}>{name}</PlaceLink>
            ))}
          </nav>
        )}
        {fresh ? (
          <ScheduledEditor api={api} workspace={workspace} all={all} rule={{ id: "", version: null, text: newScheduled }} now={now} mayChange={mayChange} saved={(made) => go({ at: "scheduledRule", id: made })} />
        ) : tab === "runs" ? (
          <Runs api={api} address={address} now={now} />
        ) : tab === "versions" ? (
          <Versions api={api} address={address} now={now} />
        ) : (
          <Shown of={reading}>
            {(found) =>
              found &&
              (tab === "edit" ? (
                <ScheduledEditor key={id} api={api} workspace={workspace} all={all} rule={{ id, version: found.rule.version, text: found.rule }} now={now} mayChange={mayChange} saved={() => undefined} />
              ) : (
                <Details rule={found.rule} now={now} chosenHub={chosenHub} go={go} />
              ))
            }
          </Shown>
        )}
      </section>
    </main>
  );
}
