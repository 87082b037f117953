// Choosing a table's columns and their order: by buttons, which the keyboard reaches, or by dragging.
import { type ReactNode, useEffect, useId, useRef, useState } from "react";
import { type Ids, placed, sameIds } from "./columns";

export interface Choosable {
  id: string;
  title: string;
  fixed?: boolean; // may be moved, not left out
}

interface Props {
  all: readonly Choosable[];
  shown: Ids;
  usual: Ids;
  change: (ids: Ids) => void;
}

type Did = { id: string; by: "left" | "right" | "out" | "in" };

export function ColumnChoice({ all, shown, usual, change }: Props) {
  const [said, setSaid] = useState("");
  const [dragged, setDragged] = useState<string | null>(null);
  const list = useRef<HTMLDivElement>(null);
  const did = useRef<Did | null>(null);
  const titleOf = (id: string) => all.find((one) => one.id === id)?.title ?? id;
  const hidden = all.filter((one) => !shown.includes(one.id));

  // The keyboard stays with the column that it moved, took out or put in.
  useEffect(() => {
    const last = did.current;
    did.current = null;
    if (last === null) return;
    const button = (by: Did["by"]) => list.current?.querySelector<HTMLElement>(`[data-column="${CSS.escape(last.id)}"][data-by="${by}"]`);
    (button(last.by) ?? button(last.by === "out" ? "in" : "out") ?? button("left"))?.focus();
  }, [shown]);

  const act = (by: Did["by"], id: string, ids: Ids) => {
    did.current = { id, by };
    change(ids);
    setSaid(ids.includes(id) ? `${titleOf(id)} is column ${ids.indexOf(id) + 1} of ${ids.length}` : `${titleOf(id)} is left out`);
  };
  const move = (by: "left" | "right", id: string, at: number) => {
    if (at >= 0 && at < shown.length) act(by, id, placed(shown, id, at));
  };
  return (
    <div className="column-choice" role="group" aria-label="Columns" ref={list}>
      <ol aria-label="Shown, from left to right">
        {shown.map((id, at) => {
          const button = (by: Did["by"], name: string, face: string, use: () => void, idle = false) => (
            <button type="button" data-column={id} data-by={by} aria-label={name} title={name} aria-disabled={idle || undefined} onClick={use}>{face}</button>
          );
          return (
            <li
              key={id}
              draggable
              className={dragged === id ? "dragged" : undefined}
              onDragStart={(event) => { event.dataTransfer.effectAllowed = "move"; event.dataTransfer.setData("text/plain", titleOf(id)); setDragged(id); }}
              onDragOver={(event) => dragged !== null && event.preventDefault()}
              onDrop={(event) => { event.preventDefault(); if (dragged !== null && dragged !== id) act("right", dragged, placed(shown, dragged, at)); setDragged(null); }}
              onDragEnd={() => setDragged(null)}
            >
              {button("left", `Move ${titleOf(id)} to the left`, "←", () => move("left", id, at - 1), at === 0)}
              <span>{titleOf(id)}</span>
              {button("right", `Move ${titleOf(id)} to the right`, "→", () => move("right", id, at + 1), at === shown.length - 1)}
              {shown.length > 1 && !all.find((one) => one.id === id)?.fixed && button("out", `Leave out ${titleOf(id)}`, "✕", () => act("out", id, shown.filter((one) => one !== id)))}
            </li>
          );
        })}
      </ol>
      {hidden.length > 0 && (
        <ul aria-label="Left out">
          {hidden.map(({ id, title }) => (
            <li key={id}><button type="button" data-column={id} data-by="in" aria-label={`Show ${title}`} onClick={() => act("in", id, [...shown, id])}>+ {title}</button></li>
          ))}
        </ul>
      )}
      <button type="button" className="reset" aria-disabled={sameIds(shown, usual) || undefined} onClick={() => { change(usual); setSaid("The usual columns are back"); }}>Reset</button>
      <span className="unseen" role="status">{said}</span>
    </div>
  );
}

/** The button that opens the choice, and the choice where it is open. */
export function useColumnChoice(props: Props, label = "Columns"): { button: ReactNode; choice: ReactNode } {
  const [open, setOpen] = useState(false);
  const id = useId();
  return {
    button: <button type="button" aria-expanded={open} aria-controls={open ? id : undefined} aria-label={label === "Columns" ? undefined : label} onClick={() => setOpen(!open)}>Columns</button>,
    choice: open && <div id={id}><ColumnChoice {...props} /></div>,
  };
}
