// Who may provision itself. The server's answer holds keys too; none is kept or shown.
import type { Api } from "./api";
import { Time } from "./marks";
import { Shown, useReading } from "./reading";

interface Body {
  registrationId?: string;
  enrollmentGroupId?: string;
  provisioningStatus: string;
  attestation: { type: string };
  allocationPolicy: string;
  iotHubs?: string[];
  lastUpdatedDateTimeUtc: string;
}

async function listOf(api: Api, kind: "enrollments" | "enrollmentGroups") {
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

export function Enrollments({ api, mayRead, now }: { api: Api; mayRead: boolean; now: number }) {
  if (!mayRead) return <p className="quiet">Enrollments are shown to administrators.</p>;
  return <List api={api} now={now} />;
}

function List({ api, now }: { api: Api; now: number }) {
  const reading = useReading(async () => (await Promise.all([listOf(api, "enrollmentGroups"), listOf(api, "enrollments")])).flat(), [api]);
  return (
    <Shown of={reading} empty="Nobody is enrolled. fieldwatch enrollment create lets a device, or a group of them, find its hub by itself." isEmpty={(all) => all.length === 0}>
      {(all) => (
        <div className="scroll" tabIndex={0}>
          <table>
            <thead>
              <tr>
                <th scope="col">Enrollment</th>
                <th scope="col">For</th>
                <th scope="col">Status</th>
                <th scope="col">Attestation</th>
                <th scope="col">Hubs</th>
                <th scope="col">Changed</th>
              </tr>
            </thead>
            <tbody>
              {all.map((one) => (
                <tr key={`${one.group} ${one.id}`}>
                  <td className="device">{one.id}</td>
                  <td>{one.group ? "a group" : "one device"}</td>
                  <td><span className={`state ${one.status === "enabled" ? "Reporting" : "off"}`}>{one.status}</span></td>
                  <td>{one.attestation}</td>
                  <td>{one.hubs.length === 0 ? "all" : one.hubs.join(", ")} <span className="quiet">{one.allocation}</span></td>
                  <td><Time iso={one.changed} now={now} relative /></td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Shown>
  );
}
