// How the server itself is doing: the way from the log to the tables, what was refused or lost and why, what it holds.
import type { Api } from "./api";
import { Properties } from "./drawer";
import { Choice, FilterBar, Search } from "./filters";
import { Time } from "./marks";
import type { Filters, Go } from "./place";
import { bytesText, isLoss, namesOf, type Series, seriesOf } from "./prometheus";
import { Shown, useReading } from "./reading";

interface System {
  version: string;
  started: string;
  ready: boolean;
  partitions: { partition: number; journalEnd: number; committed: number; checkpoint: number; healthy: boolean }[];
  workspace: string;
  workspaceBytes: number;
  deadLetters: { received: string; device: string; module: string; reason: string }[];
}

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

function Partitions({ system }: { system: System }) {
  return (
    <div className="scroll" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">Partition</th>
            <th scope="col">State</th>
            <th scope="col" className="number">In the log</th>
            <th scope="col" className="number">Visible</th>
            <th scope="col" className="number">Waiting</th>
            <th scope="col" className="number">Checkpoint</th>
            <th scope="col" className="number">To replay after a restart</th>
          </tr>
        </thead>
        <tbody>
          {system.partitions.map((one) => (
            <tr key={one.partition}>
              <td>{one.partition}</td>
              <td><span className={`state ${one.healthy ? "Reporting" : "Silent"}`}>{one.healthy ? "Running" : "Trying again"}</span></td>
              <td className="number">{one.journalEnd.toLocaleString()}</td>
              <td className="number">{one.committed.toLocaleString()}</td>
              <td className="number">{Math.max(0, one.journalEnd - one.committed).toLocaleString()}</td>
              <td className="number">{one.checkpoint.toLocaleString()}</td>
              <td className="number">{Math.max(0, one.committed - one.checkpoint).toLocaleString()}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface Props {
  api: Api;
  hub: string;
  filters: Filters;
  news: number;
  now: number;
  go: Go;
}

export function HealthPage({ api, hub, filters, news, now, go }: Props) {
  const reading = useReading(async (signal) => {
    const [system, metrics] = await Promise.all([
      api.get<System>(`/api/v1/system?${new URLSearchParams({ hub })}`, signal),
      api.text("/metrics", signal),
    ]);
    return { system, series: seriesOf(metrics) };
  }, [api, hub, news, now]);
  const part = (filters["name"] ?? "").toLowerCase();
  const wanted = (one: Series) =>
    (filters["show"] === "all" || (isLoss(one) && (filters["show"] === "losses" || one.value > 0))) && `${one.name} ${one.help}`.toLowerCase().includes(part);
  const change = (next: Filters) => go({ at: "health", filters: next });
  return (
    <main>
      <Shown of={reading}>
        {({ system, series }) => {
          const shown = series.filter(wanted);
          return (
            <>
              <section className="card">
                <h2>Server</h2>
                <Properties
                  values={[
                    ["Version", system.version],
                    ["Running since", <Time key="t" iso={system.started} now={now} />],
                    ["State", <span key="s" className={`state ${system.ready ? "Reporting" : "Silent"}`}>{system.ready ? "Ready" : "Catching up"}</span>],
                    ["Workspace", <span key="w" className="device">{system.workspace}</span>],
                    ["On disk", bytesText(system.workspaceBytes)],
                  ]}
                />
              </section>
              <section className="card">
                <h2>From the log to the tables</h2>
                <Partitions system={system} />
              </section>
              <section className="card">
                <h2>Refused, lost, done again</h2>
                <FilterBar note={`${shown.length.toLocaleString()} ${shown.length === 1 ? "counter" : "counters"}`}>
                  <Choice label="Show" name="show" filters={filters} change={change} options={[["", "What happened"], ["losses", "All such counters"], ["all", "Every counter"]]} />
                  <Search label="Name" name="name" filters={filters} change={change} />
                </FilterBar>
                {shown.length === 0 ? <p className="quiet">Nothing was refused or lost since the start.</p> : <Counters series={shown} />}
              </section>
              <section className="card">
                <h2>Messages that did not conform</h2>
                {system.deadLetters.length === 0 ? (
                  <p className="quiet">None since the start.</p>
                ) : (
                  <div className="scroll" tabIndex={0}>
                    <table className="letters">
                      <thead>
                        <tr>
                          <th scope="col">Received</th>
                          <th scope="col">Device</th>
                          <th scope="col">Reason</th>
                        </tr>
                      </thead>
                      <tbody>
                        {system.deadLetters.map((one, index) => (
                          <tr key={index}>
                            <td><Time iso={one.received} now={now} /></td>
                            <td className="device">{one.device}{one.module !== "" && `/${one.module}`}</td>
                            <td className="text">{one.reason}</td>
                          </tr>
                        ))}
                      </tbody>
                    </table>
                  </div>
                )}
              </section>
            </>
          );
        }}
      </Shown>
    </main>
  );
}
