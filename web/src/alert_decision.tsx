// What a person decides about an alert. It goes through the log, and comes back as the alert's next row.
import type { Api } from "./api";
import type { AlertDetail } from "./model";
import { Outcome, Sure, useSaving } from "./saving";
import { isOpen } from "./state";

interface Props {
  api: Api;
  hub: string;
  alert: AlertDetail;
  decided: () => void;
}

export function Decision({ api, hub, alert, decided }: Props) {
  const saving = useSaving();
  const decide = async (status: string, said: string) => {
    const address = `/api/v1/alerts/${encodeURIComponent(alert.id)}?hub=${encodeURIComponent(hub)}`;
    if (await saving.run(() => api.send("PATCH", address, { status }), `${said}. It shows when the decision has passed through the log.`)) decided();
  };
  return (
    <div className="decision">
      <Outcome of={saving} />
      {isOpen(alert.status) && (
        <div className="bar">
          {alert.status !== "InProgress" && (
            <button type="button" disabled={saving.busy} onClick={() => void decide("InProgress", "In progress")}>In progress</button>
          )}
          <button type="button" disabled={saving.busy} onClick={() => void decide("Resolved", "Resolved")}>Resolve</button>
          <Sure text="Dismiss" question="Dismiss for good?" busy={saving.busy} act={() => void decide("Dismissed", "Dismissed")} />
        </div>
      )}
    </div>
  );
}
