// What is not there: lost on the server's own way, and lost on the devices before it got here.
import type { Api } from "./api";
import { droppedByAgents, type LossLine, missingFromAgents, shareText } from "./losses";
import { SeverityIcon, Time } from "./marks";
import { Shown, useReading } from "./reading";
import { useMay } from "./rights";
import { type Column, Table } from "./table";

const ledgerColumns: Column<LossLine>[] = [
  { title: "Where", cell: (line) => line.where },
  {
    title: "What",
    cell: (line) => <>{line.value > 0 && <><SeverityIcon severity="Medium" /> <span className="unseen">Loss: </span></>}{line.what}</>,
  },
  { title: "Since the start", kind: "number", cell: (line) => line.value.toLocaleString() },
  { title: "What it means", kind: "text", cell: (line) => <span className="quiet">{line.meaning}</span> },
];

export function Ledger({ lines }: { lines: LossLine[] }) {
  const lost = lines.filter((line) => line.value > 0);
  return (
    <section className="card">
      <h2>Losses on the server</h2>
      <p role="status">{lost.length === 0 ? "Nothing was lost since the start." : `Something was lost since the start, in ${lost.length} of ${lines.length} ways:`}</p>
      <Table label="Ledger of losses" className="ledger" columns={ledgerColumns} rows={lines} keyOf={(line) => line.what} rowClass={(line) => (line.value > 0 ? "loss" : undefined)} />
    </section>
  );
}

interface Dropped {
  device: string;
  queue: string;
  collected: number;
  dropped: number;
  last: string;
}
interface Missing {
  device: string;
  missing: number;
  last: string;
}

interface Props {
  api: Api;
  hub: string;
  workspace: string;
  now: number;
  openDevice: (device: string) => void;
}

/** Of the last day. Asked once when it appears: it reads all that the fleet sent. */
function Reported({ api, hub, workspace, now, openDevice }: Props) {
  const reading = useReading(async (signal) => {
    const [dropped, missing] = await Promise.all([
      api.query(workspace, droppedByAgents(hub), "P1D", signal),
      api.query(workspace, missingFromAgents(hub), "P1D", signal),
    ]);
    return {
      dropped: dropped.rows.map(([device, queue, collected, lost, last]): Dropped => ({ device: String(device), queue: String(queue), collected: Number(collected), dropped: Number(lost), last: String(last) })),
      missing: missing.rows.map(([device, count, , last]): Missing => ({ device: String(device), missing: Number(count), last: String(last) })),
    };
  }, [api, hub, workspace]);
  const name = (device: string) => <button type="button" className="link" onClick={() => openDevice(device)}>{device}</button>;
  const dropped: Column<Dropped>[] = [
    { title: "Device", kind: "device", cell: (one) => name(one.device) },
    { title: "Queue", cell: (one) => one.queue },
    { title: "Collected", kind: "number", cell: (one) => one.collected.toLocaleString() },
    { title: "Dropped", kind: "number", cell: (one) => one.dropped.toLocaleString() },
    { title: "Share", kind: "number", cell: (one) => shareText(one.dropped, one.collected) },
    { title: "Last said", cell: (one) => <Time iso={one.last} now={now} relative /> },
  ];
  const missing: Column<Missing>[] = [
    { title: "Device", kind: "device", cell: (one) => name(one.device) },
    { title: "Missing", kind: "number", cell: (one) => one.missing.toLocaleString() },
    { title: "Last event", cell: (one) => <Time iso={one.last} now={now} relative /> },
  ];
  return (
    <Shown of={reading}>
      {(found) => (
        <>
          <h3>Dropped by agents, by device and queue</h3>
          {found.dropped.length === 0 ? (
            <p className="quiet">No agent said that it dropped an event.</p>
          ) : (
            <>
              <Table label="Dropped by agents" className="dropped" columns={dropped} rows={found.dropped} keyOf={(one) => `${one.device} ${one.queue}`} rowClass={() => "loss"} />
              <p className="quiet">An agent drops what does not fit: lengthen the snapshot intervals in its twin, or give it a larger maxLocalCacheSizeInBytes.</p>
            </>
          )}
          <h3>Numbered by an agent and not here</h3>
          {found.missing.length === 0 ? (
            <p className="quiet">Every event that an agent numbered came.</p>
          ) : (
            <>
              <Table label="Missing events" className="missing" columns={missing} rows={found.missing} keyOf={(one) => one.device} rowClass={() => "loss"} />
              <p className="quiet">What is still in an agent's spool comes later; what stays away was dropped there or taken out of it.</p>
            </>
          )}
          <p className="bar"><button type="button" onClick={reading.again}>Look again</button></p>
        </>
      )}
    </Shown>
  );
}

export function FleetLosses(props: Props) {
  const may = useMay("analyst");
  return (
    <section className="card">
      <h2>Losses on devices <span className="quiet">24 hours, of what is stored</span></h2>
      {may.yes ? <Reported {...props} /> : <p className="quiet">{may.why}</p>}
    </section>
  );
}
