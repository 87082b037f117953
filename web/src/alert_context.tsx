// What surrounds an alert on its device: who started the process, what else happened, which other alerts there are.
import { useState } from "react";
import type { Api } from "./api";
import { eventsAround, processesAround } from "./device_queries";
import { SeverityMark, Time } from "./marks";
import type { Alert, AlertDetail } from "./model";
import { type ProcessNode, type ProcessRow, processTrees } from "./process_tree";
import { Shown, useReading } from "./reading";
import { QueryCard } from "./rows";
import { processIds } from "./state";

function Branch({ nodes, now }: { nodes: ProcessNode[]; now: number }) {
  return (
    <ul>
      {nodes.map((node, index) => (
        <li key={`${node.pid} ${index}`}>
          <div className={node.meant ? "process meant" : "process"}>
            <code>{node.command}</code>
            <span className="quiet">
              {node.meant && <strong>this alert · </strong>}
              {node.user !== "" && `${node.user} · `}pid {node.pid} · <Time iso={node.time} now={now} />
            </span>
          </div>
          {node.children.length > 0 && <Branch nodes={node.children} now={now} />}
        </li>
      ))}
    </ul>
  );
}

interface Props {
  api: Api;
  workspace: string;
  alert: AlertDetail;
  now: number;
}

export function ProcessTree(props: Props) {
  const pids = processIds(props.alert.entities, props.alert.evidence);
  return pids.size === 0 ? null : <StoredTree {...props} pids={pids} />;
}

function StoredTree({ api, workspace, alert, now, pids }: Props & { pids: ReadonlySet<number> }) {
  const query = processesAround(alert.device, alert.startTime, alert.endTime);
  const reading = useReading(async (signal) => {
    const table = await api.query(workspace, query, null, signal);
    const rows = table.rows.map(([time, pid, parent, user, command]): ProcessRow => ({
      time: String(time), pid: Number(pid), parent: Number(parent), user: String(user ?? ""), command: String(command ?? ""),
    }));
    const times = new Set(alert.evidence.map((row) => row.time.slice(0, 19)));
    return processTrees(rows, (row) => pids.has(row.pid) && (times.size === 0 || times.has(row.time.slice(0, 19))));
  }, [api, workspace, query]);
  return (
    <section>
      <h3>Process tree</h3>
      <Shown of={reading} empty="The process is not among the stored events." isEmpty={(trees) => trees.length === 0}>
        {(trees) => <div className="tree"><Branch nodes={trees} now={now} /></div>}
      </Shown>
    </section>
  );
}

function OtherAlerts({ api, hub, alert, now, open }: { api: Api; hub: string; alert: AlertDetail; now: number; open: (id: string) => void }) {
  const reading = useReading(async (signal) => {
    const scope = new URLSearchParams({ hub, device: alert.device, status: "all", since: "P30D", top: "50" });
    return (await api.get<{ value: Alert[] }>(`/api/v1/alerts?${scope}`, signal)).value.filter((one) => one.id !== alert.id);
  }, [api, hub, alert.id]);
  return (
    <Shown of={reading} empty="None in 30 days." isEmpty={(others) => others.length === 0}>
      {(others) => (
        <ul className="recommendations">
          {others.slice(0, 10).map((one) => (
            <li key={one.id}>
              <SeverityMark severity={one.severity} />
              <button type="button" className="link" onClick={() => open(one.id)}>{one.displayName || one.type}</button>
              <span className="quiet"><Time iso={one.startTime} now={now} /></span>
            </li>
          ))}
        </ul>
      )}
    </Shown>
  );
}

interface RelatedProps extends Props {
  hub: string;
  open: (id: string) => void;
  investigate: (query: string) => void;
}

/** Both are read when they are opened: most looks at an alert end before. */
export function Related({ api, hub, workspace, alert, now, open, investigate }: RelatedProps) {
  const [events, setEvents] = useState(false);
  const [alerts, setAlerts] = useState(false);
  return (
    <section>
      <h3>Related</h3>
      <details onToggle={(event) => setAlerts(event.currentTarget.open)}>
        <summary>Other alerts of this device</summary>
        {alerts && <OtherAlerts api={api} hub={hub} alert={alert} now={now} open={open} />}
      </details>
      <details onToggle={(event) => setEvents(event.currentTarget.open)}>
        <summary>Its events from five minutes before to five minutes after</summary>
        {events && (
          <QueryCard
            api={api}
            workspace={workspace}
            query={eventsAround(alert.device, alert.startTime, alert.endTime)}
            timespan={null}
            empty="No event is stored around this alert."
            investigate={investigate}
          />
        )}
      </details>
    </section>
  );
}
