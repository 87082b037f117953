// The inventory: every device of the hub, what it is doing, what is known against it.
import { useContext, useEffect, useMemo } from "react";
import type { Api } from "./api";
import { useColumnChoice } from "./column_choice";
import { chosen, type Ids, idsOf, rememberColumns, rememberedColumns, sameIds } from "./columns";
import { deviceColumns, fixedDeviceColumns, knownDeviceColumns, usualDeviceColumns } from "./device_columns";
import { Choice, FilterBar, Search } from "./filters";
import { chosenDevices } from "./lists";
import type { Device } from "./model";
import type { Filters } from "./place";
import { Shown, useReading } from "./reading";
import { WhoContext } from "./rights";
import { download } from "./rows";
import { Table } from "./table";
import { csvOf } from "./tables";

const pageSize = 500;
const devicesMax = 10_000;

interface Props {
  api: Api;
  hub: string;
  filters: Filters;
  news: number;
  now: number;
  change: (filters: Filters, instead?: boolean) => void;
  open: (device: string) => void;
}

/** The chosen columns: the address says them, so that a link shows the same; where it says nothing, what this person chose here before. */
function useDeviceColumns(filters: Filters, change: Props["change"]): [Ids, (ids: Ids) => void] {
  const who = useContext(WhoContext)?.name;
  const named = filters["columns"];
  const before = who === undefined || named !== undefined ? null : rememberedColumns("devices", who);
  useEffect(() => {
    if (before !== null && idsOf(before, knownDeviceColumns) !== null) change({ ...filters, columns: before }, true);
  }, [before]);
  const shown = useMemo(() => idsOf(named ?? before, knownDeviceColumns, fixedDeviceColumns) ?? usualDeviceColumns, [named, before]);
  return [shown, (ids) => {
    const text = sameIds(ids, usualDeviceColumns) ? "" : ids.join(",");
    if (who !== undefined) rememberColumns("devices", who, text);
    change({ ...filters, columns: text }, true);
  }];
}

export function DevicesPage({ api, hub, filters, news, now, change, open }: Props) {
  const [ids, choose] = useDeviceColumns(filters, change);
  const columns = chosen(deviceColumns, ids);
  const told = columns.some((one) => one.told);
  const { button, choice } = useColumnChoice({ all: deviceColumns, shown: ids, usual: usualDeviceColumns, change: choose });
  const reading = useReading(async (signal) => {
    const all: Device[] = [];
    let after: string | undefined;
    do {
      const parameters = new URLSearchParams({ top: String(pageSize), ...(told && { include: "inventory" }), ...(after !== undefined && { after }) });
      const page = await api.get<{ value: Device[]; after?: string }>(`/api/v1/hubs/${encodeURIComponent(hub)}/devices?${parameters}`, signal);
      all.push(...page.value);
      after = page.after;
    } while (after !== undefined && all.length < devicesMax);
    return all;
  }, [api, hub, news, told]);
  const devices = reading.value;
  const shown = useMemo(() => chosenDevices(devices ?? [], filters), [devices, filters]);
  const csv = () => {
    const fields = columns.flatMap((one) => one.file);
    download(csvOf({ columns: fields.map(([name]) => ({ name, type: "string" })), rows: shown.map((one) => fields.map(([, value]) => value(one))) }), "devices.csv");
  };
  return (
    <main>
      <section className="card">
        <div className="bar"><h2>Devices</h2><span className="actions">{button}<button type="button" onClick={csv} disabled={shown.length === 0}>CSV</button></span></div>
        {choice}
        <FilterBar note={devices === null ? "" : `${shown.length.toLocaleString()} of ${devices.length.toLocaleString()}${devices.length >= devicesMax ? ", the first ones" : ""}`}>
          <Search label="Name" name="name" filters={filters} change={change} />
          <Choice label="Agent" name="agent" filters={filters} change={change} options={[["", "Any"], ["Reporting", "Reporting"], ["Silent", "Silent"], ["NeverReported", "Never reported"], ["NotInstalled", "Not installed"]]} />
          <Choice label="Connection" name="connection" filters={filters} change={change} options={[["", "Any"], ["Connected", "Connected"], ["Disconnected", "Disconnected"], ["Disabled", "Disabled"]]} />
          <Choice label="Order" name="sort" filters={filters} change={change} options={[["", "Name"], ["alerts", "Most alerts"], ["recommendations", "Most recommendations"], ["last", "Latest event"], ["oldest", "Longest silent"]]} />
        </FilterBar>
        <Shown of={reading} empty="No device is like this." isEmpty={() => shown.length === 0}>
          {() => (
            <Table
              label="Inventory"
              columns={columns.map(({ title, kind, cell }) => ({ title, ...(kind && { kind }), cell: (one: Device) => cell(one, { now, open }) }))}
              rows={shown.slice(0, 1000)}
              keyOf={(one) => one.deviceId}
              open={(one) => open(one.deviceId)}
            />
          )}
        </Shown>
        {shown.length > 1000 && <p className="quiet">The first 1,000 are shown; the CSV has all.</p>}
      </section>
    </main>
  );
}
