// Where the viewer is: the address says it, so that links in alerts and bookmarks lead there.
import { useCallback, useEffect, useState } from "react";

/** What a list shows, as the address carries it: name → value, empty values left out. */
export type Filters = Readonly<Record<string, string>>;

export type Place =
  | { at: "overview" }
  | { at: "alerts"; filters: Filters }
  | { at: "alert"; id: string }
  | { at: "recommendations"; filters: Filters }
  | { at: "recommendation"; id: string }
  | { at: "devices"; filters: Filters }
  | { at: "device"; id: string; tab: string }
  | { at: "logs"; query: string | null };

const lists = ["alerts", "recommendations", "devices"] as const;

function filtersOf(parameters: URLSearchParams): Filters {
  return Object.fromEntries([...parameters].filter(([name, value]) => name !== "hub" && value !== ""));
}

/** The place of a path and its query string; what is not known is the overview. */
export function placeOf(path: string, search: string): Place {
  const [, first = "", second = ""] = path.split("/");
  const parameters = new URLSearchParams(search);
  if (first === "logs") return { at: "logs", query: parameters.get("query") };
  try {
    const id = decodeURIComponent(second);
    if (first === "alerts" && id !== "") return { at: "alert", id };
    if (first === "recommendations" && id !== "") return { at: "recommendation", id };
    if (first === "devices" && id !== "") return { at: "device", id, tab: parameters.get("tab") ?? "" };
    for (const at of lists) if (first === at) return { at, filters: filtersOf(parameters) };
  } catch {
    // a % that begins no escape: no place of ours
  }
  return { at: "overview" };
}

/** The address of a place; `hub` stays in it where the viewer has chosen one. */
export function addressOf(place: Place, hub: string | null): string {
  const parameters = new URLSearchParams();
  if (hub !== null) parameters.set("hub", hub);
  if (place.at === "logs" && place.query !== null) parameters.set("query", place.query);
  if (place.at === "device" && place.tab !== "") parameters.set("tab", place.tab);
  if ("filters" in place) for (const [name, value] of Object.entries(place.filters)) if (value !== "") parameters.set(name, value);
  const search = parameters.size === 0 ? "" : `?${parameters}`;
  if (place.at === "alert") return `/alerts/${encodeURIComponent(place.id)}${search}`;
  if (place.at === "recommendation") return `/recommendations/${encodeURIComponent(place.id)}${search}`;
  if (place.at === "device") return `/devices/${encodeURIComponent(place.id)}${search}`;
  return (place.at === "overview" ? "/" : `/${place.at}`) + search;
}

const here = (): Place => placeOf(window.location.pathname, window.location.search);

export type Go = (place: Place) => void;

/** The present place, and a way to another; the browser's back button undoes it. */
export function usePlace(hub: string | null): [Place, Go] {
  const [place, setPlace] = useState(here);
  useEffect(() => {
    const follow = () => setPlace(here());
    window.addEventListener("popstate", follow);
    return () => window.removeEventListener("popstate", follow);
  }, []);
  const go = useCallback(
    (next: Place) => {
      window.history.pushState(null, "", addressOf(next, hub));
      setPlace(next);
    },
    [hub],
  );
  return [place, go];
}
