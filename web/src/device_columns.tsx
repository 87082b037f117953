// What the inventory can show of a device, on the page and in its file.
import type { Choosable } from "./column_choice";
import type { Ids } from "./columns";
import { agentStates, Connection, OpenAlerts } from "./device_marks";
import { Time } from "./marks";
import type { Device, Inventory } from "./model";
import { type Column, RowButton } from "./table";
import { visible } from "./visible";

interface Looks {
  now: number;
  open: (device: string) => void;
}

export interface DeviceColumn extends Choosable {
  told?: boolean; // by the device itself: it must be asked for
  kind?: Column<Device>["kind"];
  cell: (device: Device, looks: Looks) => ReturnType<Column<Device>["cell"]>;
  file: readonly (readonly [name: string, value: (device: Device) => unknown])[];
}

const authentications: Record<string, string> = { sas: "Key", "x509-thumbprint": "Certificate by thumbprint", "x509-ca": "Certificate of an authority" };

const told = (id: Exclude<keyof Inventory, "lastInformation">, title: string, name: string): DeviceColumn => ({
  id, title, told: true,
  cell: (one) => visible(one.inventory?.[id] ?? ""),
  file: [[name, (one) => one.inventory?.[id] ?? ""]],
});

export const deviceColumns: readonly DeviceColumn[] = [
  { id: "device", title: "Device", fixed: true, kind: "device", cell: (one, { open }) => <RowButton open={() => open(one.deviceId)}>{one.deviceId}</RowButton>, file: [["Device", (one) => one.deviceId]] },
  { id: "connection", title: "Connection", cell: (one) => <Connection device={one} />, file: [["Status", (one) => one.status], ["Connection", (one) => one.connectionState]] },
  { id: "agent", title: "Agent", cell: (one) => <span className={`state ${one.agentState}`}>{agentStates[one.agentState]}</span>, file: [["Agent", (one) => one.agentState]] },
  { id: "last", title: "Last event", cell: (one, { now }) => <Time iso={one.lastEvent} now={now} relative />, file: [["LastEvent", (one) => one.lastEvent]] },
  {
    id: "alerts", title: "Open alerts", cell: (one) => <OpenAlerts device={one} />,
    file: [["OpenAlerts", (one) => one.openAlerts], ...(["High", "Medium", "Low"] as const).map((severity) => [severity, (one: Device) => one.openAlertsBySeverity[severity]] as const)],
  },
  { id: "recommendations", title: "Recommendations", kind: "number", cell: (one) => one.activeRecommendations, file: [["Recommendations", (one) => one.activeRecommendations]] },
  { id: "reason", title: "Why disabled", kind: "text", cell: (one) => visible(one.statusReason ?? ""), file: [["StatusReason", (one) => one.statusReason ?? ""]] },
  { id: "authentication", title: "Authentication", cell: (one) => authentications[one.authentication] ?? one.authentication, file: [["Authentication", (one) => one.authentication]] },
  { id: "modules", title: "Modules", kind: "device", cell: (one) => one.modules.join(", "), file: [["Modules", (one) => one.modules.join(" ")]] },
  { id: "created", title: "Registered", cell: (one, { now }) => <Time iso={one.created} now={now} relative />, file: [["Registered", (one) => one.created]] },
  told("agentVersion", "Agent version", "AgentVersion"),
  told("hostName", "Host name", "HostName"),
  told("osPlatform", "OS platform", "OSPlatform"),
  told("osDistribution", "OS distribution", "OSDistribution"),
  told("osVersion", "OS version", "OSVersion"),
  told("osArchitecture", "OS architecture", "OSArchitecture"),
  told("vendor", "Vendor", "Vendor"),
  told("model", "Device model", "DeviceModel"),
  { id: "lastInformation", title: "Last update", told: true, cell: (one, { now }) => <Time iso={one.inventory?.lastInformation ?? null} now={now} relative />, file: [["LastUpdate", (one) => one.inventory?.lastInformation ?? null]] },
];

export const knownDeviceColumns: Ids = deviceColumns.map((one) => one.id);
export const fixedDeviceColumns: Ids = deviceColumns.filter((one) => one.fixed).map((one) => one.id);
export const usualDeviceColumns: Ids = ["device", "connection", "agent", "last", "alerts", "recommendations"];
