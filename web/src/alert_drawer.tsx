// One alert with everything that is known about it. All of it is shown as text: command lines are hostile input.
import { useEffect, useState } from "react";
import type { Api } from "./api";
import { Drawer, Properties, Steps } from "./drawer";
import { SeverityMark, Time } from "./marks";
import type { AlertDetail } from "./model";
import { commandLine, entityFields, isOpen, linkedQuery, shownValue, textList } from "./state";

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
    <ol className="evidence">
      {alert.evidence.map((row, index) => (
        <li key={index}>
          <div>
            <strong>{row.name}</strong> <Time iso={row.time} now={now} />
          </div>
          <pre>{typeof row.details === "string" ? row.details : JSON.stringify(row.details, null, 1)}</pre>
        </li>
      ))}
    </ol>
  );
}

interface BodyProps {
  alert: AlertDetail;
  now: number;
  investigate: (query: string) => void;
  openDevice: (device: string) => void;
}

function Body({ alert, now, investigate, openDevice }: BodyProps) {
  const query = linkedQuery(alert.extendedLinks);
  const command = commandLine(alert.extendedProperties, alert.entities);
  const techniques = [...textList(alert.techniques), ...textList(alert.subTechniques)];
  const properties = Object.entries(alert.extendedProperties);
  const rule = properties.filter(([name]) => ruleFields.includes(name));
  return (
    <>
      <p className="facts">
        <SeverityMark severity={alert.severity} />
        <span>{alert.status === "New" ? "Active" : alert.status}</span>
        <button type="button" className="link device" onClick={() => openDevice(alert.device)}>{alert.device}</button>
        <span>detected by {alert.component}</span>
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
      <p>{alert.description}</p>
      {command !== null && (
        <section>
          <h3>Command line</h3>
          <pre className="command">{command}</pre>
        </section>
      )}
      <Steps steps={textList(alert.remediationSteps)} />
      <section>
        <h3>Entities</h3>
        <Entities entities={alert.entities} />
      </section>
      <section>
        <h3>Properties</h3>
        <Properties values={shown(properties.filter(([name]) => !ruleFields.includes(name)))} />
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
        <h3>Rule</h3>
        <Properties values={[["Type", alert.type], ...shown(rule), ["Alert id", alert.id]]} />
      </section>
    </>
  );
}

interface Props {
  api: Api;
  hub: string;
  id: string;
  now: number;
  close: () => void;
  investigate: (query: string) => void;
  openDevice: (device: string) => void;
}

export function AlertDrawer({ api, hub, id, now, close, investigate, openDevice }: Props) {
  const [alert, setAlert] = useState<AlertDetail | null>(null);
  const [note, setNote] = useState<string | null>(null);
  const [asked, setAsked] = useState(false);
  const address = `/api/v1/alerts/${encodeURIComponent(id)}`;
  const scope = `?hub=${encodeURIComponent(hub)}`;

  useEffect(() => {
    const abort = new AbortController();
    api
      .get<AlertDetail>(address + scope, abort.signal)
      .then(setAlert, (reason: Error) => reason.name !== "AbortError" && setNote(reason.message));
    return () => abort.abort();
  }, [api, address, scope]);

  const dismiss = () => {
    if (!asked) return setAsked(true);
    api.post(`${address}/dismiss${scope}`).then(
      () => setNote("Dismissed. The list follows when the decision has passed through the log."),
      (reason: Error) => setNote(reason.message),
    );
    setAsked(false);
  };

  return (
    <Drawer
      title={alert?.displayName ?? "Alert"}
      note={note}
      close={close}
      footer={
        alert && isOpen(alert.status) && (
          <button type="button" className={asked ? "danger" : undefined} onClick={dismiss}>
            {asked ? "Dismiss for good?" : "Dismiss"}
          </button>
        )
      }
    >
      {alert ? <Body alert={alert} now={now} investigate={investigate} openDevice={openDevice} /> : note === null && <p className="quiet">Reading…</p>}
    </Drawer>
  );
}
