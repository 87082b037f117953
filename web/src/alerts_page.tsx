// All alerts of a hub: one by one, or as the daily aggregates that a person decides about.
import { type RefObject, useCallback, useContext, useEffect, useMemo, useState } from "react";
import type { Api } from "./api";
import { Decision } from "./alert_decision";
import { AlertDaysTable, AlertsTable } from "./alerts_table";
import type { Chosen } from "./chooser";
import { Choice, Day, FilterBar, isNarrowed, Search } from "./filters";
import { alertDays, chosenAlerts } from "./lists";
import type { Alert } from "./model";
import type { Filters } from "./place";
import { Shown, useFollowing, useReading } from "./reading";
import { useMay, WhoContext } from "./rights";
import { download } from "./rows";
import { assigneeOf } from "./state";
import { csvOf } from "./tables";

const alertsMax = 1000;
const decidedMax = 500; // of one request: docs/api.md
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
  listed: RefObject<readonly string[]>; // told what is in view
  change: (filters: Filters) => void;
  open: (id: string) => void;
}

interface ManyProps {
  api: Api;
  hub: string;
  alerts: readonly Alert[]; // that are chosen and shown
  clear: () => void;
  decided: (said: string) => void;
}

/** Stands below the list while something is chosen in it. */
function DecideMany({ api, hub, alerts, clear, decided }: ManyProps) {
  return (
    <section className="many" aria-label="Decide about the chosen alerts">
      <div className="bar">
        <strong role="status">{alerts.length.toLocaleString()} chosen</strong>
        <button type="button" onClick={clear}>Choose none</button>
      </div>
      {alerts.length > decidedMax ? (
        <p className="quiet">At most {decidedMax} are decided about at once: narrow the list, or choose fewer.</p>
      ) : (
        <Decision api={api} hub={hub} alerts={alerts} decided={decided} />
      )}
    </section>
  );
}

export function AlertsPage({ api, hub, filters, fresh, news, now, listed, change, open }: Props) {
  const status = filters["status"] ?? "";
  const since = filters["since"] ?? "";
  const severity = filters["severity"] ?? "";
  const reading = useReading(async (signal) => {
    const parameters = new URLSearchParams({ hub, top: String(alertsMax), since: since || "P30D", status: status || "open", ...(severity !== "" && { severity }) });
    return (await api.get<{ value: Alert[] }>(`/api/v1/alerts?${parameters}`, signal)).value;
  }, [api, hub, status, since, severity, news]);
  const follow = useFollowing(reading.again);
  const alerts = reading.value;
  const me = useContext(WhoContext)?.name ?? "";
  const mayDecide = useMay("operator").yes;
  const shown = useMemo(() => chosenAlerts(alerts ?? [], filters, me), [alerts, filters, me]);
  useEffect(() => {
    listed.current = shown.map((one) => one.id);
    return () => void (listed.current = []);
  }, [listed, shown]);
  const days = useMemo(() => alertDays(shown), [shown]);
  const [ids, setIds] = useState<ReadonlySet<string>>(new Set());
  const choose = useCallback((some: readonly string[], on: boolean) => setIds((old) => new Set(on ? [...old, ...some] : [...old].filter((id) => !some.includes(id)))), []);
  const [said, setSaid] = useState("");
  const decided = (sentence: string) => {
    setSaid(sentence); // what was decided about may have left the list, and the form with it
    setIds(new Set());
    follow();
  };
  const chosen: Chosen | undefined = mayDecide ? { ids, choose } : undefined;
  const picked = shown.filter((one) => ids.has(one.id));
  const daily = filters["view"] === "daily";
  const csv = () =>
    download(csvOf({
      columns: ["StartTime", "Severity", "Alert", "AlertType", "Device", "Count", "Status", "AssignedTo", "Id"].map((name) => ({ name, type: "string" })),
      rows: shown.map((one) => [one.startTime, one.severity, one.displayName, one.type, one.device, one.hitCount, one.status, assigneeOf(one.extendedProperties), one.id]),
    }), "alerts.csv");
  const clear = isNarrowed(filters, "view") ? () => change({ view: filters["view"] ?? "" }) : undefined;
  return (
    <main>
      <section className="card">
        <div className="bar"><h2>Alerts</h2><button type="button" onClick={csv} disabled={shown.length === 0}>CSV</button></div>
        <FilterBar clear={clear} note={alerts === null ? "" : `${shown.length.toLocaleString()} ${shown.length === 1 ? "alert" : "alerts"}${alerts.length === alertsMax ? ` of the newest ${alertsMax.toLocaleString()}` : ""}`}>
          <Choice label="Show" name="view" filters={filters} change={change} options={[["", "Each alert"], ["daily", "By type and day"]]} />
          <Choice label="Status" name="status" filters={filters} change={change} options={statuses} />
          <Choice label="Severity" name="severity" filters={filters} change={change} options={severityOptions} />
          <Choice label="Detected by" name="source" filters={filters} change={change} options={[["", "Any"], ["Agent", "Agent"], ["IoT Hub", "IoT Hub"], ["Behaviour", "Behaviour"]]} />
          <Choice label="Assigned to" name="whose" filters={filters} change={change} options={[["", "Anybody"], ["me", "Me"], ["nobody", "Nobody"]]} />
          <Choice label="Since" name="since" filters={filters} change={change} options={spans} />
          <Day label="Day (UTC)" name="day" filters={filters} change={change} />
          <Search label="Name" name="name" filters={filters} change={change} />
          <Search label="Device" name="device" filters={filters} change={change} />
        </FilterBar>
        {said !== "" && picked.length === 0 && <p role="status" className="note">{said}</p>}
        <Shown of={reading} empty={clear ? "No alert is like this." : "No open alert in 30 days."} isEmpty={() => shown.length === 0}>
          {() =>
            daily ? (
              <AlertDaysTable days={days} now={now} chosen={chosen} open={(day) => change({ ...filters, view: "", name: day.type, day: day.date })} />
            ) : (
              <AlertsTable alerts={shown} fresh={fresh} now={now} chosen={chosen} open={open} />
            )
          }
        </Shown>
        {mayDecide && picked.length > 0 && <DecideMany api={api} hub={hub} alerts={picked} clear={() => setIds(new Set())} decided={decided} />}
      </section>
    </main>
  );
}
