// One rule: what it says, what it did, its samples; and the editor that checks, backtests and applies it.
import type { Api } from "./api";
import { Properties } from "./drawer";
import { PlaceLink } from "./link";
import { SeverityMark, Time } from "./marks";
import type { Go } from "./place";
import { Shown, useReading } from "./reading";
import { RuleFileEditor } from "./rule_editor";
import { costText } from "./rules_page";
import { fileText, newRule, type RuleDetail, type RuleList, type RuleSet, sourceOf } from "./rules";
import { shownValue } from "./state";

function Sample({ sample }: { sample: RuleDetail["samples"][number] }) {
  return (
    <li>
      <span className="chip">{sample.fires ? "fires" : "silent"}</span>
      <span className="device">{Object.entries(sample.fields).map(([name, value]) => `${name}: ${shownValue(value)}`).join(" · ")}</span>
    </li>
  );
}

function Details({ rule, now }: { rule: RuleDetail; now: number }) {
  const { counts } = rule;
  return (
    <>
      <p className="facts">
        <SeverityMark severity={rule.severity} />
        <span>{rule.status}</span>
        <span>{rule.from === "pack" ? "from the pack" : "applied here"}</span>
        {rule.techniques.map((id) => <span className="chip" key={id}>{id}</span>)}
      </p>
      <p>{rule.description}</p>
      <h3>What it did</h3>
      <Properties
        values={[
          ["Hits", counts.hits.toLocaleString()],
          ["Alerts raised", counts.alerts.toLocaleString()],
          ["Taken up by an open or dismissed alert", counts.repeats.toLocaleString()],
          ["Said more by another rule", counts.absorbed.toLocaleString()],
          ["Held back by settings, or for correlations", counts.held.toLocaleString()],
          ["Last hit", <Time key="t" iso={counts.lastHit} now={now} />],
          ["Cost an event", costText(counts.costNs)],
        ]}
      />
      <h3>Samples</h3>
      {rule.samples.length === 0 ? <p className="quiet">It has none.</p> : <ul className="plain">{rule.samples.map((sample, index) => <Sample key={index} sample={sample} />)}</ul>}
      <h3>Text</h3>
      <pre className="source" tabIndex={0}>{rule.source}</pre>
      <h3>Origin</h3>
      <Properties
        values={[
          ["Id", rule.id],
          ["Alert type", rule.alertType],
          ["Looks at", rule.correlation ? "other rules" : sourceOf(rule)],
          ["Fields", rule.fields.join(", ")],
          ["File", `${rule.file}:${rule.line}`],
          ["Author", rule.author],
          ["Licence", rule.license],
          ["References", rule.references.join(" · ")],
        ]}
      />
    </>
  );
}

interface Props {
  api: Api;
  hub: string;
  chosenHub: string | null;
  id: string;
  tab: string;
  now: number;
  mayChange: boolean;
  go: Go;
}

/** A file holds several rules at times: the editor has it whole, since it is replaced whole. */
async function readFile(api: Api, rule: RuleDetail, list: RuleList, signal: AbortSignal): Promise<string> {
  if (rule.from === "applied") {
    const set = await api.get<RuleSet>(`/api/v1/rules/versions/${list.version}`, signal);
    const found = set.files.find((file) => file.name === rule.file);
    if (found) return found.text;
  }
  const others = list.value.filter((one) => one.file === rule.file && one.id !== rule.id);
  const sources = await Promise.all(others.map((one) => api.get<RuleDetail>(`/api/v1/rules/${encodeURIComponent(one.id)}`, signal)));
  return fileText([rule, ...sources]);
}

export function RulePage({ api, hub, chosenHub, id, tab, now, mayChange, go }: Props) {
  const fresh = id === "new";
  const reading = useReading(async (signal) => {
    const list = tab === "edit" ? await api.get<RuleList>("/api/v1/rules", signal) : null;
    const version = list?.version ?? 0;
    if (fresh) return { rule: null, file: { name: "own/my_rule.yml", text: newRule(crypto.randomUUID()), version, applied: false } };
    const rule = await api.get<RuleDetail>(`/api/v1/rules/${encodeURIComponent(id)}`, signal);
    return { rule, file: { name: rule.file, text: list ? await readFile(api, rule, list, signal) : "", version, applied: rule.from === "applied" } };
  }, [api, id, tab]);
  const title = fresh ? "A new rule" : (reading.value?.rule?.title ?? id);
  return (
    <main>
      <section className="card">
        <div className="bar">
          <h2><PlaceLink to={{ at: "rules", filters: {} }} hub={chosenHub} go={go}>Rules</PlaceLink> / {title}</h2>
        </div>
        {!fresh && (
          <nav className="tabs" aria-label="About this rule">
            {[["", "Rule"], ["edit", "Edit"]].map(([one = "", name]) => (
              <PlaceLink key={one} to={{ at: "rule", id, tab: one }} hub={chosenHub} go={go} here={tab === one}>{name}</PlaceLink>
            ))}
          </nav>
        )}
        <Shown of={reading}>
          {({ rule, file }) =>
            rule && tab !== "edit" ? <Details rule={rule} now={now} /> : file.text !== "" && <RuleFileEditor key={`${file.name} ${tab}`} api={api} hub={hub} file={file} named={!fresh} mayChange={mayChange} />
          }
        </Shown>
      </section>
    </main>
  );
}
