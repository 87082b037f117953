// One alert with everything that is known about it. All of it is shown as text: command lines are hostile input.
import { useEffect, useRef, useState } from "react";
import type { Api } from "./api";
import { SeverityMark, Time } from "./marks";
import type { AlertDetail } from "./model";
import { commandLine, isOpen, shownValue, textList } from "./state";

const ruleFields = ["RuleId", "RuleTitle", "RuleAuthor", "RuleLicense", "RuleReferences"];

function Properties({ values }: { values: [string, unknown][] }) {
  return (
    <dl className="properties">
      {values.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{shownValue(value)}</dd>
        </div>
      ))}
    </dl>
  );
}

function Entities({ entities }: { entities: unknown }) {
  if (!Array.isArray(entities) || entities.length === 0) return <p className="quiet">None named.</p>;
  return (
    <ul className="entities">
      {(entities as Record<string, unknown>[]).map((entity, index) => {
        const { $id, Type, ...fields } = entity ?? {};
        return (
          <li key={shownValue($id ?? index)}>
            <span className="kind">{shownValue(Type ?? "entity")}</span>
            <span>
              {Object.entries(fields)
                .map(([name, value]) => `${name} ${shownValue(value)}`)
                .join(" · ")}
            </span>
          </li>
        );
      })}
    </ul>
  );
}

function Evidence({ alert, now }: { alert: AlertDetail; now: number }) {
  if (alert.evidence.length === 0) {
    return (
      <p className="quiet">
        {alert.rawEventsStored
          ? "No stored row lies in the time of this alert; it may be past its retention."
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

function Body({ alert, now }: { alert: AlertDetail; now: number }) {
  const command = commandLine(alert.extendedProperties, alert.entities);
  const techniques = [...textList(alert.techniques), ...textList(alert.subTechniques)];
  const properties = Object.entries(alert.extendedProperties);
  const rule = properties.filter(([name]) => ruleFields.includes(name));
  const steps = textList(alert.remediationSteps);
  return (
    <>
      <p className="facts">
        <SeverityMark severity={alert.severity} />
        <span>{alert.status === "New" ? "Active" : alert.status}</span>
        <span className="device">{alert.device}</span>
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
      {steps.length > 0 && (
        <section>
          <h3>What to do</h3>
          <ul>
            {steps.map((step, index) => (
              <li key={index}>{step}</li>
            ))}
          </ul>
        </section>
      )}
      <section>
        <h3>Entities</h3>
        <Entities entities={alert.entities} />
      </section>
      <section>
        <h3>Properties</h3>
        <Properties values={properties.filter(([name]) => !ruleFields.includes(name))} />
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
      </section>
      <section>
        <h3>Rule</h3>
        <Properties values={[["Type", alert.type], ...rule, ["Alert id", alert.id]]} />
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
}

export function AlertDrawer({ api, hub, id, now, close }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [alert, setAlert] = useState<AlertDetail | null>(null);
  const [note, setNote] = useState<string | null>(null);
  const [asked, setAsked] = useState(false);
  const address = `/api/v1/alerts/${encodeURIComponent(id)}`;
  const scope = `?hub=${encodeURIComponent(hub)}`;

  useEffect(() => {
    dialog.current?.showModal();
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
    <dialog
      ref={dialog}
      className="drawer"
      aria-labelledby="drawer-title"
      onClose={close}
      onClick={(event) => event.target === dialog.current && dialog.current.close()}
    >
      <div className="drawer-content">
        <header>
          <h2 id="drawer-title">{alert?.displayName ?? "Alert"}</h2>
          <button type="button" onClick={() => dialog.current?.close()} aria-label="Close">
            ✕
          </button>
        </header>
        {note !== null && (
          <p role="status" className="note">
            {note}
          </p>
        )}
        {alert ? <Body alert={alert} now={now} /> : note === null && <p className="quiet">Reading…</p>}
        {alert && isOpen(alert.status) && (
          <footer>
            <button type="button" className={asked ? "danger" : undefined} onClick={dismiss}>
              {asked ? "Dismiss for good?" : "Dismiss"}
            </button>
          </footer>
        )}
      </div>
    </dialog>
  );
}
