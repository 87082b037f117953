// The page's data: read whole at first, kept fresh by the stream, read whole again when the stream was lost.
import { useCallback, useEffect, useRef, useState } from "react";
import type { Api } from "./api";
import type { Alert, Hub, Overview } from "./model";
import { alertsShown, withAlert, withCounted } from "./state";
import { type Trouble, troubleOf } from "./trouble";

export interface PageData {
  overview: Overview;
  alerts: Alert[];
}
export type Link = "connecting" | "live" | "lost";
export interface Live {
  hubs: Hub[] | null; // null: not read yet
  data: PageData | null;
  link: Link;
  error: Trouble | null;
  fresh: ReadonlySet<string>; // alerts that came while the page was open
  reload: () => void;
}

const reloadMs = 30_000; // device states and data ages have no event of their own
const settleMs = 1_500; // after news: one reading for a burst
const retryMs = 3_000;
const worstRead = 20; // more than the overview shows

async function readAll(api: Api, hub: string, signal: AbortSignal): Promise<PageData> {
  const scope = `hub=${encodeURIComponent(hub)}`;
  const [overview, newest, worst] = await Promise.all([
    api.get<Overview>(`/api/v1/overview?${scope}`, signal),
    api.get<{ value: Alert[] }>(`/api/v1/alerts?${scope}&top=${alertsShown}`, signal),
    api.get<{ value: Alert[] }>(`/api/v1/alerts?${scope}&severity=High&top=${worstRead}`, signal),
  ]);
  // An old High one is not pushed out by many small ones.
  const known = new Set(newest.value.map((one) => one.id));
  return { overview, alerts: [...newest.value, ...worst.value.filter((one) => !known.has(one.id))] };
}

export function useLive(api: Api, hub: string | null): Live {
  const [hubs, setHubs] = useState<Hub[] | null>(null);
  const [data, setData] = useState<PageData | null>(null);
  const [link, setLink] = useState<Link>("connecting");
  const [error, setError] = useState<Trouble | null>(null);
  const [fresh, setFresh] = useState<ReadonlySet<string>>(new Set());
  const [turn, setTurn] = useState(0); // of reading the list of hubs
  const settle = useRef<ReturnType<typeof setTimeout>>(undefined);
  const name = hub ?? hubs?.[0]?.name ?? null;

  const fail = useCallback(
    (reason: unknown) => {
      if (reason instanceof DOMException && reason.name === "AbortError") return;
      setError(troubleOf(reason));
    },
    [],
  );

  useEffect(() => {
    const abort = new AbortController();
    api.get<{ value: Hub[] }>("/api/v1/hubs", abort.signal).then((answer) => {
      setHubs(answer.value);
      setError(null);
    }, fail);
    return () => abort.abort();
  }, [api, fail, turn]);

  const load = useCallback(
    async (signal: AbortSignal) => {
      if (name === null) return;
      try {
        setData(await readAll(api, name, signal));
        setError(null);
      } catch (reason) {
        fail(reason);
      }
    },
    [api, name, fail],
  );

  useEffect(() => {
    const abort = new AbortController();
    void load(abort.signal);
    const timer = setInterval(() => document.hidden || void load(abort.signal), reloadMs);
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, [load]);

  useEffect(() => {
    if (name === null) return;
    const abort = new AbortController();
    const onAlert = (alert: Alert) => {
      setData((old) => {
        if (!old) return old;
        const known = old.alerts.some((one) => one.id === alert.id);
        return { ...old, overview: withCounted(old.overview, alert, known), alerts: withAlert(old.alerts, alert) };
      });
      setFresh((old) => new Set([...old, alert.id].slice(-200)));
    };
    const follow = async () => {
      let after: number | null = null;
      while (!abort.signal.aborted) {
        try {
          const since = after === null ? "" : `&after=${after}`;
          await api.events(`/api/v1/stream?hub=${encodeURIComponent(name)}${since}`, abort.signal, ({ event, data: text }) => {
            const body = JSON.parse(text) as { sequence: number };
            after = body.sequence;
            setLink("live");
            if (event === "alert") onAlert(body as unknown as Alert);
            if (event === "hello" && after !== null) return;
            clearTimeout(settle.current);
            settle.current = setTimeout(() => void load(abort.signal), event === "counts" ? 5 * settleMs : settleMs);
          });
        } catch (reason) {
          fail(reason);
        }
        if (abort.signal.aborted) return;
        setLink("lost");
        await new Promise((resolve) => setTimeout(resolve, retryMs));
      }
    };
    void follow();
    return () => {
      abort.abort();
      clearTimeout(settle.current);
    };
  }, [api, name, load, fail]);

  const reload = useCallback(() => {
    if (name === null) setTurn((old) => old + 1);
    else void load(new AbortController().signal);
  }, [name, load]);
  return { hubs, data, link, error, fresh, reload };
}
