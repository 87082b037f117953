// Custom alerts: a hub's own rules, for all devices or for those of one security group.
import { useState } from "react";
import type { Api } from "./api";
import { FilterBar, Search } from "./filters";
import { type Group, rulesOf, saysOf } from "./groups";
import { PlaceLink } from "./link";
import type { Filters, Go } from "./place";
import { Shown, useReading } from "./reading";
import { Outcome, useSaving } from "./saving";

interface Props {
  api: Api;
  hub: string;
  chosenHub: string | null;
  filters: Filters;
  mayChange: boolean;
  go: Go;
}

export function GroupsPage({ api, hub, chosenHub, filters, mayChange, go }: Props) {
  const address = `/api/v1/hubs/${encodeURIComponent(hub)}/groups`;
  const reading = useReading(async (signal) => (await api.get<{ value: Group[] }>(address, signal)).value, [api, address]);
  const [name, setName] = useState("");
  const saving = useSaving();
  const part = (filters["name"] ?? "").toLowerCase();
  const shown = (reading.value ?? []).filter((group) => group.name.toLowerCase().includes(part));
  const create = async () => {
    const made = name.trim();
    if (reading.value?.some((group) => group.name.toLowerCase() === made.toLowerCase())) return go({ at: "group", id: made });
    if (await saving.run(() => api.send("PUT", `${address}/${encodeURIComponent(made)}`, { properties: {} }), "")) go({ at: "group", id: made });
  };
  return (
    <main>
      <section className="card">
        <div className="bar"><h2>Custom alerts</h2></div>
        <p className="quiet">
          What is normal for your own devices: how many messages in a quarter of an hour, which programs, which addresses. A device belongs to the group
          that the tag <code>SecurityGroup</code> of its twin names, else to <code>default</code>.
        </p>
        <FilterBar note={reading.value === null ? "" : `${reading.value.length} ${reading.value.length === 1 ? "group" : "groups"}`}>
          <Search label="Name" name="name" filters={filters} change={(next) => go({ at: "groups", filters: next })} />
        </FilterBar>
        <Shown of={reading} empty="No group is called so." isEmpty={() => shown.length === 0}>
          {() => (
            <ul className="groups">
              {shown.map((group) => {
                const on = rulesOf(group.properties).filter((rule) => rule.isEnabled);
                return (
                  <li key={group.name}>
                    <h3 className="group-name"><PlaceLink to={{ at: "group", id: group.name }} hub={chosenHub} go={go}>{group.name}</PlaceLink></h3>
                    {on.length === 0 && <p className="quiet">No rule is on.</p>}
                    <ul className="plain">
                      {on.map((rule) => <li key={rule.ruleType}>{rule.displayName} <span className="quiet">{saysOf(rule)}</span></li>)}
                    </ul>
                  </li>
                );
              })}
            </ul>
          )}
        </Shown>
        {mayChange ? (
          <form className="bar" onSubmit={(event) => { event.preventDefault(); if (name.trim() !== "") void create(); }}>
            <label className="filter">
              <span>A new group</span>
              <input value={name} spellCheck={false} autoComplete="off" maxLength={128} onChange={(event) => setName(event.target.value)} />
            </label>
            <button type="submit" disabled={saving.busy || name.trim() === ""}>Make the group</button>
          </form>
        ) : (
          <p className="quiet">Changing groups needs the role administrator.</p>
        )}
        <Outcome of={saving} />
      </section>
    </main>
  );
}
