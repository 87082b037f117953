// What a person decides and says about an alert, or about several. It goes through the log, and comes back as the alert's next row.
import { useContext, useState } from "react";
import type { Api } from "./api";
import { Time } from "./marks";
import type { Alert, Note } from "./model";
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
  alerts: readonly Alert[]; // one, or those that are decided about together
  decided: (said: string) => void;
}

export function Decision(props: Props) {
  const may = useMay("operator");
  return may.yes ? <DecisionForm {...props} /> : <p className="quiet decision">{may.why}</p>;
}

interface AssigneeProps {
  api: Api;
  present: string | null; // "" = nobody; null = of several alerts, not the same
  busy: boolean;
  assign: (name: string) => void;
}

/** Whose the alert is: one of those who may do something about it. */
function Assignee({ api, present, busy, assign }: AssigneeProps) {
  const reading = useReading(async (signal) => (await api.get<{ value: { name: string }[] }>("/api/v1/assignees", signal)).value.map((one) => one.name), [api]);
  const me = useContext(WhoContext)?.name ?? "";
  const names = reading.value ?? [];
  const several = "\u0000"; // no user's name
  return (
    <label className="filter">
      <span>Assigned to</span>
      <select value={present ?? several} disabled={busy || reading.value === null} onChange={(event) => assign(event.target.value)}>
        {present === null && <option value={several} disabled>Different people</option>}
        <option value="">Nobody</option>
        {present !== null && present !== "" && !names.includes(present) && <option>{present}</option>}
        {names.map((name) => <option key={name} value={name}>{name === me ? `${name} (you)` : name}</option>)}
      </select>
    </label>
  );
}

const followed = "It shows when the decision has passed through the log.";

type Said = Record<string, string>;

/** Tells the server; the ids that it does not know. */
async function tell(api: Api, hub: string, alerts: readonly Alert[], what: Said): Promise<readonly string[]> {
  const scope = `hub=${encodeURIComponent(hub)}`;
  if (alerts.length === 1) {
    await api.send("PATCH", `/api/v1/alerts/${encodeURIComponent(alerts[0]!.id)}?${scope}`, what);
    return [];
  }
  const answer = await api.send<{ unknown: string[] }>("POST", `/api/v1/alerts/decisions?${scope}`, { ids: alerts.map((one) => one.id), ...what });
  return answer?.unknown ?? [];
}

function DecisionForm({ api, hub, alerts, decided }: Props) {
  const [comment, setComment] = useState("");
  const [reason, setReason] = useState("");
  const [dismissing, setDismissing] = useState(false);
  const saving = useSaving();
  useUnsaved(comment.trim() !== "");
  const many = alerts.length > 1 ? `${alerts.length.toLocaleString()} alerts: ` : "";
  const say = async (what: Said, said: string) => {
    const text = comment.trim();
    let unknown: readonly string[] = [];
    const change = async () => (unknown = await tell(api, hub, alerts, { ...what, ...(text !== "" && { comment: text }) }));
    if (!(await saving.run(change, ""))) return;
    const sentence = `${many}${said} ${followed}${unknown.length > 0 ? ` ${unknown.length} of them are gone.` : ""}`;
    saving.say(sentence);
    setComment("");
    setDismissing(false);
    decided(sentence);
  };
  const assignees = new Set(alerts.map((one) => assigneeOf(one.extendedProperties)));
  const open = alerts.filter((one) => isOpen(one.status));
  return (
    <form className="decision" onSubmit={(event) => { event.preventDefault(); void say({ status: "Dismissed", reason }, "Dismissed."); }}>
      <Outcome of={saving} />
      <label className="filter wide">
        <span>Comment</span>
        <textarea rows={many === "" ? 2 : 1} maxLength={500} value={comment} onChange={(event) => setComment(event.target.value)} />
      </label>
      <div className="bar">
        <Assignee
          api={api}
          present={assignees.size === 1 ? [...assignees][0]! : null}
          busy={saving.busy}
          assign={(name) => void say({ assignee: name }, name === "" ? "Assigned to nobody." : `Assigned to ${name}.`)}
        />
        <button type="button" disabled={saving.busy || comment.trim() === ""} onClick={() => void say({}, "Said.")}>Comment</button>
        <button type="button" disabled={saving.busy} onClick={() => void say({ feedback: "Useful" }, "Thank you.")}>Useful</button>
        <button type="button" disabled={saving.busy} onClick={() => void say({ feedback: "NotUseful" }, "Thank you.")}>Not useful</button>
        {open.length > 0 && (
          <>
            {open.some((one) => one.status !== "InProgress") && (
              <button type="button" disabled={saving.busy} onClick={() => void say({ status: "InProgress" }, "In progress.")}>In progress</button>
            )}
            <button type="button" disabled={saving.busy} onClick={() => void say({ status: "Resolved" }, "Resolved.")}>Resolve</button>
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
          <button type="submit" className="danger" disabled={saving.busy || reason === ""}>{many === "" ? "Dismiss for good" : `Dismiss ${alerts.length.toLocaleString()} for good`}</button>
          <button type="button" onClick={() => setDismissing(false)}>Cancel</button>
        </div>
      )}
    </form>
  );
}
