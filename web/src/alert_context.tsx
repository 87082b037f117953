// What surrounds an alert on its device: who started the process, what else happened, which other alerts there are.
import { useState } from "react";
import type { Api } from "./api";
import { eventsAround, processesIn, processRowsMax } from "./device_queries";
import { FindingList } from "./finding_list";
import { Time } from "./marks";
import type { Alert, AlertDetail } from "./model";
import { type Named, namedBy, type ProcessNode, type ProcessRow, processTrees, type Span, spanOf } from "./process_tree";
import { Shown, useReading } from "./reading";
import { useMay } from "./rights";
import { QueryCard } from "./rows";
import { visible } from "./visible";

function Branch({ nodes, now }: { nodes: ProcessNode[]; now: number }) {
  return (
    <ul>
      {nodes.map((node, index) => (
        <li key={`${node.pid} ${index}`}>
          <div className={node.meant ? "process meant" : "process"}>
            <code>{visible(node.command)}</code>
            <span className="quiet">
              {node.meant && <strong>this alert · </strong>}
              {node.user !== "" && `${visible(node.user)} · `}pid {node.pid} · <Time iso={node.time} now={now} />
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
  hub: string;
  workspace: string;
  alert: AlertDetail;
  now: number;
}

export function ProcessTree(props: Props) {
  const named = namedBy(props.alert);
  const span = spanOf(named);
  const may = useMay("analyst");
  return span === null || !may.yes ? null : <StoredTree {...props} named={named} span={span} />;
}

function StoredTree({ api, hub, workspace, alert, now, named, span }: Props & { named: Named[]; span: Span }) {
  const query = processesIn({ hub, device: alert.device }, span);
  const reading = useReading(async (signal) => {
    const table = await api.query(workspace, query, null, signal);
    const rows = table.rows.map(([time, pid, parent, user, command, run, sequence, ended]): ProcessRow => ({
      time: String(time), pid: Number(pid), parent: Number(parent), user: String(user ?? ""), command: String(command ?? ""),
      run: String(run ?? ""), sequence: Number(sequence ?? 0), ended: ended === true,
    }));
    return { trees: processTrees(rows.reverse(), named), cut: rows.length >= processRowsMax };
  }, [api, workspace, query]);
  return (
    <section>
      <h3>Process tree</h3>
      <Shown of={reading} empty="The process is not among the stored events." isEmpty={({ trees }) => trees.length === 0}>
        {({ trees, cut }) => (
          <>
            <div className="tree"><Branch nodes={trees} now={now} /></div>
            {cut && <p className="quiet">The device was busy: only the newest {processRowsMax.toLocaleString()} process events around it were looked through.</p>}
          </>
        )}
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
        <FindingList
          open={open}
          lines={others.slice(0, 10).map((one) => ({
            id: one.id,
            severity: one.severity,
            name: one.displayName || one.type,
            more: <span className="quiet"><Time iso={one.startTime} now={now} /></span>,
          }))}
        />
      )}
    </Shown>
  );
}

interface RelatedProps extends Props {
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
            query={eventsAround({ hub, device: alert.device }, alert.startTime, alert.endTime)}
            timespan={null}
            empty="No event is stored around this alert."
            investigate={investigate}
          />
        )}
      </details>
    </section>
  );
}
