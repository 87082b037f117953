// All alerts of a hub: one by one, or as the daily aggregates that a person decides about.
import { useContext, useMemo } from "react";
import type { Api } from "./api";
import { AlertDaysTable, AlertsTable } from "./alerts_table";
import { Choice, FilterBar, Search } from "./filters";
import { alertDays, chosenAlerts } from "./lists";
import type { Alert } from "./model";
import type { Filters } from "./place";
import { Shown, useReading } from "./reading";
import { WhoContext } from "./rights";
import { download } from "./rows";
import { assigneeOf } from "./state";
import { csvOf } from "./tables";

const alertsMax = 1000;
const statuses = [["", "Open"], ["InProgress", "In progress"], ["Resolved", "Resolved"], ["Dismissed", "Dismissed"], ["all", "All"]] as const;
const spans = [["", "30 days"], ["P1D", "24 hours"], ["P7D", "7 days"], ["P90D", "90 days"]] as const;
const severityOptions = [["", "Any"], ["High", "High"], ["Medium", "Medium"], ["Low", "Low"], ["Informational", "Informational"]] as const;

interface Props {
  api: Api;
  hub: string;
  filters: Filters;
  fresh: ReadonlySet<string>;
  news: number; // changes whenever the list may have changed
  now: number;
  change: (filters: Filters) => void;
  open: (id: string) => void;
}

export function AlertsPage({ api, hub, filters, fresh, news, now, change, open }: Props) {
  const status = filters["status"] ?? "";
  const since = filters["since"] ?? "";
  const reading = useReading(async (signal) => {
    const parameters = new URLSearchParams({ hub, top: String(alertsMax), since: since || "P30D", status: status || "open" });
    return (await api.get<{ value: Alert[] }>(`/api/v1/alerts?${parameters}`, signal)).value;
  }, [api, hub, status, since, news]);
  const alerts = reading.value;
  const me = useContext(WhoContext)?.name ?? "";
  const shown = useMemo(() => chosenAlerts(alerts ?? [], filters, me), [alerts, filters, me]);
  const days = useMemo(() => alertDays(shown), [shown]);
  const daily = filters["view"] === "daily";
  const csv = () =>
    download(csvOf({
      columns: ["StartTime", "Severity", "Alert", "AlertType", "Device", "Count", "Status", "AssignedTo", "Id"].map((name) => ({ name, type: "string" })),
      rows: shown.map((one) => [one.startTime, one.severity, one.displayName, one.type, one.device, one.hitCount, one.status, assigneeOf(one.extendedProperties), one.id]),
    }), "alerts.csv");
  return (
    <main>
      <section className="card">
        <div className="bar"><h2>Alerts</h2><button type="button" onClick={csv} disabled={shown.length === 0}>CSV</button></div>
        <FilterBar note={alerts === null ? "" : `${shown.length.toLocaleString()} ${shown.length === 1 ? "alert" : "alerts"}${alerts.length === alertsMax ? ` of the newest ${alertsMax.toLocaleString()}` : ""}`}>
          <Choice label="Show" name="view" filters={filters} change={change} options={[["", "Each alert"], ["daily", "By type and day"]]} />
          <Choice label="Status" name="status" filters={filters} change={change} options={statuses} />
          <Choice label="Severity" name="severity" filters={filters} change={change} options={severityOptions} />
          <Choice label="Detected by" name="source" filters={filters} change={change} options={[["", "Any"], ["Agent", "Agent"], ["IoT Hub", "IoT Hub"], ["Behaviour", "Behaviour"]]} />
          <Choice label="Assigned to" name="whose" filters={filters} change={change} options={[["", "Anybody"], ["me", "Me"], ["nobody", "Nobody"]]} />
          <Choice label="Since" name="since" filters={filters} change={change} options={spans} />
          <Search label="Name" name="name" filters={filters} change={change} />
          <Search label="Device" name="device" filters={filters} change={change} />
        </FilterBar>
        <Shown of={reading} empty="No alert is like this." isEmpty={() => shown.length === 0}>
          {() => (daily ? <AlertDaysTable days={days} now={now} open={(day) => change({ ...filters, view: "", name: day.type })} /> : <AlertsTable alerts={shown} fresh={fresh} now={now} open={open} />)}
        </Shown>
      </section>
    </main>
  );
}
