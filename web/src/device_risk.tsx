// Why a device stands where it stands: points that add up, each from one row; and what if some of them were gone.
import { useMemo, useState } from "react";
import type { Api } from "./api";
import { PlaceLink } from "./link";
import { SeverityMark, Time } from "./marks";
import type { Go } from "./place";
import { Shown, useReading } from "./reading";
import { bandOf, type DeviceRisk, historyText, kindNames, lineOf, type RiskAt, type RiskPoint, trendText } from "./risk";
import { type Column, Table } from "./table";
import { visible } from "./visible";

export function RiskMeter({ risk, of }: { risk: number; of: string }) {
  return (
    <span className={`risk ${bandOf(risk)}`}>
      <meter min={0} max={100} value={risk} aria-label={`Risk of ${of}`} /> <span className="number">{Math.round(risk)}</span>
    </span>
  );
}

interface Props {
  api: Api;
  hub: string;
  chosenHub: string | null;
  device: string;
  news: number;
  now: number;
  go: Go;
}

const riskOf = async (api: Api, hub: string, device: string, without: readonly string[], signal: AbortSignal): Promise<DeviceRisk> => {
  const parameters = new URLSearchParams({ hub, device, ...(without.length > 0 && { without: without.join(",") }) });
  const found = (await api.get<{ value: DeviceRisk[] }>(`/api/v1/risk?${parameters}`, signal)).value[0];
  return found ?? { device, risk: 0, dayBefore: 0, points: [] };
};

const historyDays = 30;
const historyOf = async (api: Api, hub: string, device: string, signal: AbortSignal): Promise<RiskAt[]> => {
  const parameters = new URLSearchParams({ hub, device, days: String(historyDays) });
  return (await api.get<{ history: RiskAt[] }>(`/api/v1/risk?${parameters}`, signal)).history;
};

function RiskLine({ history }: { history: RiskAt[] }) {
  const highest = Math.max(...history.map((one) => one.risk));
  if (highest < 0.5) return null;
  const text = historyText(history);
  return (
    <figure className="risk-line">
      <svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label={text}><title>{text}</title>
        <polygon points={`0,100 ${lineOf(history)} 100,100`} />
        <polyline points={lineOf(history)} vectorEffect="non-scaling-stroke" />
      </svg>
      <figcaption className="quiet">{text}</figcaption>
    </figure>
  );
}

export function DeviceRiskCard({ api, hub, chosenHub, device, news, now, go }: Props) {
  const [gone, setGone] = useState<readonly string[]>([]);
  const reading = useReading((signal) => riskOf(api, hub, device, [], signal), [api, hub, device, news]);
  const history = useReading((signal) => historyOf(api, hub, device, signal), [api, hub, device, news]);
  const asked = gone.join(",");
  const whatIf = useReading((signal) => (asked === "" ? Promise.resolve(null) : riskOf(api, hub, device, asked.split(","), signal)), [api, hub, device, asked]);
  const columns = useMemo((): Column<RiskPoint>[] => [
    {
      title: "What if it were gone", unseen: true,
      cell: (point) => <input type="checkbox" aria-label={`What if it were gone: ${point.title}`} checked={gone.includes(point.id)} onChange={(event) => setGone((old) => (event.target.checked ? [...old, point.id] : old.filter((one) => one !== point.id)))} />,
    },
    { title: "Points", kind: "number", cell: (point) => point.points.toFixed(1) },
    { title: "Severity", cell: (point) => <SeverityMark severity={point.severity} /> },
    { title: "From", kind: "text", cell: (point) => <PlaceLink to={{ at: point.kind === "alert" ? "alert" : "recommendation", id: point.id }} hub={chosenHub} go={go}>{visible(point.title)}</PlaceLink> },
    { title: "Kind", cell: (point) => kindNames[point.kind] ?? point.kind },
    { title: "Since", cell: (point) => <><Time iso={point.at} now={now} relative />{point.resolved && <span className="quiet"> resolved</span>}</> },
    { title: "Without it", kind: "number", cell: (point) => Math.round(point.without) },
  ], [gone, now, chosenHub, go]);
  return (
    <section className="card">
      <h2>Risk</h2>
      <Shown of={reading}>
        {(one) => (
          <>
            <p className="facts">
              <RiskMeter risk={one.risk} of={device} />
              <span className="quiet">of 100, {trendText(one)}</span>
              {whatIf.value && gone.length > 0 && <strong role="status">{Math.round(whatIf.value.risk)} without the {gone.length === 1 ? "one" : gone.length} chosen</strong>}
              {gone.length > 0 && <button type="button" onClick={() => setGone([])}>Choose none</button>}
            </p>
            {history.value && <RiskLine history={history.value} />}
            {one.points.length === 0 ? (
              <p className="quiet">Nothing is known against it: no alert that still counts, no active recommendation.</p>
            ) : (
              <>
                <p className="quiet">Points add up. Those of an alert halve every week, of a resolved one every day. Tick what you would mend, and see what it buys.</p>
                <Table label="Points of risk" className="points" columns={columns} rows={one.points} keyOf={(point) => point.id} />
              </>
            )}
          </>
        )}
      </Shown>
    </section>
  );
}
