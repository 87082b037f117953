// The editor of one security group. What is saved acts within seconds: it becomes a new content version in the log.
import { useEffect, useMemo, useState } from "react";
import type { Api } from "./api";
import { GroupRuleEditor } from "./group_rule";
import { type Group, type GroupProperties, isSetUp, rulesOf, withRule } from "./groups";
import { PlaceLink } from "./link";
import { type Go, useUnsaved } from "./place";
import { Shown, useReading } from "./reading";
import { Outcome, Sure, useSaving } from "./saving";

interface Props {
  api: Api;
  hub: string;
  chosenHub: string | null;
  id: string;
  mayChange: boolean;
  go: Go;
}

export function GroupPage({ api, hub, chosenHub, id, mayChange, go }: Props) {
  const address = `/api/v1/hubs/${encodeURIComponent(hub)}/groups/${encodeURIComponent(id)}`;
  const reading = useReading((signal) => api.get<Group>(address, signal), [api, address]);
  const [edited, setEdited] = useState<GroupProperties | null>(null);
  const [added, setAdded] = useState<readonly string[]>([]);
  const [round, setRound] = useState(0); // of editing: text boxes begin anew with each
  const saving = useSaving();
  const stored = reading.value?.properties ?? null;
  const begin = (from: GroupProperties) => {
    setEdited(from);
    setAdded(rulesOf(from).filter(isSetUp).map((rule) => rule.ruleType));
    setRound((old) => old + 1);
  };
  useEffect(() => {
    if (stored !== null) begin(stored);
  }, [stored]);
  const properties = edited ?? {};
  const changed = useMemo(() => edited !== null && JSON.stringify(edited) !== JSON.stringify(stored), [edited, stored]);
  useUnsaved(changed);
  const all = rulesOf(properties);
  const shown = added.flatMap((type) => all.filter((rule) => rule.ruleType === type));
  const others = all.filter((rule) => !added.includes(rule.ruleType));

  const change = (type: string, what: Parameters<typeof withRule>[2]) => {
    saving.clear();
    setEdited(withRule(properties, type, what));
  };
  const add = (type: string) => {
    setAdded([...added, type]);
    change(type, { isEnabled: true });
  };
  const save = async () => {
    if (await saving.run(() => api.send("PUT", address, { properties }), "Saved. It acts within seconds.")) reading.again();
  };
  const remove = async () => {
    if (await saving.run(() => api.send("DELETE", address), "")) go({ at: "groups", filters: {} });
  };
  return (
    <main>
      <section className="card">
        <div className="bar">
          <h2><PlaceLink to={{ at: "groups", filters: {} }} hub={chosenHub} go={go}>Custom alerts</PlaceLink> / <span className="device">{id}</span></h2>
          {mayChange && changed && stored && <button type="button" onClick={() => { begin(stored); saving.clear(); }}>Undo</button>}
          {mayChange && <button type="button" className="primary" disabled={!changed || saving.busy} onClick={() => void save()}>Save</button>}
          {mayChange && id.toLowerCase() !== "default" && (
            <Sure text="Delete the group" question="Delete for good?" busy={saving.busy || changed} act={() => void remove()} />
          )}
        </div>
        {id.toLowerCase() === "default" ? (
          <p className="quiet">For every device that no other group has.</p>
        ) : (
          <p className="quiet">For devices whose twin has the tag <code>{`"SecurityGroup": "${id}"`}</code>.</p>
        )}
        <Outcome of={saving} />
        <Shown of={reading}>
          {() => (
            <>
              {shown.length === 0 && <p className="quiet">This group has no rule yet.</p>}
              <ul className="rules">
                {shown.map((rule) => (
                  <GroupRuleEditor
                    key={`${rule.ruleType} ${round}`}
                    rule={rule}
                    mayChange={mayChange}
                    change={(what) => change(rule.ruleType, what)}
                    remove={() => setAdded(added.filter((type) => type !== rule.ruleType))}
                  />
                ))}
              </ul>
              {mayChange && others.length > 0 && (
                <label className="filter wide">
                  <span>Add a custom alert</span>
                  <select value="" onChange={(event) => add(event.target.value)}>
                    <option value="">Pick a behaviour…</option>
                    {others.map((rule) => <option key={rule.ruleType} value={rule.ruleType}>{rule.displayName}</option>)}
                  </select>
                </label>
              )}
            </>
          )}
        </Shown>
      </section>
    </main>
  );
}
