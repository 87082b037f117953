// What detects here: every rule of the running set with what it did, and the sets that were applied before.
import { useMemo } from "react";
import type { Api } from "./api";
import { Choice, FilterBar, Search } from "./filters";
import { PlaceLink } from "./link";
import { SeverityMark, Time } from "./marks";
import type { Filters, Go } from "./place";
import { Shown, useReading } from "./reading";
import { chosenRules, type Rule, type RuleFailure, type RuleList, type RuleVersion, sourceOf } from "./rules";
import { Outcome, Sure, useSaving } from "./saving";
import { type Column, Table } from "./table";

const rowsMax = 500;

export const costText = (ns: number | null): string => (!ns ? "" : ns < 1_000 ? `${Math.round(ns)} ns` : `${(ns / 1_000).toFixed(1)} µs`);

export function Failures({ failures }: { failures: RuleFailure[] }) {
  if (failures.length === 0) return null;
  return (
    <ul className="plain failures">
      {failures.map((one, index) => (
        <li key={index}>
          <span className="device">{one.file}{one.line > 0 && `:${one.line}`}</span> {one.rule !== "" && <strong>{one.rule}</strong>} {one.why}
        </li>
      ))}
    </ul>
  );
}

const columns = (now: number, hub: string | null, go: Go): Column<Rule>[] => [
  { title: "Level", cell: (rule) => <SeverityMark severity={rule.severity} /> },
  { title: "Rule", kind: "text", cell: (rule) => <PlaceLink to={{ at: "rule", id: rule.id }} hub={hub} go={go}>{rule.displayName || rule.title}</PlaceLink> },
  { title: "Looks at", cell: (rule) => (rule.correlation ? "other rules" : sourceOf(rule)) },
  { title: "Hits", kind: "number", cell: (rule) => rule.counts.hits.toLocaleString() },
  { title: "Alerts", kind: "number", cell: (rule) => rule.counts.alerts.toLocaleString() },
  { title: "Cost an event", kind: "number", cell: (rule) => costText(rule.counts.costNs) },
  { title: "Last hit", cell: (rule) => <Time iso={rule.counts.lastHit} now={now} relative /> },
  { title: "Status", cell: (rule) => rule.status },
  { title: "From", cell: (rule) => (rule.from === "pack" ? "the pack" : "applied here") },
];

interface VersionsProps {
  api: Api;
  now: number;
  mayChange: boolean;
  changed: () => void;
}

function Versions({ api, now, mayChange, changed }: VersionsProps) {
  const reading = useReading(async (signal) => (await api.get<{ value: RuleVersion[] }>("/api/v1/rules/versions", signal)).value, [api]);
  const saving = useSaving();
  const back = async (version: number) => {
    if (!(await saving.run(() => api.send("POST", `/api/v1/rules/versions/${version}/rollback`), `The set of version ${version} is in force again.`))) return;
    reading.again();
    changed();
  };
  return (
    <section className="card">
      <h2>Versions</h2>
      <Outcome of={saving} />
      <Shown of={reading}>
        {(versions) => (
          <ul className="plain versions">
            {versions.map((one) => (
              <li key={one.version} className="bar">
                <strong>{one.version === 0 ? "The pack" : `Version ${one.version}`}</strong>
                {one.running && <span className="chip">in force</span>}
                {one.version > 0 && <span className="quiet"><Time iso={one.applied} now={now} /> by {one.by} · {one.files} {one.files === 1 ? "file" : "files"}</span>}
                {one.rolledBackTo !== undefined && <span className="quiet">back to {one.rolledBackTo}</span>}
                <span>{one.note}</span>
                {mayChange && !one.running && <Sure text="Go back to it" question={`Go back to ${one.version === 0 ? "the pack" : one.version}?`} busy={saving.busy} act={() => void back(one.version)} />}
              </li>
            ))}
          </ul>
        )}
      </Shown>
    </section>
  );
}

interface Props {
  api: Api;
  chosenHub: string | null;
  filters: Filters;
  news: number;
  now: number;
  mayChange: boolean;
  go: Go;
}

export function RulesPage({ api, chosenHub, filters, news, now, mayChange, go }: Props) {
  const reading = useReading((signal) => api.get<RuleList>("/api/v1/rules", signal), [api, news]);
  const shown = useMemo(() => chosenRules(reading.value?.value ?? [], filters), [reading.value, filters]);
  const statuses = useMemo(() => [...new Set((reading.value?.value ?? []).map((rule) => rule.status))].filter((one) => one !== "").sort(), [reading.value]);
  const change = (next: Filters) => go({ at: "rules", filters: next });
  return (
    <main>
      <section className="card">
        <div className="bar">
          <h2>Rules</h2>
          <PlaceLink to={{ at: "rule", id: "new", tab: "edit" }} hub={chosenHub} go={go} className="button">Write a rule</PlaceLink>
        </div>
        <FilterBar note={reading.value === null ? "" : `${shown.length.toLocaleString()} of ${reading.value.value.length.toLocaleString()}`}>
          <Search label="Name, id, technique" name="name" filters={filters} change={change} />
          <Choice label="Level" name="severity" filters={filters} change={change} options={[["", "Any"], ["High", "High"], ["Medium", "Medium"], ["Low", "Low"], ["Informational", "Informational"]]} />
          <Choice label="Status" name="status" filters={filters} change={change} options={[["", "Any"], ...statuses.map((one) => [one, one] as const)]} />
          <Choice label="From" name="from" filters={filters} change={change} options={[["", "Anywhere"], ["pack", "The pack"], ["applied", "Applied here"]]} />
          <Choice label="Hits" name="hits" filters={filters} change={change} options={[["", "Any"], ["some", "Hit at least once"]]} />
          <Choice label="Order" name="sort" filters={filters} change={change} options={[["", "Name"], ["level", "Level"], ["hits", "Most hits"], ["alerts", "Most alerts"], ["cost", "Dearest"]]} />
        </FilterBar>
        {reading.value && reading.value.errors.length > 0 && <div role="alert" className="note error"><Failures failures={reading.value.errors} /></div>}
        <Shown of={reading} empty="No rule is like this." isEmpty={() => shown.length === 0}>
          {(list) => (
            <>
              <Table label="Running set" className="rules-table" columns={columns(now, chosenHub, go)} rows={shown.slice(0, rowsMax)} keyOf={(rule) => rule.id} />
              {shown.length > rowsMax && <p className="quiet">The first {rowsMax} are shown.</p>}
              <p className="quiet">Counted since <Time iso={list.countedSince} now={now} />; version {list.version} is in force.</p>
            </>
          )}
        </Shown>
      </section>
      <Versions api={api} now={now} mayChange={mayChange} changed={reading.again} />
    </main>
  );
}
