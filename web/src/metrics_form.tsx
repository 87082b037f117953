// The numbers that are taken out of a hub's telemetry, each a name and a path (docs/detection-behaviour.md): the series whose
// unusual values are alerts.
import { useState } from "react";
import type { Hub, TelemetryMetric } from "./model";
import { useUnsaved } from "./place";

const metricsMax = 16;

interface Props {
  hub: Hub;
  mayChange: boolean;
  busy: boolean;
  save: (change: Partial<Hub>, said: string) => Promise<boolean>;
}

export function Metrics({ hub, mayChange, busy, save }: Props) {
  const stored = hub.configuration?.telemetryMetrics ?? [];
  const [metrics, setMetrics] = useState<readonly TelemetryMetric[]>(stored);
  const changed = JSON.stringify(metrics) !== JSON.stringify(stored);
  useUnsaved(changed);
  const set = (at: number, part: Partial<TelemetryMetric>) => setMetrics(metrics.map((one, index) => (index === at ? { ...one, ...part } : one)));
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void save({ configuration: { telemetryMetrics: metrics.length === 0 ? null : [...metrics] } }, metrics.length === 0 ? "Saved: no number is taken out of telemetry." : "Saved. The next messages are read so.");
      }}
    >
      <p className="quiet">
        Each is a number in the JSON bodies of this hub's telemetry: a name of your own, and where it stands, as <code>$.room.celsius</code> or <code>$.fans[0].rpm</code>. Every device gets a series of each;
        after a day of learning an unusual value is an alert. At most {metricsMax}.
      </p>
      {metrics.length === 0 && <p className="quiet">No number is taken out of telemetry.</p>}
      <ul className="plain">
        {metrics.map((one, at) => (
          <li className="bar" key={at}>
            <label className="filter">
              <span>Name</span>
              <input required maxLength={64} readOnly={!mayChange} value={one.name} onChange={(event) => set(at, { name: event.target.value })} />
            </label>
            <label className="filter wide">
              <span>Path</span>
              <input required maxLength={256} pattern="\$.*" title="Begins with $, as $.room.celsius" spellCheck={false} readOnly={!mayChange} value={one.path} onChange={(event) => set(at, { path: event.target.value })} />
            </label>
            {mayChange && <button type="button" aria-label={`Take out: ${one.name || `number ${at + 1}`}`} onClick={() => setMetrics(metrics.filter((_, index) => index !== at))}>Take out</button>}
          </li>
        ))}
      </ul>
      {mayChange && (
        <p className="bar">
          <button type="button" disabled={metrics.length >= metricsMax} onClick={() => setMetrics([...metrics, { name: "", path: "$." }])}>Add a number</button>
          <button type="submit" className="primary" disabled={!changed || busy}>Save</button>
        </p>
      )}
    </form>
  );
}
