import { SeverityMark, Time } from "./marks";
import type { Alert } from "./model";
import { isNew } from "./times";

interface Props {
  alerts: Alert[];
  fresh: ReadonlySet<string>;
  now: number;
  open: (id: string) => void;
}

export function AlertsTable({ alerts, fresh, now, open }: Props) {
  return (
    <div className="scroll" tabIndex={0}>
      <table className="alerts">
        <thead>
          <tr>
            <th scope="col">Severity</th>
            <th scope="col">Alert</th>
            <th scope="col">Device</th>
            <th scope="col" className="number">Count</th>
            <th scope="col">Detected by</th>
            <th scope="col">Started</th>
            <th scope="col">Status</th>
          </tr>
        </thead>
        <tbody>
          {alerts.map((alert) => (
            <tr key={alert.id} className={fresh.has(alert.id) ? "fresh" : undefined} onClick={() => open(alert.id)}>
              <td>
                <SeverityMark severity={alert.severity} />
              </td>
              <td>
                <button
                  type="button"
                  className="link"
                  onClick={(event) => {
                    event.stopPropagation();
                    open(alert.id);
                  }}
                >
                  {alert.displayName || alert.type}
                </button>
                {isNew(alert.startTime, now) && <span className="new">New</span>}
              </td>
              <td className="device">{alert.device}</td>
              <td className="number">{alert.hitCount}</td>
              <td>{alert.component}</td>
              <td>
                <Time iso={alert.startTime} now={now} />
              </td>
              <td>{alert.status === "New" ? "Active" : alert.status}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
