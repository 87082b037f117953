// What a device is doing, and what is known against it, as a list and its own page show it.
import { SeverityIcon } from "./marks";
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

export function Connection({ device }: { device: Device }) {
  const disabled = device.status === "disabled";
  return <span className={`state ${disabled ? "off" : device.connectionState}`}>{disabled ? "Disabled" : device.connectionState}</span>;
}
