// The first page: what was found, the worst first; what is weak; who is in trouble; and whether data arrive at all.
import { type RefObject, useEffect, useMemo } from "react";
import type { Api } from "./api";
import { AlertsTable } from "./alerts_table";
import { DailyChart } from "./daily_chart";
import { RiskMeter } from "./device_risk";
import { worstFirst } from "./lists";
import type { PageData } from "./live";
import { SeverityIcon, Time } from "./marks";
import { type Overview as OverviewData, type Severity, severities } from "./model";
import { concerns } from "./overview_concerns";
import type { Filters, Go } from "./place";
import { Shown, useReading } from "./reading";
import { type DeviceRisk, trendText } from "./risk";
import { emptiness } from "./state";
import { visible } from "./visible";

const alertsShown = 12;

function Tiles({ overview, show }: { overview: OverviewData; show: (severity: Severity) => void }) {
  const { devices } = overview;
  const share = devices.total === 0 ? 0 : Math.round((100 * devices.unhealthy) / devices.total);
  return (
    <section className="tiles" aria-label="Open alerts and devices">
      {severities.map((severity) => (
        <div className={`tile ${severity} ${overview.openAlerts[severity] === 0 ? "zero" : ""}`} key={severity} data-severity={severity}>
          <span className="tile-name">
            <SeverityIcon severity={severity} /> {severity}
          </span>
          <span className="tile-number">{overview.openAlerts[severity].toLocaleString()}</span>
          <button type="button" className="link quiet" onClick={() => show(severity)}>
            open {overview.openAlerts[severity] === 1 ? "alert" : "alerts"}
          </button>
        </div>
      ))}
      <div className="tile devices-tile">
        <span className="tile-name">Unhealthy devices</span>
        <span className="tile-number">
          {devices.unhealthy.toLocaleString()}
          <small> of {devices.atLeast ? "over " : ""}{devices.total.toLocaleString()}</small>
        </span>
        <span className="quiet">{share} % have an open alert or recommendation</span>
      </div>
    </section>
  );
}

function Health({ overview, now }: { overview: OverviewData; now: number }) {
  const health = overview.dataHealth;
  return (
    <section className="card health" aria-label="Data health">
      <h2>Data health</h2>
      <dl className="properties">
        <div><dt>Last security event</dt><dd><Time iso={health.lastSecurityEvent} now={now} relative /></dd></div>
        <div><dt>Last hub record</dt><dd><Time iso={health.lastHubRecord} now={now} relative /></dd></div>
        <div><dt>Raw events stored</dt><dd>{health.rawEvents.toLocaleString()}</dd></div>
        <div><dt>Waiting in the log</dt><dd>{health.backlog.toLocaleString()}</dd></div>
        <div><dt>Refused · not conforming</dt><dd>{health.refused.toLocaleString()} · {health.deadLetters.toLocaleString()}</dd></div>
      </dl>
    </section>
  );
}

interface RankingRow {
  id: string;
  name: string;
  severity?: Severity;
  count: number;
}
interface RankingProps {
  title: string;
  rows: RankingRow[];
  empty: string;
  open: (id: string) => void;
}

function Ranking({ title, rows, empty, open }: RankingProps) {
  const most = Math.max(1, ...rows.map((row) => row.count));
  return (
    <section className="card">
      <h2>{title}</h2>
      {rows.length === 0 && <p className="quiet">{empty}</p>}
      <ol className="ranking">
        {rows.map((row) => (
          <li key={`${row.id} ${row.severity ?? ""}`}>
            <button type="button" className="link name" onClick={() => open(row.id)}>
              {row.severity && <><SeverityIcon severity={row.severity} /><span className="unseen">{row.severity}: </span> </>}
              {visible(row.name)}
            </button>
            <span className="number">{row.count.toLocaleString()}</span>
            <span className="bar" style={{ inlineSize: `${(100 * row.count) / most}%` }} />
          </li>
        ))}
      </ol>
    </section>
  );
}

function Riskiest({ api, hub, news, openDevice }: { api: Api; hub: string; news: number; openDevice: (device: string) => void }) {
  const reading = useReading(async (signal) => (await api.get<{ value: DeviceRisk[] }>(`/api/v1/risk?${new URLSearchParams({ hub, top: "5" })}`, signal)).value, [api, hub, news]);
  return (
    <section className="card">
      <h2>Highest risk</h2>
      <Shown of={reading} empty="Nothing is known against any device." isEmpty={(found) => found.length === 0}>
        {(found) => (
          <ul className="plain riskiest">
            {found.map((one) => (
              <li key={one.device}>
                <button type="button" className="link device" onClick={() => openDevice(one.device)}>{one.device}</button>
                <RiskMeter risk={one.risk} of={one.device} />
                <span className="quiet">{trendText(one)}</span>
                {one.points[0] && <span className="quiet">{visible(one.points[0].title)}{one.points.length > 1 && ` and ${one.points.length - 1} more`}</span>}
              </li>
            ))}
          </ul>
        )}
      </Shown>
    </section>
  );
}

