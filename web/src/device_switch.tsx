// Cuts a device off from its hub, and lets it in again: what a person can do at once about a device that turned.
import { useState } from "react";
import type { Api } from "./api";
import type { Device } from "./model";
import { useMay } from "./rights";
import { Outcome, useSaving } from "./saving";
import { visible } from "./visible";

interface Props {
  api: Api;
  address: string; // of the device in the API
  device: Device;
  changed: () => void;
}

export function DeviceSwitch({ api, address, device, changed }: Props) {
  const may = useMay("operator");
  const saving = useSaving();
  const [asking, setAsking] = useState(false);
  const [reason, setReason] = useState("");
  const off = device.status === "disabled";
  const change = async (status: "enabled" | "disabled", said: string) => {
    const body = { status, ...(status === "disabled" && { statusReason: reason.trim() }) };
    if (!(await saving.run(() => api.send("PATCH", address, body), said))) return;
    setAsking(false);
    setReason("");
    changed();
  };
  return (
    <>
      {off && device.statusReason !== undefined && <span className="quiet">because: {visible(device.statusReason)}</span>}
      {may.yes && off && <button type="button" disabled={saving.busy} onClick={() => void change("enabled", "It may connect again.")}>Let it in again</button>}
      {may.yes && !off && !asking && <button type="button" onClick={() => setAsking(true)}>Cut off…</button>}
      {asking && !off && (
        <form className="bar cut-off" onSubmit={(event) => { event.preventDefault(); void change("disabled", "It is cut off: its connections are closed."); }}>
          <p className="quiet">
            Closes its connections now and refuses new ones, also those of its agent: nothing more is seen of it here until it is let in again. What it does elsewhere in its network goes on.
          </p>
          <label className="filter wide">
            <span>Reason</span>
            <input required autoFocus maxLength={128} value={reason} onChange={(event) => setReason(event.target.value)} />
          </label>
          <button type="submit" className="danger" disabled={saving.busy || reason.trim() === ""}>Cut it off</button>
          <button type="button" onClick={() => setAsking(false)}>Cancel</button>
        </form>
      )}
      <Outcome of={saving} />
    </>
  );
}
