// Why a rule fired: the clauses that its verdict hangs on, with the values that the event had. Read when it is opened.
import { useState } from "react";
import type { Api } from "./api";
import { Time } from "./marks";
import type { AlertDetail } from "./model";
import { Shown, useReading } from "./reading";
import { useMay } from "./rights";
import { visible } from "./visible";

interface Clause {
  search: string;
  clause: string;
  held: boolean;
  decides: boolean;
  values: Record<string, string[]>;
}
interface WhyEvent {
  time: string;
  name: string;
  stage: string;
  sentence: string;
  clauses: Clause[];
}
interface Why {
  sentence: string;
  stage: string; // the furthest that an event came
  events: WhyEvent[];
}

const eventsShown = 3;

/** Those that came as far as any did: on a busy device most of what lies beside an alert has nothing to do with it. */
const decisive = ({ stage, events }: Why): WhyEvent[] => events.filter((event) => event.stage === stage).slice(0, eventsShown);

function Clauses({ clauses }: { clauses: Clause[] }) {
  const deciding = clauses.filter((one) => one.decides);
  return (
    <ul className="plain clauses">
      {(deciding.length > 0 ? deciding : clauses).map((one, index) => (
        <li key={index}>
          <span className="chip">{one.held ? "holds" : "does not hold"}</span> <code>{visible(one.clause)}</code>
          {Object.entries(one.values).map(([field, values]) => (
            <div className="quiet device" key={field}>{visible(`${field} = ${values.join(" | ")}`)}</div>
          ))}
        </li>
      ))}
    </ul>
  );
}

function Explained({ api, hub, alert, rule, now }: { api: Api; hub: string; alert: AlertDetail; rule: string; now: number }) {
  const parameters = new URLSearchParams({ rule, at: alert.startTime });
  const address = `/api/v1/hubs/${encodeURIComponent(hub)}/devices/${encodeURIComponent(alert.device)}/why?${parameters}`;
  const reading = useReading((signal) => api.get<Why>(address, signal), [api, address]);
  return (
    <Shown of={reading}>
      {(why) => (
        <>
          <p>{visible(why.sentence)}</p>
          <ol className="evidence timeline">
            {decisive(why).map((event, index) => (
              <li key={index}>
                <div><strong>{event.name}</strong> <Time iso={event.time} now={now} /> <span className="quiet">{visible(event.sentence)}</span></div>
                <Clauses clauses={event.clauses} />
              </li>
            ))}
          </ol>
        </>
      )}
    </Shown>
  );
}

export function AlertWhy({ api, hub, alert, now }: { api: Api; hub: string; alert: AlertDetail; now: number }) {
  const [open, setOpen] = useState(false);
  const may = useMay("analyst");
  const rule = alert.extendedProperties["RuleId"];
  if (typeof rule !== "string" || rule === "" || !may.yes || alert.type.startsWith("IoT_SQ_")) return null;
  return (
    <section>
      <h3>Why</h3>
      <details onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>What the rule looked at, and what held</summary>
        {open && <Explained api={api} hub={hub} alert={alert} rule={rule} now={now} />}
      </details>
    </section>
  );
}
