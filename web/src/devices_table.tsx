// Devices as rows: what each is doing, and what is known against it.
import { SeverityIcon, Time } from "./marks";
import { type Device, severities } from "./model";
import { type Column, RowButton, Table } from "./table";

export const agentStates = {
  NotInstalled: "Not installed",
  NeverReported: "Never reported",
  Reporting: "Reporting",
  Silent: "Silent",
} as const;

export function OpenAlerts({ device }: { device: Device }) {
  if (device.openAlerts === 0) return <span className="quiet">none</span>;
  return (
    <span className="counts">
      {severities
        .filter((severity) => device.openAlertsBySeverity[severity] > 0)
        .map((severity) => (
          <span key={severity} title={severity}>
            <SeverityIcon severity={severity} />
            {device.openAlertsBySeverity[severity]}
            <span className="unseen"> {severity}</span>
          </span>
        ))}
    </span>
  );
}

export function Connection({ device }: { device: Device }) {
  const disabled = device.status === "disabled";
  return <span className={`state ${disabled ? "off" : device.connectionState}`}>{disabled ? "Disabled" : device.connectionState}</span>;
}

export function DevicesTable({ devices, now, open }: { devices: Device[]; now: number; open: (device: string) => void }) {
  const columns: Column<Device>[] = [
    { title: "Device", kind: "device", cell: (one) => <RowButton open={() => open(one.deviceId)}>{one.deviceId}</RowButton> },
    { title: "Connection", cell: (one) => <Connection device={one} /> },
    { title: "Agent", cell: (one) => <span className={`state ${one.agentState}`}>{agentStates[one.agentState]}</span> },
    { title: "Last event", cell: (one) => <Time iso={one.lastEvent} now={now} relative /> },
    { title: "Open alerts", cell: (one) => <OpenAlerts device={one} /> },
    { title: "Recommendations", kind: "number", cell: (one) => one.activeRecommendations },
  ];
  return <Table label="Inventory" columns={columns} rows={devices} keyOf={(one) => one.deviceId} open={(one) => open(one.deviceId)} />;
}
