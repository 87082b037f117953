// Where the viewer is: the address says it, so that links in alerts and bookmarks lead there.
import { useCallback, useEffect, useState } from "react";

export type Place =
  | { at: "overview" }
  | { at: "alert"; id: string }
  | { at: "recommendation"; id: string }
  | { at: "logs"; query: string | null };

/** The place of a path and its query string; what is not known is the overview. */
export function placeOf(path: string, search: string): Place {
  const [, first = "", second = ""] = path.split("/");
  const parameters = new URLSearchParams(search);
  if (first === "logs") return { at: "logs", query: parameters.get("query") };
  try {
    if (first === "alerts" && second !== "") return { at: "alert", id: decodeURIComponent(second) };
    if (first === "recommendations" && second !== "") return { at: "recommendation", id: decodeURIComponent(second) };
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
  const search = parameters.size === 0 ? "" : `?${parameters}`;
  if (place.at === "alert") return `/alerts/${encodeURIComponent(place.id)}${search}`;
  if (place.at === "recommendation") return `/recommendations/${encodeURIComponent(place.id)}${search}`;
  return (place.at === "logs" ? "/logs" : "/") + search;
}

const here = (): Place => placeOf(window.location.pathname, window.location.search);

/** The present place, and a way to another; the browser's back button undoes it. */
export function usePlace(hub: string | null): [Place, (place: Place) => void] {
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
