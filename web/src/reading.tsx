// What is read from the server while a part of the page stands: not there yet, there, or why not.
import { type ReactNode, useCallback, useEffect, useRef, useState } from "react";
import { type Trouble, troubleOf } from "./trouble";

export interface Reading<T> {
  value: T | null; // what was read last; it stays while it is read again
  error: Trouble | null; // of the last try
  again: () => void;
}

/** Reads when it appears and whenever one of `because` changes; what comes too late is dropped. */
export function useReading<T>(read: (signal: AbortSignal) => Promise<T>, because: readonly unknown[]): Reading<T> {
  const [value, setValue] = useState<T | null>(null);
  const [error, setError] = useState<Trouble | null>(null);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    read(abort.signal).then(
      (fresh) => {
        if (abort.signal.aborted) return;
        setValue(fresh);
        setError(null);
      },
      (reason: unknown) => abort.signal.aborted || setError(troubleOf(reason)),
    );
    return () => abort.abort();
  }, [...because, turn]);
  const again = useCallback(() => setTurn((old) => old + 1), []);
  return { value, error, again };
}

const followMs = [1_000, 3_000, 6_000, 12_000, 24_000, 40_000]; // a change acts when the content version that holds it does

/** Reads now, and a few times more until what was changed has come into force. */
export function useFollowing(again: () => void): () => void {
  const later = useRef<ReturnType<typeof setTimeout>[]>([]);
  const stop = () => later.current.forEach(clearTimeout);
  useEffect(() => stop, []);
  return useCallback(() => {
    stop();
    again();
    later.current = followMs.map((ms) => setTimeout(again, ms));
  }, [again]);
}

/** Why something is not there, what to do about it, and a way to try again. */
export function TroubleNote({ trouble, again }: { trouble: Trouble; again?: () => void }) {
  return (
    <div role="alert" className="note error">
      <p>{trouble.what} {trouble.todo}</p>
      {again && <button type="button" onClick={again}>Try again</button>}
    </div>
  );
}

interface Props<T> {
  of: Reading<T>;
  empty?: ReactNode; // shown instead of nothing
  isEmpty?: (value: T) => boolean;
  children: (value: T) => ReactNode;
}

/** The states that everything read has: an error, not there yet, nothing there, the thing itself. */
export function Shown<T>({ of, empty, isEmpty, children }: Props<T>) {
  return (
    <>
      {of.error !== null && <TroubleNote trouble={of.error} again={of.again} />}
      {of.value === null && of.error === null && <p className="quiet">Reading…</p>}
      {of.value !== null && (isEmpty?.(of.value) ? <p className="quiet">{empty}</p> : children(of.value))}
    </>
  );
}
