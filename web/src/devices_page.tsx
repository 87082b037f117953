// The inventory: every device of the hub, what it is doing, what is known against it.
import { useMemo } from "react";
import type { Api } from "./api";
import { DevicesTable } from "./devices_table";
import { Choice, FilterBar, Search } from "./filters";
import { chosenDevices } from "./lists";
import type { Device } from "./model";
import type { Filters } from "./place";
import { Shown, useReading } from "./reading";
import { download } from "./rows";
import { csvOf } from "./tables";

const pageSize = 500;
const devicesMax = 10_000;

interface Props {
  api: Api;
  hub: string;
  filters: Filters;
  news: number;
  now: number;
  change: (filters: Filters) => void;
  open: (device: string) => void;
}

export function DevicesPage({ api, hub, filters, news, now, change, open }: Props) {
  const reading = useReading(async (signal) => {
    const all: Device[] = [];
    let after: string | undefined;
    do {
      const parameters = new URLSearchParams({ top: String(pageSize), ...(after !== undefined && { after }) });
      const page = await api.get<{ value: Device[]; after?: string }>(`/api/v1/hubs/${encodeURIComponent(hub)}/devices?${parameters}`, signal);
      all.push(...page.value);
      after = page.after;
    } while (after !== undefined && all.length < devicesMax);
    return all;
  }, [api, hub, news]);
  const devices = reading.value;
  const shown = useMemo(() => chosenDevices(devices ?? [], filters), [devices, filters]);
  const csv = () =>
    download(csvOf({
      columns: ["Device", "Status", "Connection", "Agent", "LastEvent", "OpenAlerts", "High", "Medium", "Low", "Recommendations"].map((name) => ({ name, type: "string" })),
      rows: shown.map((one) => [one.deviceId, one.status, one.connectionState, one.agentState, one.lastEvent, one.openAlerts, one.openAlertsBySeverity.High, one.openAlertsBySeverity.Medium, one.openAlertsBySeverity.Low, one.activeRecommendations]),
    }), "devices.csv");
  return (
    <main>
      <section className="card">
        <div className="bar"><h2>Devices</h2><button type="button" onClick={csv} disabled={shown.length === 0}>CSV</button></div>
        <FilterBar note={devices === null ? "" : `${shown.length.toLocaleString()} of ${devices.length.toLocaleString()}${devices.length >= devicesMax ? ", the first ones" : ""}`}>
          <Search label="Name" name="name" filters={filters} change={change} />
          <Choice label="Agent" name="agent" filters={filters} change={change} options={[["", "Any"], ["Reporting", "Reporting"], ["Silent", "Silent"], ["NeverReported", "Never reported"], ["NotInstalled", "Not installed"]]} />
          <Choice label="Connection" name="connection" filters={filters} change={change} options={[["", "Any"], ["Connected", "Connected"], ["Disconnected", "Disconnected"], ["Disabled", "Disabled"]]} />
          <Choice label="Order" name="sort" filters={filters} change={change} options={[["", "Name"], ["alerts", "Most alerts"], ["recommendations", "Most recommendations"], ["last", "Latest event"], ["oldest", "Longest silent"]]} />
        </FilterBar>
        <Shown of={reading} empty="No device is like this." isEmpty={() => shown.length === 0}>
          {() => <DevicesTable devices={shown.slice(0, 1000)} now={now} open={open} />}
        </Shown>
        {shown.length > 1000 && <p className="quiet">The first 1,000 are shown; the CSV has all.</p>}
      </section>
    </main>
  );
}
