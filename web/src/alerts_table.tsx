// Alerts as rows, one by one or summed up by type and day.
import { type Chosen, chooser } from "./chooser";
import type { AlertDay } from "./lists";
import { SeverityMark, Time } from "./marks";
import type { Alert } from "./model";
import { type Column, RowButton, Table } from "./table";
import { assigneeOf } from "./state";
import { isNew } from "./times";
import { visible } from "./visible";

interface Props {
  alerts: Alert[];
  fresh: ReadonlySet<string>;
  ofDevice?: boolean; // all of one device: it is not named in each row
  now: number;
  open: (id: string) => void;
  chosen?: Chosen | undefined; // where several may be decided about at once
}

export function AlertsTable({ alerts, fresh, ofDevice = false, now, open, chosen }: Props) {
  const columns: Column<Alert>[] = [
    ...(chosen ? [chooser<Alert>(alerts, (one) => [one.id], (one) => `${one.displayName || one.type} of ${one.device}`, chosen)] : []),
    { title: "Severity", cell: (one) => <SeverityMark severity={one.severity} /> },
    {
      title: "Alert",
      cell: (one) => (
        <>
          <RowButton open={() => open(one.id)}>{one.displayName || one.type}</RowButton>
          {isNew(one.startTime, now) && <span className="new">New</span>}
        </>
      ),
    },
    ...(ofDevice ? [] : [{ title: "Device", kind: "device" as const, cell: (one: Alert) => one.device }]),
    { title: "Count", kind: "number", cell: (one) => one.hitCount },
    { title: "Detected by", cell: (one) => one.component },
    { title: "Started", cell: (one) => <Time iso={one.startTime} now={now} /> },
    { title: "Status", cell: (one) => (one.status === "New" ? "Active" : one.status) },
    ...(alerts.some((one) => assigneeOf(one.extendedProperties) !== "") ? [{ title: "Assigned to", cell: (one: Alert) => visible(assigneeOf(one.extendedProperties)) }] : []),
  ];
  return (
    <Table
      label="Alerts"
      className="alerts"
      columns={columns}
      rows={alerts}
      keyOf={(one) => one.id}
      rowClass={(one) => (fresh.has(one.id) ? "fresh" : undefined)}
      open={(one) => open(one.id)}
    />
  );
}

const devicesNamed = 3;

interface DaysProps {
  days: AlertDay[];
  now: number;
  open: (day: AlertDay) => void;
  chosen?: Chosen | undefined;
}

export function AlertDaysTable({ days, now, open, chosen }: DaysProps) {
  const columns: Column<AlertDay>[] = [
    ...(chosen ? [chooser<AlertDay>(days, (day) => day.alerts.map((one) => one.id), (day) => `${day.displayName} of ${day.date}`, chosen)] : []),
    { title: "Severity", cell: (day) => <SeverityMark severity={day.severity} /> },
    {
      title: "Alert",
      cell: (day) => (
        <>
          <RowButton open={() => open(day)}>{day.displayName}</RowButton>
          {day.alerts.some((one) => isNew(one.startTime, now)) && <span className="new">New</span>}
        </>
      ),
    },
    { title: "Day (UTC)", cell: (day) => day.date },
    { title: "Count", kind: "number", cell: (day) => day.alerts.length },
    {
      title: "Devices",
      kind: "device",
      cell: (day) => day.devices.slice(0, devicesNamed).join(", ") + (day.devices.length > devicesNamed ? ` and ${day.devices.length - devicesNamed} more` : ""),
    },
    { title: "Detected by", cell: (day) => day.component },
  ];
  return <Table label="Alerts by type and day" className="alerts" columns={columns} rows={days} keyOf={(day) => day.key} open={open} />;
}
