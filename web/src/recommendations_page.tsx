// What is weakly configured, by type, with the devices it concerns.
import { useMemo } from "react";
import type { Api } from "./api";
import { Choice, FilterBar, Search } from "./filters";
import { FindingList } from "./finding_list";
import { recommendationGroups } from "./lists";
import { SeverityMark, Time } from "./marks";
import type { Recommendation } from "./model";
import type { Filters } from "./place";
import { Shown, useReading } from "./reading";

interface Props {
  api: Api;
  hub: string;
  filters: Filters;
  news: number;
  now: number;
  change: (filters: Filters) => void;
  open: (id: string) => void;
}

export function RecommendationsPage({ api, hub, filters, news, now, change, open }: Props) {
  const state = filters["state"] ?? "";
  const reading = useReading(async (signal) => {
    const parameters = new URLSearchParams({ hub, top: "1000", state: state || "Active" });
    return (await api.get<{ value: Recommendation[] }>(`/api/v1/recommendations?${parameters}`, signal)).value;
  }, [api, hub, state, news]);
  const items = reading.value;
  const groups = useMemo(() => recommendationGroups(items ?? [], filters), [items, filters]);
  return (
    <main>
      <section className="card">
        <h2>Recommendations</h2>
        <FilterBar note={items === null ? "" : `${groups.length} ${groups.length === 1 ? "type" : "types"}`}>
          <Choice label="State" name="state" filters={filters} change={change} options={[["", "Active"], ["Resolved", "Resolved"], ["Dismissed", "Dismissed"], ["all", "All"]]} />
          <Choice label="Severity" name="severity" filters={filters} change={change} options={[["", "Any"], ["High", "High"], ["Medium", "Medium"], ["Low", "Low"]]} />
          <Search label="Name" name="name" filters={filters} change={change} />
          <Search label="Device" name="device" filters={filters} change={change} />
        </FilterBar>
        <Shown of={reading} empty="No weak state is known." isEmpty={() => groups.length === 0}>
          {() => (
            <ul className="groups">
              {groups.map((group) => (
                <li key={group.type}>
                  <details open={groups.length <= 3}>
                    <summary>
                      <SeverityMark severity={group.severity} />
                      <strong>{group.displayName}</strong>
                      <span className="quiet">
                        {group.items.every((one) => one.device === "") ? "the hub" : `${group.items.length.toLocaleString()} ${group.items.length === 1 ? "device" : "devices"}`}
                        {group.component !== "" && ` · ${group.component}`} · first seen <Time iso={group.first} now={now} relative />
                      </span>
                    </summary>
                    <p>{group.items[0]?.description}</p>
                    <FindingList
                      open={open}
                      lines={group.items.map((one) => ({
                        id: one.id,
                        name: one.device || "the hub",
                        more: (
                          <>
                            <span>{one.state}</span>
                            <span className="quiet">since <Time iso={one.changed} now={now} relative /></span>
                          </>
                        ),
                      }))}
                    />
                  </details>
                </li>
              ))}
            </ul>
          )}
        </Shown>
      </section>
    </main>
  );
}
