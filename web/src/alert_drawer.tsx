// One alert with everything that is known about it. All of it is shown as text: command lines are hostile input.
import type { Api } from "./api";
import { ProcessTree, Related } from "./alert_context";
import { Decision, Notes } from "./alert_decision";
import { AlertWhy } from "./alert_why";
import { Drawer, Properties, Steps } from "./drawer";
import { SeverityMark, Time } from "./marks";
import type { AlertDetail } from "./model";
import { Shown, useReading } from "./reading";
import { assigneeOf, commandLine, entityFields, fleetDevices, linkedQuery, notesOf, shownValue, textList } from "./state";
import { offsetText } from "./times";
import { visible } from "./visible";

const shownApart = ["Notes", "CommandLine", "AssignedTo", "Devices", "DeviceCount"];
const ruleFields = ["RuleId", "RuleTitle", "RuleAuthor", "RuleLicense", "RuleReferences"];

const shown = (values: [string, unknown][]) => values.map(([name, value]): [string, string] => [name, shownValue(value)]);

function Entities({ entities }: { entities: unknown }) {
  if (!Array.isArray(entities) || entities.length === 0) return <p className="quiet">None named.</p>;
  return (
    <ul className="entities">
      {(entities as Record<string, unknown>[]).map((entity, index, all) => (
        <li key={index}>
          <span className="kind">{shownValue(entity?.["Type"] ?? "entity")}</span>
          <span>
            {entityFields(entity ?? {}, all)
              .map(([name, value]) => `${name} ${value}`)
              .join(" · ")}
          </span>
        </li>
      ))}
    </ul>
  );
}

function Devices({ named, count, openDevice }: { named: string[]; count: number; openDevice: (device: string) => void }) {
  return (
    <section>
      <h3>Devices</h3>
      <ul className="entities">
        {named.map((device) => (
          <li key={device}>
            <button type="button" className="link device" onClick={() => openDevice(device)}>{visible(device)}</button>
          </li>
        ))}
      </ul>
      {count > named.length && <p className="quiet">{count.toLocaleString()} in all: the first by name.</p>}
    </section>
  );
}

function Evidence({ alert, now }: { alert: AlertDetail; now: number }) {
  if (alert.evidence.length === 0) {
    return (
      <p className="quiet">
        {alert.rawEventsStored
          ? "The rows behind this alert are past their retention."
          : "Raw events of this hub are not stored. Switch it on with: fieldwatch hub update --store-raw on"}
      </p>
    );
  }
  return (
    <ol className="evidence timeline">
      {alert.evidence.map((row, index) => (
        <li key={index}>
          <div>
            <strong>{row.name}</strong> <Time iso={row.time} now={now} /> <span className="quiet">{offsetText(alert.startTime, row.time)}</span>
          </div>
          <pre tabIndex={0}>{visible(typeof row.details === "string" ? row.details : JSON.stringify(row.details, null, 1))}</pre>
        </li>
      ))}
    </ol>
  );
}

interface BodyProps {
  api: Api;
  hub: string;
  workspace: string;
  alert: AlertDetail;
  now: number;
  open: (id: string) => void;
  investigate: (query: string) => void;
  openDevice: (device: string) => void;
  openRule: (id: string) => void;
}

