// Two texts, line by line; and the choice where somebody else changed what one was changing.
import { diffLines } from "./rules";

export function TextDiff({ before, after }: { before: string; after: string }) {
  return (
    <pre className="diff" tabIndex={0}>
      {diffLines(before, after).map((line, index) => (
        <span key={index} className={line.kind}>{line.kind === "added" ? "+ " : line.kind === "removed" ? "− " : "  "}{line.text}{"\n"}</span>
      ))}
    </pre>
  );
}

interface Props {
  what: string; // who changed what, as a sentence
  theirs: string;
  mine: string;
  busy: boolean;
  take: () => void; // theirs, instead of what is in the editor
  over: () => void; // mine, knowing theirs
  edit: () => void; // go on; the next save is made from theirs
}

/** Nothing is lost by itself: what differs is shown, and the viewer says which of the two holds. */
export function Conflict({ what, theirs, mine, busy, take, over, edit }: Props) {
  return (
    <div role="alert" className="note error">
      <p>{what} {theirs === mine ? "It says the same as yours." : "− is theirs, + is yours:"}</p>
      {theirs !== mine && <TextDiff before={theirs} after={mine} />}
      <div className="bar">
        <button type="button" autoFocus onClick={edit}>Go on editing mine</button>
        <button type="button" onClick={take}>Take theirs</button>
        <button type="button" className="danger" disabled={busy} onClick={over}>Put mine over theirs</button>
      </div>
    </div>
  );
}
