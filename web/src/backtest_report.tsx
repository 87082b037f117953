// What a set of rules would have found in the stored log, beside what the running one finds in it.
import type { Backtest, Backtested } from "./rules";
import { localText } from "./times";

function Examples({ title, of }: { title: string; of: Backtested["gained"] }) {
  if (of.length === 0) return null;
  return (
    <details>
      <summary>{title} {of.length}</summary>
      <ul className="plain">
        {of.map((one, index) => (
          <li key={index}><span className="quiet">{localText(one.time)}</span> <span className="device">{one.device}</span> <code>{one.what}</code></li>
        ))}
      </ul>
    </details>
  );
}

export function BacktestReport({ test, stop }: { test: Backtest; stop: () => void }) {
  const { progress, report } = test;
  if (test.state === "running") {
    return (
      <p className="bar" role="status">
        <progress value={progress.records} max={Math.max(1, progress.of)} aria-label="Records replayed" />
        <span className="quiet">{progress.records.toLocaleString()} of {progress.of.toLocaleString()} records</span>
        <button type="button" onClick={stop}>Stop</button>
      </p>
    );
  }
  if (!report) return <p role="alert" className="note error">{test.error ?? "The backtest was stopped."}</p>;
  const changed = report.value.filter((rule) => rule.change !== "same" || rule.gained.length > 0 || rule.lost.length > 0);
  return (
    <div className="note" role="status">
      <p>
        {report.events.toLocaleString()} events of {localText(report.covered.from)} to {localText(report.covered.to)} in {report.seconds.toFixed(1)} s.
        {changed.length === 0 && " Nothing that was found would change."}
      </p>
      {changed.length > 0 && (
        <table>
          <thead>
            <tr>
              <th scope="col">Rule</th>
              <th scope="col" />
              <th scope="col" className="number">Alerts</th>
              <th scope="col" className="number">Before</th>
              <th scope="col" className="number">A day</th>
              <th scope="col" className="number">Hits</th>
              <th scope="col" className="number">Devices</th>
            </tr>
          </thead>
          <tbody>
            {changed.map((rule) => (
              <tr key={rule.id}>
                <td className="text">
                  {rule.title}
                  <Examples title="Would be found too:" of={rule.gained} />
                  <Examples title="Would not be found any more:" of={rule.lost} />
                </td>
                <td><span className="chip">{rule.change}</span></td>
                <td className="number">{rule.alerts.toLocaleString()}</td>
                <td className="number">{rule.before?.alerts.toLocaleString() ?? ""}</td>
                <td className="number">{rule.alertsPerDay.toFixed(1)}</td>
                <td className="number">{rule.hits.toLocaleString()}</td>
                <td className="number">{rule.devices.toLocaleString()}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}
