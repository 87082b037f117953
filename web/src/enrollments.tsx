// Who may provision itself. The server's answer holds keys too; none is kept or shown.
import type { Api } from "./api";
import { Time } from "./marks";
import { Shown, useReading } from "./reading";
import { type Column, Table } from "./table";

interface Body {
  registrationId?: string;
  enrollmentGroupId?: string;
  provisioningStatus: string;
  attestation: { type: string };
  allocationPolicy: string;
  iotHubs?: string[];
  lastUpdatedDateTimeUtc: string;
}

interface Enrollment {
  id: string;
  group: boolean;
  status: string;
  attestation: string;
  allocation: string;
  hubs: string[];
  changed: string;
}

async function listOf(api: Api, kind: "enrollments" | "enrollmentGroups"): Promise<Enrollment[]> {
  const found = (await api.send<Body[]>("POST", `/api/v1/provisioning/${kind}/query`, {})) ?? [];
  return found.map((one) => ({
    id: one.registrationId ?? one.enrollmentGroupId ?? "",
    group: kind === "enrollmentGroups",
    status: one.provisioningStatus,
    attestation: one.attestation.type === "symmetricKey" ? "symmetric key" : one.attestation.type,
    allocation: one.allocationPolicy,
    hubs: one.iotHubs ?? [],
    changed: one.lastUpdatedDateTimeUtc,
  }));
}

const columns = (now: number): Column<Enrollment>[] => [
  { title: "Enrollment", kind: "device", cell: (one) => one.id },
  { title: "For", cell: (one) => (one.group ? "a group" : "one device") },
  { title: "Status", cell: (one) => <span className={`state ${one.status === "enabled" ? "Reporting" : "off"}`}>{one.status}</span> },
  { title: "Attestation", cell: (one) => one.attestation },
  { title: "Hubs", cell: (one) => <>{one.hubs.length === 0 ? "all" : one.hubs.join(", ")} <span className="quiet">{one.allocation}</span></> },
  { title: "Changed", cell: (one) => <Time iso={one.changed} now={now} relative /> },
];

export function Enrollments({ api, mayRead, now }: { api: Api; mayRead: boolean; now: number }) {
  if (!mayRead) return <p className="quiet">Enrollments are shown to administrators.</p>;
  return <List api={api} now={now} />;
}

function List({ api, now }: { api: Api; now: number }) {
  const reading = useReading(async () => (await Promise.all([listOf(api, "enrollmentGroups"), listOf(api, "enrollments")])).flat(), [api]);
  return (
    <Shown of={reading} empty="Nobody is enrolled. fieldwatch enrollment create lets a device, or a group of them, find its hub by itself." isEmpty={(all) => all.length === 0}>
      {(all) => <Table label="Enrollments" columns={columns(now)} rows={all} keyOf={(one) => `${one.group} ${one.id}`} />}
    </Shown>
  );
}
