import { SeverityIcon, Time } from "./marks";
import { type Device, severities } from "./model";

export const agentStates = {
  NotInstalled: "Not installed",
  NeverReported: "Never reported",
  Reporting: "Reporting",
  Silent: "Silent",
} as const;

export function OpenAlerts({ device }: { device: Device }) {
  if (device.openAlerts === 0) return <span className="quiet">none</span>;
  return (
    <span className="counts">
      {severities
        .filter((severity) => device.openAlertsBySeverity[severity] > 0)
        .map((severity) => (
          <span key={severity} title={severity}>
            <SeverityIcon severity={severity} />
            {device.openAlertsBySeverity[severity]}
            <span className="unseen"> {severity}</span>
          </span>
        ))}
    </span>
  );
}

export function DevicesTable({ devices, now, open }: { devices: Device[]; now: number; open: (device: string) => void }) {
  return (
    <div className="scroll" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">Device</th>
            <th scope="col">Connection</th>
            <th scope="col">Agent</th>
            <th scope="col">Last event</th>
            <th scope="col">Open alerts</th>
            <th scope="col" className="number">Recommendations</th>
          </tr>
        </thead>
        <tbody>
          {devices.map((device) => (
            <tr key={device.deviceId}>
              <td className="device">
                <button type="button" className="link" onClick={() => open(device.deviceId)}>
                  {device.deviceId}
                </button>
              </td>
              <td>
                <span className={`state ${device.status === "disabled" ? "off" : device.connectionState}`}>
                  {device.status === "disabled" ? "Disabled" : device.connectionState}
                </span>
              </td>
              <td>
                <span className={`state ${device.agentState}`}>{agentStates[device.agentState]}</span>
              </td>
              <td>
                <Time iso={device.lastEvent} now={now} relative />
              </td>
              <td>
                <OpenAlerts device={device} />
              </td>
              <td className="number">{device.activeRecommendations}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
