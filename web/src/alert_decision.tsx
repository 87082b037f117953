// What a person decides and says about an alert. It goes through the log, and comes back as the alert's next row.
import { useContext, useState } from "react";
import type { Api } from "./api";
import { Time } from "./marks";
import type { AlertDetail, Note } from "./model";
import { useUnsaved } from "./place";
import { useReading } from "./reading";
import { useMay, WhoContext } from "./rights";
import { Outcome, useSaving } from "./saving";
import { assigneeOf, isOpen } from "./state";
import { visible } from "./visible";

const reasons = ["False positive", "Expected here", "Already handled", "A test", "Other"] as const;

export function Notes({ notes, now }: { notes: Note[]; now: number }) {
  if (notes.length === 0) return null;
  return (
    <section>
      <h3>What was said</h3>
      <ul className="plain notes">
        {notes.map((note, index) => (
          <li key={index}>
            <span className="quiet">{note.By} · <Time iso={note.Time} now={now} /></span>{" "}
            {[note.Status, note.AssignedTo === undefined ? undefined : note.AssignedTo === "" ? "assigned to nobody" : `assigned to ${visible(note.AssignedTo)}`, note.Reason, note.Feedback === "NotUseful" ? "not useful" : note.Feedback === "Useful" ? "useful" : undefined]
              .filter((text) => text !== undefined)
              .map((text) => <span className="chip" key={text}>{text}</span>)}
            {note.Comment !== undefined && <div className="comment">{visible(note.Comment)}</div>}
          </li>
        ))}
      </ul>
    </section>
  );
}

interface Props {
  api: Api;
  hub: string;
  alert: AlertDetail;
  decided: () => void;
}

export function Decision(props: Props) {
  const may = useMay("operator");
  return may.yes ? <DecisionForm {...props} /> : <p className="quiet decision">{may.why}</p>;
}

interface AssigneeProps {
  api: Api;
  present: string; // "" = nobody
  busy: boolean;
  assign: (name: string) => void;
}

/** Whose the alert is: one of those who may do something about it. */
function Assignee({ api, present, busy, assign }: AssigneeProps) {
  const reading = useReading(async (signal) => (await api.get<{ value: { name: string }[] }>("/api/v1/assignees", signal)).value.map((one) => one.name), [api]);
  const me = useContext(WhoContext)?.name ?? "";
  const names = reading.value ?? [];
  return (
    <label className="filter">
      <span>Assigned to</span>
      <select value={present} disabled={busy || reading.value === null} onChange={(event) => assign(event.target.value)}>
        <option value="">Nobody</option>
        {present !== "" && !names.includes(present) && <option>{present}</option>}
        {names.map((name) => <option key={name} value={name}>{name === me ? `${name} (you)` : name}</option>)}
      </select>
    </label>
  );
}

function DecisionForm({ api, hub, alert, decided }: Props) {
  const [comment, setComment] = useState("");
  const [reason, setReason] = useState("");
  const [dismissing, setDismissing] = useState(false);
  const saving = useSaving();
  useUnsaved(comment.trim() !== "");
  const say = async (what: Record<string, string>, said: string) => {
    const address = `/api/v1/alerts/${encodeURIComponent(alert.id)}?hub=${encodeURIComponent(hub)}`;
    const text = comment.trim();
    if (!(await saving.run(() => api.send("PATCH", address, { ...what, ...(text !== "" && { comment: text }) }), said))) return;
    setComment("");
    setDismissing(false);
    decided();
  };
  const followed = "It shows when the decision has passed through the log.";
  return (
    <form className="decision" onSubmit={(event) => { event.preventDefault(); void say({ status: "Dismissed", reason }, `Dismissed. ${followed}`); }}>
      <Outcome of={saving} />
      <label className="filter wide">
        <span>Comment</span>
        <textarea rows={2} maxLength={500} value={comment} onChange={(event) => setComment(event.target.value)} />
      </label>
      <Assignee
        api={api}
        present={assigneeOf(alert.extendedProperties)}
        busy={saving.busy}
        assign={(name) => void say({ assignee: name }, `${name === "" ? "Assigned to nobody" : `Assigned to ${name}`}. ${followed}`)}
      />
      <div className="bar">
        <button type="button" disabled={saving.busy || comment.trim() === ""} onClick={() => void say({}, `Said. ${followed}`)}>Comment</button>
        <button type="button" disabled={saving.busy} onClick={() => void say({ feedback: "Useful" }, `Thank you. ${followed}`)}>Useful</button>
        <button type="button" disabled={saving.busy} onClick={() => void say({ feedback: "NotUseful" }, `Thank you. ${followed}`)}>Not useful</button>
        {isOpen(alert.status) && (
          <>
            {alert.status !== "InProgress" && (
              <button type="button" disabled={saving.busy} onClick={() => void say({ status: "InProgress" }, `In progress. ${followed}`)}>In progress</button>
            )}
            <button type="button" disabled={saving.busy} onClick={() => void say({ status: "Resolved" }, `Resolved. ${followed}`)}>Resolve</button>
            {!dismissing && <button type="button" onClick={() => setDismissing(true)}>Dismiss…</button>}
          </>
        )}
      </div>
      {dismissing && (
        <div className="bar">
          <label className="filter">
            <span>Reason</span>
            <select value={reason} required autoFocus onChange={(event) => setReason(event.target.value)}>
              <option value="">Pick one…</option>
              {reasons.map((one) => <option key={one}>{one}</option>)}
            </select>
          </label>
          <button type="submit" className="danger" disabled={saving.busy || reason === ""}>Dismiss for good</button>
          <button type="button" onClick={() => setDismissing(false)}>Cancel</button>
        </div>
      )}
    </form>
  );
}
