// A change that a person asked for: under way, done, refused and why.
import { useCallback, useState } from "react";
import { TroubleNote } from "./reading";
import { type Trouble, troubleOf } from "./trouble";

export interface Saving {
  busy: boolean;
  done: string | null;
  error: Trouble | null;
  /** Runs the change; `said` is shown when it is done, "" says nothing. Whether it was. */
  run: (change: () => Promise<unknown>, said: string) => Promise<boolean>;
  say: (done: string) => void;
  clear: () => void;
}

export function useSaving(): Saving {
  const [busy, setBusy] = useState(false);
  const [done, setDone] = useState<string | null>(null);
  const [error, setError] = useState<Trouble | null>(null);
  const clear = useCallback(() => {
    setDone(null);
    setError(null);
  }, []);
  const run = useCallback(async (change: () => Promise<unknown>, said: string) => {
    setBusy(true);
    clear();
    try {
      await change();
      setDone(said);
      return true;
    } catch (reason) {
      setError(troubleOf(reason));
      return false;
    } finally {
      setBusy(false);
    }
  }, [clear]);
  return { busy, done, error, run, say: setDone, clear };
}

export function Outcome({ of }: { of: Saving }) {
  return (
    <>
      {of.error !== null && <TroubleNote trouble={of.error} />}
      {of.done && <p role="status" className="note">{of.done}</p>}
    </>
  );
}

/** A button that asks once more before it does what cannot be undone. */
export function Sure({ text, question, busy, act }: { text: string; question: string; busy: boolean; act: () => void }) {
  const [asked, setAsked] = useState(false);
  return (
    <button
      type="button"
      className={asked ? "danger" : undefined}
      disabled={busy}
      onBlur={() => setAsked(false)}
      onClick={() => {
        setAsked(!asked);
        if (asked) act();
      }}
    >
      {asked ? question : text}
    </button>
  );
}
