// One device: what it is, what is known against it, and what it did, each tab a query that can be taken further.
import type { Api, QueryTable } from "./api";
import { AlertsTable } from "./alerts_table";
import { type DeviceQuestion, deviceTabs } from "./device_queries";
import { DeviceRiskCard } from "./device_risk";
import { DeviceSwitch } from "./device_switch";
import { DeviceTimeline } from "./device_timeline";
import { agentStates, Connection, OpenAlerts } from "./device_marks";
import { Properties } from "./drawer";
import { FindingList } from "./finding_list";
import { PlaceLink } from "./link";
import { Time } from "./marks";
import type { Alert, Device, Recommendation } from "./model";
import type { Go } from "./place";
import { Shown, TroubleNote, useReading } from "./reading";
import { QueryCard } from "./rows";

const spans: [string, string][] = [["P1D", "24 hours"], ["P7D", "7 days"], ["P30D", "30 days"]];

function Twin({ api, address }: { api: Api; address: string }) {
  const reading = useReading((signal) => api.get<unknown>(`${address}/modules/azureiotsecurity/twin`, signal), [api, address]);
  return <Shown of={reading}>{(twin) => <pre>{JSON.stringify(twin, null, 2)}</pre>}</Shown>;
}

function Integrity({ of, now }: { of: NonNullable<Device["integrity"]>; now: number }) {
  const whole = of.missingEvents === 0 && of.startsWithoutPast === 0 && of.spoolBreaks === 0;
  return (
    <section className="card">
      <h2>Integrity <span className="quiet">30 days</span></h2>
      {whole ? (
        <p className="quiet">Every event that the agent numbered came, and its spool was as it had left it.</p>
      ) : (
        <Properties
          values={[
            ["Numbered events that never came", of.missingEvents.toLocaleString()],
            ["Starts of the agent without its past", of.startsWithoutPast.toLocaleString()],
            ["Changes of its spool by others", <>{of.spoolBreaks.toLocaleString()} {of.lastSpoolBreak !== null && <span className="quiet">last <Time iso={of.lastSpoolBreak} now={now} relative /></span>}</>],
          ]}
        />
      )}
    </section>
  );
}

const questions = ({ name, more = [], ...first }: (typeof deviceTabs)[number]): (DeviceQuestion & { title: string })[] => [{ title: name, ...first }, ...more];

interface Props {
  api: Api;
  hub: string;
  chosenHub: string | null;
  workspace: string;
  id: string;
  tab: string;
  span: string; // "" = a week
  news: number;
  now: number;
  fresh: ReadonlySet<string>;
  go: Go;
}

export function DevicePage({ api, hub, chosenHub, workspace, id, tab, span: asked, news, now, fresh, go }: Props) {
  const span = spans.some(([value]) => value === asked) ? asked : "P7D";
  const address = `/api/v1/hubs/${encodeURIComponent(hub)}/devices/${encodeURIComponent(id)}`;
  const reading = useReading(async (signal) => {
    const scope = new URLSearchParams({ hub, device: id, top: "200" });
    const [one, found, weak] = await Promise.all([
      api.get<Device>(address, signal),
      api.get<{ value: Alert[] }>(`/api/v1/alerts?${scope}&status=all`, signal),
      api.get<{ value: Recommendation[] }>(`/api/v1/recommendations?${scope}`, signal),
    ]);
    return { device: one, alerts: found.value, recommendations: weak.value };
  }, [api, hub, id, address, news]);
  const device = reading.value?.device ?? null;
  const shown = deviceTabs.find((one) => one.id === tab);
  const tabs = [{ id: "", name: "State" }, { id: "risk", name: "Risk" }, ...deviceTabs, { id: "twin", name: "Twin" }];
  return (
    <main>
      <section className="card">
        <div className="bar">
          <h2 className="device">{id}</h2>
          {device && (
            <>
              <Connection device={device} />
              <span className={`state ${device.agentState}`}>Agent: {agentStates[device.agentState]}</span>
              <span className="quiet">last event <Time iso={device.lastEvent} now={now} relative /></span>
              <OpenAlerts device={device} />
              <DeviceSwitch api={api} address={address} device={device} changed={reading.again} />
            </>
          )}
          {shown && (
            <label>
              <span className="unseen">Time range</span>
              <select value={span} onChange={(event) => go({ at: "device", id, tab, span: event.target.value })}>
                {spans.map(([value, name]) => <option key={value} value={value}>{name}</option>)}
              </select>
            </label>
          )}
        </div>
        <nav className="tabs" aria-label="About this device">
          {tabs.map((one) => (
            <PlaceLink key={one.id} to={{ at: "device", id, tab: one.id, span: asked }} hub={chosenHub} go={go} here={tab === one.id}>{one.name}</PlaceLink>
          ))}
        </nav>
      </section>
      {tab !== "" && reading.error !== null && <TroubleNote trouble={reading.error} again={reading.again} />}
      {tab === "" && (
        <Shown of={reading}>
          {({ device: one, alerts, recommendations }) => (
            <>
              {one.integrity && <Integrity of={one.integrity} now={now} />}
              <section className="card">
                <h2>Alerts</h2>
                {alerts.length === 0 ? <p className="quiet">None in 30 days.</p> : <AlertsTable ofDevice alerts={alerts} fresh={fresh} now={now} open={(one) => go({ at: "alert", id: one })} />}
              </section>
              <section className="card">
                <h2>Recommendations</h2>
                {recommendations.length === 0 ? (
                  <p className="quiet">No weak state is known.</p>
                ) : (
                  <FindingList
                    open={(one) => go({ at: "recommendation", id: one })}
                    lines={recommendations.map((one) => ({
                      id: one.id,
                      severity: one.severity,
                      name: one.displayName,
                      more: <span className="quiet">since <Time iso={one.changed} now={now} relative /></span>,
                    }))}
                  />
                )}
              </section>
            </>
          )}
        </Shown>
      )}
      {shown && questions(shown).map((one) => (
        <section className="card" key={one.title}>
          <h2>{one.title}</h2>
          <QueryCard key={shown.id + span} api={api} workspace={workspace} query={one.query({ hub, device: id })} timespan={span} empty={one.empty} investigate={(query) => go({ at: "logs", query, span })}
            {...(shown.id === "timeline" && { show: (table: QueryTable) => <DeviceTimeline rows={table.rows} now={now} chosenHub={chosenHub} go={go} /> })} />
        </section>
      ))}
      {tab === "risk" && <DeviceRiskCard api={api} hub={hub} chosenHub={chosenHub} device={id} news={news} now={now} go={go} />}
      {tab === "twin" && (
        <section className="card">
          <h2>Twin of the security module</h2>
          <Twin api={api} address={address} />
        </section>
      )}
    </main>
  );
}