function Body({ api, hub, workspace, alert, now, open, investigate, openDevice, openRule }: BodyProps) {
  const query = linkedQuery(alert.extendedLinks);
  const command = commandLine(alert.extendedProperties, alert.entities);
  const techniques = [...textList(alert.techniques), ...textList(alert.subTechniques)];
  const properties = Object.entries(alert.extendedProperties);
  const devices = fleetDevices(alert.extendedProperties);
  const ruleId = alert.extendedProperties["RuleId"];
  const rule = properties.filter(([name]) => ruleFields.includes(name));
  return (
    <>
      <p className="facts">
        <SeverityMark severity={alert.severity} />
        <span>{alert.status === "New" ? "Active" : alert.status}</span>
        <button type="button" className="link device" onClick={() => openDevice(alert.device)}>{alert.device}</button>
        <span>detected by {alert.component}</span>
        {assigneeOf(alert.extendedProperties) !== "" && <span>assigned to {visible(assigneeOf(alert.extendedProperties))}</span>}
        <span>{alert.hitCount === 1 ? "seen once" : `seen ${alert.hitCount} times`}</span>
      </p>
      <p className="quiet">
        <Time iso={alert.startTime} now={now} />
        {alert.endTime !== alert.startTime && (
          <>
            {" to "}
            <Time iso={alert.endTime} now={now} />
          </>
        )}
      </p>
      <p className="said">{visible(alert.description)}</p>
      {command !== null && (
        <section>
          <h3>Command line</h3>
          <pre className="command">{visible(command)}</pre>
        </section>
      )}
      <Notes notes={notesOf(alert.extendedProperties)} now={now} />
      <Steps steps={textList(alert.remediationSteps)} />
      {devices.named.length > 0 ? (
        <Devices {...devices} openDevice={openDevice} />
      ) : (
        <ProcessTree api={api} hub={hub} workspace={workspace} alert={alert} now={now} />
      )}
      <AlertWhy api={api} hub={hub} alert={alert} now={now} />
      <section>
        <h3>Evidence</h3>
        <Evidence alert={alert} now={now} />
        {query !== null && (
          <button type="button" onClick={() => investigate(query)}>
            Investigate in the logs
          </button>
        )}
      </section>
      <section>
        <h3>Entities</h3>
        <Entities entities={alert.entities} />
      </section>
      <section>
        <h3>Properties</h3>
        <Properties values={shown(properties.filter(([name]) => !ruleFields.includes(name) && !shownApart.includes(name)))} />
      </section>
      {(techniques.length > 0 || alert.tactics !== "") && (
        <section>
          <h3>ATT&amp;CK</h3>
          <p>
            {techniques.map((id) => (
              <span className="chip" key={id}>
                {id}
              </span>
            ))}{" "}
            <span className="quiet">{alert.tactics.replaceAll(",", ", ")}</span>
          </p>
        </section>
      )}
      <Related api={api} hub={hub} workspace={workspace} alert={alert} now={now} open={open} investigate={investigate} />
      <section>
        <h3>Rule</h3>
        <Properties values={[["Type", alert.type], ...shown(rule), ["Alert id", alert.id]]} />
        {typeof ruleId === "string" && ruleId !== "" && <button type="button" onClick={() => openRule(ruleId)}>Open the rule</button>}
      </section>
    </>
  );
}

/** To the alerts before and after this one in the list that it was opened from. */
function Neighbours({ id, queue, open }: { id: string; queue: readonly string[]; open: (id: string) => void }) {
  const at = queue.indexOf(id);
  if (at < 0 || queue.length < 2) return null;
  const step = (to: number, label: string, sign: string) => {
    const other = queue[to];
    return <button type="button" aria-label={label} title={label} disabled={other === undefined} onClick={() => other !== undefined && open(other)}>{sign}</button>;
  };
  return (
    <>
      <span className="quiet">{at + 1} of {queue.length.toLocaleString()}</span>
      {step(at - 1, "Previous alert of the list", "↑")}
      {step(at + 1, "Next alert of the list", "↓")}
    </>
  );
}

interface Props extends Omit<BodyProps, "alert"> {
  id: string;
  queue: readonly string[]; // the list that it was opened from; may be without it
  news: number;
  close: () => boolean;
}

export function AlertDrawer({ api, hub, id, queue, news, close, ...rest }: Props) {
  const address = `/api/v1/alerts/${encodeURIComponent(id)}?hub=${encodeURIComponent(hub)}`;
  const reading = useReading((signal) => api.get<AlertDetail>(address, signal), [api, address, news]);
  const alert = reading.value?.id === id ? reading.value : null; // while the next one is read, the last one is still there
  return (
    <Drawer
      title={alert?.displayName ?? "Alert"}
      close={close}
      beside={<Neighbours id={id} queue={queue} open={rest.open} />}
      footer={alert && <Decision key={id} api={api} hub={hub} alerts={[alert]} decided={reading.again} />}
    >
      <Shown of={{ ...reading, value: alert }}>{(one) => <Body key={id} api={api} hub={hub} alert={one} {...rest} />}</Shown>
    </Drawer>
  );
}
