// The first page: how many, since when, which, and whether data arrive at all.
import { AlertsTable } from "./alerts_table";
import { DailyChart } from "./daily_chart";
import { DevicesTable } from "./devices_table";
import { FindingList } from "./finding_list";
import type { PageData } from "./live";
import { SeverityIcon, Time } from "./marks";
import { type Overview as OverviewData, type Severity, severities } from "./model";
import { emptiness } from "./state";

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

interface RankingProps {
  title: string;
  rows: [string, number][];
  empty: string;
  open?: (name: string) => void;
}

function Ranking({ title, rows, empty, open }: RankingProps) {
  const most = Math.max(1, ...rows.map(([, count]) => count));
  return (
    <section className="card">
      <h2>{title}</h2>
      {rows.length === 0 && <p className="quiet">{empty}</p>}
      <ol className="ranking">
        {rows.map(([name, count]) => (
          <li key={name}>
            {open ? (
              <button type="button" className="link name" onClick={() => open(name)}>
                {name}
              </button>
            ) : (
              <span className="name">{name}</span>
            )}
            <span className="number">{count}</span>
            <span className="bar" style={{ inlineSize: `${(100 * count) / most}%` }} />
          </li>
        ))}
      </ol>
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
  data: PageData;
  fresh: ReadonlySet<string>;
  now: number;
  openAlert: (id: string) => void;
  openRecommendation: (id: string) => void;
  openDevice: (device: string) => void;
  showSeverity: (severity: Severity) => void;
}

export function Overview({ data, fresh, now, openAlert, openRecommendation, openDevice, showSeverity }: Props) {
  const { overview, alerts, devices, recommendations } = data;
  const kind = emptiness(overview, alerts);
  return (
    <main>
      <Tiles overview={overview} show={showSeverity} />
      <div className="columns">
        <section className="card wide">
          <h2>Alerts per day <span className="quiet">30 days, UTC</span></h2>
          <DailyChart days={overview.daily} />
        </section>
        <Ranking title="Devices with the most alerts" empty="None in the last 7 days."
          open={openDevice} rows={overview.topDevices.map((one) => [one.deviceId, one.alertsCount])} />
        <Ranking title="Most frequent alerts" empty="None in the last 7 days."
          rows={overview.topAlerts.map((one) => [one.displayName, one.alertsCount])} />
      </div>
      <section className="card">
        <h2>Latest alerts</h2>
        {kind === "none" ? <AlertsTable alerts={alerts} fresh={fresh} now={now} open={openAlert} /> : <Empty kind={kind} hub={overview.hub} />}
      </section>
      <section className="card">
        <h2>Recommendations</h2>
        {recommendations.length === 0 ? (
          <p className="quiet">No weak state is known.</p>
        ) : (
          <FindingList
            open={openRecommendation}
            lines={recommendations.map((one) => ({
              id: one.id,
              severity: one.severity,
              name: one.displayName,
              more: (
                <>
                  <span className="device">{one.device}</span>
                  <span className="quiet">since <Time iso={one.changed} now={now} relative /></span>
                </>
              ),
            }))}
          />
        )}
      </section>
      <div className="columns">
        <section className="card wide">
          <h2>Devices</h2>
          {devices.length === 0 ? <p className="quiet">No device is registered.</p> : <DevicesTable devices={devices} now={now} open={openDevice} />}
        </section>
        <Health overview={overview} now={now} />
      </div>
    </main>
  );
}
