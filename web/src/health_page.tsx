// How the server itself is doing: what waits, what was refused or lost and why.
import type { Api } from "./api";
import { Properties } from "./drawer";
import { Choice, FilterBar, Search } from "./filters";
import { Time } from "./marks";
import type { Overview, Who } from "./model";
import type { Filters, Go } from "./place";
import { isLoss, namesOf, type Series, seriesOf } from "./prometheus";
import { Shown, useReading } from "./reading";

function Counters({ series }: { series: Series[] }) {
  return (
    <div className="scroll" tabIndex={0}>
      <table className="counters">
        <thead>
          <tr>
            <th scope="col">Part</th>
            <th scope="col">Counter</th>
            <th scope="col" className="number">Value</th>
            <th scope="col">Meaning</th>
          </tr>
        </thead>
        <tbody>
          {series.map((one) => {
            const [part, name] = namesOf(one);
            return (
              <tr key={`${one.name} ${JSON.stringify(one.labels)}`} className={isLoss(one) && one.value > 0 ? "loss" : undefined}>
                <td>{part}</td>
                <td title={one.name}>{name}</td>
                <td className="number">{one.value.toLocaleString()}</td>
                <td className="quiet">{one.help}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

interface Props {
  api: Api;
  overview: Overview;
  filters: Filters;
  now: number;
  go: Go;
}

export function HealthPage({ api, overview, filters, now, go }: Props) {
  const reading = useReading(async (signal) => {
    const [who, metrics] = await Promise.all([api.get<Who>("/api/v1/who", signal), api.text("/metrics", signal)]);
    return { version: who.version, series: seriesOf(metrics) };
  }, [api, overview.sequence, now]);
  const health = overview.dataHealth;
  const part = (filters["name"] ?? "").toLowerCase();
  const wanted = (one: Series) =>
    (filters["show"] === "all" || (isLoss(one) && (filters["show"] === "losses" || one.value > 0))) && `${one.name} ${one.help}`.toLowerCase().includes(part);
  const change = (next: Filters) => go({ at: "health", filters: next });
  return (
    <main>
      <Shown of={reading}>
        {({ version, series }) => {
          const shown = series.filter(wanted);
          return (
            <>
              <section className="card">
                <h2>Server</h2>
                <Properties
                  values={[
                    ["Version", version],
                    ["Waiting in the log", health.backlog.toLocaleString()],
                    ["Last record of the hub", <Time key="h" iso={health.lastHubRecord} now={now} />],
                    ["Last security event", <Time key="s" iso={health.lastSecurityEvent} now={now} />],
                    ["Raw events stored", health.rawEvents.toLocaleString()],
                    ["Messages refused", health.refused.toLocaleString()],
                    ["Messages that did not conform", health.deadLetters.toLocaleString()],
                  ]}
                />
              </section>
              <section className="card">
                <h2>Refused, lost, done again</h2>
                <FilterBar note={`${shown.length.toLocaleString()} ${shown.length === 1 ? "counter" : "counters"}`}>
                  <Choice label="Show" name="show" filters={filters} change={change} options={[["", "What happened"], ["losses", "All such counters"], ["all", "Every counter"]]} />
                  <Search label="Name" name="name" filters={filters} change={change} />
                </FilterBar>
                {shown.length === 0 ? <p className="quiet">Nothing was refused or lost since the start.</p> : <Counters series={shown} />}
              </section>
            </>
          );
        }}
      </Shown>
    </main>
  );
}