function Prevention({ overview, show }: { overview: OverviewData; show: (filters: Filters) => void }) {
  const { active, top } = overview.recommendations;
  return (
    <section className="card">
      <div className="bar">
        <h2>Recommendations</h2>
        <button type="button" onClick={() => show({})}>All recommendations</button>
      </div>
      {top.length === 0 ? (
        <p className="quiet">No weak state is known.</p>
      ) : (
        <>
          <p className="counts">
            {severities.filter((severity) => active[severity] > 0).map((severity) => (
              <button type="button" className="link" key={severity} onClick={() => show({ severity })}>
                <SeverityIcon severity={severity} /> {active[severity].toLocaleString()} {severity}
              </button>
            ))}
          </p>
          <ul className="findings weak">
            {top.map((one) => (
              <li key={`${one.type} ${one.severity}`}>
                <span className={`severity ${one.severity}`}><SeverityIcon severity={one.severity} />{one.severity}</span>
                <button type="button" className="link" onClick={() => show({ name: one.type })}>{one.displayName || one.type}</button>
                <span className="quiet number">{one.count.toLocaleString()}</span>
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

function Empty({ kind, hub }: { kind: "no-data" | "no-alerts"; hub: string }) {
  if (kind === "no-alerts") {
    return (
      <div className="empty" data-empty="no-alerts">
        <strong>No open alerts.</strong>
        <span>Data arrive and nothing in them asks for attention.</span>
      </div>
    );
  }
  return (
    <div className="empty" data-empty="no-data">
      <strong>No data received yet.</strong>
      <span>
        Nothing has arrived at the hub {hub}. Register a device and start the agent on it:
      </span>
      <code>fieldwatch device create my-device --module azureiotsecurity</code>
    </div>
  );
}

interface Props {
  api: Api;
  data: PageData;
  fresh: ReadonlySet<string>;
  now: number;
  listed: RefObject<readonly string[]>; // told what is in view
  go: Go;
}

export function Overview({ api, data, fresh, now, listed, go }: Props) {
  const { overview, alerts } = data;
  const kind = emptiness(overview, alerts);
  const shown = useMemo(() => worstFirst(alerts).slice(0, alertsShown), [alerts]);
  useEffect(() => {
    listed.current = shown.map((one) => one.id);
    return () => void (listed.current = []);
  }, [listed, shown]);
  const openDevice = (id: string) => go({ at: "device", id });
  const showAlerts = (filters: Filters) => go({ at: "alerts", filters });
  return (
    <main>
      {concerns(overview, now).map((concern) => <p key={concern} role="status" className="note warning">{concern}</p>)}
      <Tiles overview={overview} show={(severity) => showAlerts({ severity })} />
      <section className="card">
        <div className="bar">
          <h2>Open alerts <span className="quiet">the worst first, then the newest</span></h2>
          <button type="button" onClick={() => showAlerts({})}>All alerts</button>
        </div>
        {kind === "none" ? (
          <AlertsTable alerts={shown} fresh={fresh} now={now} open={(id) => go({ at: "alert", id })} />
        ) : (
          <Empty kind={kind} hub={overview.hub} />
        )}
      </section>
      <div className="columns">
        <section className="card wide">
          <h2>Alerts per day <span className="quiet">30 days, UTC</span></h2>
          <DailyChart days={overview.daily} show={(day) => showAlerts({ day, status: "all" })} />
        </section>
        <Ranking title="Devices with the most alerts" empty="None in the last 7 days." open={openDevice}
          rows={overview.topDevices.map((one) => ({ id: one.deviceId, name: one.deviceId, count: one.alertsCount }))} />
        <Ranking title="Most frequent alerts" empty="None in the last 7 days." open={(name) => showAlerts({ name, since: "P7D" })}
          rows={overview.topAlerts.map((one) => ({ id: one.displayName, name: one.displayName, severity: one.severity, count: one.alertsCount }))} />
      </div>
      <div className="columns thirds">
        <Prevention overview={overview} show={(filters) => go({ at: "recommendations", filters })} />
        <Riskiest api={api} hub={overview.hub} news={overview.sequence} openDevice={openDevice} />
        <Health overview={overview} now={now} />
      </div>
    </main>
  );
}
