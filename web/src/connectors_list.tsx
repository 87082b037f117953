// What a hub is attached to elsewhere (docs/connectors.md), and how each connector does; attached and detached here.
import type { Api } from "./api";
import { NewConnector } from "./connector_form";
import type { Connector } from "./connectors";
import { Time } from "./marks";
import { Shown, useFollowing, useReading } from "./reading";
import { Outcome, Sure, useSaving } from "./saving";
import { type Column, Table } from "./table";
import { visible } from "./visible";

const connectorsMax = 16;

interface Props {
  api: Api;
  hub: string;
  mayRead: boolean; // the list is for administrators
  now: number;
}

export function Connectors({ api, hub, mayRead, now }: Props) {
  return mayRead ? <List api={api} hub={hub} now={now} /> : null;
}

function List({ api, hub, now }: Omit<Props, "mayRead">) {
  const address = `/api/v1/hubs/${encodeURIComponent(hub)}/connectors`;
  const reading = useReading(async (signal) => (await api.get<{ value: Connector[] }>(address, signal)).value, [api, address, now]);
  const follow = useFollowing(reading.again);
  const saving = useSaving();
  const remove = async (name: string) => {
    if (await saving.run(() => api.send("DELETE", `${address}/${encodeURIComponent(name)}`), `${name} is detached. What came through it stays.`)) follow();
  };
  const columns: Column<Connector>[] = [
    { title: "Connector", kind: "device", cell: (one) => one.name },
    { title: "To", cell: (one) => `${one.type}${one.enabled ? "" : ", switched off"}` },
    {
      title: "State", kind: "text",
      cell: ({ status }) => (
        <>
          <span className={`state ${status.problem === "" ? "Reporting" : "Silent"}`}>{status.state}</span> <span className="quiet">since <Time iso={status.since} now={now} relative /></span>
          {status.problem !== "" && <div>{visible(status.problem)} {status.nextTry !== null && <span className="quiet">next try <Time iso={status.nextTry} now={now} clock /></span>}</div>}
        </>
      ),
    },
    { title: "Last received", cell: ({ status }) => <Time iso={status.lastReceived} now={now} relative /> },
    { title: "Messages", kind: "number", cell: ({ status }) => status.messages.toLocaleString() },
    { title: "Security messages", kind: "number", cell: ({ status }) => status.securityMessages.toLocaleString() },
    { title: "Hub records", kind: "number", cell: ({ status }) => status.operations.toLocaleString() },
    { title: "Refused", kind: "number", cell: ({ status }) => <span title={visible(status.lastRefusal)}>{status.refused.toLocaleString()}</span> },
    { title: "Detach", unseen: true, cell: (one) => <Sure text="Detach" question={`Detach ${one.name}?`} busy={saving.busy} act={() => void remove(one.name)} /> },
  ];
  return (
    <>
      <p className="quiet">
        What devices say elsewhere, to an Azure IoT Hub or an MQTT broker, comes in through connectors: {connectorsMax} on a server. Their connection strings and passwords are never shown again.
      </p>
      <Outcome of={saving} />
      <Shown of={reading} empty="This hub is attached to nothing." isEmpty={(all) => all.length === 0}>
        {(all) => <Table label="Connectors" columns={columns} rows={all} keyOf={(one) => one.name} rowClass={(one) => (one.status.problem !== "" ? "loss" : undefined)} />}
      </Shown>
      <NewConnector api={api} address={address} names={(reading.value ?? []).map((one) => one.name)} changed={follow} />
    </>
  );
}
