// The panel at the side that shows one thing whole; Escape, the cross and a click beside it close it.
import { type ReactNode, useEffect, useRef } from "react";

interface Props {
  title: string;
  close: () => boolean; // false where the viewer stays, for the sake of what is not saved
  children: ReactNode;
  beside?: ReactNode; // of the title
  footer?: ReactNode;
}

export function Drawer({ title, close, children, beside, footer }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog
      ref={dialog}
      className="drawer"
      aria-labelledby="drawer-title"
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
      // A browser may close it without asking, at a second Escape: then it opens again where something is not saved.
      onClose={() => close() || dialog.current?.showModal()}
      onClick={(event) => event.target === dialog.current && close()}
    >
      <div className="drawer-content">
        <header>
          <h2 id="drawer-title">{title}</h2>
          <span className="actions">
            {beside}
            <button type="button" onClick={close} aria-label="Close">✕</button>
          </span>
        </header>
        {children}
        {footer && <footer>{footer}</footer>}
      </div>
    </dialog>
  );
}

export function Properties({ values }: { values: [string, ReactNode][] }) {
  return (
    <dl className="properties">
      {values.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

export function Steps({ steps }: { steps: string[] }) {
  if (steps.length === 0) return null;
  return (
    <section>
      <h3>What to do</h3>
      <ul>
        {steps.map((step, index) => (
          <li key={index}>{step}</li>
        ))}
      </ul>
    </section>
  );
}
