// Where the viewer is: the address says it, so that links in alerts and bookmarks lead there.
import { useCallback, useEffect, useRef, useState } from "react";

/** What a place shows, as the address carries it: name → value, empty values left out. */
export type Filters = Readonly<Record<string, string>>;

// The first part of the address → the place of all, and of one of them.
const lists = {
  alerts: "alerts", recommendations: "recommendations", devices: "devices", rules: "rules", "custom-alerts": "groups",
  intelligence: "intelligence", settings: "settings", health: "health", users: "users", tokens: "tokens", audit: "audit", account: "account",
  "scheduled-rules": "scheduled", exports: "exports", vulnerabilities: "vulnerabilities", profiles: "profiles",
} as const;
const items = { alerts: "alert", recommendations: "recommendation", devices: "device", rules: "rule", "custom-alerts": "group", users: "user", "scheduled-rules": "scheduledRule", exports: "export", vulnerabilities: "vulnerability", profiles: "profile" } as const;

type ListName = (typeof lists)[keyof typeof lists];
type ItemName = (typeof items)[keyof typeof items];

export type Place =
  | { at: "overview" }
  | { [At in ListName]: { at: At; filters: Filters } }[ListName]
  | { [At in Exclude<ItemName, "profile">]: { at: At; id: string; tab?: string; span?: string } }[Exclude<ItemName, "profile">]
  | { at: "profile"; id: string; tab?: string; filters: Filters }
  | { at: "logs"; query: string | null; span?: string }; // span: how far back, an ISO 8601 duration

function filtersOf(parameters: URLSearchParams): Filters {
  return Object.fromEntries([...parameters].filter(([name, value]) => name !== "hub" && value !== ""));
}

/** The place of a path and its query string; what is not known is the overview. */
export function placeOf(path: string, search: string): Place {
  const [, first = "", second = ""] = path.split("/");
  const parameters = new URLSearchParams(search);
  const span = parameters.get("span") ?? "";
  if (first === "logs") return { at: "logs", query: parameters.get("query"), ...(span !== "" && { span }) };
  try {
    const id = decodeURIComponent(second);
    if (id !== "" && first === "profiles") return { at: "profile", id, filters: filtersOf(parameters) };
    if (id !== "" && first in items) return { at: items[first as Exclude<keyof typeof items, "profiles">], id, tab: parameters.get("tab") ?? "", ...(span !== "" && { span }) };
    if (id === "" && first in lists) return { at: lists[first as keyof typeof lists], filters: filtersOf(parameters) };
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
  if ("id" in place && place.tab) parameters.set("tab", place.tab);
  if ("span" in place && place.span) parameters.set("span", place.span);
  if ("filters" in place) for (const [name, value] of Object.entries(place.filters)) if (value !== "") parameters.set(name, value);
  const search = parameters.size === 0 ? "" : `?${parameters}`;
  if (place.at === "overview" || place.at === "logs") return (place.at === "logs" ? "/logs" : "/") + search;
  const first = Object.entries("id" in place ? items : lists).find(([, at]) => at === place.at)?.[0] ?? "";
  return `/${first}${"id" in place ? `/${encodeURIComponent(place.id)}` : ""}${search}`;
}

const here = (): Place => placeOf(window.location.pathname, window.location.search);

/** Goes there; false where the viewer stays, because something is not saved. `instead`: of where one is, which the back button then does not find. */
export type Go = (place: Place, instead?: boolean) => boolean;

// Editors and forms that hold what is not saved yet.
const unsaved = new Set<object>();
export const mayLeave = (): boolean => unsaved.size === 0 || window.confirm("Leave without saving?");

/** While `changed`, leaving the place or the page asks first. */
export function useUnsaved(changed: boolean) {
  useEffect(() => {
    if (!changed) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    unsaved.add(ask);
    window.addEventListener("beforeunload", ask);
    return () => {
      unsaved.delete(ask);
      window.removeEventListener("beforeunload", ask);
    };
  }, [changed]);
}

/** The one filter that differs between two looks at the same place; null where anything else does, or nothing. */
export function filterChanged(from: Place, to: Place): string | null {
  if (!("filters" in from) || !("filters" in to)) return null;
  if (addressOf({ ...from, filters: {} }, null) !== addressOf({ ...to, filters: {} }, null)) return null;
  const names = new Set([...Object.keys(from.filters), ...Object.keys(to.filters)]);
  const changed = [...names].filter((name) => (from.filters[name] ?? "") !== (to.filters[name] ?? ""));
  return changed.length === 1 ? changed[0]! : null;
}

const typingMs = 1_500; // longer between two letters is another search, which the back button finds

/** The present place, and a way to another; the browser's back button undoes it. A text that is typed into a filter is one step. */
export function usePlace(hub: string | null): [Place, Go] {
  const [place, setPlace] = useState(here);
  const address = useRef("");
  address.current = addressOf(place, hub);
  const present = useRef(place);
  present.current = place;
  const typed = useRef<{ name: string | null; at: number }>({ name: null, at: 0 });
  useEffect(() => {
    const follow = () => {
      typed.current = { name: null, at: 0 };
      if (mayLeave()) setPlace(here());
      else window.history.pushState(null, "", address.current);
    };
    window.addEventListener("popstate", follow);
    return () => window.removeEventListener("popstate", follow);
  }, []);
  const go = useCallback(
    (next: Place, instead = false) => {
      if (!mayLeave()) return false;
      const name = filterChanged(present.current, next);
      const goesOn = name !== null && name === typed.current.name && performance.now() - typed.current.at < typingMs;
      typed.current = { name, at: performance.now() };
      window.history[goesOn || instead ? "replaceState" : "pushState"](null, "", addressOf(next, hub));
      setPlace(next);
      return true;
    },
    [hub],
  );
  return [place, go];
}
