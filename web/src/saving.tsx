// A change that a person asked for: under way, done, refused and why.
import { useCallback, useState } from "react";

export interface Saving {
  busy: boolean;
  done: string | null;
  error: string | null;
  /** Runs the change; `said` is shown when it is done, "" says nothing. Whether it was. */
  run: (change: () => Promise<unknown>, said: string) => Promise<boolean>;
  clear: () => void;
}

export function useSaving(): Saving {
  const [busy, setBusy] = useState(false);
  const [done, setDone] = useState<string | null>(null);
  const [error, setError] = useState<string | null>(null);
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
      setError(reason instanceof Error ? reason.message : String(reason));
      return false;
    } finally {
      setBusy(false);
    }
  }, [clear]);
  return { busy, done, error, run, clear };
}

export function Outcome({ of }: { of: Saving }) {
  return (
    <>
      {of.error !== null && <p role="alert" className="note error">{of.error}</p>}
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
